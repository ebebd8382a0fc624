"""A bank, and what it finds, in words for the terminal."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reference_model.bank.card import BankCard, EncoderReference
from reference_model.bank.protocol import Route
from reference_model.bank.prototype_bank import PrototypeBank
from reference_model.bank.store import Content

_SHOWN = 12


def describe_card(folder: Path, card: BankCard, content: Content | None = None) -> RenderableType:
    """The card as a table; with ``content`` the rarest and the commonest keywords too."""
    counts, rule = card.counts, card.rule
    rows = [
        ("bank", str(folder)),
        ("source", f"{card.source.name} ({card.source.kind}), revision {card.source.revision[:12] or 'not recorded'}"),
        (
            "prototypes",
            f"{counts.prototypes} of {counts.candidates} tiles, {counts.groups or 'unknown'} groups, "
            f"at most {counts.per_group or 'any number'} a group",
        ),
        ("selection", f"{card.selection}; seed {card.seed}"),
        ("payload", _encoder(card.payload)),
        ("retrieval", _encoder(card.retrieval) if card.retrieval else "keywords only"),
        ("routes", f"{', '.join(card.routes)}; at most {rule.limit} prototypes, seed {rule.seed}"),
        ("keywords", f"{counts.keywords} of {counts.phrases} phrases; {'; '.join(card.filters)}"),
        ("thumbnails", f"{card.thumbnail} px" if card.thumbnail else "none"),
        ("licence", card.licence),
    ]
    if content is not None and content.keywords:
        order = sorted(content.keywords, key=lambda k: (len(content.keywords[k]), k))
        told = [f"{k} ({len(content.keywords[k])})" for k in order]
        rows += [("rarest", ", ".join(told[:_SHOWN])), ("commonest", ", ".join(told[: -_SHOWN - 1 : -1]))]
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def describe_retrieval(bank: PrototypeBank, prompt: str) -> RenderableType:
    """The prototypes of a prompt as a table: id, every route with its score or keyword, caption."""
    found = bank.retrieve(prompt)
    captions = dict(zip(bank.content.ids, bank.content.captions, strict=True))
    table = Table(title=f"{len(found)} prototypes of {len(bank)}", title_justify="left")
    for column in ("", "Prototype", "Found by", "Caption"):
        table.add_column(column, overflow="fold")
    for place, (name, routes) in enumerate(zip(found.ids, found.routes, strict=True), start=1):
        table.add_row(str(place), Text(name), Text("\n".join(map(_told, routes))), Text(captions[name]))
    rows = bank.content.keywords
    keywords = ", ".join(f"{k} ({len(rows[k])} of {len(bank)})" for k in bank.keywords(prompt))
    return Group(Text(f"Prompt: {prompt}"), Text(f"Keywords: {keywords or 'none'}"), table)


def retrieval_json(bank: PrototypeBank, prompt: str) -> str:
    """The same as JSON."""
    found = bank.retrieve(prompt)
    listed = [
        {
            "id": name,
            "routes": [
                {"route": r.name, "score": r.score, "keyword": r.detail if r.name == "keyword" else None}
                for r in routes
            ],
        }
        for name, routes in zip(found.ids, found.routes, strict=True)
    ]
    return json.dumps({"prompt": prompt, "keywords": bank.keywords(prompt), "prototypes": listed}, indent=2)


def _told(route: Route) -> str:
    return f"keyword: {route.detail}" if route.score is None else f"{route.name}: {route.score:.3f}"


def _encoder(reference: EncoderReference) -> str:
    digest = reference.digest[:12] or "not recorded"
    return f"{reference.name}, {reference.dimension} dimensions, digest {digest}, licence {reference.licence or '-'}"
