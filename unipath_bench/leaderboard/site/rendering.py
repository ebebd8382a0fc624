"""The site's template engine, style, script and policy: everything that is not ours is escaped."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader
from markupsafe import Markup

from unipath_bench.leaderboard.site.content import file_stem
from unipath_bench.leaderboard.site.entry_page import rank_text
from unipath_bench.views.report.rendering import environment
from unipath_bench.views.report.style import DARK, LIGHT, declared, page_style


@dataclass(frozen=True, slots=True)
class Head:
    """What every page carries inside: it asks for no file but the entry's own picture."""

    style: Markup
    script: Markup
    policy: str


def engine() -> Environment:
    """The report's engine (autoescape, strict names, number formats) with this site's templates before the report's."""
    made = environment()
    packages = ("unipath_bench.leaderboard.site", "unipath_bench.views.report")
    made.loader = ChoiceLoader([PackageLoader(package, "templates") for package in packages])
    made.filters.update(rank=rank_text, stem=file_stem)
    return made


@cache
def head() -> Head:
    """Style and script of the pages, and the Content-Security-Policy that lets in these and nothing else."""
    script = _text("unipath_bench.leaderboard.site", "site.js")
    return Head(Markup(style_sheet()), Markup(script), policy(script))  # nosec B704  # our own files


def style_sheet() -> str:
    """The report's style with the site's own, and both palettes once more for a reader who chooses one by hand."""
    chosen = f':root[data-theme="light"] {{ {declared(LIGHT)} color-scheme: light; }}\n'
    chosen += f':root[data-theme="dark"] {{ {declared(DARK)} color-scheme: dark; }}\n'
    return page_style() + chosen + _text("unipath_bench.leaderboard.site", "site.css")


def policy(script: str) -> str:
    """Nothing is loaded from anywhere but pictures of the site itself; the one script runs by its digest."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _text(package: str, name: str) -> str:
    return files(package).joinpath("templates", name).read_text(encoding="utf-8")
