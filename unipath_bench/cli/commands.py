"""Attaches the framework's own subcommands."""

from __future__ import annotations

import typer

from unipath_bench.cli import (
    audit,
    data,
    encoders,
    evaluate,
    gate,
    importing,
    inspection,
    leaderboard,
    merging,
    site,
    training,
    understanding,
    views,
)

_EVALUATE, _READ, _SHARE, _LOOK, _MAKE = "Evaluate", "Read results", "Share results", "Look around", "Make"


def attach(app: typer.Typer) -> None:
    """Register the subcommands on ``app``; a second call changes nothing."""
    if app.registered_commands:
        return
    app.command(rich_help_panel=_EVALUATE)(evaluate.run)
    app.command(rich_help_panel=_EVALUATE)(merging.merge)
    app.command(rich_help_panel=_EVALUATE)(evaluate.plan)
    app.command(rich_help_panel=_EVALUATE)(evaluate.prompts)
    app.command(rich_help_panel=_EVALUATE)(understanding.understand)
    app.command(rich_help_panel=_EVALUATE)(audit.audit)
    app.command(rich_help_panel=_READ)(views.report)
    app.command(rich_help_panel=_READ)(views.compare)
    app.command(rich_help_panel=_READ)(gate.gate)
    app.command(rich_help_panel=_READ)(views.ui)
    app.command("import", rich_help_panel=_READ)(importing.import_)
    app.command(rich_help_panel=_SHARE)(leaderboard.submit)
    leaderboard.app.command()(site.build)
    app.add_typer(leaderboard.app, name="leaderboard", rich_help_panel=_SHARE)
    app.command("list", rich_help_panel=_LOOK)(inspection.list_)
    app.command(rich_help_panel=_LOOK)(inspection.show)
    app.add_typer(data.app, name="data", rich_help_panel=_LOOK)
    app.command(rich_help_panel=_LOOK)(inspection.doctor)
    app.command(rich_help_panel=_LOOK)(inspection.schema)
    app.add_typer(encoders.app, name="encoders", rich_help_panel=_LOOK)
    app.command("train-encoders", rich_help_panel=_MAKE)(training.train_encoders)
