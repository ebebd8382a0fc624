"""Builds the site: all pages of all boards, into a folder that is replaced whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Template

from unipath_bench.core.errors import UsageError
from unipath_bench.core.files import replace_folder, write_bytes, write_text
from unipath_bench.leaderboard.site import entry_page, standings
from unipath_bench.leaderboard.site.content import Appearance, SiteBoard, file_stem, histories
from unipath_bench.leaderboard.site.rendering import engine, head
from unipath_bench.leaderboard.site.samples import SamplePicture, sample_picture
from unipath_bench.results import remedies, run_notes
from unipath_bench.views.charts import field_is_drawn, field_medians, radar

MARK = ".unipath-bench-site"
"""The file by which a folder is known as a site that may be replaced."""


def build_site(boards: Sequence[SiteBoard], out: Path) -> Path:
    """Write the site of ``boards`` to the folder ``out`` and return its ``index.html``.

    ``out`` may hold an earlier site, which is replaced whole once the new one is complete; any other folder with
    something in it is refused with :class:`~unipath_bench.UsageError`. The same boards give the same bytes. The
    pages ask nothing of the network, and work from a server as from the disk.
    """
    out = out.absolute()
    _require_ours(out)
    _require_distinct(boards)
    replace_folder(out, lambda folder: _write_pages(boards, folder))
    return out / "index.html"


def _write_pages(boards: Sequence[SiteBoard], root: Path) -> None:
    made = engine()
    shared = {"head": head(), "framework": version("unipath-bench")}
    index, board_page, entry = (made.get_template(f"{name}.html.j2") for name in ("index", "board", "entry"))
    write_text(root / "index.html", index.render(**shared, boards=boards, home=""))
    write_text(root / MARK, f"unipath-bench {shared['framework']}\n")
    write_text(root / ".nojekyll", "")
    submissions = histories(boards)
    for board in boards:
        folder = root / board.folder
        (folder / "models").mkdir(parents=True)
        write_text(folder / "standings.json", board.standings.model_dump_json(indent=1) + "\n")
        rows = standings.rows(board)
        text = board_page.render(
            **shared,
            home="../",
            site=board,
            board=board.board,
            columns=standings.columns(board),
            rows=rows,
            licences=standings.licences(board),
            quotes=standings.quotes(board.board.quoted),
        )
        write_text(folder / "index.html", text)
        medians = field_medians([board.entry(row).record.scores for row in board.ranked])
        for row in rows:
            _write_entry(entry, shared, board, row, medians, submissions[row.row.model], folder / "models")


def _write_entry(
    template: Template,
    shared: Mapping[str, Any],
    board: SiteBoard,
    shown: standings.ShownRow,
    medians: Mapping[str, float],
    appearances: Sequence[Appearance],
    folder: Path,
) -> None:
    row = shown.row
    behind = board.entry(row)
    stem = file_stem(row.name)
    picture: SamplePicture | None = None
    if behind.samples is not None:
        picture = sample_picture(behind.samples)
        write_bytes(folder / f"{stem}.webp", picture.content)
    record = behind.record
    text = template.render(
        **shared,
        home="../../",
        site=board,
        titles=board.titles,
        board=board.board,
        row=row,
        entry=behind.entry,
        record=record,
        plan=record.plan,
        shown=shown,
        columns=standings.columns(board),
        notes=run_notes(record),
        radar=radar(record.scores, medians),
        field=field_is_drawn(record.scores, medians),
        tiers=entry_page.tiers(record),
        audits=entry_page.audits(record),
        remedies=remedies(record),
        history=entry_page.history(appearances, board, row),
        digests=entry_page.digests(record),
        picture=picture,
        picture_file=f"{stem}.webp",
    )
    write_text(folder / f"{stem}.html", text)


def _require_ours(out: Path) -> None:
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MARK).exists())):
        raise UsageError(
            f"{out} is there already and is not a site that this command made.",
            "Name a new or empty folder with --out.",
        )


def _require_distinct(boards: Sequence[SiteBoard]) -> None:
    folders = [board.folder for board in boards]
    for folder in folders:
        if folders.count(folder) > 1:
            raise UsageError(f"Two boards are named {folder!r}.", "Give each board its own name.")
