"""Do the enclosed images belong to the prompts and to the features?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from unipath_bench.contracts import ImageEncoder
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import BenchError
from unipath_bench.core.registries import ENCODERS
from unipath_bench.encoders.embedding import embed_images
from unipath_bench.leaderboard.submission.layout import Samples, image_name
from unipath_bench.leaderboard.validation.checks import Check, failed, judged, unknown
from unipath_bench.leaderboard.validation.stand_in import reason_of
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.requests import request_key
from unipath_bench.schema.record import RunRecord

TOLERANCE = 1e-3
"""Largest difference of a feature from the one computed here, in units of the features' root mean square: what
``unipath-bench encoders verify`` grants two machines."""


def check_requests(plan: Plan, record: RunRecord, samples: Samples) -> Check:
    """Every image answers the prompt, seed and size that the board's suite asks for, in order."""
    problems = []
    for family, requests in plan.generated.items():
        rows = samples.families.get(family.name)
        keys = tuple(request_key(record.plan.model_digest, request) for request in requests)
        if rows is None:
            problems.append(f"{family} is missing")
        elif rows.ids != tuple(request.sample_id for request in requests):
            problems.append(f"{family} answers other prompts than the suite's first {len(requests)}")
        elif rows.keys != keys:
            problems.append(f"{family} was asked for with other words, seeds, sizes or another model")
    return judged("prompts and seeds", problems, f"{sum(map(len, plan.generated.values()))} requests")


def check_embedding(
    plan: Plan,
    features: Mapping[tuple[str, str], npt.NDArray[np.float32]],
    images: Mapping[tuple[str, int], RGBImage],
) -> Check:
    """The enclosed images, embedded here, have the enclosed features."""
    name = "features of the images"
    if not images:
        return failed(name, "no image is enclosed")
    problems: list[str] = []
    compared = 0
    for encoder_name in sorted({task.encoder for task in plan.runnable if task.encoder}):
        digest = plan.encoders[encoder_name].card.digest()[:16]
        keys = [key for key in images if (digest, key[0]) in features]
        if not keys:
            continue
        enclosed = np.stack([features[digest, family][row] for family, row in keys]).astype(np.float64)
        try:
            found = embed(encoder_name, plan, [images[key] for key in keys], [image_name(*key) for key in keys])
        except BenchError as error:
            return unknown(name, reason_of(error))
        scale = float(np.sqrt((found**2).mean())) or 1.0
        away = np.abs(found - enclosed).max(axis=1) / scale
        compared += len(keys)
        problems.extend(
            f"{image_name(*keys[i])} is {away[i]:.2g} away from its features in {encoder_name} (of root mean square 1)"
            for i in np.flatnonzero(away > TOLERANCE).tolist()
        )
    if not compared:
        return unknown(name, "no encoder of the record is installed here")
    return judged(name, problems, f"{compared} embeddings within {TOLERANCE:g}")


def embed(encoder_name: str, plan: Plan, images: Sequence[RGBImage], names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Features (N, D) of images in a registered encoder, which is loaded for them alone."""
    encoder = ENCODERS.get(encoder_name)()
    if not isinstance(encoder, ImageEncoder):
        raise TypeError(f"{encoder_name} is no image encoder")
    encoder.setup(plan.context())
    return embed_images(encoder, images, names).astype(np.float64)
