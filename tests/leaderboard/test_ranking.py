"""Ranks by paired differences: shared where entries can't be told apart, and none where a rule of the board fails."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.leaderboard import made_up_entries as made_up
from tests.made_up_records import memorisation_details
from unipath_bench.cli.app import invoke
from unipath_bench.core.errors import UsageError
from unipath_bench.leaderboard import rank_board, rank_entries
from unipath_bench.leaderboard.boards import Submitted, load_board, load_entry
from unipath_bench.leaderboard.pairing import find_better
from unipath_bench.schema.board import Standing
from unipath_bench.schema.record import Contributions
from unipath_bench.views.comparison.pairs import find_pairs

CASES = 120
NOISE = np.random.default_rng(5).normal(0, 0.1, CASES)
"""What all models share: the cases are easy or hard for each of them."""


def of_level(name: str, level: float, own: float = 0.01) -> Submitted:
    rng = np.random.default_rng(len(name) + ord(name[0]))
    return made_up.submitted(name, {"quality": level + NOISE + rng.normal(0, own, CASES)})


def with_value(of: Submitted, **changes: object) -> Submitted:
    values = {name: value.model_copy(update=changes) for name, value in of.record.scores[0].values.items()}
    return made_up.with_score(of, values=values)


def standing(rows: tuple[Standing, ...], name: str) -> Standing:
    return next(row for row in rows if row.name == name)


def test_models_that_differ_by_more_than_their_noise_are_ranked_in_order() -> None:
    entries = [of_level("worst", 0.5), of_level("best", 0.7), of_level("middle", 0.6)]
    rows = rank_entries(made_up.board_for(entries[0].record), entries).rows
    assert [(row.name, row.rank, row.tied_with) for row in rows] == [
        ("best", 1, ()),
        ("middle", 2, ()),
        ("worst", 3, ()),
    ]


def test_the_direction_of_the_metric_decides_who_is_better() -> None:
    entries = [
        made_up.submitted(name, {"distance": level + NOISE}, "lower") for name, level in (("near", 0.5), ("far", 0.6))
    ]
    rows = rank_entries(made_up.board_for(entries[0].record), entries).rows
    assert [(row.name, row.rank) for row in rows] == [("near", 1), ("far", 2)]


def test_the_same_model_twice_shares_a_rank_and_the_next_counts_both() -> None:
    good = [of_level("good", 0.7, 0.0), of_level("also-good", 0.7, 0.0)]
    entries = [*good, of_level("bad", 0.5)]
    rows = rank_entries(made_up.board_for(entries[0].record), entries).rows
    assert standing(rows, "good").tied_with == ("also-good",)
    assert {row.name: row.rank for row in rows} == {"good": 1, "also-good": 1, "bad": 3}


def test_being_told_apart_is_not_transitive_and_the_rank_counts_only_who_is_better() -> None:
    """Neighbours differ by t = 1.6 (29 degrees, p = 0.12), and so do the ends where their noise is opposite."""
    wave = np.tile([1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0], CASES // 8)
    # Patients are runs of four cases: 30 of them at +-1, so the mean of k * wave has a standard error of k / sqrt(29).
    step = 0.01
    middle = 0.5 + NOISE
    entries = [
        made_up.submitted("a", {"quality": middle + step + wave * step * np.sqrt(29) / 1.6}),
        made_up.submitted("b", {"quality": middle}),
        made_up.submitted("c", {"quality": middle - step - wave * step * np.sqrt(29) / 1.6}),
    ]
    rows = rank_entries(made_up.board_for(entries[0].record), entries).rows
    ranks = {row.name: (row.rank, row.tied_with) for row in rows}
    assert ranks == {"a": (1, ("b", "c")), "b": (1, ("a", "c")), "c": (1, ("a", "b"))}
    # The same wave in all three cancels between the ends, whose difference is then certain.
    entries[2] = made_up.submitted("c", {"quality": middle - step + wave * step * np.sqrt(29) / 1.6})
    rows = rank_entries(made_up.board_for(entries[0].record), entries).rows
    ranks = {row.name: (row.rank, row.tied_with) for row in rows}
    assert ranks == {"a": (1, ("b",)), "b": (1, ("a", "c")), "c": (2, ("b",))}


@pytest.mark.integration
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 7), direction=st.sampled_from(["lower", "higher"]))
def test_all_pairs_at_once_find_what_pairs_one_by_one_find(seed: int, count: int, direction: str) -> None:
    """With biases left over that stretch or refuse some pairs, and one value of other blocks."""
    rng = np.random.default_rng(seed)
    names = [f"m{i}" for i in range(count)]
    values = []
    for i, name in enumerate(names):
        numbers = 0.02 * i + NOISE + rng.normal(0, 0.03, CASES)
        value = made_up.submitted(name, {"q": numbers}).record.scores[0].values["mean"]
        found = value.contributions
        assert isinstance(found, Contributions)
        bias = float(rng.choice([0.0, 0.001, 0.004, 0.05]))
        other = {"blocks": "f" * 64} if i == 6 else {}
        values.append(
            value.model_copy(update={"contributions": found.model_copy(update={"residual_bias": bias, **other})})
        )
    wanted = np.zeros((count, count), bool)
    for pair in find_pairs(values, names, direction, ""):
        if pair.better is not None:
            wanted[pair.better, pair.first + pair.second - pair.better] = True
    np.testing.assert_array_equal(find_better(values, names, direction), wanted)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda e: made_up.with_plan(e, n=64), "n = 64 prompts"),
        (lambda e: made_up.with_plan(e, seeds=2), "2 images a prompt"),
        (lambda e: made_up.with_plan(e, suite_revision="f" * 64), "suite revision ffffffffffff"),
        (
            lambda e: made_up.with_plan(e, model=e.record.plan.model.model_copy(update={"oracle": True})),
            "an oracle",
        ),
        (lambda e: Submitted(e.entry.model_copy(update={"licence_statement": " "}), e.record), "no licence statement"),
        (lambda e: made_up.with_score(e, coupled=True), "coupled"),
        (lambda e: made_up.with_score(e, encoder_digest="f" * 64), "encoder texture ffffffffffff"),
        (lambda e: made_up.with_score(e, status="not computed", reason="no weights", values={}), "no weights"),
        (lambda e: made_up.with_score(e, key="another[texture]"), "the record has no such score"),
        (lambda e: made_up.with_score(e, values={}), "the score has no such value"),
        (lambda e: with_value(e, direction="lower"), "its better direction is lower; the board's is higher"),
        (lambda e: with_value(e, contributions=None), "it was made before they were kept"),
        (lambda e: with_value(e, contributions=None, contributions_note="too few patients"), "too few patients"),
    ],
)
def test_what_breaks_a_rule_stays_on_the_board_unranked_with_the_reason(change, reason: str) -> None:
    entries = [of_level("first", 0.6), change(of_level("second", 0.7))]
    rows = rank_entries(made_up.board_for(entries[0].record), entries).rows
    assert [(row.name, row.rank) for row in rows] == [("first", 1), ("second", None)]
    assert reason in " ".join(rows[1].reasons)
    assert rows[0].tied_with == ()


def test_an_entry_of_another_task_version_is_stale() -> None:
    entries = [of_level("new", 0.6), made_up.with_score(of_level("old", 0.7), version=2)]
    rows = rank_entries(made_up.board_for(entries[0].record), entries).rows
    assert (rows[1].stale, rows[1].rank, rows[1].eligible) == (True, None, True)
    assert not rows[0].stale


@pytest.mark.parametrize(
    ("values", "reason"),
    [([1.0] * 30 + [0.0] * 90, "25.0% of its images"), ([0.0] * CASES, ""), (None, "was not computed")],
)
def test_the_memorisation_gate(values: list[float] | None, reason: str) -> None:
    per_case: dict[str, list[float] | np.ndarray] = {"quality": 0.5 + NOISE}
    entry = made_up.submitted("model", per_case if values is None else {**per_case, "memorisation": values})
    if values is not None:
        audit = entry.record.scores[1]
        values_of = {"copied_fraction": audit.values["mean"]}
        audit = audit.model_copy(update={"values": values_of, "details": memorisation_details(flagged=False)})
        scores = (entry.record.scores[0], audit)
        entry = Submitted(entry.entry, entry.record.model_copy(update={"scores": scores}))
    row = rank_entries(made_up.board_for(entry.record, max_memorised=0.05), [entry]).rows[0]
    assert (row.rank is None, row.eligible) == (bool(reason), not reason)
    assert reason in " ".join(row.reasons)


def test_a_board_and_its_entries_are_read_from_their_folder(tmp_path: Path) -> None:
    entries = [of_level("good", 0.7), of_level("bad", 0.5)]
    board = made_up.board_for(entries[0].record)
    folder = tmp_path / board.name
    for each in entries:
        place = folder / "entries" / each.entry.name
        place.mkdir(parents=True)
        (place / "entry.json").write_text(each.entry.model_dump_json())
        (place / "record.json").write_text(each.record.model_dump_json())
    (folder / "board.yaml").write_text(yaml.safe_dump(json.loads(board.model_dump_json())))
    assert rank_board(folder) == rank_entries(board, entries[::-1])
    (folder / "entries" / "good").rename(folder / "entries" / "excellent")
    with pytest.raises(UsageError, match="'good' in a folder called 'excellent'"):
        rank_board(folder)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"name": "another"}, "is the board 'another' in a folder called 'made-up'"), ({"metrics": ()}, "has no metrics")],
)
def test_a_board_that_cannot_be_is_named(tmp_path: Path, changes: dict[str, object], problem: str) -> None:
    rules = made_up.board_for(of_level("good", 0.7).record).model_copy(update=changes)
    (folder := tmp_path / "made-up").mkdir()
    (folder / "board.yaml").write_text(yaml.safe_dump(json.loads(rules.model_dump_json())))
    with pytest.raises(UsageError, match=problem):
        load_board(folder)


def test_an_entry_may_not_be_a_link_to_another_file(tmp_path: Path) -> None:
    good = of_level("good", 0.7)
    (folder := tmp_path / "good").mkdir()
    (tmp_path / "elsewhere.json").write_text(good.record.model_dump_json())
    (folder / "entry.json").write_text(good.entry.model_dump_json())
    (folder / "record.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(UsageError, match=r"record\.json is a symbolic link"):
        load_entry(folder)


def test_the_command_prints_ranks_ties_and_reasons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = [of_level("good", 0.7), made_up.with_plan(of_level("small", 0.7), n=64)]
    board = made_up.board_for(entries[0].record)
    folder = tmp_path / board.name
    for each in entries:
        place = folder / "entries" / each.entry.name
        place.mkdir(parents=True)
        (place / "entry.json").write_text(each.entry.model_dump_json())
        (place / "record.json").write_text(each.record.model_dump_json())
    (folder / "board.yaml").write_text(yaml.safe_dump(json.loads(board.model_dump_json())))
    assert invoke(["leaderboard", "rank", str(folder)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 good" in shown
    assert "n = 64 prompts" in shown
    assert "Holm" in shown
    assert invoke(["leaderboard", "rank", str(folder), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["name"], row["rank"]) for row in rows] == [("good", 1), ("small", None)]
    assert invoke(["leaderboard", "rank", "nowhere"]) == 2
