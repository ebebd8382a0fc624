"""Tier 2: does the image say what the prompt says?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from unipath_bench.contracts import FeatureSet, Measurement, Purpose, ScoreInputs, metric
from unipath_bench.core.errors import NotComputable
from unipath_bench.metrics.alignment import cosine_per_pair
from unipath_bench.metrics.paired_sets import mean_figures, recall_without_blocks
from unipath_bench.metrics.retrieval import recall_per_query
from unipath_bench.schema.details import PromptCosine, PromptCosines, Retrieval, Rewording
from unipath_bench.schema.record import Contributions, Interval
from unipath_bench.scoring.features import (
    Matrix,
    codes,
    image_features,
    prompts_by_id,
    replicate_rows,
    text_features,
    unit_rows,
)
from unipath_bench.scoring.paired import RECOMPUTED_BLOCKS, cut, mean_contributions, of_blocks, too_few_for_pairs
from unipath_bench.scoring.uncertainty import mean_interval, unit_codes

KS = (1, 5, 10, 50)

_RECALLS: dict[str, Purpose] = dict.fromkeys((f"recall@{k}" for k in KS), "alignment")

_BLOCK = 256
"""Rows of a similarity matrix that are held at a time."""


@metric("generated.images", "generated.texts", "prompts", purposes={"cosine": "alignment"})
def clip_score(inputs: ScoreInputs) -> Measurement:
    """Mean cosine between each generated image and its prompt in a joint image-text space.

    Value ``cosine`` in -1..1: the raw cosine, neither scaled by 100 or 2.5 nor clipped at 0. Hessel et al.,
    EMNLP 2021.
    """
    generated = inputs["generated"]
    images = unit_rows(image_features(inputs, "generated"), generated, "generated")
    texts = unit_rows(text_features(inputs, "generated"), generated, "generated")
    cosines = cosine_per_pair(images, texts)
    order = np.argsort(cosines, kind="stable")
    return Measurement(
        values={"cosine": float(cosines.mean())},
        n_images=len(generated),
        dimension=images.shape[1],
        details=PromptCosines(
            quantiles=tuple(float(q) for q in np.quantile(cosines, np.linspace(0, 1, 11))),
            lowest=tuple(_pair(generated, i, cosines) for i in order[:6]),
            highest=tuple(_pair(generated, i, cosines) for i in order[::-1][:6]),
        ),
        uncertainty=lambda: {"cosine": mean_interval(cosines, unit_codes(generated), (-1.0, 1.0))},
        paired=lambda: {"cosine": mean_contributions(cosines, generated)},
    )


def _gallery_of_references(inputs: ScoreInputs, ks: Sequence[int]) -> None:
    _require_gallery(ks, len(inputs["reference"]))


def _galleries_of_answers(inputs: ScoreInputs, ks: Sequence[int]) -> None:
    _require_gallery(ks, min(len(rows) for rows in replicate_rows(inputs["generated"]).values()))


def _require_gallery(ks: Sequence[int], gallery: int) -> None:
    if gallery <= min(ks):  # with k = N every recall is 1
        raise NotComputable(f"The gallery has {gallery} images, no more than the smallest k = {min(ks)}.", "Raise --n.")


def _several_prompts_reworded(inputs: ScoreInputs) -> None:
    if len(inputs["variants"]) == 0:
        raise NotComputable(
            "The suite's prompts have no paraphrases.", "Add a paraphrases column to the suite's metadata."
        )
    if len(set(inputs["reference"].prompts)) < 2:
        raise NotComputable(
            "All prompts are the same text, so no image can be told to answer one rather than another.",
            "Use a suite with several captions.",
        )


@metric("reference.images", "generated.images", "prompts", purposes=_RECALLS, requires=_gallery_of_references)
def image_to_image_recall(inputs: ScoreInputs, *, ks: Sequence[int] = KS) -> Measurement:
    """Share of the reference images of the same prompt among the k nearest (by cosine) to each generated image.

    Values ``recall@k``, 0..1, for each k below the gallery's size; the others are named in
    ``details.not_reported``. Images whose prompts are the same text cannot be told apart by an answer, so
    all of them are relevant; where every prompt is unique this is instance retrieval. Ties count at their
    expected rank. Anchors: chance k / N and the mean of min(k, R) / R, the most that R relevant images allow.
    """
    reference, generated = inputs["reference"], inputs["generated"]
    queries = unit_rows(image_features(inputs, "generated"), generated, "generated")
    gallery = unit_rows(image_features(inputs, "reference"), reference, "reference")
    within = [k for k in ks if k < len(reference)]
    query_keys, gallery_keys = codes(generated.prompts, reference.prompts)
    found = recall_per_query(queries, gallery, query_keys, gallery_keys, within)
    relevant = _relevant(generated.prompts, reference.prompts)
    return Measurement(
        values={f"recall@{k}": float(found[k].mean()) for k in within},
        n_images=len(generated),
        dimension=queries.shape[1],
        uncertainty=lambda: _recall_intervals(found, generated),
        paired=lambda: {f"recall@{k}": mean_contributions(values, generated) for k, values in found.items()},
        anchors={f"recall@{k}": (k / len(reference), _attainable(relevant, k)) for k in within},
        details=_retrieval_details(ks, within, len(queries), len(reference), relevant),
    )


@metric("generated.images", "generated.texts", "prompts", purposes=_RECALLS, requires=_galleries_of_answers)
def text_to_image_recall(inputs: ScoreInputs, *, ks: Sequence[int] = KS) -> Measurement:
    """Share of the images generated from a prompt among the k nearest (by cosine) to its text.

    Values ``recall@k``, 0..1. The gallery is one image a prompt: with several images a prompt, each replicate
    is a gallery of its own and the recalls are averaged, so the gallery's size does not depend on --seeds.
    Otherwise as :func:`image_to_image_recall`.
    """
    generated = inputs["generated"]
    images = unit_rows(image_features(inputs, "generated"), generated, "generated")
    texts = unit_rows(text_features(inputs, "generated"), generated, "generated")
    galleries = list(replicate_rows(generated).values())
    size = min(len(rows) for rows in galleries)
    within = [k for k in ks if k < size]
    per_replicate = []
    for rows in galleries:
        (keys,) = codes(generated.take(rows).prompts)
        per_replicate.append(recall_per_query(texts[rows], images[rows], keys, keys, within))
    first = generated.take(galleries[0]).prompts
    relevant = _relevant(first, first)
    return Measurement(
        values={f"recall@{k}": float(np.mean([found[k].mean() for found in per_replicate])) for k in within},
        n_images=len(generated),
        dimension=images.shape[1],
        anchors={f"recall@{k}": (k / size, _attainable(relevant, k)) for k in within},
        details=_retrieval_details(ks, within, size, size, relevant, len(galleries)),
        uncertainty=lambda: _recall_intervals(
            {k: np.concatenate([found[k] for found in per_replicate]) for k in within},
            generated.take(np.concatenate(galleries)),
        ),
        paired=lambda: _gallery_contributions(texts, images, generated, galleries, within),
    )


@metric(
    *("reference.images", "generated.images", "variants.images", "prompts"),
    welcome=["heldout.images"],
    purposes={"canonical": "alignment", "paraphrased": "rewording", "spread": "rewording spread"},
    requires=_several_prompts_reworded,
)
def terminology_robustness(inputs: ScoreInputs) -> Measurement:
    """Does the image still show the diagnosis when the prompt says it in other words?

    The score of one image is the probability that a reference image of its own (canonical) prompt is nearer
    to it, by cosine, than a reference image of another prompt (ties count half): the area under the ROC curve
    of retrieval, 0.5 by chance. Images of one sample in several wordings are generated from the same seed.
    Values: ``paraphrased``, the mean score over the paraphrases; ``canonical``, the same for the canonical wording,
    both to be read between 0.5 and the score of held-out real images; and ``spread``, the mean over samples of the
    standard deviation of the score over all its wordings, canonical included.

    :class:`NotComputable` without paraphrases, or where all reference prompts are the same.
    """
    reference, variants, generated = inputs["reference"], inputs["variants"], inputs["generated"]
    gallery = unit_rows(image_features(inputs, "reference"), reference, "reference")
    canonical = prompts_by_id(reference)
    first = next(iter(replicate_rows(generated).values()))
    generated_images = unit_rows(image_features(inputs, "generated"), generated, "generated")[first]
    variant_images = unit_rows(image_features(inputs, "variants"), variants, "variants")

    def scores(images: Matrix, ids: Sequence[str]) -> npt.NDArray[np.float64]:
        return _areas(images, [canonical[i] for i in ids], gallery, reference.prompts)

    by_id: dict[str, list[float]] = {}
    plain = scores(generated_images, [generated.ids[i] for i in first])
    for sample, score in zip((generated.ids[i] for i in first), plain, strict=True):
        by_id[sample] = [float(score)]
    reworded = scores(variant_images, variants.ids)
    for sample, score in zip(variants.ids, reworded, strict=True):
        by_id[sample].append(float(score))
    wordings = replicate_rows(variants)
    base = float(plain.mean())
    real = _real_area(inputs, scores)
    # About the first wording, so that equal scores have a spread of exactly 0.
    spread = np.asarray([np.std(np.subtract(values, values[0])) for values in by_id.values()])
    asked = generated.take(first)

    def uncertainty() -> dict[str, Interval | str]:
        return {
            "paraphrased": mean_interval(reworded, unit_codes(variants), (0.0, 1.0)),
            "canonical": mean_interval(plain, unit_codes(asked), (0.0, 1.0)),
            "spread": mean_interval(spread, unit_codes(asked), (0.0, 0.5)),
        }

    return Measurement(
        values={
            "paraphrased": float(reworded.mean()),
            "canonical": base,
            "spread": float(spread.mean()),
        },
        n_images=len(variants),
        dimension=gallery.shape[1],
        anchors={"paraphrased": (0.5, real), "canonical": (0.5, real)},
        details=Rewording(wordings=tuple(float(reworded[rows].mean()) for rows in wordings.values()), canonical=base),
        uncertainty=uncertainty,
        paired=lambda: {
            "paraphrased": mean_contributions(reworded, variants),
            "canonical": mean_contributions(plain, asked),
            "spread": mean_contributions(spread, asked),
        },
    )


def _real_area(inputs: ScoreInputs, scores: Callable[[Matrix, Sequence[str]], npt.NDArray[np.float64]]) -> float | None:
    """The mean score of held-out real images, as answers to the prompts that they match; None without any."""
    heldout = inputs.sets.get("heldout")
    if heldout is None or heldout.images is None:
        return None
    return float(scores(unit_rows(image_features(inputs, "heldout"), heldout, "heldout"), heldout.ids).mean())


def _areas(images: Matrix, own: Sequence[str], gallery: Matrix, prompts: Sequence[str]) -> npt.NDArray[np.float64]:
    """For each image, P(cosine to its own prompt's gallery > to the others') + P(equal) / 2.

    This is Mann-Whitney's U, scaled.
    """
    keys = np.asarray(prompts, dtype=np.str_)
    areas = np.empty(len(own))
    for start in range(0, len(own), _BLOCK):
        block = slice(start, start + _BLOCK)
        for row, ranks in enumerate(rankdata(images[block] @ gallery.T, axis=1), start):
            mine = keys == own[row]
            count = int(mine.sum())
            areas[row] = (ranks[mine].sum() - count * (count + 1) / 2) / (count * (len(keys) - count))
    return areas


def _recall_intervals(found: Mapping[int, npt.NDArray[np.float64]], queries: FeatureSet) -> dict[str, Interval | str]:
    """Of the mean over the prompts asked, the gallery as it is."""
    units = unit_codes(queries)
    return {f"recall@{k}": mean_interval(values, units, (0.0, 1.0)) for k, values in found.items()}


def _gallery_contributions(
    texts: Matrix, images: Matrix, generated: FeatureSet, galleries: Sequence[npt.NDArray[np.int64]], ks: Sequence[int]
) -> dict[str, Contributions | str]:
    """Of recalls in galleries that are the generator's own: a patient left out is neither asked for nor in the way."""
    of = cut(generated, RECOMPUTED_BLOCKS)
    lack = too_few_for_pairs(of.units)
    if lack:
        return {f"recall@{k}": lack for k in ks}
    figures = mean_figures(
        [
            recall_without_blocks(
                texts[rows], images[rows], codes(generated.take(rows).prompts)[0], of.block_of_row[rows], ks
            )
            for rows in galleries
        ]
    )
    return {f"recall@{k}": of_blocks(found, of) for k, found in figures.items()}


def _relevant(queries: Sequence[str], gallery: Sequence[str]) -> npt.NDArray[np.int64]:
    """Number of gallery items with the query's key, for each query."""
    names, counts = np.unique(np.asarray(gallery, dtype=np.str_), return_counts=True)
    count_of = dict(zip(names.tolist(), counts.tolist(), strict=True))
    return np.asarray([count_of.get(key, 0) for key in queries], dtype=np.int64)


def _attainable(relevant: npt.NDArray[np.int64], k: int) -> float:
    """Mean over queries of min(k, R) / R: all k places filled with relevant images."""
    return float(np.mean(np.minimum(k, relevant) / relevant))


def _retrieval_details(
    ks: Sequence[int],
    within: Sequence[int],
    queries: int,
    gallery: int,
    relevant: npt.NDArray[np.int64],
    replicates: int | None = None,
) -> Retrieval:
    left_out = {f"recall@{k}": f"the gallery has {gallery} images, no more than k = {k}" for k in ks if k not in within}
    return Retrieval(
        queries=queries,
        gallery=gallery,
        relevant_per_query=float(relevant.mean()),
        chance={f"recall@{k}": k / gallery for k in within},
        attainable={f"recall@{k}": _attainable(relevant, k) for k in within},
        replicates=replicates,
        not_reported=left_out,
    )


def _pair(feature_set: FeatureSet, row: int, cosines: npt.NDArray[np.float64]) -> PromptCosine:
    replicate = feature_set.replicates[row] if feature_set.replicates else 0
    return PromptCosine(generated=feature_set.ids[row], replicate=int(replicate), cosine=float(cosines[row]))
