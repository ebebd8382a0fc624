"""Sheets of dropped tiles, one a reason, to see whether the bounds are sane."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from PIL import Image, ImageDraw

from reference_model.curation.records import Drop, Result
from unipath_bench import Sample, Suite
from unipath_bench.core.files import replace_file

TILE = 128
COLUMNS = 8
_MOST = 32
_LINE = 14


def write_sheets(suite: Suite, result: Result, folder: Path) -> list[Path]:
    """Write a PNG for each reason, of up to 32 drops spread evenly over their values, and return the paths.

    Images that cannot be read have no sheet. To the right of a duplicate is the image that was kept instead of it.
    """
    samples = {s.id: s for s in suite.samples()}
    groups: defaultdict[str, list[Drop]] = defaultdict(list)
    for drop in result.drops:
        if drop.reason != "unreadable":
            groups[drop.reason].append(drop)
    paths = []
    for reason, drops in sorted(groups.items()):
        ordered = sorted(drops, key=lambda d: (d.value if d.value is not None else 0.0, d.sample.id))
        step = max(1.0, len(ordered) / _MOST)
        shown = [ordered[int(i * step)] for i in range(min(len(ordered), _MOST))]
        cells: list[tuple[Sample, str]] = []
        for drop in shown:
            cells.append((drop.sample, "" if drop.value is None else f"{drop.value:.4g}"))
            if drop.like in samples:
                cells.append((samples[drop.like], "kept"))
        path = folder / f"dropped-{reason.replace(' ', '-')}.png"
        sheet = draw_sheet(suite, cells)
        replace_file(path, lambda target, sheet=sheet: sheet.save(target, format="PNG"))  # type: ignore[misc]
        paths.append(path)
    return paths


def draw_sheet(suite: Suite, cells: list[tuple[Sample, str]]) -> Image.Image:
    """Tiles in rows of eight, each with a line of text below it."""
    rows = -(-len(cells) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * TILE, rows * (TILE + _LINE)), "white")
    pen = ImageDraw.Draw(sheet)
    for i, (sample, text) in enumerate(cells):
        left, top = i % COLUMNS * TILE, i // COLUMNS * (TILE + _LINE)
        tile = Image.fromarray(suite.load(sample))
        tile.thumbnail((TILE - 4, TILE - 4))
        sheet.paste(tile, (left + 2, top + 2))
        pen.text((left + 4, top + TILE), text, fill="black")
    return sheet
