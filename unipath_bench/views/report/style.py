"""The look of every page: its colours in light and in dark, and its rules."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from unipath_bench.views import charts

LIGHT: Mapping[str, str] = {
    "paper": "#ffffff",
    "page": "#f6f7f8",
    "ink": "#1b2229",
    "muted": "#56616c",
    "rule": "#d5dbe0",
    "track": "#e3e8ec",
    "real": "#0063a3",
    "generated": "#b84a00",
    "good": "#00694e",
    "alarm": "#a8231b",
    "alarm-paper": "#fdecea",
    "caution": "#744c00",
    "caution-paper": "#fff3d6",
    "information": "#0a4f80",
    "information-paper": "#e5f1fa",
    "cell": "0, 99, 163",
}
DARK: Mapping[str, str] = {
    "paper": "#1a2027",
    "page": "#12161b",
    "ink": "#e7ecf0",
    "muted": "#a3afba",
    "rule": "#38424c",
    "track": "#303944",
    "real": "#6bb8f0",
    "generated": "#f59a5a",
    "good": "#56cba6",
    "alarm": "#ff9a90",
    "alarm-paper": "#40201e",
    "caution": "#f0c661",
    "caution-paper": "#3a2f16",
    "information": "#8cc8f2",
    "information-paper": "#17303f",
    "cell": "107, 184, 240",
}


def declared(colours: Mapping[str, str]) -> str:
    """The colours as the variables of a style sheet."""
    return " ".join(f"--{name}: {value};" for name, value in colours.items())


def page_style() -> str:
    """The style sheet of a page: light, or dark where the reader's system is."""
    rules = files("unipath_bench.views.report").joinpath("templates", "report.css").read_text(encoding="utf-8")
    return (
        f":root {{ color-scheme: light dark; {declared(LIGHT)} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {declared(DARK)} }} }}\n{rules}{charts.style()}"
    )
