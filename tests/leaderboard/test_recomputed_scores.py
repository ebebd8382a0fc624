"""What a validator finds where recorded scores and those that it computes differ, and what it lets pass."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from tests import made_up_records as made_up
from tests.leaderboard.made_up_entries import board_for, submitted, with_score
from unipath_bench.core.packages import package_versions
from unipath_bench.leaderboard.boards import Submitted
from unipath_bench.leaderboard.validation.scores import TOLERANCE, check_scores, differing
from unipath_bench.schema.details import Memorisation, Other
from unipath_bench.schema.record import Interval, RunRecord, TaskScore, Value

CASES = np.linspace(0.2, 0.8, 40)
"""Made-up numbers of a value whose scale goes from 0 to 1, one a case."""


@pytest.fixture
def honest() -> Submitted:
    return submitted("honest", {"alignment": CASES, "copying": CASES**2})


def first(of: Submitted) -> TaskScore:
    return of.record.scores[0]


def value_of(score: TaskScore) -> Value:
    return score.values["mean"]


def with_value(score: TaskScore, **changes: Any) -> TaskScore:
    return score.model_copy(update={"values": {"mean": value_of(score).model_copy(update=changes)}})


def with_contributions(score: TaskScore, **changes: Any) -> TaskScore:
    found = value_of(score).contributions
    assert found is not None
    return with_value(score, contributions=found.model_copy(update=changes))


def with_details(of: Submitted, details: Memorisation | Other) -> TaskScore:
    return first(of).model_copy(update={"details": details})


def by_key(record: RunRecord) -> dict[str, TaskScore]:
    return {score.key: score for score in record.scores}


def test_another_machine_s_last_digits_pass_and_a_better_value_does_not(honest: Submitted) -> None:
    number = value_of(first(honest)).value
    assert list(differing(first(honest), first(honest))) == []
    within = with_value(first(honest), value=number + 0.9 * TOLERANCE)
    beyond = with_value(first(honest), value=number + 1.1 * TOLERANCE)
    assert list(differing(within, first(honest))) == []
    assert list(differing(beyond, first(honest))) == [f"mean: value {number + 1.1 * TOLERANCE:.6g}, computed here 0.5"]


def test_the_tolerance_is_of_the_scale_computed_here(honest: Submitted) -> None:
    """A record cannot widen its own tolerance by a value of its own that is large."""
    far = with_value(first(honest), value=1e9)
    assert list(differing(far, first(honest))) == ["mean: value 1e+09, computed here 0.5"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"version": 9}, "version 9, computed here 1"),
        ({"n_images": 7}, "n_images 7, computed here 572"),
        ({"coupled": True}, "coupled True, computed here False"),
        ({"encoder_digest": "f" * 64}, f"encoder_digest {'f' * 64}, computed here "),
        ({"details": Other(content={"a": 1})}, "details of the kind other, computed here none"),
    ],
)
def test_what_a_score_says_of_itself_is_compared(honest: Submitted, changes: dict[str, Any], problem: str) -> None:
    [found] = differing(first(honest).model_copy(update=changes), first(honest))
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"direction": "lower"}, "direction 'lower', computed here 'higher'"),
        ({"headline": False}, "headline False, computed here True"),
        ({"unit": "percent"}, "unit 'percent', computed here ''"),
        ({"contributions": None}, "its contributions are recorded or computed here alone"),
        ({"interval": Interval(method="by eye")}, "its interval is recorded or computed here alone"),
    ],
)
def test_what_a_value_says_of_itself_is_compared(honest: Submitted, changes: dict[str, Any], problem: str) -> None:
    assert list(differing(with_value(first(honest), **changes), first(honest))) == [f"mean: {problem}"]


def test_a_value_that_one_side_lacks_is_named(honest: Submitted) -> None:
    score = first(honest)
    more = score.model_copy(update={"values": {**score.values, "bonus": value_of(score)}})
    assert list(differing(more, score)) == ["bonus is recorded alone"]
    assert list(differing(score, more)) == ["bonus is computed here alone"]


def test_an_interval_is_compared_by_its_ends_and_by_how_it_was_made(honest: Submitted) -> None:
    interval = Interval(estimate=0.5, low=0.4, high=0.6, units=10, method="unit jackknife")
    found = with_value(first(honest), interval=interval)

    def problems(**changes: Any) -> list[str]:
        return list(differing(with_value(found, interval=interval.model_copy(update=changes)), found))

    assert problems(low=0.4 + TOLERANCE / 2) == []
    assert problems(low=0.45) == ["mean: interval low 0.45, computed here 0.4"]
    assert problems(low=None) == ["mean: interval low none, computed here 0.4"]
    assert problems(level=0.5, units=1000) == [
        "mean: interval level 0.5, computed here 0.95",
        "mean: interval units 1000, computed here 10",
    ]


def test_contributions_decide_ranks_so_each_of_their_parts_is_compared(honest: Submitted) -> None:
    score = first(honest)
    contributions = value_of(score).contributions
    assert contributions is not None
    parts = np.frombuffer(base64.b64decode(contributions.parts), "<f4")

    def problems(**changes: Any) -> list[str]:
        return list(differing(with_contributions(score, **changes), score))

    def coded(numbers: np.ndarray) -> str:
        return base64.b64encode(numbers.astype("<f4").tobytes()).decode("ascii")

    assert problems(parts=coded(parts + TOLERANCE / 2)) == []
    assert problems(parts=coded(parts + 2 * TOLERANCE)) == ["mean: its contributions differ"]
    assert problems(parts=coded(parts[:-1])) == ["mean: its contributions differ"]
    assert problems(blocks="0" * 64) == ["mean: its contributions are of other patients or blocks"]
    assert problems(parts=coded(parts * np.nan)) == ["mean: its contributions are damaged: parts hold NaN or infinity"]
    assert problems(parts="no base64!")[0].startswith("mean: its contributions are damaged: ")
    assert problems(estimate=0.7) == ["mean: contributions' estimate 0.7, computed here 0.5"]


def test_a_score_of_the_board_that_cannot_be_computed_here_leaves_the_validation_incomplete(honest: Submitted) -> None:
    """The board's metrics must be computed; what else a record holds may be left unchecked."""
    record = honest.record
    board = board_for(record)
    board = board.model_copy(update={"metrics": board.metrics[:1]})
    ours, theirs = record.scores
    required, others, _ = check_scores(board, record, {}, {ours.key: "the weights are not at hand"})
    assert (required.status, required.optional) == ("could not check", False)
    assert required.detail == f"{ours.key}: the weights are not at hand"
    assert (others.status, others.optional) == ("could not check", True)
    assert others.detail == f"{theirs.key}: it was not computed here"


def test_one_edited_score_refuses_although_another_cannot_be_checked(honest: Submitted) -> None:
    record = honest.record
    edited = with_score(honest, values={"mean": value_of(first(honest)).model_copy(update={"value": 0.99})}).record
    found = {record.scores[0].key: record.scores[0]}
    required, _, _ = check_scores(board_for(record), edited, found, {record.scores[1].key: "no weights"})
    assert required.status == "failed"


def test_a_score_that_the_record_does_not_claim_is_not_asked_for(honest: Submitted) -> None:
    absent = with_score(honest, status="not computed", values={}).record
    required, _, _ = check_scores(board_for(honest.record), absent, by_key(honest.record), {})
    assert (required.status, required.detail) == ("passed", "1 values within 0.001 of their scale")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"threshold": 9.0}, "details.threshold 9, computed here 2.05"),
        ({"flagged": True}, "details.flagged 'True', computed here 'False'"),
        ({"pairs": ()}, "details.pairs have 0 entries, computed here 6"),
    ],
)
def test_tables_made_with_the_same_packages_must_be_the_same(
    honest: Submitted, change: dict[str, Any], problem: str
) -> None:
    table = made_up.memorisation_details(flagged=False)
    found = with_details(honest, table)
    recorded = with_details(honest, table.model_copy(update=change))
    environment = honest.record.environment.model_copy(update={"packages": package_versions()})
    record = honest.record.model_copy(update={"scores": (recorded,), "environment": environment})
    *_, details = check_scores(board_for(honest.record), record, {found.key: found}, {})
    assert (details.status, details.detail) == ("failed", f"{found.key}: {problem}")


def test_tables_made_with_other_packages_may_differ(honest: Submitted) -> None:
    """Ties may be broken otherwise there, which is no reason to refuse."""
    found = with_details(honest, Other(content={"nearest": ["a", "b"]}))
    recorded = with_details(honest, Other(content={"nearest": ["b", "a"]}))
    record = honest.record.model_copy(update={"scores": (recorded,)})
    *_, details = check_scores(board_for(honest.record), record, {found.key: found}, {})
    assert (details.status, details.optional) == ("could not check", True)
    assert "made with other packages" in details.detail
