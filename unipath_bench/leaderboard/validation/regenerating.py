"""Some of a submission's images made anew by its adapter. This runs the submitter's code: a maintainer asks for it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from unipath_bench.contracts import Context, Generator
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import pixel_digest, seed_from
from unipath_bench.core.errors import BenchError, MissingError
from unipath_bench.core.registries import GENERATORS
from unipath_bench.generators.cards import load_generator, model_digest
from unipath_bench.generators.validation import validate_generated
from unipath_bench.leaderboard.submission.contents import Documents
from unipath_bench.leaderboard.submission.layout import draw, image_name
from unipath_bench.leaderboard.submission.provenance import describe_adapter
from unipath_bench.leaderboard.validation.checks import Check, judged, unknown
from unipath_bench.leaderboard.validation.images import embed
from unipath_bench.leaderboard.validation.stand_in import reason_of
from unipath_bench.pipeline.family import Family
from unipath_bench.pipeline.generate import call_generator
from unipath_bench.pipeline.plan import Plan
from unipath_bench.schema.record import PlanRecord

GREY_LEVELS = 2.0
"""Mean absolute difference of pixels that another device may cause; on one platform the pixels are equal."""
FEATURE_SHARE = 0.05
"""Likewise for images that are not enclosed: root mean square difference of features, of their own."""

NAME = "regenerated"


def check_regenerated(
    plan: Plan,
    documents: Documents,
    features: Mapping[tuple[str, str], npt.NDArray[np.float32]],
    images: Mapping[tuple[str, int], RGBImage],
    count: int,
    model: str | None,
    identity: str,
) -> Check:
    """``count`` images drawn from all of the run's, made anew: equal pixel for pixel, or within what devices differ by.

    The adapter is ``model``, or the registered generator that the card names; a card cannot name a module or a file.
    """
    record, samples = documents.record, documents.samples
    spec = model or trusted_name(record.plan)
    if spec is None:
        return unknown(NAME, f"the adapter {record.plan.model_spec!r} is not registered here; name it with --model")
    try:
        generator = load_generator(spec, dict(record.plan.model.arguments))
        generator.card = record.plan.model
        revision = plan.suite.revision if record.plan.model.oracle else None
        if model_digest(generator, revision) != record.plan.model_digest:
            return judged(NAME, ["the adapter installed here has another fingerprint than the model of the run"])
        rows = [(family.name, row) for family, requests in plan.generated.items() for row in range(len(requests))]
        chosen = draw(rows, count, seed_from("regenerate", identity, count))
        found = _generate(generator, plan, chosen)
    except BenchError as error:
        return unknown(NAME, reason_of(error))
    equal, near, problems = 0, 0, []
    for (family, row), image in zip(chosen, found, strict=True):
        if pixel_digest(image) == samples.families[family].pixels[row]:
            equal += 1
            continue
        problem = _difference(plan, (family, row), image, images.get((family, row)), features)
        if problem:
            problems.append(f"{image_name(family, row)}: {problem}")
        else:
            near += 1
    detail = f"{equal} of {len(chosen)} equal" + (f", {near} within tolerance" if near else "")
    named = record.plan.model_copy(update={"model_spec": spec})
    if describe_adapter(named).source_sha256 != documents.manifest.adapter.source_sha256:
        detail += "; the adapter's source here is not what was submitted"
    return judged(NAME, problems, detail)


def trusted_name(plan: PlanRecord) -> str | None:
    """The registered generator that made the images; None where the record names code by module or file."""
    for name in (plan.model.adapter, plan.model_spec):
        if name in GENERATORS:
            return name
    return None


def _generate(generator: Generator, plan: Plan, chosen: list[tuple[str, int]]) -> list[RGBImage]:
    suite = plan.suite if generator.card.oracle else None
    context = Context(plan.options.device, plan.options.offline, None, suite)
    remedy = generator.missing(context)
    if remedy is not None:
        raise MissingError(f"The generator {generator.card.name!r} cannot be loaded.", remedy)
    generator.setup(context)
    requests = [plan.generated[Family.parse(family)][row] for family, row in chosen]
    return validate_generated(call_generator(generator, requests), requests)


def _difference(
    plan: Plan,
    key: tuple[str, int],
    image: RGBImage,
    enclosed: RGBImage | None,
    features: Mapping[tuple[str, str], npt.NDArray[np.float32]],
) -> str:
    """How a regenerated image differs from the submitted one; empty within tolerance."""
    if enclosed is not None:
        if enclosed.shape != image.shape:
            return f"{image.shape[0]} x {image.shape[1]} pixels, not {enclosed.shape[0]} x {enclosed.shape[1]}"
        away = float(np.abs(image.astype(np.int16) - enclosed.astype(np.int16)).mean())
        return f"{away:.1f} grey levels away" if away > GREY_LEVELS else ""
    for name in sorted({task.encoder for task in plan.runnable if task.encoder}):
        matrix = features.get((plan.encoders[name].card.digest()[:16], key[0]))
        if matrix is None:
            continue
        mine, theirs = embed(name, plan, [image], [image_name(*key)])[0], matrix[key[1]].astype(np.float64)
        share = float(np.linalg.norm(mine - theirs) / (np.linalg.norm(theirs) or 1.0))
        return f"its features in {name} are {share:.0%} away" if share > FEATURE_SHARE else ""
    return "its pixels differ, and no encoder is at hand to say by how much"
