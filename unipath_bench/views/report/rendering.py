"""The template engine: everything that is not ours is escaped, an unknown name is an error."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from unipath_bench.results import (
    audit_verdict,
    format_interval,
    format_number,
    format_percent,
    format_seconds,
    format_value,
    freed_of_bias,
    plural,
    scale_of,
)


def environment() -> Environment:
    """Templates of this package, with the number formats of :mod:`unipath_bench.results` as filters."""
    engine = Environment(
        loader=PackageLoader("unipath_bench.views.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    engine.filters.update(
        number=format_number,
        interval=format_interval,
        freed_of_bias=freed_of_bias,
        percent=format_percent,
        figure=format_value,
        seconds=format_seconds,
        plural=plural,
        scale=scale_of,
        verdict=audit_verdict,
        is_link=_is_link,
        facts=_facts,
    )
    return engine


def _is_link(text: str) -> bool:
    """Whether ``text`` is one address that may be linked to; no other scheme than http(s) is."""
    return re.fullmatch(r"https?://[^\s\"'<>]+", text) is not None


def _facts(card: Any) -> list[tuple[str, str]]:
    """A card's fields that say something, as (name, text)."""
    found = []
    for name, value in card.model_dump(mode="json", exclude={"published"}).items():
        if value in (None, "", [], {}, False):
            continue
        if isinstance(value, dict):
            text = ", ".join(f"{key} = {item}" for key, item in value.items())
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else "yes" if value is True else str(value)
        found.append((name.replace("_", " "), text))
    return found
