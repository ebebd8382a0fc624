"""Tier 1: does the set of generated images look like the set of real ones?"""

from __future__ import annotations

from unipath_bench.contracts import Measurement, ScoreInputs, metric
from unipath_bench.metrics.frechet import frechet_distance
from unipath_bench.metrics.kernel import kernel_distance, unbiased_mmd_polynomial
from unipath_bench.metrics.manifold import precision_recall_density_coverage
from unipath_bench.scoring.features import image_features, require_images
from unipath_bench.scoring.not_computable import NotComputable


@metric("reference.images", "generated.images")
def frechet(inputs: ScoreInputs) -> Measurement:
    """Frechet distance between Gaussians fitted to the reference and the generated features.

    Value ``distance`` (>= 0). Heusel et al., "GANs trained by a two time-scale update rule converge to a
    local Nash equilibrium", NeurIPS 2017. All replicates of all prompts are one set. It is biased upwards by
    an amount that falls with n, so it is read against the real-against-real distance of as many images."""
    for name in ("reference", "generated"):
        require_images(inputs[name], name, 2, "A covariance")
    real, generated = image_features(inputs, "reference"), image_features(inputs, "generated")
    return Measurement(
        values={"distance": float(frechet_distance(real, generated))},
        n=len(generated),
        dimension=real.shape[1],
        details={"reference_images": len(real), "generated_images": len(generated)},
    )


@metric("reference.images", "generated.images")
def kid(inputs: ScoreInputs, *, subset_size: int | None = None, subsets: int = 1000) -> Measurement:
    """Squared maximum mean discrepancy with KID's cubic polynomial kernel, unbiased.

    Value ``distance``, which can be below zero. Binkowski et al., "Demystifying MMD GANs", ICLR 2018. By default over
    all pairs of images at once (the U-statistic of Gretton et al., JMLR 2012), which has no randomness; with
    ``subset_size`` the mean over ``subsets`` random subsets of that size, which estimates the same quantity with the
    noise of the draw.
    :class:`NotComputable` with fewer than two images in a set, and unless ``subset_size`` is smaller than both sets.
    """
    smaller = min(len(inputs["reference"]), len(inputs["generated"]))
    if subset_size is not None and subset_size >= smaller:
        raise NotComputable(
            f"KID averages over subsets of {subset_size} images, which must be fewer than the images of either set; "
            f"the smaller has {smaller}.",
            f"Raise --n to {subset_size + 1} or more.",
        )
    for name in ("reference", "generated"):
        require_images(inputs[name], name, 2, "A mean over pairs")
    real, generated = image_features(inputs, "reference"), image_features(inputs, "generated")
    details: dict[str, int] = {"reference_images": len(real), "generated_images": len(generated)}
    if subset_size is None:
        value = unbiased_mmd_polynomial(real, generated)
    else:
        found = kernel_distance(real, generated, subset_size=subset_size, subsets=subsets, seed=inputs.seed % 2**32)
        value = found.mean
        details |= {"subset_size": subset_size, "subsets": subsets}
    return Measurement(values={"distance": value}, n=len(generated), dimension=real.shape[1], details=details)


@metric("reference.images", "generated.images")
def prdc(inputs: ScoreInputs, *, k: int = 5) -> Measurement:
    """Improved precision and recall, density and coverage by k-nearest-neighbour balls.

    Values ``precision``, ``recall``, ``density``, ``coverage``. Kynkaanniemi et al., NeurIPS 2019; Naeem et
    al., ICML 2020. :class:`NotComputable` with ``k`` images or fewer in a set."""
    for name in ("reference", "generated"):
        require_images(inputs[name], name, k + 1, f"A distance to the {k}th nearest neighbour")
    real, generated = image_features(inputs, "reference"), image_features(inputs, "generated")
    found = precision_recall_density_coverage(real, generated, k=k)
    names = ("precision", "recall", "density", "coverage")
    return Measurement(
        values={name: float(getattr(found, name)) for name in names},
        n=len(generated),
        dimension=real.shape[1],
        details={"k": k},
    )
