"""What must hold between the numbers of a record, whoever made it: closed forms, no images and no features needed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from unipath_bench.core.digest import digest
from unipath_bench.leaderboard.validation.checks import Check, judged
from unipath_bench.metrics.estimate import quantile
from unipath_bench.metrics.memorisation import clopper_pearson_lower
from unipath_bench.schema.details import AttributeControl, Memorisation
from unipath_bench.schema.record import RunRecord, TaskScore, Value
from unipath_bench.scoring.anchors import position
from unipath_bench.scoring.catalogue import load_tasks
from unipath_bench.scoring.paired import BLOCK_METHOD, numbers
from unipath_bench.scoring.uncertainty import FRECHET_METHOD, KERNEL_METHOD, UNIT_METHOD

_RECALL = re.compile(r"recall@([0-9]+)")
_SHARES = {"precision", "recall", "coverage", "copied_fraction", "authenticity", "weighted_f1", "synthetic_weighted_f1"}


def check_identities(record: RunRecord) -> Check:
    """Every identity that the record's kind of scores has."""
    problems = list(_of_plan(record))
    for score in record.scores:
        problems.extend(f"{score.key}: {problem}" for problem in _of_score(score, record))
    values = sum(len(score.values) for score in record.scores)
    return judged("identities", problems, f"{values} values")


def _of_plan(record: RunRecord) -> Iterator[str]:
    plan = record.plan
    if plan.counts.get("generated") != plan.n * plan.seeds:
        yield f"{plan.counts.get('generated')} generated images are not {plan.n} prompts times {plan.seeds} seeds"
    if record.run_id != digest([plan.model_dump(mode="json"), record.environment.packages]):
        yield "run_id is not the digest of the plan and the packages"
    keys = [score.key for score in record.scores]
    if len(set(keys)) < len(keys):
        yield "two scores have one key"
    listed = {task.rpartition("@")[0]: task.rpartition("@")[2] for task in plan.tasks}
    for score in record.scores:
        if listed.get(score.key) != str(score.version):
            yield f"{score.key} in version {score.version} was not planned"
        if score.encoder is not None and score.key != f"{score.task}[{score.encoder}]":
            yield f"{score.key} is no key of {score.task} in {score.encoder}"


def _of_score(score: TaskScore, record: RunRecord) -> Iterator[str]:
    if (score.status == "computed") != bool(score.values):
        yield f"{score.status}, with {len(score.values)} values"
        return
    if score.status != "computed":
        return
    counts = record.plan.counts
    if score.n_images not in (counts.get("generated"), counts.get("variants")):
        yield f"{score.n_images} images are neither the number of answers nor that of their paraphrases"
    if sum(value.headline for value in score.values.values()) != 1:
        yield "it has not one headline"
    for name, value in score.values.items():
        yield from (f"{name}: {problem}" for problem in _of_value(name, value))
    yield from _of_recalls(score)
    if isinstance(score.details, AttributeControl):
        yield from _of_control(score, score.details)
    if isinstance(score.details, Memorisation):
        yield from _of_memorisation(score, score.details)


def _of_value(name: str, value: Value) -> Iterator[str]:
    if (name in _SHARES or _RECALL.fullmatch(name)) and not 0 <= value.value <= 1:
        yield f"{value.value} is no share"
    if value.unit == "cosine" and not -1 - 1e-6 <= value.value <= 1 + 1e-6:
        yield f"{value.value} is no cosine"
    expected = position(value.value, value.bad_end, value.good_end)
    if (expected is None) != (value.position is None) or not _close(expected or 0, value.position or 0):
        yield f"{value.position}% of the way along its scale, which is {expected}%"
    found = value.interval
    if found is not None and found.low is not None and found.high is not None and found.low > found.high:
        yield f"the interval ends before it begins ({found.low} to {found.high})"
    elif found is not None and found.estimate is not None:
        low, high = found.low, found.high
        slack = 1e-9 * max(1.0, abs(found.estimate))
        if (low is not None and found.estimate < low - slack) or (
            high is not None and found.estimate > high + slack and found.kind == "two-sided"
        ):
            yield f"the interval, {low} to {high}, does not hold its estimate {found.estimate}"
    yield from _of_contributions(value)


def _of_contributions(value: Value) -> Iterator[str]:
    """Yield what is inconsistent between a value, its contributions and its interval.

    Contributions and interval must be of the value, or of the distance with its bias removed; contributions must sum to
    zero; and where each unit is a block, they must give the interval.
    """
    document, found = value.contributions, value.interval
    if document is None:
        return
    try:
        given = numbers(document)
    except ValueError as error:
        yield f"its contributions are damaged: {error}"
        return
    if len(given.parts) < 2:
        yield f"its contributions are of {len(given.parts)} blocks, and a difference needs more"
        return
    biased = document.method == FRECHET_METHOD or (found is not None and found.method == KERNEL_METHOD)
    expected = value.value if not biased else found.estimate if found is not None else None
    if expected is not None and not _close(given.estimate, expected):
        yield f"its contributions are of {given.estimate}, and it is {expected}"
    if not biased and found is not None and found.estimate is not None and not _close(found.estimate, value.value):
        yield f"its interval is of {found.estimate}, and it is {value.value}"
    if document.method not in (UNIT_METHOD, BLOCK_METHOD):
        return
    total, size = float(given.parts.sum()), float(np.abs(given.parts).sum())
    if abs(total) > 1e-5 * size + 1e-9:
        yield f"its contributions sum to {total:.3g}, not to nought"
    units = len(given.parts)
    if found is None or found.method != document.method or document.units != units or found.kind != "two-sided":
        return
    if found.low is None or found.high is None or found.estimate is None:
        return
    reach = quantile(0.5 + found.level / 2, units - 1) * math.sqrt(units / (units - 1) * float((given.parts**2).sum()))
    widths = (found.estimate - found.low, found.high - found.estimate)
    cut_off = all(end == round(2 * end) / 2 for end in (found.low, found.high))
    slack = 1e-3 * reach + 1e-9
    if max(widths) > reach + slack or (max(widths) < reach - slack and not cut_off):
        yield f"its contributions give +-{reach:.4g}, and its interval is +-{max(widths):.4g}"


def _of_recalls(score: TaskScore) -> Iterator[str]:
    levels = sorted(
        (int(match[1]), value.value) for name, value in score.values.items() if (match := _RECALL.fullmatch(name))
    )
    for (small, fewer), (large, more) in pairwise(levels):
        if more < fewer - 1e-12:
            yield f"recall@{large} = {more} is below recall@{small} = {fewer}"


def _of_control(score: TaskScore, details: AttributeControl) -> Iterator[str]:
    """The weighted F1 of each attribute follows from its confusion matrix, and the values from those."""
    figures: list[tuple[float, float]] = []
    for name, table in details.attributes.items():
        counts = np.asarray(table.confusion, dtype=np.float64)
        expected = weighted_f1_of(counts)
        if not _close(expected, table.weighted_f1):
            yield f"{name}: weighted F1 {table.weighted_f1}, and its confusion matrix gives {expected}"
        if int(counts.sum()) != score.n_images:
            yield f"{name}: its confusion matrix counts {int(counts.sum())} images of {score.n_images}"
        figures.append((table.weighted_f1, table.real_weighted_f1))
    mean, real = (sum(column) / len(figures) for column in zip(*figures, strict=True))
    value, percent = score.values.get("weighted_f1"), score.values.get("percent_of_real")
    if value is not None and not _close(mean, value.value):
        yield f"weighted F1 {value.value}, and its attributes' mean is {mean}"
    if percent is not None and (real <= 0 or not _close(100 * mean / real, percent.value)):
        yield f"{percent.value}% of the real images' score, and its attributes give {100 * mean / (real or 1)}%"


def weighted_f1_of(counts: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Sum over classes of (asked for / all) times 2 hits / (asked for + seen), from counts (asked for, seen)."""
    asked, seen, hits = counts.sum(1), counts.sum(0), np.diag(counts)
    return float((asked * 2 * hits / np.maximum(asked + seen, 1)).sum() / max(1.0, asked.sum()))


def _of_memorisation(score: TaskScore, details: Memorisation) -> Iterator[str]:
    """The copied share is a count of images, its bound is that of Clopper and Pearson, and the flag follows from it."""
    value, n = score.values.get("copied_fraction"), score.n_images
    if value is None or not n:
        return
    copies = value.value * n
    if not _close(copies, round(copies)) or not 0 <= round(copies) <= n:
        yield f"{value.value} of {n} is no whole number of copies"
        return
    lower, share, flagged = details.copied_fraction_lower_bound, details.flag_share, details.flagged
    if flagged != (lower > share):
        yield f"flagged is {flagged}, and the bound {lower} is {'above' if lower > share else 'not above'} {share}"
    spec = load_tasks().get(score.task)
    confidence = spec.parameters.get("confidence") if spec is not None else None
    bound = clopper_pearson_lower(round(copies), n, confidence) if confidence is not None else lower
    if not _close(lower, bound):
        yield f"{round(copies)} copies of {n} have the bound {bound}, not {lower}"
    exact = details.exact_copies
    if exact is not None and exact > round(copies):
        yield f"{exact} images equal a training image, and {round(copies)} are counted as copies"


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
