"""The charts of a report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from unipath_bench.results import (
    TIERS,
    Scale,
    format_number,
    format_percent,
    format_value,
    freed_of_bias,
    scale_of,
)
from unipath_bench.schema.details import Memorisation, SyntheticTraining
from unipath_bench.schema.record import TaskScore, Value
from unipath_bench.schema.task import Tier
from unipath_bench.views.report.svg import COLOURS, Canvas

_WIDTH = 344.0
_ROW = 50.0
_MARGIN = 10.0


def tier_chart(tier: Tier, scores: Sequence[TaskScore]) -> Markup | None:
    """Every value that has a scale on a line of its own, bad end left, good end right; None where none has one."""
    rows = [(s, v, scale) for s in scores for v in s.values.values() if (scale := scale_of(v)) is not None]
    if not rows:
        return None
    with Canvas(_WIDTH, _ROW * len(rows)) as canvas:
        axes = canvas.figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, _WIDTH)
        axes.set_ylim(_ROW * len(rows), 0)
        axes.axis("off")
        for number, (score, value, scale) in enumerate(rows):
            _strip(axes, _ROW * number, score, value, scale)
        spoken = "; ".join(f"{_name(s, v)} {format_percent(scale.position)}" for s, v, scale in rows)
        title = (
            f"Tier {tier}, {TIERS[tier].name}, each value between the bad end (0%) and the good end (100%): {spoken}"
        )
        return canvas.svg(f"tier{tier}", title)


def distance_chart(name: str, audit: Memorisation) -> Markup:
    """Sorted nearest-training distances of generated and of unseen real images, with the threshold."""
    curves = (
        ("real", "Unseen real images", audit.distances.real, "-"),
        ("generated", "Generated images", audit.distances.generated, "--"),
    )
    with Canvas(_WIDTH, 230) as canvas:
        axes = canvas.figure.add_axes((0.11, 0.17, 0.84, 0.66))
        top = max(max(audit.distances.real), max(audit.distances.generated), audit.threshold) * 1.05 or 1.0
        axes.axhspan(-0.02 * top, audit.threshold, color=COLOURS["alarm"], alpha=0.10, linewidth=0)
        axes.axhline(audit.threshold, color=COLOURS["alarm"], linewidth=1.2, linestyle=":")
        axes.text(
            99,
            audit.threshold,
            f"threshold {format_number(audit.threshold)}",
            color=COLOURS["alarm"],
            fontsize=9.5,
            ha="right",
            va="bottom",
        )
        for colour, label, values, style in curves:
            percent = np.linspace(0, 100, len(values))
            axes.plot(percent, values, style, color=COLOURS[colour], linewidth=2, label=label)
        axes.set_xlim(0, 100)
        axes.set_ylim(-0.02 * top, top)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0f}%"))
        _plain(axes, "share of images, sorted by distance", "distance to nearest training image")
        _legend(axes)
        return canvas.svg(
            name, "Quantiles of the distance to the nearest training image, generated against unseen real images"
        )


def budget_chart(name: str, training: SyntheticTraining) -> Markup:
    """Score on real test images against the number of real labels a class, without and with generated images."""
    budgets = [b.labels_per_class for b in training.budgets]
    with Canvas(_WIDTH, 230) as canvas:
        axes = canvas.figure.add_axes((0.11, 0.17, 0.84, 0.66))
        axes.plot(budgets, [b.real for b in training.budgets], "-o", color=COLOURS["real"], linewidth=2, label="Real")
        axes.plot(
            budgets,
            [b.real_plus_synthetic for b in training.budgets],
            "--s",
            color=COLOURS["generated"],
            linewidth=2,
            label="Real + generated",
        )
        for level, label in (
            (training.synthetic_only, "generated only"),
            (training.real_only_same_size, "real only, as many images"),
        ):
            if level is not None:
                axes.axhline(level, color=COLOURS["muted"], linewidth=1, linestyle=":")
                axes.annotate(
                    f"{label} {format_number(level)}",
                    (1, level),
                    xycoords=("axes fraction", "data"),
                    xytext=(-2, 3),
                    textcoords="offset points",
                    ha="right",
                    fontsize=9.5,
                    color=COLOURS["muted"],
                )
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(budgets))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        axes.margins(x=0.06, y=0.14)
        _plain(axes, "real labels a class", "score on real test images")
        _legend(axes)
        return canvas.svg(
            name, "Score on real test images by number of real labels a class, without and with generated images"
        )


def _strip(axes: Axes, top: float, score: TaskScore, value: Value, scale: Scale) -> None:
    left, right, line = _MARGIN, _WIDTH - _MARGIN, top + 24
    weight = "bold" if value.headline else "normal"
    axes.text(left - 4, top + 13, _shortened(_name(score, value), 44), fontsize=11, color=COLOURS["ink"], va="baseline")
    figure = format_value(value.value, value.unit)
    axes.text(
        right + 4, top + 13, figure, fontsize=11.5, fontweight=weight, color=COLOURS["ink"], ha="right", va="baseline"
    )

    def place(percent: float) -> float:
        return left + (right - left) * min(max(percent / 100, 0.0), 1.0)

    spot = place(scale.position)
    axes.plot([left, right], [line, line], color=COLOURS["track"], linewidth=5, solid_capstyle="round")
    axes.plot([left, spot], [line, line], color=COLOURS["real"], linewidth=5, solid_capstyle="round", alpha=0.35)
    found = value.interval
    if found is not None and found.low is not None and found.high is not None and not freed_of_bias(value):
        ends = [place(_percent(value, scale, x)) for x in (found.low, found.high)]
        axes.plot(ends, [line, line], color=COLOURS["ink"], linewidth=1.4, marker="|", markersize=8)
    marker = {"bad": "<", "good": ">", "": "D" if score.coupled else "o"}[scale.beyond]
    axes.plot(
        [spot],
        [line],
        marker=marker,
        markersize=10 if value.headline else 7.5,
        color=COLOURS["real"],
        markerfacecolor=COLOURS["paper"] if score.coupled or not value.headline else COLOURS["real"],
        markeredgecolor=COLOURS["real"],
        markeredgewidth=2,
    )
    for x, end, side in ((left - 4, scale.bad, "left"), (right + 4, scale.good, "right")):
        axes.text(x, top + 39, format_number(end), ha=side, fontsize=9.5, color=COLOURS["muted"], va="baseline")


def _percent(value: Value, scale: Scale, x: float) -> float:
    width = scale.good - scale.bad
    return 100 * (x - scale.bad) / width if width else scale.position


def _name(score: TaskScore, value: Value) -> str:
    parts = [score.title] if value.title in ("", score.title) or len(score.values) == 1 else [value.title]
    if score.encoder:
        parts.append(score.encoder)
    if score.coupled:
        parts.append("coupled")
    return " · ".join(parts)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _plain(axes: Axes, x: str, y: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=COLOURS["rule"], linewidth=0.6, alpha=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9.5, length=3)
    axes.set_xlabel(x, fontsize=9.5)
    axes.set_ylabel("")
    axes.text(0, 1.03, y, transform=axes.transAxes, fontsize=9.5, color=COLOURS["muted"], ha="left", va="bottom")


def _legend(axes: Axes) -> None:
    axes.legend(
        frameon=False,
        fontsize=9.5,
        loc="lower right",
        ncols=2,
        bbox_to_anchor=(1.0, 1.08),
        borderaxespad=0,
        handlelength=2.2,
        columnspacing=1.2,
        labelcolor=COLOURS["ink"],
    )
