"""``prototypes build``, ``import`` and ``show``, called as the command line calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from reference_model.bank.cli import app
from unipath_bench import MissingError

JOINT = "tests.reference_model.test_bank_made_up:Bookkeeper"


@pytest.fixture(scope="module")
def bank(small_tiles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "bank"
    done = call(
        "build",
        "--suite",
        "folder",
        "--data",
        small_tiles,
        "--encoder",
        JOINT,
        "--size",
        12,
        "--out",
        out,
        "--max-share",
        1,
    )
    assert "12 of 80 tiles" in done
    return out


def call(*arguments: object) -> str:
    result = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_is_a_typer_application_with_three_commands() -> None:
    assert isinstance(app, typer.Typer)
    assert [c.name or c.callback.__name__ for c in app.registered_commands if c.callback] == ["build", "import", "show"]


def test_show_prints_the_card(bank: Path) -> None:
    told = call("show", bank)
    for part in (JOINT, "keyword, text-image, text-text", "nuclei (12)", "not stated"):
        assert part in told
    assert json.loads(call("show", bank, "--json"))["counts"]["prototypes"] == 12


def test_show_says_what_a_prompt_retrieves_and_why(bank: Path) -> None:
    told = call("show", bank, "Many nuclei in tissue", "--encoder", JOINT)
    for part in ("tissue (12 of 12)", "text-text: 0.", "keyword: many nuclei"):
        assert part in told
    listed = json.loads(call("show", bank, "Many nuclei in tissue", "--encoder", JOINT, "--json"))
    routes = [route for prototype in listed["prototypes"] for route in prototype["routes"]]
    assert {r["route"] for r in routes} == {"text-text", "text-image", "keyword"}
    assert {r["keyword"] for r in routes} == {None, "many nuclei", "tissue"}
    assert all((r["score"] is None) == (r["route"] == "keyword") for r in routes)


def test_the_encoder_of_a_card_is_not_imported_from_it(bank: Path) -> None:
    with pytest.raises(MissingError, match="Bookkeeper"):
        call("show", bank, "Tissue")
