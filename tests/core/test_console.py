"""What is printed is what a text says, letter by letter: it styles nothing, steers nothing and commands nothing."""

from __future__ import annotations

import io
import json
import logging
import re
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from tests import made_up_records as made_up
from tests.security.test_security_pages import audit_of
from unipath_bench.cli.app import invoke, show_error
from unipath_bench.cli.drawing import RichProgress
from unipath_bench.core.console import SHOWN, Console, ConsoleHandler, neutral, write_csv, write_json
from unipath_bench.core.errors import BenchError, UsageError
from unipath_bench.pipeline.blockers import Blocker

Output = pytest.CaptureFixture[str]

BRACKETS = "[exp1] [/red] :smile: [link=x]"
STEERING = "\x1b]0;title\x07\x1b[2J\x9b31m\u202etxt.exe\r"
NO_CHARACTER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
COMMAND = re.compile(r"^\s*::|##\[", re.MULTILINE)
"""What GitHub's runner looks for: its ActionCommand trims the line, and finds the older form anywhere in it."""


def printed(*texts: str | Text | Table, width: int = 40) -> str:
    """What a console shows of lines and tables."""
    stream = io.StringIO()
    console = Console(file=stream, width=width)
    for text in texts:
        if isinstance(text, Table):
            console.print(text)
        else:
            console.print_line(text)
    return stream.getvalue()


def stream_in(encoding: str) -> tuple[IO[str], io.BytesIO]:
    """A text stream, and the bytes behind it."""
    behind = io.BytesIO()
    return io.TextIOWrapper(behind, encoding=encoding, write_through=True), behind


def run_folder(root: Path, name: str = "memoriser") -> Path:
    """The folder of a finished run under a path that rich would take for markup."""
    folder = root / "[exp1]" / "[" / "x]" / name
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(made_up.record(name).model_dump_json(), encoding="utf-8")
    made_up.exhibits().save(folder / "exhibits")
    return folder


@given(st.text(st.characters(exclude_characters="\t")))
@example("::notice::x")
@example("a\n \u2003::add-mask::x ##[group]")
@example("[/] \x1b[2J \udcff\r\n \u200f")
@settings(max_examples=500, deadline=None)
def test_any_text_is_printed_as_it_is_but_for_what_steers(text: str) -> None:
    shown = printed(text)
    assert not NO_CHARACTER.search(shown)
    assert not COMMAND.search(shown)

    def instead(found: re.Match[str]) -> str:
        return f"\\u{ord(found.group()):x}" if "\ud800" <= found.group() <= "\udfff" else SHOWN

    expected = NO_CHARACTER.sub(instead, text.replace("\r\n", "\n"))
    expected = re.sub(r"(?m)^([^\S\n]*)::", rf"\1{SHOWN}::", expected)
    assert shown == re.sub(r"##(?=\w*\[)", f"#{SHOWN}#", expected) + "\n"


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_no_text_in_a_table_steers(text: str) -> None:
    table = Table(text, title=text, caption=text)
    table.add_row(text)
    table.add_row(Text(text, "red"))
    shown = printed(table)
    assert not NO_CHARACTER.search(shown)
    assert not COMMAND.search(shown)


def test_strings_are_literal_wherever_they_stand() -> None:
    table = Table("[head]", title="[/title]", caption="[caption]")
    table.add_row("[bold]cell[/]")
    table.add_row(":smile:")
    shown = printed(table, "[/line]", Text("[text]", "red"))
    for text in ("[head]", "[/title]", "[caption]", "[bold]cell[/]", ":smile:", "[/line]", "[text]"):
        assert text in shown


def test_no_argument_turns_markup_on() -> None:
    stream = io.StringIO()
    Console(file=stream).print("[bold]x[/] :smile: 7", markup=True, emoji=True, highlight=True)
    assert stream.getvalue() == "[bold]x[/] :smile: 7\n"


def test_a_line_is_not_broken_at_the_width() -> None:
    path = "/data/" + "long name " * 20 + "record.json"
    assert printed(f"Record  {path}", width=20) == f"Record  {path}\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::notice::x", f"{SHOWN}::notice::x"),
        ("  ::add-mask::x", f"  {SHOWN}::add-mask::x"),
        ("a\n::error::x", f"a\n{SHOWN}::error::x"),
        ("a ##[add-mask]x", f"a #{SHOWN}#[add-mask]x"),
        ("##vso[task.complete]", f"#{SHOWN}#vso[task.complete]"),
        ("std::vector ## 1", "std::vector ## 1"),
    ],
)
def test_no_line_is_a_command_to_the_runner_of_a_job(text: str, shown: str) -> None:
    assert printed(text) == f"{shown}\n"


def test_a_line_that_a_table_begins_is_no_command() -> None:
    grid = Table.grid()
    grid.add_row("::notice::x")
    assert printed(grid).startswith(f"{SHOWN}::notice::x")
    assert not COMMAND.search(printed(Table(title="::notice::a", box=None)))
    stream = io.StringIO()
    Console(file=stream, width=14).print("0123456789 ::notice::x")
    assert f"\n{SHOWN}::notice::x" in stream.getvalue(), "the console breaks lines itself"


def test_what_the_encoding_lacks_is_escaped() -> None:
    stream, behind = stream_in("ascii")
    console = Console(file=stream, width=40)
    table = Table("µm")
    table.add_row("×")
    console.print(table)
    console.print_line("naïve \udcff \x1b 😀")
    shown = behind.getvalue().decode("ascii")
    assert "| \\xb5m" in shown, "rules of ASCII"
    assert "na\\xefve \\udcff \\ufffd \\U0001f600\n" in shown


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
@pytest.mark.parametrize("text", [BRACKETS, STEERING, "a\udcffb", "é 😀", "::notice::x", ""])
def test_an_error_is_always_printed(encoding: str, text: str) -> None:
    stream, behind = stream_in(encoding)
    show_error(BenchError(text, text), Console(file=stream))
    shown = behind.getvalue().decode(encoding)
    assert shown.startswith("Error: ")
    assert not NO_CHARACTER.search(shown)
    if text == BRACKETS:
        assert shown == f"Error: {BRACKETS}\nWhat to do: {BRACKETS}\n"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_progress_shows_names_literally(encoding: str) -> None:
    stream, behind = stream_in(encoding)
    with RichProgress(Console(file=stream, width=80, force_terminal=True, color_system=None)) as progress:
        progress.start("[x] [/y]", 3)
        progress.advance(1)
        progress.note(f"[/z] {STEERING}")
    shown = behind.getvalue().decode(encoding)
    assert "[x] [/y]" in shown
    assert "[/z]" in shown
    assert "\x1b]0;" not in shown
    assert "\x1b[2J" not in shown


def test_a_log_is_printed_on_the_console() -> None:
    stream = io.StringIO()
    handler = ConsoleHandler(Console(file=stream))
    handler.emit(logging.makeLogRecord({"msg": "read %s", "args": (f"{BRACKETS}\x1b[2J",)}))
    assert stream.getvalue() == f"read {BRACKETS}{SHOWN}[2J\n"


@given(st.text(), st.sampled_from(["ascii", "utf-8"]))
@settings(max_examples=200, deadline=None)
def test_a_json_document_stays_the_same_and_steers_nothing(text: str, encoding: str) -> None:
    stream, behind = stream_in(encoding)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        write_json(json.dumps({text: [text]}, indent=2, ensure_ascii=False))
    written = behind.getvalue().decode(encoding)
    assert json.loads(written) == {text: [text]}
    assert not NO_CHARACTER.search(written)
    assert written.endswith("}\n")


def test_a_csv_document_is_exact_for_programs_and_neutral_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a,[b]\r\n\u202ex,é\r\n"
    stream, behind = stream_in("utf-8")
    monkeypatch.setattr("sys.stdout", stream)
    write_csv(text)
    assert behind.getvalue().decode("utf-8") == text
    terminal, behind = stream_in("utf-8")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdout", terminal)
    write_csv(text)
    assert behind.getvalue().decode("utf-8") == f"a,[b]\n{SHOWN}x,é\n"
    monkeypatch.setattr("sys.stdout", stream_in("ascii")[0])
    with pytest.raises(UsageError, match="ascii") as error:
        write_csv(text)
    assert "PYTHONIOENCODING" in error.value.remedy


def test_the_commands_on_a_run_print_its_folder_and_names_literally(tmp_path: Path, capsys: Output) -> None:
    first, second = run_folder(tmp_path, BRACKETS.replace("/", "")), run_folder(tmp_path / "b")
    assert invoke(["report", str(first)]) == 0
    assert f"Report  {first / 'report.html'}\n" in capsys.readouterr().err
    assert invoke(["show", str(first)]) == 0
    assert made_up.record(first.name).plan.model.name in capsys.readouterr().out
    page = tmp_path / "[page].html"
    assert invoke(["compare", str(first), str(second), "--html", str(page)]) == 0
    shown = capsys.readouterr()
    assert f"Page  {page}\n" in shown.err
    assert first.name in " ".join(shown.out.split())
    baseline = tmp_path / "[baseline].json"
    assert invoke(["gate", str(first), "--write-baseline", str(baseline)]) == 0
    assert f"Baseline  {baseline}\n" in capsys.readouterr().err


@pytest.mark.parametrize("name", [BRACKETS, STEERING, "::notice::x", "##[add-mask]x"])
def test_import_and_show_print_a_strangers_name_neutrally(
    name: str, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = made_up.record(name).model_copy(update={"name": name})
    path = tmp_path / "record.json"
    path.write_text(record.model_dump_json(), encoding="utf-8")
    monkeypatch.setattr("unipath_bench.views.tracking.log_run", lambda *_, **__: "[/id]")
    assert invoke(["import", str(path), "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert not NO_CHARACTER.search(shown)
    assert not COMMAND.search(shown)
    if name == BRACKETS:
        assert shown == f"{BRACKETS}  [/id]\n"
    assert invoke(["show", str(path)]) == 0
    shown = capsys.readouterr().out
    assert not NO_CHARACTER.search(shown)
    assert not COMMAND.search(shown)
    assert invoke(["show", str(path), "--json"]) == 0
    shown = capsys.readouterr().out
    assert not NO_CHARACTER.search(shown)
    assert json.loads(shown)["name"] == name


def test_an_audit_prints_its_names_and_files_literally(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unipath_bench.audit.files import AuditFolder

    folder = AuditFolder(tmp_path / "[exp1]")
    plan = SimpleNamespace(require_chosen=lambda: None, options=SimpleNamespace(n=32, offline=False))
    replies: dict[str, object] = {
        "api.plan": plan,
        "audit.run.make_cohort": None,
        "audit.run.run_audit": audit_of(f"{BRACKETS} {STEERING}"),
        "audit.examples.example_tiles": {},
        "audit.files.save_audit": folder,
    }
    for name, value in replies.items():
        monkeypatch.setattr(f"unipath_bench.{name}", lambda *_, value=value, **__: value)
    assert invoke(["audit"]) == 0
    shown = capsys.readouterr().out
    assert f"Result  {folder.result}\n" in shown
    assert f"Page    {folder.page}\n" in shown
    assert BRACKETS in " ".join(shown.split())
    assert not NO_CHARACTER.search(shown)


def test_the_site_prints_its_page_literally(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "[site]" / "[" / "x]" / "index.html"
    monkeypatch.setattr("unipath_bench.leaderboard.site.loading.load_boards", lambda *_: [])
    monkeypatch.setattr("unipath_bench.leaderboard.site.build_site", lambda *_: page)
    assert invoke(["leaderboard", "build", "--boards", str(tmp_path), "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"Site  {page}\n"


def test_a_plan_prints_names_literally() -> None:
    from unipath_bench.cli.planning import print_plan

    card = SimpleNamespace(card=SimpleNamespace(name="[/red]"))
    spec = SimpleNamespace(tier=1, name="[task]")
    task = SimpleNamespace(spec=spec, key="[key]", encoder="[encoder]", blocker=Blocker("[reason]", "[/remedy]"))
    plan = SimpleNamespace(
        generator=card,
        suite=card,
        prompts=[],
        options=SimpleNamespace(seeds=1),
        tasks=[task],
        record=lambda: SimpleNamespace(counts={"[set]": 1}),
    )
    cost = SimpleNamespace(
        to_generate=1, generated=0, to_embed={"[/x]": 1}, embedded={"[/x]": 0}, disk_needed=1, disk_free=0
    )
    stream = io.StringIO()
    print_plan(cast(Any, plan), cast(Any, cost), Console(file=stream, width=100))
    for text in ("[/red] on [/red]", "[task]", "[encoder]", "no: [reason]", "[set]", "in [/x]", "[key]: [reason] [/re"):
        assert text in stream.getvalue()


@pytest.mark.integration
def test_run_and_merge_print_their_folders_literally(small_tiles: Path, tmp_path: Path, capsys: Output) -> None:
    out = tmp_path / "[exp1]" / "[" / "x]"
    run = ["run", "--model", "tests.adapters:Painter", "--suite", "folder", "--data", str(small_tiles), "--n", "24"]
    run += ["--tasks", "frechet-distance", "--out", str(out)]
    assert invoke([*run, "--shard", "1/1"]) == 0
    assert f"complete in {out}. When all are: unipath-bench merge {out}\n" in capsys.readouterr().out
    assert invoke(["merge", str(out)]) == 0
    shown = capsys.readouterr()
    assert f"files brought to {out}.\n" in shown.err
    folder = next((out / "runs").iterdir())
    assert f"Record  {folder / 'record.json'}\nReport  {folder / 'report.html'}\n" in shown.out
    assert invoke([*run, "--no-mlflow"]) == 0
    assert f"Record  {folder / 'record.json'}\n" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_path_of_strange_bytes_is_an_error_that_is_printed(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, behind = stream_in(encoding)
    monkeypatch.setattr("sys.stderr", stream)
    assert invoke(["show", "no/[exp1]/\udcff\x1b[2J::x.json"]) == 2
    shown = behind.getvalue().decode(encoding)
    assert "no/[exp1]/\\udcff" in shown
    assert "\x1b" not in shown


def test_wrong_usage_is_printed_like_other_errors(capsys: Output) -> None:
    assert invoke(["run", "--\x1b[2J[/red]\udcff"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("Error: No such option")
    assert "[/red]" in shown
    assert "What to do: unipath-bench run --help" in shown
    assert not NO_CHARACTER.search(shown)


def test_a_bug_is_printed_neutrally(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError(f"{BRACKETS} {STEERING}\n::add-mask::x \udcff")

    monkeypatch.setattr("unipath_bench.cli.health.examine", broken)
    assert invoke(["doctor"]) == 1
    shown = capsys.readouterr().err
    assert f"ZeroDivisionError: {BRACKETS}" in shown
    assert not NO_CHARACTER.search(shown)
    assert not COMMAND.search(shown)


def test_neutral_text_stays_the_same() -> None:
    assert neutral("µm × 😀 [x]\n\tκ") == "µm × 😀 [x]\n\tκ"
    assert neutral(neutral(STEERING)) == neutral(STEERING)
