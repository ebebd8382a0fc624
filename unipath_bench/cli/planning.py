"""How ``plan`` shows a plan."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from unipath_bench.core.console import Console
from unipath_bench.results import format_seconds

if TYPE_CHECKING:
    from unipath_bench.pipeline.estimate import Estimate
    from unipath_bench.pipeline.plan import Plan
    from unipath_bench.pipeline.probe import Forecast, Probe

HOW_TO_PROBE = "Time and memory: add --probe to measure them on eight images."


def print_plan(plan: Plan, cost: Estimate, console: Console, probed: tuple[Probe, Forecast] | None = None) -> None:
    """Tasks, sets and cost, and what is missing with the remedy."""
    card, suite = plan.generator.card, plan.suite.card
    counts = f": {len(plan.prompts)} prompts x {plan.options.seeds} seeds"
    console.print_line(Text.assemble((card.name, "bold"), " on ", (suite.name, "bold"), counts))
    table = Table(title="Tasks", title_justify="left")
    for column in ("Tier", "Task", "Encoder", "Will be computed"):
        table.add_column(column)
    for task in plan.tasks:
        verdict = "yes" if task.blocker is None else f"no: {task.blocker.reason}"
        table.add_row(str(task.spec.tier), task.spec.name, task.encoder or "", verdict)
    console.print(table)
    sets = Table(title="Images", title_justify="left")
    for column in ("Set", "Images"):
        sets.add_column(column, justify="right" if column == "Images" else "left")
    for name, count in plan.record().counts.items():
        sets.add_row(name, str(count))
    console.print(sets)
    console.print_line(f"To generate: {cost.to_generate} ({cost.generated} are in the store)")
    for encoder, count in cost.to_embed.items():
        console.print_line(f"To embed in {encoder}: {count} ({cost.embedded[encoder]} are in the store)")
    needed = probed[1].disk_needed if probed else cost.disk_needed
    space = f"Disk: about {needed / 2**20:.0f} MiB needed, {cost.disk_free / 2**20:.0f} MiB free"
    console.print_line(space, None if needed < cost.disk_free else "bold red")
    if probed:
        _print_forecast(*probed, console)
    else:
        console.print_line(HOW_TO_PROBE)
    missing = [task for task in plan.tasks if task.blocker is not None]
    if missing:
        console.print_line("\nWhat is missing", "bold")
        for task in missing:
            if task.blocker is not None:
                console.print_line(f"  {task.key}: {task.blocker}")


def _print_forecast(probe: Probe, forecast: Forecast, console: Console) -> None:
    stages = ", ".join(f"{name} {format_seconds(seconds)}" for name, seconds in forecast.seconds.items() if seconds)
    parts = f" ({stages})" if stages else ""
    console.print_line(f"Time: about {format_seconds(forecast.total_seconds)}{parts}")
    console.print_line(f"Memory: about {forecast.memory_mib:.0f} MiB")
    if forecast.device_memory_mib is not None:
        console.print_line(f"Memory of the device: about {forecast.device_memory_mib:.0f} MiB")
    console.print_line(
        f"Measured on {probe.images} images, the first calls included, and made-up features; nothing was stored."
    )


def plan_as_json(plan: Plan, cost: Estimate, probed: tuple[Probe, Forecast] | None = None) -> str:
    """The plan for programs; ``probe`` and ``forecast`` are null where nothing was probed."""
    document = {
        "plan": plan.record().model_dump(mode="json"),
        "tasks": [
            {
                "key": t.key,
                "tier": t.spec.tier,
                "encoder": t.encoder,
                "reason": t.blocker.reason if t.blocker else None,
                "remedy": t.blocker.remedy if t.blocker else None,
            }
            for t in plan.tasks
        ],
        "cost": {
            "to_generate": cost.to_generate,
            "to_embed": cost.to_embed,
            "disk_needed_bytes": cost.disk_needed,
            "disk_free_bytes": cost.disk_free,
        },
        "probe": asdict(probed[0]) if probed else None,
        "forecast": {**asdict(probed[1]), "total_seconds": probed[1].total_seconds} if probed else None,
    }
    return json.dumps(document, indent=2) + "\n"
