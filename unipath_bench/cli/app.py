"""The ``unipath-bench`` command: its subcommands, its errors and its exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from unipath_bench.core.console import Console
from unipath_bench.core.errors import EXIT_BUG, EXIT_DONE, BenchError

EPILOG = (
    "Exit codes: 0 done, 1 a bug of ours, 2 wrong usage, 3 something missing that you can supply (weights, a licence, "
    "a package, disk space), 4 bad data or a faulty adapter, 5 a regression (gate), 130 interrupted."
)


class _Group(TyperGroup):
    """Adds the subcommands that other packages register; each is imported when it is called, or for the help page."""

    def list_commands(self, ctx: Any) -> list[str]:
        from unipath_bench.core.registries import COMMANDS

        own = super().list_commands(ctx)
        return own + [name for name in COMMANDS.names() if name not in own]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from unipath_bench.core.registries import COMMANDS

        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in COMMANDS:
            return own
        command = typer.main.get_command(COMMANDS.get(cmd_name))
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            Console(stderr=True).print(
                "\nInterrupted. Everything finished is kept: the same command resumes where it stopped."
            )
            raise


app = typer.Typer(
    name="unipath-bench",
    cls=_Group,
    help="Evaluate pathology image generators in four tiers: fidelity, semantic alignment, fine-grained control and "
    "diagnostic utility.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"unipath-bench {version('unipath-bench')}")
        raise typer.Exit


@app.callback()
def _root(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an expected error too."),
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
    ),
) -> None:
    if debug:
        os.environ["UNIPATH_BENCH_DEBUG"] = "1"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    sys.exit(invoke(arguments))


def invoke(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. Expected errors are printed with their remedy, no traceback.

    This is the outermost frame of the program, so it catches everything: what is not a :class:`BenchError` is a bug.
    """
    from unipath_bench.cli import commands

    commands.attach(app)
    errors = Console(stderr=True, highlight=False)
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="unipath-bench")
    except SystemExit as finished:
        return finished.code if isinstance(finished.code, int) else EXIT_DONE
    except BenchError as error:
        show_error(error, errors)
        return error.exit_code
    except Exception:
        traceback.print_exc()
        errors.print("\n[bold red]This is a bug in UniPath-Bench.[/] Please report it with the traceback above.")
        return EXIT_BUG
    return EXIT_DONE


def show_error(error: BenchError, console: Console) -> None:
    """Print an expected error: what is wrong, then what to do."""
    if os.environ.get("UNIPATH_BENCH_DEBUG"):
        traceback.print_exception(error)
    console.print("[bold red]Error:[/] ", end="")
    console.print(error.message, markup=False, soft_wrap=True)
    if error.remedy:
        console.print("[bold]What to do:[/] ", end="")
        console.print(error.remedy, markup=False, soft_wrap=True)
