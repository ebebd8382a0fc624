"""What the gate prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unipath_bench.gate.judging import METHOD, Judged, Verdict
from unipath_bench.gate.speed import SpeedVerdict
from unipath_bench.results import format_number, format_value

TITLES = ("Baseline", "Run", "Worse by", "At least", "Margin", "p", "Seen at 80%", "Seen at 90%")
NARROW = 130
"""Columns of a console below which only what the outcome rests on is shown; logs of CI have 80."""


def show(verdict: Verdict, width: int) -> RenderableType:
    """The values of the family, what could not be judged, and the outcome, for a console of ``width`` columns."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Value", overflow="fold", min_width=24)
    titles = ("Worse by", "Margin", "Seen at 90%") if width < NARROW else TITLES
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Outcome", no_wrap=True)
    for each in verdict.judged:
        cells = {
            "Baseline": format_value(each.baseline, each.unit),
            "Run": format_value(each.value, each.unit),
            "Worse by": format_number(each.worse_by),
            "At least": _number(each.at_least),
            "Margin": format_number(each.margin),
            "p": f"{each.p_value:.2g}",
            "Seen at 80%": _number(each.smallest_80),
            "Seen at 90%": _number(each.smallest_90),
        }
        outcome = Text("regressed", style="bold red") if each.regressed else Text("passed", style="green")
        table.add_row(Text(f"{each.key}: {each.title}"), *(cells[title] for title in titles), outcome)
    older = f" (written in version {verdict.baseline_version} of the format)" if verdict.baseline_version else ""
    head = [Text(f"Run       {verdict.run}"), Text(f"Baseline  {verdict.baseline}{older}")]
    return Group(*head, table, *_small(verdict), *_notes(verdict), _explained(verdict), _outcome(verdict))


def _number(value: float | None) -> str:
    return "–" if value is None else format_number(value)


def _small(verdict: Verdict) -> list[Text]:
    small = [each for each in verdict.judged if each.enough is False and not each.regressed]
    if not small:
        return []
    lines = [
        f"  {each.key}: {each.title}: about {each.prompts_needed:,} would do, for a change of "
        f"{format_number(2 * each.margin)}"
        for each in small
    ]
    head = f"{verdict.prompts:,} prompts are too few to see twice the margin with 90% probability:"
    return [Text("\n".join([head, *lines]), style="yellow")]


def _notes(verdict: Verdict) -> list[Text]:
    lines = [f"  {each.key}: {each.title}: {each.note}" for each in verdict.judged if each.note]
    found = [Text("\n".join(["Notes:", *lines]), style="dim")] if lines else []
    lines = [f"  {each.key}: {each.title}: {each.reason}" for each in verdict.not_judged]
    return [*found, *([Text("\n".join(["Not judged:", *lines]), style="yellow")] if lines else [])]


def _explained(verdict: Verdict) -> Text:
    return Text(
        f"Test: {METHOD}, at {verdict.alpha:.0%} over {len(verdict.judged)} values. 'Worse by' and 'at least' are of "
        "the same prompts; 'seen at' are the smallest changes that this n would have found with that probability.",
        style="dim",
    )


def _outcome(verdict: Verdict) -> Text:
    worse = [each for each in verdict.judged if each.regressed]
    if not worse:
        return Text("Passed: nothing is worse beyond its paired interval and its margin.", style="bold green")
    return Text("\n".join(["Regressed:", *(f"  {line}" for line in map(_said, worse))]), style="bold red")


def _said(each: Judged) -> str:
    least = "" if each.at_least is None else f", at least {format_number(max(0.0, each.at_least))}"
    return (
        f"{each.key}: {each.title} is worse by {format_number(each.worse_by)}{least} "
        f"({format_value(each.baseline, each.unit)} before, {format_value(each.value, each.unit)} now; "
        f"margin {format_number(each.margin)})"
    )


def show_speed(verdict: SpeedVerdict) -> RenderableType:
    """Every benchmark as a multiple of the reference kernel's time."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Benchmark", overflow="fold")
    for head in ("Baseline", "Run", "Change"):
        table.add_column(head, justify="right", no_wrap=True)
    for each in verdict.timed:
        style = "bold red" if each.regressed else ""
        change = Text(f"{each.change:+.1%}", style=style)
        table.add_row(Text(each.name), f"{format_number(each.baseline)} x", f"{format_number(each.cost)} x", change)
    lines = [
        Text(
            f"In multiples of {verdict.reference}, which took {verdict.runner:.2f} times as long as in the baseline; "
            f"tolerance {verdict.tolerance:.0%}.",
            style="dim",
        )
    ]
    lines += _listed("Not in the baseline", verdict.new)
    slow = [each for each in verdict.timed if each.regressed]
    if slow:
        text = "\n".join(["Slower:", *(f"  {each.name}: {each.change:+.1%}" for each in slow)])
        return Group(table, *lines, Text(text, style="bold red"))
    return Group(table, *lines, Text("Passed: nothing is slower beyond the tolerance.", style="bold green"))


def _listed(head: str, names: Sequence[str]) -> list[Text]:
    return [Text(f"{head}: {', '.join(names)}", style="yellow")] if names else []
