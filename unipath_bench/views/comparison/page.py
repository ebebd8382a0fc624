"""The page of a comparison: one self-contained HTML file with the same prompts of the runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from unipath_bench.core.files import write_text
from unipath_bench.results import TIERS, format_number, format_value
from unipath_bench.results.gallery import Exhibits, ShownSample
from unipath_bench.views.comparison.pairs import LEVEL, Pair
from unipath_bench.views.comparison.table import CAVEAT, Comparison, Row, letters
from unipath_bench.views.report.pictures import Picture, picture
from unipath_bench.views.report.style import page_style


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt with its real image and the first answers of each run; None where a run keeps no image of it."""

    sample_id: str
    prompt: str
    real: Picture | None
    answers: Sequence[Picture | None]


@dataclass(frozen=True, slots=True)
class Tier:
    """The rows of one tier."""

    number: int
    title: str
    rows: Sequence[Row]


def write_page(comparison: Comparison, exhibits: Sequence[Exhibits | None], out: Path) -> Path:
    """Write the page of ``comparison`` to ``out`` and return that path; ``exhibits`` in the order of the runs.

    It asks nothing of the network and runs no script; the same inputs give the same bytes.
    """
    write_text(out, render_page(comparison, exhibits))
    return out


def render_page(comparison: Comparison, exhibits: Sequence[Exhibits | None]) -> str:
    """The page as text; see :func:`write_page`."""
    engine = Environment(
        loader=PackageLoader("unipath_bench.views.comparison", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    engine.filters.update(number=format_number, figure=format_value)
    own = files("unipath_bench.views.comparison").joinpath("templates", "compare.css").read_text(encoding="utf-8")
    names = letters(len(comparison.runs))
    pairs = [pair for row in comparison.rows for pair in row.pairs]
    return engine.get_template("compare.html.j2").render(
        comparison=comparison,
        names=names,
        style=Markup(page_style() + own),  # nosec B704  # our own style sheet
        level=f"{LEVEL:.0%}",
        tiers=[
            Tier(number, text.name, rows)
            for number, text in TIERS.items()
            if (rows := [row for row in comparison.rows if row.tier == number])
        ],
        apart=sum(pair.significant for pair in pairs),
        alike=sum(pair.difference is not None and not pair.significant for pair in pairs),
        unpaired=sum(pair.difference is None for pair in pairs),
        prompts=shared_prompts(exhibits, names),
        caveat=CAVEAT,
        finding=lambda pair: _finding(pair, names),
    )


def shared_prompts(exhibits: Sequence[Exhibits | None], names: Sequence[str]) -> list[Prompt]:
    """The prompts that two or more runs keep images of, in the order of the first run that has them.

    A run keeps images of the first prompts of its suite's random order, drawn in turn from each stratum; so runs of one
    suite and n keep the same, and none is chosen by its looks.
    """
    by_id: dict[str, list[ShownSample | None]] = {}
    for number, shown in enumerate(exhibits):
        for sample in shown.samples if shown is not None else ():
            by_id.setdefault(sample.sample_id, [None] * len(exhibits))[number] = sample
    found = []
    for sample_id, of_runs in by_id.items():
        there = [sample for sample in of_runs if sample is not None]
        if len(there) < 2:
            continue
        real = next((sample.real for sample in there if sample.real is not None), None)
        found.append(
            Prompt(
                sample_id,
                there[0].prompt,
                None if real is None else picture(real, f"Real image {sample_id}"),
                [
                    picture(sample.generated[0], f"Run {name}: {sample.prompt or sample_id}")
                    if sample is not None and len(sample.generated)
                    else None
                    for name, sample in zip(names, of_runs, strict=True)
                ],
            )
        )
    return found


def _finding(pair: Pair, names: Sequence[str]) -> str:
    if pair.difference is None:
        return pair.reason
    if pair.better is None:
        return "not told apart"
    return f"{names[pair.better]} is better"
