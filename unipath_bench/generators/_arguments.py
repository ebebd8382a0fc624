"""Checks of adapter arguments, with messages that name the adapter and the argument."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from unipath_bench.core.errors import UsageError
from unipath_bench.core.registry import suggest


def choice(adapter: str, name: str, value: Any, allowed: Sequence[str]) -> str:
    """``value`` if it is one of ``allowed``; otherwise a :class:`UsageError` that suggests the near ones."""
    if value not in allowed:
        raise UsageError(
            f"The generator {adapter!r} got {name}={value!r}.",
            suggest(str(value), list(allowed), f"{name} value"),
        )
    return str(value)


def number(adapter: str, name: str, value: Any, low: float, high: float = math.inf) -> float:
    """``value`` as a float in [low, high]; anything else is a :class:`UsageError`."""
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not usable or not low <= value <= high:
        raise UsageError(f"The generator {adapter!r} got {name}={value!r}.", f"Give a number {_range(low, high)}.")
    return float(value)


def integer(adapter: str, name: str, value: Any, low: int, high: float = math.inf) -> int:
    """``value`` as an int in [low, high]; anything else is a :class:`UsageError`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise UsageError(
            f"The generator {adapter!r} got {name}={value!r}.", f"Give a whole number {_range(low, high)}."
        )
    return value


def slug(text: str) -> str:
    """``text`` with everything but letters, digits, dots, underscores and hyphens turned into hyphens."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-") or "unnamed"


def _range(low: float, high: float) -> str:
    return f"from {low:g} to {high:g}" if math.isfinite(high) else f"of {low:g} or more"
