"""The figures on a card: what an encoder reads of tiles that nothing was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from unipath_bench.contracts import ImageEncoder, TextEncoder
from unipath_bench.core.arrays import Features, RGBBatch
from unipath_bench.core.digest import seed_from
from unipath_bench.metrics.alignment import cosine_per_pair
from unipath_bench.metrics.classification import weighted_f1
from unipath_bench.metrics.frechet import frechet_distance
from unipath_bench.metrics.retrieval import recall_at_k
from unipath_bench.phantom import CLASSES, Wording, describe
from unipath_bench.phantom.encoders.cards import Scores
from unipath_bench.phantom.encoders.data import EVALUATION_SEED, Advance, Tiles, evaluation_tiles
from unipath_bench.phantom.encoders.degrading import (
    PatchCode,
    blurred,
    recompressed,
    restained,
    rounded,
    to_float,
    zoomed,
)

TEST_TILES = 1024
"""Tiles that the shipped cards' figures are measured on; the probes are fitted to twice as many."""

RETRIEVAL_TILES = 256
PENALTY = 0.1
"""scikit-learn's C of the probes."""

Change = Callable[[RGBBatch], RGBBatch]
"""Takes and returns uint8 (N, 64, 64, 3)."""


def conditions(code: PatchCode) -> dict[str, Change]:
    """The mild degradations under which attributes must still be read."""
    return {
        "plain": lambda images: images,
        "blur 0.7 px": lambda images: blur(images, 0.7),
        "JPEG 75": lambda images: jpeg(images, 75),
        "code of 16": lambda images: code_of(images, code, 16),
    }


def defects() -> dict[str, dict[str, Change]]:
    """Graded defects, by name and strength, that a fidelity score must answer to."""

    def graded(change: Callable[[RGBBatch, float], RGBBatch], *strengths: float) -> dict[str, Change]:
        return {f"{s:g}": lambda images, s=s: change(images, s) for s in strengths}  # type: ignore[misc]

    return {
        "blur, sigma in px": graded(blur, 0.5, 0.7, 1.0, 1.5, 2.0),
        "noise, sigma in grey levels": graded(noise, 2, 4, 8, 16),
        "JPEG, 100 - quality": graded(lambda images, s: jpeg(images, round(100 - s)), 10, 25, 50, 80),
        "stain, hematoxylin times 1 + s, eosin over it": graded(stain, 0.05, 0.1, 0.2, 0.4),
        "magnified by": graded(magnify, 1.05, 1.1, 1.25, 1.5),
        "shrunk by": graded(lambda images, s: magnify(images, 1 / s), 1.05, 1.1, 1.25, 1.5),
    }


def evaluate(encoder: ImageEncoder, folder: Path, advance: Advance, n: int = TEST_TILES) -> Scores:
    """Score an encoder that is set up, on ``n`` test tiles; the probes are fitted on twice as many training tiles.

    Tiles are read from ``folder``, or rendered into it. Raises ``DataError`` as
    :func:`~unipath_bench.phantom.encoders.data.evaluation_tiles`.
    """
    probe = evaluation_tiles(2 * n, "train", folder, advance)
    test = evaluation_tiles(n, "test", folder, advance)
    probe_features = encoder.embed_images(probe.images)
    tested = {
        name: encoder.embed_images(change(test.images)) for name, change in conditions(PatchCode(probe.images)).items()
    }
    own = tested["plain"]
    found: dict[str, float] = {}
    answers: dict[str, dict[str, float]] = {}
    if isinstance(encoder, TextEncoder):
        some = test.first(RETRIEVAL_TILES)
        found = retrieval(encoder, own[:RETRIEVAL_TILES], some)
        texts = encoder.embed_texts(report_captions(some, "seen"))
        answers = responses(encoder, some, lambda features: float(cosine_per_pair(features, texts).mean()))
        answers["caption of another tile"] = {
            "1": round(float(cosine_per_pair(own[: len(texts)], _next(texts)).mean()), 3)
        }
    elif encoder.card.name == "phantom-image":
        answers = responses(encoder, test, lambda features: frechet_distance(features, probe_features))
    return Scores(
        suite_seed=EVALUATION_SEED,
        probe_tiles=len(probe),
        test_tiles=len(test),
        weighted_f1=attribute_scores(probe_features, probe, tested, test),
        retrieval_tiles=min(RETRIEVAL_TILES, len(test)) if found else 0,
        retrieval=found,
        responses=answers,
    )


def responses(encoder: ImageEncoder, test: Tiles, measure: Callable[[Features], float]) -> dict[str, dict[str, float]]:
    """``measure`` of the features of the test tiles, undegraded and with each defect."""
    found = {"none": {"0": measure(encoder.embed_images(test.images))}}
    for name, grades in defects().items():
        found[name] = {
            strength: measure(encoder.embed_images(change(test.images))) for strength, change in grades.items()
        }
    return {name: {strength: round(value, 3) for strength, value in grades.items()} for name, grades in found.items()}


def report_captions(tiles: Tiles, wording: Wording) -> list[str]:
    """A caption of each tile in the register ``report``."""
    return [
        describe(tiles.attributes(row), seed_from("evaluation caption", row), "report", wording)
        for row in range(len(tiles))
    ]


def attribute_scores(
    probe_features: Features, probe: Tiles, tested: dict[str, Features], test: Tiles
) -> dict[str, dict[str, float]]:
    """Weighted F1 of each attribute in each condition, by logistic regression on standardised features."""
    scaler = StandardScaler().fit(probe_features)
    known = scaler.transform(probe_features)
    scores: dict[str, dict[str, float]] = {condition: {} for condition in tested}
    for column, name in enumerate(CLASSES):
        model = LogisticRegression(C=PENALTY, max_iter=2000).fit(known, probe.labels[:, column])
        for condition, features in tested.items():
            answers = np.asarray(model.predict(scaler.transform(features)), np.int64)
            scores[condition][name] = round(weighted_f1(test.labels[:, column], answers), 4)
    return scores


def retrieval(encoder: TextEncoder, images: Features, test: Tiles) -> dict[str, float]:
    """Recall at 1 and 10 of images by their report captions and the other way round, for both wordings."""
    found: dict[str, float] = {}
    wordings: Sequence[Wording] = ("seen", "heldout")
    for wording in wordings:
        texts = report_captions(test, wording)
        vectors = encoder.embed_texts(texts)
        keys: npt.NDArray[np.int64] = np.unique(texts, return_inverse=True)[1].astype(np.int64)
        for direction, query, gallery in (("text to image", vectors, images), ("image to text", images, vectors)):
            recalls = recall_at_k(query, gallery, keys, keys, (1, 10))
            found.update({f"{direction}, {wording}, recall@{k}": round(v, 4) for k, v in recalls.items()})
    return found


def blur(images: RGBBatch, sigma: float) -> RGBBatch:
    """Gaussian blur; ``sigma`` in pixels."""
    return _bytes(blurred(to_float(images), torch.full((len(images),), float(sigma))))


def noise(images: RGBBatch, sigma: float) -> RGBBatch:
    """Independent Gaussian noise; ``sigma`` in grey levels of 255."""
    random = torch.Generator().manual_seed(0)
    return _bytes(to_float(images) + sigma * torch.randn((len(images), 3, *images.shape[1:3]), generator=random))


def jpeg(images: RGBBatch, quality: int) -> RGBBatch:
    """Through a JPEG with 4:2:0 chroma subsampling."""
    return _bytes(torch.stack([recompressed(tile, quality, 2) for tile in to_float(images)]))


def stain(images: RGBBatch, strength: float) -> RGBBatch:
    """Hematoxylin times 1 + ``strength``, eosin divided by it."""
    factors = torch.tensor([[1.0 + strength, 1.0 / (1.0 + strength)]])
    return _bytes(restained(to_float(images), factors.expand(len(images), 2)))


def magnify(images: RGBBatch, factor: float) -> RGBBatch:
    """The middle of the field at ``factor`` times its size."""
    return _bytes(zoomed(to_float(images), torch.full((len(images),), float(factor))))


def code_of(images: RGBBatch, code: PatchCode, kept: int) -> RGBBatch:
    """From the first ``kept`` principal components of each 4 x 4 patch."""
    return _bytes(code.reconstruct(to_float(images), torch.full((len(images),), kept)))


def _next(rows: Features) -> Features:
    """Each row replaced by the one after it."""
    return np.roll(rows, -1, axis=0)


def _bytes(pixels: torch.Tensor) -> RGBBatch:
    images: RGBBatch = rounded(pixels).permute(0, 2, 3, 1).to(torch.uint8).contiguous().numpy()
    return images
