"""Matplotlib figures as inline SVG that follows the page: its fonts, its colours, its light and dark."""

from __future__ import annotations

import html
import io
import re
from typing import Any

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

COLOURS = {
    "ink": "#010101",
    "muted": "#020202",
    "rule": "#030303",
    "track": "#040404",
    "real": "#050505",
    "generated": "#060606",
    "alarm": "#070707",
    "paper": "#080808",
    "good": "#090909",
}
"""Colours to draw with, by the name of the style sheet's variable: each stands for ``var(--NAME)`` in the page."""

_SETTINGS: Any = {
    "svg.hashsalt": "unipath-bench",
    "svg.fonttype": "none",
    "svg.id": None,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.unicode_minus": True,
    "text.parse_math": False,
    "axes.edgecolor": COLOURS["rule"],
    "axes.labelcolor": COLOURS["muted"],
    "xtick.color": COLOURS["rule"],
    "ytick.color": COLOURS["rule"],
    "xtick.labelcolor": COLOURS["muted"],
    "ytick.labelcolor": COLOURS["muted"],
    "text.color": COLOURS["ink"],
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


class Canvas:
    """A figure of ``width`` x ``height`` units under this page's settings, which hold inside the ``with`` block."""

    def __init__(self, width: float, height: float) -> None:
        self._context = rc_context(_SETTINGS)
        self._context.__enter__()
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)

    def __enter__(self) -> Canvas:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.__exit__(None, None, None)

    def svg(self, name: str, title: str) -> Markup:
        """Draw; ``name`` keeps the ids apart from those of other drawings, ``title`` is read out in its place."""
        stream = io.StringIO()
        self.figure.savefig(stream, format="svg", metadata=_NO_METADATA)
        return Markup(_for_page(stream.getvalue(), name, title))  # nosec B704  # matplotlib escapes its texts


def _for_page(text: str, name: str, title: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"\bid=\"([^\"]+)\"", rf'id="{name}-\1"', text)
    text = re.sub(r"((?:xlink:)?href)=\"#([^\"]+)\"", rf'\1="#{name}-\2"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r"\bfont: (?:(bold|\d{3}) )?([\d.]+px) [^;\"]*", _font, text)
    for variable, colour in COLOURS.items():
        text = text.replace(colour, f"var(--{variable})")
    view = re.search(r"viewBox=\"([^\"]+)\"", text)
    if view is None:
        raise ValueError("matplotlib wrote an SVG without a viewBox")
    head = f'<svg class="chart" role="img" aria-label="{html.escape(title)}" viewBox="{view.group(1)}">'
    return head + text[text.index(">") + 1 :].strip()


def _font(found: re.Match[str]) -> str:
    weight = f"; font-weight: {found.group(1)}" if found.group(1) else ""
    return f"font-size: {found.group(2)}{weight}"
