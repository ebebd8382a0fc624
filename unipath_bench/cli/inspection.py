"""``list``, ``show``, ``doctor`` and ``schema``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.table import Table

from unipath_bench import api
from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console, write_json
from unipath_bench.core.errors import UsageError
from unipath_bench.core.registry import Entry, Registry, suggest

_SHOWN = ("models", "suites", "tasks", "encoders", "metrics")
"""What has a card, or an equal of one."""
KINDS = (*_SHOWN, "loaders", "executors", "outputs", "commands")


def list_(
    kind: Annotated[str, typer.Argument(metavar="[" + "|".join(KINDS) + "]", help="What to list; default: all.")] = "",
    as_json: opt.AsJson = False,
) -> None:
    """List everything that is registered, from models to commands, and who provides it."""
    if kind and kind not in KINDS:
        raise UsageError(f"There is no kind {kind!r} to list.", suggest(kind, list(KINDS), "kind"))
    chosen = [kind] if kind else list(KINDS)
    found = {name: _rows(name) for name in chosen}
    if as_json:
        write_json(json.dumps(found, indent=2))
        return
    console = Console()
    for name, rows in found.items():
        if not rows and not kind:
            continue
        table = Table(title=name.capitalize(), title_justify="left")
        for column in rows[0] if rows else ("name",):
            table.add_column(column.replace("_", " ").capitalize(), overflow="fold")
        for row in rows:
            table.add_row(*[str(value) for value in row.values()])
        console.print(table)


def show(
    name: Annotated[str, typer.Argument(help="A model, task, suite, encoder or metric; or a run's folder.")],
    as_json: opt.AsJson = False,
) -> None:
    """Show one model, task, suite, encoder or metric in full, or the results of a run."""
    if Path(name).is_dir() or name.endswith(".json"):
        from unipath_bench.views.terminal import print_summary

        record = api.load_record(name)
        if as_json:
            write_json(record.model_dump_json(indent=2))
        else:
            print_summary(record, Console())
        return
    cards = _cards(name)
    if not cards:
        known = sorted({str(row["name"]) for kind in _SHOWN for row in _rows(kind)})
        raise UsageError(f"Nothing is named {name!r}.", suggest(name, known, "name"))
    if as_json:
        write_json(json.dumps(cards, indent=2))
        return
    console = Console()
    for kind, card in cards.items():
        console.print_line(kind, "bold")
        console.print_line(yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=100))


def doctor(
    encoders: Annotated[bool, typer.Option("--encoders", help="Which encoders would load now; loads none.")] = False,
    offline: opt.Offline = False,
    trust_remote_code: opt.TrustRemoteCode = False,
    out: opt.Out = opt.DEFAULT_OUT,
    as_json: opt.AsJson = False,
) -> None:
    """Check this installation: versions, device, disk, cached weights, hub access."""
    from unipath_bench.cli.health import examine, examine_encoders, print_encoders, print_findings

    if encoders:
        states = examine_encoders(offline, trust_remote_code)
        if as_json:
            write_json(json.dumps([s.model_dump() for s in states], indent=2))
        else:
            print_encoders(states, Console())
        return
    findings = examine(out, offline)
    if as_json:
        write_json(json.dumps([f.model_dump() for f in findings], indent=2))
    else:
        print_findings(findings, Console())


def schema(
    document: Annotated[
        str, typer.Argument(help="RunRecord, TaskSpec, GeneratorCard, EncoderCard, SuiteCard ...")
    ] = "RunRecord",
) -> None:
    """Print the JSON schema of a document: the run record, a task, a card."""
    from unipath_bench.cli.documents import DOCUMENTS

    if document not in DOCUMENTS:
        raise UsageError(f"There is no document {document!r}.", suggest(document, sorted(DOCUMENTS), "document"))
    write_json(json.dumps(DOCUMENTS[document].model_json_schema(), indent=2))


def _rows(kind: str) -> list[dict[str, str | int]]:
    from unipath_bench.core import registries

    if kind == "models":
        from unipath_bench.generators.cards import list_models

        return [{"name": m.name, "title": m.title, "provider": m.provider} for m in list_models()]
    if kind == "tasks":
        return [
            {
                "tier": t.tier,
                "name": t.name,
                "version": t.version,
                "encoder": t.encoder or "",
                "suites": t.suites,
                "title": t.title,
            }
            for t in api.list_tasks()
        ]
    if kind == "suites":
        return [_suite_row(e) for e in registries.SUITES.entries()]
    registry: Registry[object] = {
        "encoders": registries.ENCODERS,
        "metrics": registries.METRICS,
        "loaders": registries.ENCODER_LOADERS,
        "executors": registries.EXECUTORS,
        "outputs": registries.OUTPUTS,
        "commands": registries.COMMANDS,
    }[kind]  # type: ignore[assignment]
    return [{"name": e.name, "target": e.target, "provider": e.provider} for e in registry.entries()]


def _suite_row(entry: Entry) -> dict[str, str | int]:
    """A public data set with its licence and where to get it; nothing is imported for other suites."""
    from unipath_bench.suites.public.sets import SETS

    public = SETS.get(entry.name)
    facts = {"licence": public.licence, "get_it_from": public.page} if public else {"licence": "", "get_it_from": ""}
    return {"name": entry.name, **facts, "provider": entry.provider}


def _cards(name: str) -> dict[str, object]:
    from unipath_bench.core import registries
    from unipath_bench.generators.cards import find_card, list_models
    from unipath_bench.suites.public.spec import DataSet

    cards: dict[str, object] = {}
    if name in {m.name for m in list_models()}:
        cards["model"] = find_card(name).model_dump(mode="json", exclude_defaults=True)
    if name in (tasks := {task.name: task for task in api.list_tasks()}):
        cards["task"] = tasks[name].model_dump(mode="json", exclude_defaults=True)
    if name in registries.ENCODERS:
        cards["encoder"] = registries.ENCODERS.get(name)().card.model_dump(mode="json")
    if name in registries.METRICS:
        metric = registries.METRICS.get(name)
        reads = {"needs": sorted(metric.needs), "welcome": sorted(metric.welcome)}
        cards["metric"] = {"name": metric.name, "summary": metric.summary, **reads}
    if name in registries.SUITES:
        target = registries.SUITES.get(name)
        about = {"name": name, "about": " ".join((target.__doc__ or "").split())}
        cards["suite"] = target.facts() if isinstance(target, DataSet) else about
    return cards
