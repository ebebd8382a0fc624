"""Tier 1: does the set of generated images look like the set of real ones?"""

from __future__ import annotations

from unipath_bench.contracts import Measurement, ScoreInputs, metric
from unipath_bench.core.errors import NotComputable
from unipath_bench.metrics.basis import PcaBasis
from unipath_bench.metrics.frechet import frechet_distance
from unipath_bench.metrics.frechet_uncertainty import BLOCKS, frechet_estimate
from unipath_bench.metrics.kernel import kernel_distance, unbiased_mmd_polynomial
from unipath_bench.metrics.kernel_uncertainty import kernel_distance_estimate, kernel_distance_without_units
from unipath_bench.metrics.manifold import precision_recall_density_coverage
from unipath_bench.metrics.manifold_blocks import MANIFOLD_FIGURES, manifold_without_blocks
from unipath_bench.metrics.paired_sets import frechet_contributions
from unipath_bench.schema.details import Basis, Manifold, SetDistance
from unipath_bench.schema.record import Contributions, Interval
from unipath_bench.scoring.features import image_features, images_required, require_images
from unipath_bench.scoring.paired import (
    NOT_MATCHED,
    RECOMPUTED_BLOCKS,
    cut,
    document,
    of_blocks,
    of_units,
    too_few_for_pairs,
)
from unipath_bench.scoring.uncertainty import (
    FRECHET_METHOD,
    KERNEL_METHOD,
    NEIGHBOURS_NOTE,
    design,
    interval,
    too_few_units,
)


@metric(
    "reference.images",
    "generated.images",
    welcome=["train.images"],
    purposes={"distance": "distance", "basis_distance": "distance"},
    requires=images_required(2, "A covariance", "reference", "generated"),
)
def frechet(inputs: ScoreInputs, *, basis: int = 32) -> Measurement:
    """Frechet distance between Gaussians fitted to the reference and the generated features.

    Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", NeurIPS 2017.
    All replicates of all prompts are one set. Value ``distance`` (>= 0) is the plug-in figure that papers quote. It is
    biased upwards by an amount that grows with the dimension and falls with n; its interval is that of the distance
    freed of the bias, and is refused above min(n / 4, units / 2) dimensions.
    Value ``basis_distance`` is the same in the first ``basis`` principal directions of the real training images, which
    few samples can carry; not reported without training images, nor where the encoder has no more dimensions than that.
    """
    real, generated = image_features(inputs, "reference"), image_features(inputs, "generated")
    sets = {"distance": (real, generated)}
    details = SetDistance(reference_images=len(real), generated_images=len(generated))
    projection = _projection(inputs, basis)
    if isinstance(projection, str):
        details = details.model_copy(update={"not_reported": {"basis_distance": projection}})
    else:
        sets["basis_distance"] = (projection.project(real).numpy(), projection.project(generated).numpy())
        captured = Basis(dimensions=basis, captured=projection.captured)
        details = details.model_copy(update={"basis": captured})

    def uncertainty() -> dict[str, Interval | str]:
        first, second, matched = design(inputs["reference"], inputs["generated"])
        return {
            name: interval(
                frechet_estimate(*pair, units_real=first, units_generated=second, matched=matched), FRECHET_METHOD
            )
            for name, pair in sets.items()
        }

    def paired() -> dict[str, Contributions | str]:
        first, second, matched = design(inputs["reference"], inputs["generated"])
        if not matched:
            return dict.fromkeys(sets, NOT_MATCHED)
        of = cut(inputs["generated"], BLOCKS)
        found = {
            name: frechet_contributions(*pair, units_real=first, units_generated=second) for name, pair in sets.items()
        }
        return {
            name: f"No paired difference: {each}." if isinstance(each, str) else document(each, of, FRECHET_METHOD)
            for name, each in found.items()
        }

    return Measurement(
        values={name: float(frechet_distance(*pair)) for name, pair in sets.items()},
        n_images=len(generated),
        dimension=real.shape[1],
        details=details,
        uncertainty=uncertainty,
        paired=paired,
    )


def _projection(inputs: ScoreInputs, dimensions: int) -> PcaBasis | str:
    """The basis of the real training images, or why there is none."""
    train = inputs.sets.get("train")
    if train is None or train.images is None:
        return "the suite has no training images to fit the basis on"
    width = train.images.shape[1]
    if width <= dimensions:
        return f"the encoder has {width} dimensions, no more than the basis of {dimensions}"
    if len(train) <= dimensions:
        return f"a basis of {dimensions} directions needs more than {len(train)} training images"
    return PcaBasis.fit(image_features(inputs, "train"), dimensions)


def _pairs_for_kid(inputs: ScoreInputs, subset_size: int | None) -> None:
    smaller = min(len(inputs["reference"]), len(inputs["generated"]))
    if subset_size is not None and subset_size >= smaller:
        raise NotComputable(
            f"KID averages over subsets of {subset_size} images, which must be fewer than the images of either set; "
            f"the smaller has {smaller}.",
            f"Raise --n to {subset_size + 1} or more.",
        )
    for name in ("reference", "generated"):
        require_images(inputs[name], name, 2, "A mean over pairs")


@metric("reference.images", "generated.images", purposes={"distance": "distance"}, requires=_pairs_for_kid)
def kid(inputs: ScoreInputs, *, subset_size: int | None = None, subsets: int = 1000) -> Measurement:
    """Squared maximum mean discrepancy with KID's cubic polynomial kernel, unbiased.

    Value ``distance``, which can be below zero. Binkowski et al., "Demystifying MMD GANs", ICLR 2018. By default over
    all pairs of images at once (the U-statistic of Gretton et al., JMLR 2012), which has no randomness; with
    ``subset_size`` the mean over ``subsets`` random subsets of that size, which estimates the same quantity with the
    noise of the draw.
    The interval is that of the mean over pairs of different patients or slides, and in a matched design of different
    cases: pairs of one case are alike for a reason that has nothing to do with the generator.
    :class:`NotComputable` with fewer than two images in a set, and unless ``subset_size`` is smaller than both sets.
    """
    real, generated = image_features(inputs, "reference"), image_features(inputs, "generated")
    details = SetDistance(
        reference_images=len(real),
        generated_images=len(generated),
        subset_size=subset_size,
        subsets=None if subset_size is None else subsets,
    )
    if subset_size is None:
        value = unbiased_mmd_polynomial(real, generated)
    else:
        found = kernel_distance(real, generated, subset_size=subset_size, subsets=subsets, seed=inputs.seed % 2**32)
        value = found.mean

    def uncertainty() -> dict[str, Interval | str]:
        first, second, matched = design(inputs["reference"], inputs["generated"])
        lack = too_few_units(first) or too_few_units(second)
        if lack:
            return {"distance": lack}
        estimate = kernel_distance_estimate(real, generated, units_real=first, units_generated=second, matched=matched)
        return {"distance": interval(estimate, KERNEL_METHOD)}

    def paired() -> dict[str, Contributions | str]:
        first, second, matched = design(inputs["reference"], inputs["generated"])
        lack = too_few_for_pairs(second) if matched else NOT_MATCHED
        if lack:
            return {"distance": lack}
        found = kernel_distance_without_units(real, generated, first, second)
        return {"distance": of_units(found, cut(inputs["generated"]))}

    return Measurement(
        values={"distance": value},
        n_images=len(generated),
        dimension=real.shape[1],
        details=details,
        uncertainty=uncertainty,
        paired=paired,
    )


def _neighbours_for_prdc(inputs: ScoreInputs, k: int) -> None:
    for name in ("reference", "generated"):
        require_images(inputs[name], name, k + 1, f"A distance to the {k}th nearest neighbour")


@metric(
    "reference.images",
    "generated.images",
    requires=_neighbours_for_prdc,
    purposes={"precision": "realism", "density": "realism", "recall": "diversity", "coverage": "coverage"},
)
def prdc(inputs: ScoreInputs, *, k: int = 5) -> Measurement:
    """Improved precision and recall, density and coverage by k-nearest-neighbour balls.

    Values ``precision``, ``recall``, ``density``, ``coverage``. Kynkaanniemi et al., NeurIPS 2019; Naeem et
    al., ICML 2020. :class:`NotComputable` with ``k`` images or fewer in a set.
    """
    real, generated = image_features(inputs, "reference"), image_features(inputs, "generated")
    found = precision_recall_density_coverage(real, generated, k=k)

    def paired() -> dict[str, Contributions | str]:
        if not design(inputs["reference"], inputs["generated"]).matched:
            return dict.fromkeys(MANIFOLD_FIGURES, NOT_MATCHED)
        first, second = (cut(inputs[name], RECOMPUTED_BLOCKS) for name in ("reference", "generated"))
        lack = too_few_for_pairs(second.units)
        if lack:
            return dict.fromkeys(MANIFOLD_FIGURES, lack)
        figures = manifold_without_blocks(real, generated, first.block_of_row, second.block_of_row, k=k)
        return {name: of_blocks(each, second) for name, each in figures.items()}

    return Measurement(
        values={name: float(getattr(found, name)) for name in MANIFOLD_FIGURES},
        n_images=len(generated),
        dimension=real.shape[1],
        details=Manifold(k=k),
        uncertainty=lambda: dict.fromkeys(MANIFOLD_FIGURES, NEIGHBOURS_NOTE),
        paired=paired,
    )
