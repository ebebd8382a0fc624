"""The geometry of a model's charts, which the templates draw as SVG.

A board's site has several charts for each of its entries, so they are laid out here in plain arithmetic: matplotlib,
which draws the report of a single run, takes about 0.04 s a chart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from unipath_bench.results import (
    Scale,
    format_interval,
    format_number,
    format_percent,
    format_value,
    freed_of_bias,
    scale_of,
)
from unipath_bench.schema.details import Memorisation
from unipath_bench.schema.record import RunRecord, TaskScore, Value
from unipath_bench.schema.task import Tier

WIDTH = 344.0
MARGIN = 10.0
RADIUS = 100.0
PLOT = (40.0, 12.0, 294.0, 170.0)
"""Left, top, width and height of the axes of the chart of distances."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bar:
    """One value between the bad end (left) and the good end (right) of its scale; places in chart units."""

    number: int | None
    """Of its spoke in the radar."""
    name: str
    figure: str
    spot: float
    ends: tuple[float, float] | None
    """Of the interval."""
    beyond: str
    coupled: bool
    headline: bool
    bad: str
    good: str
    spoken: str


@dataclass(frozen=True, slots=True)
class Spoke:
    """One headline value in the radar."""

    number: int
    tier: Tier
    name: str
    percent: str
    end: Point
    """On the rim."""
    label: Point
    spot: Point


@dataclass(frozen=True, slots=True)
class Sector:
    """The rim's arc of one tier."""

    tier: Tier
    start: Point
    end: Point
    large: bool
    label: Point


@dataclass(frozen=True, slots=True)
class Radar:
    """Where each headline value lies on its scale: the centre is the bad end, the rim the good end."""

    spoken: str
    spokes: Sequence[Spoke]
    sectors: Sequence[Sector]
    field: Sequence[Point] | None
    """The median over the board's ranked entries."""


@dataclass(frozen=True, slots=True)
class Curves:
    """Sorted distances to the nearest training image."""

    generated: Sequence[Point]
    real: Sequence[Point]
    threshold: float
    threshold_label: str
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class _Placed:
    score: TaskScore
    name: str
    value: Value
    scale: Scale


def spoke_keys(record: RunRecord) -> list[str]:
    """Keys of the values that a radar of this record shows, in order of tier."""
    return [_key(placed) for placed in _headlines(record)]


def field_medians(records: Sequence[RunRecord]) -> dict[str, float]:
    """Over several records, the median place of each headline value on its scale, in per cent, by key."""
    places: dict[str, list[float]] = {}
    for record in records:
        for placed in _headlines(record):
            places.setdefault(_key(placed), []).append(placed.scale.position)
    return {key: median(found) for key, found in places.items()}


def radar(record: RunRecord, medians: Mapping[str, float]) -> Radar | None:
    """The radar of a record; None with fewer than three values to show.

    ``medians`` by key, as :func:`field_medians` gives them; the field is drawn where it has every value shown.
    """
    placed = _headlines(record)
    count = len(placed)
    if count < 3:
        return None
    spokes = [
        Spoke(
            number=i + 1,
            tier=p.score.tier,
            name=_name(p),
            percent=format_percent(p.scale.position),
            end=_polar(i, count, RADIUS),
            label=_polar(i, count, RADIUS + 9),
            spot=_polar(i, count, RADIUS * p.scale.filled),
        )
        for i, p in enumerate(placed)
    ]
    keys = [_key(p) for p in placed]
    field = None
    if all(key in medians for key in keys):
        field = [_polar(i, count, RADIUS * min(max(medians[k] / 100, 0), 1)) for i, k in enumerate(keys)]
    told = "; ".join(f"{s.number} {s.name}, tier {s.tier}: {s.percent}" for s in spokes)
    return Radar(f"Radar of the headline values, 0% at the bad end: {told}", spokes, _sectors(placed), field)


def bars(tier: Tier, record: RunRecord) -> list[Bar]:
    """Every value of a tier that has a scale."""
    numbers = {key: i + 1 for i, key in enumerate(spoke_keys(record))}
    if len(numbers) < 3:
        numbers = {}
    return [_bar(p, numbers.get(_key(p))) for p in _placed(record) if p.score.tier == tier]


def distance_curves(audit: Memorisation) -> Curves:
    """The audit's distances in chart units."""
    left, top, width, height = PLOT
    largest = max(max(audit.distances.real), max(audit.distances.generated), audit.threshold) * 1.05 or 1.0

    def y(distance: float) -> float:
        return round(top + height * (1 - distance / largest), 1)

    def points(distances: Sequence[float]) -> list[Point]:
        last = len(distances) - 1
        return [(round(left + width * i / last, 1), y(d)) for i, d in enumerate(distances)]

    step = _step(largest)
    ticks = [(y(k * step), format_number(k * step)) for k in range(int(largest / step) + 1)]
    return Curves(
        points(audit.distances.generated),
        points(audit.distances.real),
        y(audit.threshold),
        f"threshold {format_number(audit.threshold)}",
        ticks,
    )


def _placed(record: RunRecord) -> list[_Placed]:
    return [
        _Placed(score, name, value, scale)
        for score in sorted(record.scores, key=lambda s: s.tier)
        for name, value in score.values.items()
        if (scale := scale_of(value)) is not None
    ]


def _headlines(record: RunRecord) -> list[_Placed]:
    return [p for p in _placed(record) if p.value.headline and not p.score.coupled]


def _key(placed: _Placed) -> str:
    return f"{placed.score.key}/{placed.name}"


def _name(placed: _Placed) -> str:
    score, value = placed.score, placed.value
    parts = [score.title] if value.title in ("", score.title) or len(score.values) == 1 else [value.title]
    if score.encoder:
        parts.append(score.encoder)
    if score.coupled:
        parts.append("coupled")
    return " · ".join(parts)


def _bar(placed: _Placed, number: int | None) -> Bar:
    value, scale = placed.value, placed.scale
    found = value.interval
    ends = None
    if found is not None and found.low is not None and found.high is not None and not freed_of_bias(value):
        low, high = sorted(_across(_percent(scale, x)) for x in (found.low, found.high))
        ends = (low, high)
    name, figure = _name(placed), format_value(value.value, value.unit)
    spoken = (
        f"{name}: {figure}, {format_percent(scale.position)} of the way from {format_number(scale.bad)}, the bad end"
    )
    spoken += f", to {format_number(scale.good)}, the good end"
    return Bar(
        number=number,
        name=name,
        figure=figure,
        spot=_across(scale.position),
        ends=ends,
        beyond=scale.beyond,
        coupled=placed.score.coupled,
        headline=value.headline,
        bad=format_number(scale.bad),
        good=format_number(scale.good),
        spoken=spoken + (f"; interval {format_interval(found)}" if ends else ""),
    )


def _percent(scale: Scale, x: float) -> float:
    width = scale.good - scale.bad
    return 100 * (x - scale.bad) / width if width else scale.position


def _across(percent: float) -> float:
    return round(MARGIN + (WIDTH - 2 * MARGIN) * min(max(percent / 100, 0.0), 1.0), 1)


def _polar(i: float, count: int, radius: float) -> Point:
    """Spoke ``i`` of ``count``, the first upright, clockwise; y downwards."""
    angle = 2 * math.pi * i / count
    return round(radius * math.sin(angle), 1), round(-radius * math.cos(angle), 1)


def _sectors(placed: Sequence[_Placed]) -> list[Sector]:
    count, sectors, first = len(placed), [], 0
    tiers = [p.score.tier for p in placed]
    for tier in dict.fromkeys(tiers):
        size = tiers.count(tier)
        start, end = first - 0.42, first + size - 0.58
        radius = RADIUS + 20
        middle = _polar((start + end) / 2, count, RADIUS + 32)
        large = (end - start) / count > 0.5
        sectors.append(Sector(tier, _polar(start, count, radius), _polar(end, count, radius), large, middle))
        first += size
    return sectors


def _step(largest: float) -> float:
    """1, 2 or 5 times a power of ten, such that three to eight ticks are drawn."""
    power = 10.0 ** math.floor(math.log10(largest / 3))
    return next(power * k for k in (5, 2, 1) if largest / (power * k) >= 2.5 or k == 1)
