"""The terminal summary of a run: one table, tier by tier, each value with the scale that it is read on."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from unipath_bench.core.console import Console
from unipath_bench.results import (
    TIERS,
    Note,
    Scale,
    format_interval,
    format_number,
    format_percent,
    format_seconds,
    format_value,
    freed_of_bias,
    plural,
    remedies,
    run_notes,
    scale_of,
    task_flags,
)
from unipath_bench.schema.record import RunRecord, TaskScore, Value

NARROW = 118
"""Below this many columns the summary is a list instead of a table."""
_BAR = 10
_NOTE_STYLES = {"alarm": "bold white on red", "caution": "black on yellow", "information": "black on cyan"}
_FLAG_STYLES = {"flagged": "bold red", "coupled": "yellow"}


def print_summary(record: RunRecord, console: Console) -> None:
    """Print the header, the notes, the scores of every tier and the remedies of what was not computed."""
    console.print(summary(record, console.width))


def summary(record: RunRecord, width: int) -> RenderableType:
    """What :func:`print_summary` prints, for a console of ``width`` columns."""
    narrow = width < NARROW
    scores = score_list(record.scores) if narrow else score_table(record.scores)
    head: list[RenderableType] = [header(record), *map(note_line, run_notes(record)), Text()]
    return Group(*head, scores, *_legend(record), *_left_out(record), *_remedies(record))


def header(record: RunRecord) -> Text:
    """Model, suite, counts and time, on two lines."""
    plan, timing = record.plan, record.timing
    images = plan.counts.get("generated", plan.n * plan.seeds)
    text = Text()
    text.append(plan.model.name, style="bold")
    text.append(f" on {plan.suite.title or plan.suite.name}\n")
    counts = f"{plural(plan.n, 'prompt')} × {plural(plan.seeds, 'seed')} = {plural(images, 'image')}"
    spent = format_seconds(sum(timing.seconds.values()))
    text.append(f"{counts} · {spent} · run {record.run_id[:12]}", style="dim")
    return text


def note_line(note: Note) -> Table:
    """A badge with its sentence, which wraps beside the badge."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(f" {note.label.upper()} ", style=_NOTE_STYLES[note.kind]), Text(note.text))
    return grid


def score_table(scores: tuple[TaskScore, ...]) -> Table:
    """The scores as a table for wide consoles; one row a value, tiers parted by a rule."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("Task", overflow="fold", min_width=24)
    table.add_column("Encoder", overflow="fold")
    table.add_column("Value", justify="right", no_wrap=True)
    table.add_column("95% interval", no_wrap=True)
    table.add_column("Bad end", justify="right", no_wrap=True)
    table.add_column("Good end", justify="right", no_wrap=True)
    table.add_column("Bad ─ good", no_wrap=True)
    table.add_column("Images", justify="right", no_wrap=True)
    table.add_column("Flags", no_wrap=True)
    for tier, text in TIERS.items():
        mine = [score for score in scores if score.tier == tier]
        if not mine:
            continue
        table.add_row(Text(f"Tier {tier}  {text.name}", style="bold"))
        for score in mine:
            _add_rows(table, score)
        table.add_section()
    return table


def score_list(scores: tuple[TaskScore, ...]) -> Group:
    """The scores as short blocks for narrow consoles."""
    parts: list[RenderableType] = []
    for tier, text in TIERS.items():
        mine = [score for score in scores if score.tier == tier]
        if mine:
            parts.append(Text(f"Tier {tier}  {text.name}", style="bold underline"))
        for score in mine:
            parts.extend(_block(score))
    return Group(*parts)


def scale_bar(scale: Scale | None, width: int = _BAR) -> Text:
    """A bar from the bad end (left) to the good end (right) with the per cent; ``<`` and ``>`` mark a value beyond."""
    if scale is None:
        return Text("no scale", style="dim")
    filled = int(scale.filled * width)  # full at the good end only
    bar = Text("━" * filled, style="blue")
    bar.append("─" * (width - filled), style="dim")
    mark = {"bad": " <", "good": " >", "": "  "}[scale.beyond]
    return bar.append(f"{mark}{format_percent(scale.position):>5}", style="bold")


def flag_text(score: TaskScore) -> Text:
    """The marks of a score, coloured."""
    return Text(", ").join(Text(mark, style=_FLAG_STYLES[mark]) for mark in task_flags(score))


def interval_text(value: Value) -> Text:
    """The interval, with a dagger where it is of the quantity freed of its bias."""
    text = Text(format_interval(value.interval))
    return text.append("†") if freed_of_bias(value) else text


def _add_rows(table: Table, score: TaskScore) -> None:
    encoder = Text(score.encoder or "–")
    if score.status == "not computed":
        reason = Text("not computed: ", style="yellow").append(score.reason, style="dim")
        table.add_row(Group(_indented(Text(score.title), 2), _indented(reason, 4)), encoder)
        return
    single = len(score.values) == 1
    if not single:
        table.add_row(_indented(Text(score.title), 2), encoder, *[""] * 6, flag_text(score))
    for name, value in score.values.items():
        style = "" if value.headline or single else "dim"
        label = Text(score.title if single else value.title or name, style=style)
        table.add_row(
            _indented(label, 2 if single else 4),
            encoder if single else Text(),
            Text(format_value(value.value, value.unit), style="bold" if value.headline else ""),
            interval_text(value),
            Text(format_number(value.bad_end)),
            Text(format_number(value.good_end)),
            scale_bar(scale_of(value)),
            "" if score.n_images is None else f"{score.n_images:,}",
            flag_text(score) if single else "",
        )


def _indented(content: RenderableType, columns: int) -> Padding:
    return Padding(content, (0, 0, 0, columns))


def _block(score: TaskScore) -> list[RenderableType]:
    head = Text(score.title)
    if score.encoder:
        head.append(f" [{score.encoder}]", style="dim")
    marks = flag_text(score)
    if marks:
        head.append("  ").append_text(marks)
    lines: list[RenderableType] = [_indented(head, 1)]
    if score.status == "not computed":
        lines.append(_indented(Text("not computed: ", style="yellow").append(score.reason, style="dim"), 3))
    for name, value in score.values.items():
        scale = scale_of(value)
        line = Text(f"{value.title or name}  ")
        line.append(format_value(value.value, value.unit), style="bold")
        if value.interval is not None:
            line.append(", ").append_text(interval_text(value))
        if scale is not None:
            line.append(f"  ({format_number(scale.bad)} → {format_number(scale.good)})  ", style="dim")
            line.append_text(scale_bar(scale, 6))
        lines.append(_indented(line, 3))
    return lines


def _legend(record: RunRecord) -> list[RenderableType]:
    values = [value for score in record.scores for value in score.values.values()]
    lines: list[RenderableType] = []
    if any(value.position is not None for value in values):
        text = "Per cent of the way from the bad end of the scale to the good end; < and >: beyond an end."
        lines.append(Text(text, style="dim"))
    if any(freed_of_bias(value) for value in values):
        text = "† of the distance freed of its small-sample bias; the value is the plug-in figure that papers quote."
        lines.append(Text(text, style="dim"))
    return lines


def _left_out(record: RunRecord) -> list[RenderableType]:
    lines = [f"{s.key}: {name} not reported, {why}" for s in record.scores for name, why in s.not_reported.items()]
    return [Text(line, style="dim") for line in lines]


def _remedies(record: RunRecord) -> list[RenderableType]:
    found = remedies(record)
    if not found:
        return []
    lines: list[RenderableType] = [Text(), Text("To compute the rest:", style="bold")]
    for remedy, keys in found:
        lines.append(_indented(Text(f"{', '.join(keys)}: ", style="yellow").append(remedy, style="default"), 2))
    return lines
