"""The boards of this project: what they ask for is what the code gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from unipath_bench.core.registries import ENCODERS
from unipath_bench.leaderboard.boards import ENTRIES, list_boards, load_board
from unipath_bench.leaderboard.fetching import fetch_archive
from unipath_bench.leaderboard.ranking import rank_board
from unipath_bench.schema.base import parse_json
from unipath_bench.schema.board import Entry
from unipath_bench.scoring.catalogue import load_tasks
from unipath_bench.suites.card import load_suite

BOARDS = [pytest.param(folder, id=folder.name) for folder in list_boards()]


def test_there_is_a_board_of_the_phantom_and_one_of_tissue() -> None:
    assert {folder.name: load_board(folder).kind for folder in list_boards()} == {
        "phantom": "phantom",
        "tissue": "tissue",
    }


@pytest.mark.parametrize("folder", BOARDS)
def test_its_metrics_are_those_of_the_installed_tasks_and_encoders(folder: Path) -> None:
    board, tasks = load_board(folder), load_tasks()
    assert any(metric.headline for metric in board.metrics)
    for metric in board.metrics:
        task, _, encoder = metric.key.removesuffix("]").partition("[")
        spec = tasks[task]
        assert spec.suites in ("any", board.kind)
        assert (metric.task_version, metric.tier) == (spec.version, spec.tier)
        assert metric.direction == spec.values[metric.value].direction
        assert metric.encoder_digest == ENCODERS.get(encoder)().card.digest()


def test_the_phantom_board_is_of_the_default_phantom() -> None:
    board = load_board(next(folder for folder in list_boards() if folder.name == "phantom"))
    suite = load_suite(board.suite, None, board.suite_arguments)
    assert (board.suite_arguments, board.suite_revision) == ({}, suite.revision)
    roles = suite.card.default_encoders
    assert {metric.key.partition("[")[2][:-1] for metric in board.metrics} == {*roles.values(), "texture"}


@pytest.mark.integration
def test_the_tissue_board_is_of_the_tiles(real_tiles: Path) -> None:
    board = load_board(next(folder for folder in list_boards() if folder.name == "tissue"))
    suite = load_suite(board.suite, str(real_tiles), board.suite_arguments)
    assert board.suite_revision == suite.revision
    assert board.n == sum(sample.split == "test" for sample in suite.samples())


@pytest.mark.parametrize("folder", BOARDS)
def test_it_can_be_ranked(folder: Path) -> None:
    standings = rank_board(folder)
    assert all(row.rank is not None or row.reasons for row in standings.rows)


@pytest.mark.parametrize("folder", BOARDS)
def test_the_archive_of_what_is_ranked_can_be_had(folder: Path, tmp_path: Path) -> None:
    """From where it is hosted, or from the board's folder: a rank that nobody can check is none."""
    for row in rank_board(folder).rows:
        place = folder / ENTRIES / row.name
        entry = parse_json(Entry, place / "entry.json")
        assert row.rank is None or entry.hosted or fetch_archive(entry, place, tmp_path, offline=True).is_file()


def test_published_figures_are_quoted_with_their_source_and_enter_no_rank() -> None:
    board = load_board(next(folder for folder in list_boards() if folder.name == "tissue"))
    figures = [figure for quoted in board.quoted for figure in quoted.figures]
    assert 80.9 in {figure.value for figure in figures}
    assert all("2512.21058" in figure.source for figure in figures)
    assert not {row.model for row in rank_board(list_boards()[-1]).rows} & {quoted.model for quoted in board.quoted}
