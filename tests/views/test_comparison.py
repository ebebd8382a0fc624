"""Runs side by side: what is comparable, what differs and by how much, and which number is better."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from scipy import stats

from tests import made_up_records as made_up
from unipath_bench.contracts import FeatureSet
from unipath_bench.core.console import Console
from unipath_bench.core.errors import UsageError
from unipath_bench.schema.record import Contributions, Interval, RunRecord, TaskScore
from unipath_bench.scoring.paired import mean_contributions
from unipath_bench.views.comparison import CAVEAT, Comparison, Row, compare


def two(**changes: object) -> tuple[RunRecord, RunRecord]:
    """Two runs, the second a little better; ``changes`` are made to its first score."""
    first, second = made_up.record("a"), made_up.record("b", shift=-0.1)
    scores = (second.scores[0].model_copy(update=changes), *second.scores[1:])
    return first, second.model_copy(update={"scores": scores})


def with_interval(record: RunRecord, low: float | None, high: float | None) -> RunRecord:
    """The record with this interval on its first value."""
    score = record.scores[0]
    name, value = next(iter(score.values.items()))
    found = None if high is None else Interval(low=low, high=high, method="jackknife")
    score = score.model_copy(update={"values": {**score.values, name: value.model_copy(update={"interval": found})}})
    return record.model_copy(update={"scores": (score, *record.scores[1:])})


def row(comparison: Comparison, key: str, name: str) -> Row:
    return next(r for r in comparison.rows if (r.key, r.name) == (key, name))


def first_row(comparison: Comparison) -> Row:
    return row(comparison, "frechet-distance[texture]", "frechet_distance")


def test_agreeing_runs_are_comparable() -> None:
    comparison = compare(two())
    assert all(r.comparable and not r.differs for r in comparison.rows)
    assert first_row(comparison).values == (41.2, pytest.approx(41.2 * 0.9))


@pytest.mark.parametrize(
    ("intervals", "best"),
    [
        ([(40.0, 42.0), (36.0, 38.0)], (1,)),  # lower is better
        ([(36.0, 38.0), (40.0, 42.0)], (0,)),
        ([(40.0, 42.0), (36.0, 40.0)], ()),  # they touch
        ([(40.0, 42.0), (None, 38.0)], (1,)),  # at most 38 is better than at least 40
        ([(None, 42.0), (None, 38.0)], ()),  # two upper bounds say nothing of their order
        ([(40.0, 42.0), (None, None)], ()),  # no interval
        ([(40.0, 42.0), (36.0, 38.0), (37.0, 39.0)], ()),  # the first is worse, but none is best
        ([(40.0, 42.0), (36.0, 37.0), (38.0, 39.0)], (1,)),
    ],
)
def test_better_is_the_run_whose_interval_is_beyond_all_others(intervals, best: tuple[int, ...]) -> None:
    records = [with_interval(made_up.record(name), *ends) for name, ends in zip("abc", intervals, strict=False)]
    assert first_row(compare(records)).best == best


def test_a_better_number_without_an_interval_marks_nothing() -> None:
    recall = row(compare(two()), "manifold[texture]", "recall")
    assert recall.values[0] != recall.values[1]
    assert recall.best == ()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"version": 2}, "task version"),
        ({"n_images": 500}, "images"),
        ({"encoder_digest": "0" * 64}, "encoder"),
        ({"dimension": 42}, "dimension"),
    ],
)
def test_what_differs_is_named_and_nothing_is_better(change: dict[str, object], what: str) -> None:
    comparison = compare(two(**change))
    changed = first_row(comparison)
    assert not changed.comparable
    assert list(changed.differs) == [what]
    assert len(set(changed.differs[what])) == 2
    assert changed.best == ()
    assert all(r.comparable for r in comparison.rows if r.key != changed.key)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (made_up.record("b", revision="others"), ["suite revision"]),
        (made_up.record("b", kind="phantom"), ["kind of suite"]),
        (made_up.record("b", prompts=100), ["images", "prompts and seeds"]),
    ],
)
def test_other_data_make_every_row_incomparable(other: RunRecord, what: list[str]) -> None:
    comparison = compare([made_up.record("a"), other])
    assert all(not r.comparable and list(r.differs) == what and r.best == () for r in comparison.rows)


def test_one_hundred_prompts_once_are_not_fifty_twice() -> None:
    a, b = made_up.record("a", prompts=100), made_up.record("b", prompts=100)
    b = b.model_copy(update={"plan": b.plan.model_copy(update={"n": 50, "seeds": 2})})
    assert {tuple(r.differs) for r in compare([a, b]).rows} == {("prompts and seeds",)}


def test_a_value_that_one_run_lacks_is_empty_and_not_comparable() -> None:
    first, second = made_up.record("a"), made_up.record("b")
    second = second.model_copy(update={"scores": second.scores[1:]})
    lacking = first_row(compare([first, second]))
    assert lacking.values == (41.2, None)
    assert not lacking.comparable
    assert lacking.differs == {}
    third = made_up.record("c")
    assert first_row(compare([first, second, third])).comparable  # the two that have it agree


def test_a_coupled_score_is_never_better() -> None:
    coupled = row(compare(two()), "image-to-image-recall[conch]", "recall_at_10")
    assert coupled.coupled == (True, True)
    assert coupled.best == ()
    first, second = (with_interval(r, *e) for r, e in zip(two(), [(40.0, 42.0), (30.0, 31.0)], strict=True))
    assert first_row(compare([first, second])).best == (1,)
    second = second.model_copy(
        update={"scores": (second.scores[0].model_copy(update={"coupled": True}), *second.scores[1:])}
    )
    assert first_row(compare([first, second])).best == ()  # one fair run left: nothing to be better than
    third = with_interval(made_up.record("c"), 44.0, 46.0)
    assert first_row(compare([first, second, third])).best == (0,)


def test_the_order_of_rows_does_not_depend_on_the_order_of_runs() -> None:
    extra = made_up.score("extra", 1, "Extra", {"x": made_up.value(1.0, "X", "lower")})
    a, b = made_up.record("a"), made_up.record("b", some=[extra, *made_up.scores()])
    assert [(r.key, r.name) for r in compare([a, b]).rows] == [(r.key, r.name) for r in compare([b, a]).rows]


def test_frame_and_json_hold_the_same() -> None:
    comparison = compare(two(version=2))
    frame = comparison.to_frame()
    document = json.loads(comparison.to_json())
    assert len(frame) == len(document["rows"]) == len(comparison.rows)
    assert document["note"] == CAVEAT
    for (_, line), entry in zip(frame.iterrows(), document["rows"], strict=True):
        assert [line[name] for name in comparison.runs] == entry["values"]
        assert line["comparable"] == entry["comparable"]
        assert line["differs"] == ", ".join(entry["differs"])
    assert frame.loc[frame["key"] == "frechet-distance[texture]", "differs"].tolist() == ["task version"]


def test_the_table_says_what_differs_and_claims_no_significance() -> None:
    stream = io.StringIO()
    first, second = two(version=2)
    compare([first, second]).print(Console(file=stream, width=160, color_system=None))
    text = " ".join(stream.getvalue().split())
    assert "no: task version differs" in text
    assert "task version of frechet-distance[texture]: A 1, B 2" in text
    assert CAVEAT in text
    assert "significant" not in text
    assert "† coupled" in text


def paired(name: str, numbers: np.ndarray, *, prefix: str = "p", direction: made_up.Direction = "higher") -> RunRecord:
    """A run whose one value is a mean over 40 patients of one tile each."""
    cases = FeatureSet(ids=tuple(f"{prefix}{i}" for i in range(40)))
    found = mean_contributions(numbers, cases)
    assert isinstance(found, Contributions)
    value = made_up.value(float(numbers.mean()), "Mean", direction).model_copy(update={"contributions": found})
    return made_up.record(name, some=[made_up.score("mean", 1, "Mean", {"mean": value}, n_images=40)])


def draws(seed: int, mean: float = 0.0) -> np.ndarray:
    return mean + np.random.default_rng(seed).normal(size=40)


@pytest.mark.parametrize("direction", ["higher", "lower"])
@pytest.mark.parametrize("shift", [-0.5, 0.0, 0.5])
def test_the_paired_difference_is_that_of_students_test(direction: made_up.Direction, shift: float) -> None:
    base = draws(0)
    a, b = base + shift + 0.2 * draws(1), base
    pair = compare([paired("a", a, direction=direction), paired("b", b, direction=direction)]).rows[0].pairs[0]
    test = stats.ttest_rel(a, b)
    low, high = test.confidence_interval(0.95)
    assert pair.difference == pytest.approx(a.mean() - b.mean())
    assert (pair.low, pair.high) == (pytest.approx(low, rel=1e-4), pytest.approx(high, rel=1e-4))
    assert pair.p_value == pytest.approx(test.pvalue, rel=1e-3, abs=1e-12)
    assert pair.significant == (test.pvalue < 0.05)
    if pair.significant:
        assert pair.better == (0 if (shift > 0) == (direction == "higher") else 1)
    else:
        assert pair.better is None


def test_three_runs_are_corrected_for_three_pairs() -> None:
    numbers = [draws(0) + shift + 0.5 * draws(seed) for seed, shift in ((1, 0.0), (2, 0.1), (3, 0.3))]
    pairs = compare([paired(name, n) for name, n in zip("abc", numbers, strict=True)]).rows[0].pairs
    raw = [stats.ttest_rel(numbers[p.first], numbers[p.second]).pvalue for p in pairs]
    order = np.argsort(raw)
    holm = np.minimum(1, np.maximum.accumulate(np.asarray(raw)[order] * [3, 2, 1]))
    assert [pairs[i].p_value for i in order] == pytest.approx(list(holm), rel=1e-3)


def test_why_there_is_no_paired_difference_is_said() -> None:
    """Records without contributions, other prompts, other n, coupled scores."""
    old = compare(two())
    assert "made before they were kept" in first_row(old).pairs[0].reason
    assert first_row(old).pairs[0].difference is None
    other = compare([paired("a", draws(0)), paired("b", draws(1), prefix="q")]).rows[0]
    assert "other prompts" in other.pairs[0].reason
    assert "task version" in first_row(compare(two(version=2))).pairs[0].reason
    assert row(old, "image-to-image-recall[conch]", "recall_at_10").pairs == ()


def test_the_terminal_shows_the_difference_or_the_reason() -> None:
    stream = io.StringIO()
    compare([paired("a", draws(0) + 2.0), paired("b", draws(0))]).print(Console(file=stream, width=160))
    text = " ".join(stream.getvalue().split())
    assert "Paired differences" in text
    assert "A - B 2" in text
    assert "A is better" in text
    stream = io.StringIO()
    compare(two()).print(Console(file=stream, width=160))
    assert "No paired difference, intervals alone are compared:" in stream.getvalue()


def test_two_runs_have_their_difference_in_the_frame() -> None:
    frame = compare([paired("a", draws(0) + 2.0), paired("b", draws(0))]).to_frame()
    assert frame.loc[0, "difference"] == pytest.approx(2.0)
    assert bool(frame.loc[0, "significant"])


def test_too_few_or_repeated_runs_are_refused() -> None:
    with pytest.raises(UsageError, match="two runs"):
        compare([made_up.record()])
    with pytest.raises(UsageError, match="more than once"):
        compare([made_up.record(), made_up.record()])


def test_a_run_without_any_score_is_a_column_of_nothing() -> None:
    none: list[TaskScore] = []
    comparison = compare([made_up.record("a"), made_up.record("b", some=none)])
    assert all(r.values[1] is None and not r.comparable for r in comparison.rows)
    assert compare([made_up.record("a", some=none), made_up.record("b", some=none)]).rows == ()
