"""Collecting everything that is wrong with a data set, so that it is reported once and whole."""

from __future__ import annotations

from collections.abc import Iterable

from unipath_bench.core.errors import DataError, listed

LISTED = 200
"""Instances of one kind of problem that are spelt out; the rest are counted."""


class Problems:
    """Problems by kind, each with a headline, its instances and a remedy; raised together as one error."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._kinds: list[tuple[str, str, list[str]]] = []

    def __len__(self) -> int:
        return len(self._kinds)

    def add(self, headline: str, remedy: str, items: Iterable[str] = ()) -> None:
        """Note one kind of problem. ``headline`` is a clause such as '2 images have no row in the metadata'."""
        self._kinds.append((headline, remedy, list(items)))

    def add_each(self, items: Iterable[str], headline: str, remedy: str) -> None:
        """As :meth:`add`, with '{n}' in ``headline`` for the number of ``items``; nothing where there are none."""
        found = list(items)
        if found:
            self.add(headline.replace("{n}", str(len(found))), remedy, found)

    def raise_if_any(self) -> None:
        """Raise one :class:`DataError` with all that was noted, where anything was."""
        if not self._kinds:
            return
        parts = [f"{self.source}: {headline}{_below(items)}" for headline, _, items in self._kinds]
        remedies = dict.fromkeys(remedy for _, remedy, _ in self._kinds)
        raise DataError("\n".join(parts), "\n".join(remedies))


def _below(items: list[str]) -> str:
    return f":\n{listed(items, LISTED)}" if items else "."
