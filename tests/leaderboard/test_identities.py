"""Identities between the numbers of a record: true of real runs, and broken by each edit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from tests import made_up_records as made_up
from tests.leaderboard.forging import Arena, base64_of, score_of
from unipath_bench.core.digest import digest
from unipath_bench.leaderboard.validation.identities import check_identities, weighted_f1_of
from unipath_bench.schema.details import AttributeControl
from unipath_bench.schema.record import RunRecord

Change = Callable[[dict[str, Any]], None]


def edited(record: RunRecord, change: Change, *, sealed: bool = True) -> RunRecord:
    plain = record.model_dump(mode="json")
    change(plain)
    if sealed:
        plain["run_id"] = digest([plain["plan"], plain["environment"]["packages"]])
    return RunRecord.model_validate(plain)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_weighted_f1_of_a_confusion_matrix_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    asked, seen = zip(*pairs, strict=True)
    counts = np.zeros((4, 4))
    np.add.at(counts, (asked, seen), 1)
    expected = f1_score(asked, seen, labels=range(4), average="weighted", zero_division=0)
    assert weighted_f1_of(counts) == pytest.approx(expected)


@pytest.mark.integration
def test_a_real_run_keeps_them_all(arena: Arena) -> None:
    assert check_identities(arena.compete("Honest").load_record()).status == "passed"
    assert check_identities(arena.compete("Thief").load_record()).status == "passed"


def set_value(task: str, name: str, **changes: Any) -> Change:
    def change(record: dict[str, Any]) -> None:
        score_of(record, task)["values"][name] |= changes

    return change


def set_details(**changes: Any) -> Change:
    return lambda record: score_of(record, "memorisation")["details"].update(changes)


def set_interval(**changes: Any) -> Change:
    return lambda record: score_of(record, "clip-score")["values"]["cosine"]["interval"].update(changes)


def set_contributions(parts: list[float] | str, **changes: Any) -> Change:
    coded = parts if isinstance(parts, str) else base64_of(np.array(parts))
    return lambda record: score_of(record, "clip-score")["values"]["cosine"]["contributions"].update(
        parts=coded, **changes
    )


def raise_low(record: dict[str, Any]) -> None:
    interval = score_of(record, "clip-score")["values"]["cosine"]["interval"]
    interval["low"] = (interval["estimate"] + interval["high"]) / 2


def swap_recalls(record: dict[str, Any]) -> None:
    values = score_of(record, "image-to-image-recall")["values"]
    values["recall@1"], values["recall@10"] = values["recall@10"], values["recall@1"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: r["plan"]["counts"].update(generated=31), "31 generated images are not 32 prompts times 1 seeds"),
        (lambda r: score_of(r, "clip-score").update(n_images=31), "clip-score[phantom-clip]: 31 images"),
        (lambda r: score_of(r, "clip-score").update(version=7), "in version 7 was not planned"),
        (lambda r: r["scores"].append(score_of(r, "clip-score")), "two scores have one key"),
        (set_value("clip-score", "cosine", position=99.0), "99.0% of the way along its scale"),
        (set_value("clip-score", "cosine", value=1.5), "1.5 is no cosine"),
        (set_value("memorisation", "copied_fraction", value=0.33), "no whole number of copies"),
        (set_value("memorisation", "copied_fraction", value=-0.25), "-0.25 is no share"),
        (raise_low, "does not hold its estimate"),
        (set_interval(low=0.999), "ends before it begins"),
        (set_interval(low=-0.5), "its contributions give +-"),
        (set_details(flagged=True), "flagged is True, and the bound"),
        (set_details(copied_fraction_lower_bound=0.04), "have the bound"),
        (set_details(exact_copies=5), "5 images equal a training image"),
        (swap_recalls, "is below recall@"),
        (lambda r: score_of(r, "clip-score").update(status="not computed"), "not computed, with 1 values"),
        (lambda r: score_of(r, "clip-score").update(encoder="texture"), "is no key of clip-score in texture"),
        (set_value("clip-score", "cosine", headline=False), "it has not one headline"),
        (set_contributions("no base64!"), "its contributions are damaged"),
        (set_contributions([1.0] * 32), "its contributions sum to 32, not to nought"),
        (set_contributions([0.0], units=1), "its contributions are of 1 blocks, and a difference needs more"),
        (set_contributions([], units=0), "its contributions are of 0 blocks, and a difference needs more"),
    ],
)
def test_an_edit_breaks_one(arena: Arena, change: Change, reason: str) -> None:
    found = check_identities(edited(arena.compete("Honest").load_record(), change))
    assert found.status == "failed"
    assert reason in found.detail


def test_a_plan_that_was_edited_no_longer_has_its_digest(arena: Arena) -> None:
    record = edited(arena.compete("Honest").load_record(), lambda r: r["plan"]["model"].update(title="x"), sealed=False)
    assert check_identities(record).detail == "run_id is not the digest of the plan and the packages"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({}, ""),
        ({"weighted_f1": 0.9}, "weighted F1 0.9, and its confusion matrix gives 0.75"),
        ({"confusion": [[4, 0], [1, 3]]}, "confusion matrix gives"),
        ({"confusion": [[30, 10], [10, 30]]}, "counts 80 images of 8"),
        ({"real_weighted_f1": 0.5}, "of the real images' score, and its attributes give"),
    ],
)
def test_attribute_control_follows_from_its_confusion_matrices(
    arena: Arena, table: dict[str, Any], reason: str
) -> None:
    """Three of four right in each of two classes: precision and recall are 3/4, and so is F1."""
    given: dict[str, Any] = {
        "confusion": [[3, 1], [1, 3]],
        "weighted_f1": 0.75,
        "real_weighted_f1": 1.0,
        "chance": 0.5,
    } | table
    whole = made_up.attribute(("absent", "present"), **given)
    details = AttributeControl(attributes={"tumour": whole})

    def put(record: dict[str, Any]) -> None:
        score = score_of(record, "clip-score")
        template = dict(score["values"]["cosine"], contributions=None, interval=None, bad_end=None, good_end=None)
        template |= {"position": None, "unit": "fraction"}
        score |= {
            "task": "attribute-control",
            "key": "attribute-control[phantom-clip]",
            "n_images": 8,
            "values": {
                "weighted_f1": dict(template, value=0.75),
                "percent_of_real": dict(template, value=75.0, headline=False),
            },
            "details": details.model_dump(mode="json"),
        }
        record["plan"]["tasks"].append("attribute-control[phantom-clip]@1")
        record["plan"]["counts"]["variants"] = 8

    found = check_identities(edited(arena.compete("Honest").load_record(), put))
    assert (found.status == "failed") == bool(reason)
    assert reason in found.detail
