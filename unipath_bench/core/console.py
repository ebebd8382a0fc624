"""The terminal that everything is printed on: what a name or a prompt holds can never steer it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, and marks that turn the direction of writing."""
SHOWN = "\N{REPLACEMENT CHARACTER}"


class Console(RichConsole):
    """Rich's console, which shows the control characters of a text as :data:`SHOWN`.

    Escape sequences in the text would otherwise move the cursor, retitle the window or hide lines. Rich's own sequences
    are not part of the text and are kept.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield Rich's segments of ``renderable``, with control characters in their text replaced by :data:`SHOWN`."""
        for segment in super().render(renderable, options):
            if segment.control is None and _STEERING.search(segment.text):
                yield Segment(_STEERING.sub(SHOWN, segment.text), segment.style)
            else:
                yield segment
