"""How much worse a value may be before anybody minds: the gate's margins, in each value's own unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unipath_bench.core.errors import UsageError, listed
from unipath_bench.schema.record import Value

SHARE_OF_SCALE = 0.01
"""The default margin: one hundredth of the length of a value's scale, as the baseline's record has it; 0 for a value
without a scale."""


def default_margin(value: Value) -> float:
    """One hundredth of the value's scale; 0.0 where it has none."""
    if value.bad_end is None or value.good_end is None:
        return 0.0
    return SHARE_OF_SCALE * abs(value.good_end - value.bad_end)


def parse_margins(items: Sequence[str]) -> dict[str, float]:
    """``KEY=NUMBER`` or ``KEY:VALUE=NUMBER``, e.g. ``clip-score[phantom-clip]=0.01`` or ``memorisation=0.02``.

    Raises :class:`UsageError` for what is not of that form, a negative number and a key given twice.

    Examples:
        >>> parse_margins(["clip-score[phantom-clip]=0.01", "memorisation=0.02"])
        {'clip-score[phantom-clip]': 0.01, 'memorisation': 0.02}
    """
    margins: dict[str, float] = {}
    for item in items:
        key, _, text = item.rpartition("=")
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not key or not 0 <= number < float("inf"):
            raise UsageError(
                f"--margin {item!r} is not of the form KEY=NUMBER with a number of 0 or more.",
                "Example: --margin clip-score=0.005, in the unit of the value.",
            )
        if key in margins:
            raise UsageError(f"--margin names {key!r} twice.", "Give each margin once.")
        margins[key] = number
    return margins


def margin_of(key: str, name: str, value: Value, chosen: Mapping[str, float]) -> float:
    """The margin of a value: chosen for ``KEY:VALUE``, the key, or the task's name; else the default."""
    for wanted in (f"{key}:{name}", key, key.partition("[")[0]):
        if wanted in chosen:
            return chosen[wanted]
    return default_margin(value)


def check_margins(chosen: Mapping[str, float], known: Sequence[tuple[str, str]]) -> None:
    """Raise :class:`UsageError` for a chosen margin that belongs to none of the ``known`` (key, value name)."""
    names = {part for key, name in known for part in (f"{key}:{name}", key, key.partition("[")[0])}
    unknown = sorted(set(chosen) - names)
    if unknown:
        raise UsageError(
            f"--margin names values that are not gated:\n{listed(unknown)}",
            f"Gated are: {', '.join(key for key, _ in known)}.",
        )
