"""One way of writing a number, for the terminal, the report and the comparison."""

from __future__ import annotations

import math

from unipath_bench.schema.record import Interval, Value

SIGNIFICANT = 3
DECIMALS = 5


def format_number(value: float | None) -> str:
    """Three significant digits: ``0.0829``, ``2.76``, ``80.9``, ``484``; from 1000 on whole with thousands separated.

    At most five decimals; magnitudes below 0.0001 are written as ``3.1e-05``; exact zero as ``0``; None as an en dash.

    Examples:
        >>> [format_number(value) for value in (0.08294, 80.94, 12345.6, 0.0, None)]
        ['0.0829', '80.9', '12,346', '0', '–']
    """
    if value is None:
        return "–"
    if value == 0:
        return "0"
    magnitude = abs(value)
    if magnitude < 1e-4 or magnitude >= 1e9:
        return f"{value:.1e}"
    exponent = math.floor(math.log10(float(f"{magnitude:.{SIGNIFICANT - 1}e}")))
    return f"{value:,.{min(max(SIGNIFICANT - 1 - exponent, 0), DECIMALS)}f}"


def format_value(value: float | None, unit: str = "") -> str:
    """:func:`format_number` with its unit; the bare fractions and cosines of the tasks carry none.

    Examples:
        >>> format_value(0.5, "fraction"), format_value(12.5, "percent"), format_value(1200.0, "images")
        ('0.500', '12.5%', '1,200 images')
    """
    if value is None or unit in ("", "fraction", "cosine"):
        return format_number(value)
    if unit in ("percent", "per cent", "%"):
        return f"{format_number(value)}%"
    if unit in ("count", "images", "groups") and float(value).is_integer():
        number = f"{value:,.0f}"
        return number if unit == "count" else f"{number} {unit}"
    return f"{format_number(value)} {unit}"


def format_interval(interval: Interval | None) -> str:
    """``2.1 to 3.0``, or ``at most 1.2`` where only the upper end holds; None as an en dash."""
    if interval is None or interval.high is None:
        return "–"
    if interval.low is None:
        return f"at most {format_number(interval.high)}"
    return f"{format_number(interval.low)} to {format_number(interval.high)}"


def freed_of_bias(value: Value) -> bool:
    """Whether the interval is of a corrected quantity, which may lie beside the value itself: a plug-in distance."""
    found = value.interval
    return found is not None and (
        found.estimate is None or not math.isclose(found.estimate, value.value, rel_tol=1e-9, abs_tol=1e-12)
    )


def format_percent(value: float | None) -> str:
    """A per cent figure (100 = all) in whole per cent; one decimal below 10 in magnitude; None as an en dash.

    Examples:
        >>> format_percent(4.56), format_percent(45.6), format_percent(-0.01)
        ('4.6%', '46%', '0%')
    """
    if value is None:
        return "–"
    text = f"{value:,.1f}" if abs(value) < 9.95 else f"{value:,.0f}"
    return f"{'0' if text in ('0.0', '-0.0') else text}%"


def format_seconds(seconds: float) -> str:
    """``0.8 s``, ``42 s``, ``3 min 20 s``, ``2 h 5 min``.

    Examples:
        >>> format_seconds(0.84), format_seconds(42.0), format_seconds(200.0), format_seconds(7500.0)
        ('0.8 s', '42 s', '3 min 20 s', '2 h 5 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def plural(count: int, noun: str, many: str = "") -> str:
    """``1 image``, ``1,200 images``; ``many`` where the plural is not the noun with an s.

    Examples:
        >>> plural(1, "image"), plural(1200, "image"), plural(2, "copy", "copies")
        ('1 image', '1,200 images', '2 copies')
    """
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"
