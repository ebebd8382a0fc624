"""Another entry's images under a new name: by fingerprints, and by how each block of patients moves the scores."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from tests.leaderboard.made_up_entries import entry, submitted
from unipath_bench.core.digest import digest
from unipath_bench.leaderboard.boards import FINGERPRINTS, Submitted
from unipath_bench.leaderboard.fingerprints import Fingerprints, compare_fingerprints, write_fingerprints
from unipath_bench.leaderboard.validation.duplicates import check_duplicates, same_contributions
from unipath_bench.schema.record import RunRecord

RNG = np.random.default_rng(0)
CASES = RNG.normal(0.5, 0.1, (3, 40))
OTHERS = RNG.normal(0.5, 0.1, (3, 40))
SKETCHES = RNG.normal(size=(20, 8))


def entrant(name: str, cases: np.ndarray) -> Submitted:
    """A model that is scored by as many values as there are rows, each the mean of its cases."""
    found = submitted(name, {f"value-{i}": row for i, row in enumerate(cases)})
    return Submitted(entry(name, archive_sha256=digest(name)), found.record)


def fingerprints(name: str, sketches: np.ndarray, copied: int = 0, encoder: str = "e" * 16) -> Fingerprints:
    """Of as many images as there are sketches, the first ``copied`` of them equal under every name."""
    pixels = tuple(f"{'same' if i < copied else name}{i}" for i in range(len(sketches)))
    coded = base64.b64encode(sketches.astype("<f4").tobytes()).decode("ascii")
    return Fingerprints(pixels=pixels, encoder=encoder, sketches=coded)


def board_with(folder: Path, of: Submitted, prints: Fingerprints | None = None) -> Path:
    place = folder / "entries" / of.entry.name
    place.mkdir(parents=True)
    (place / "entry.json").write_text(of.entry.model_dump_json())
    (place / "record.json").write_text(of.record.model_dump_json())
    if prints is not None:
        (place / FINGERPRINTS).write_text(write_fingerprints(prints))
    return folder


def with_parts(record: RunRecord, parts: str) -> RunRecord:
    """The record with these contributions to every value."""
    scores = []
    for score in record.scores:
        value = score.values["mean"]
        assert value.contributions is not None
        changed = value.model_copy(update={"contributions": value.contributions.model_copy(update={"parts": parts})})
        scores.append(score.model_copy(update={"values": {"mean": changed}}))
    return record.model_copy(update={"scores": tuple(scores)})


@pytest.mark.parametrize(
    ("cases", "alike"),
    [
        (CASES + RNG.normal(0, 1e-4, CASES.shape), True),
        (OTHERS, False),
        (np.vstack([CASES[:2], OTHERS[2:]]), False),
        (CASES[:2], False),
    ],
)
def test_models_are_alike_where_three_scores_or_more_all_move_alike(cases: np.ndarray, alike: bool) -> None:
    """One score that moves otherwise tells two models apart, and two values accuse nobody."""
    mine = entrant("mine", CASES[: len(cases)]).record
    assert same_contributions(mine, entrant("theirs", cases).record) == alike


@pytest.mark.parametrize("parts", ["", "no base64!", base64.b64encode(np.zeros(10, "<f4").tobytes()).decode("ascii")])
def test_contributions_that_say_nothing_accuse_nobody(parts: str) -> None:
    """Damaged ones are for another check to name; those of a score that never varies fit every model."""
    mine = entrant("mine", CASES).record
    assert not same_contributions(with_parts(mine, parts), mine)


def test_an_entry_that_scores_as_another_does_is_named(tmp_path: Path) -> None:
    board = board_with(tmp_path, entrant("theirs", CASES))
    found = check_duplicates(board, entrant("mine", CASES).record, None, "f" * 64)
    assert (found.status, found.detail) == ("failed", "its images move every score as those of theirs (theirs) do")
    assert check_duplicates(board, entrant("mine", OTHERS).record, None, "f" * 64).status == "passed"


def test_the_same_archive_again_is_no_other_entry(tmp_path: Path) -> None:
    mine = entrant("mine", CASES)
    found = check_duplicates(board_with(tmp_path, mine), mine.record, None, mine.entry.archive_sha256)
    assert (found.status, found.detail) == ("passed", "unlike 0 others")


def test_a_baseline_that_is_shown_the_real_images_may_repeat_another(tmp_path: Path) -> None:
    board = board_with(tmp_path, entrant("theirs", CASES))
    record = entrant("mine", CASES).record
    model = record.plan.model.model_copy(update={"oracle": True})
    oracle = record.model_copy(update={"plan": record.plan.model_copy(update={"model": model})})
    assert check_duplicates(board, oracle, None, "f" * 64).status == "passed"


@pytest.mark.parametrize(
    ("mine", "reason"),
    [
        (fingerprints("mine", -SKETCHES, copied=5), "25% of its images are those of theirs (theirs), pixel for pixel"),
        (fingerprints("mine", SKETCHES + 1e-4), "100% of its images are nearly those of theirs (theirs)"),
        (fingerprints("mine", -SKETCHES, copied=2), ""),
        (fingerprints("mine", SKETCHES, encoder="f" * 16), ""),
    ],
)
def test_equal_and_nearly_equal_images_are_counted(tmp_path: Path, mine: Fingerprints, reason: str) -> None:
    """Up to one in ten may be alike, and sketches in different encoders cannot be compared."""
    board = board_with(tmp_path, entrant("theirs", CASES), fingerprints("theirs", SKETCHES, copied=20))
    found = check_duplicates(board, entrant("mine", OTHERS).record, mine, "f" * 64)
    assert (found.status, found.detail) == ("failed" if reason else "passed", reason or "unlike 1 others")


@pytest.mark.parametrize("count", [19, 21])
def test_sketches_that_do_not_fit_their_images_are_refused(count: int) -> None:
    good = fingerprints("theirs", SKETCHES)
    wrong = good.model_copy(update={"pixels": tuple(map(str, range(count)))})
    with pytest.raises(ValueError, match="not eight finite numbers an image"):
        compare_fingerprints(wrong, good)
