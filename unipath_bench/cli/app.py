"""The ``unipath-bench`` command: its subcommands, its errors and its exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from unipath_bench.core.console import Console
from unipath_bench.core.errors import EXIT_BUG, EXIT_DONE, BenchError, UsageError

EPILOG = (
    "Exit codes: 0 done, 1 a bug of ours, 2 wrong usage, 3 something missing that you can supply (weights, a licence, "
    "a package, disk space), 4 bad data or a faulty adapter, 5 a regression (gate), 130 interrupted."
)

_WRONG_USAGE: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""Errors of the arguments: a class of Click, which some versions of Typer import and others carry along."""


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

    def invoke(self, ctx: Any) -> None:
        try:
            super().invoke(ctx)
        except KeyboardInterrupt:
            Console(stderr=True).print_line(
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

        Console().print_line(f"unipath-bench {version('unipath-bench')}")
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
    errors = Console(stderr=True)
    given = list(arguments) if arguments is not None else None
    try:
        code = app(args=given, prog_name="unipath-bench", standalone_mode=False)
    except SystemExit as finished:
        return finished.code if isinstance(finished.code, int) else EXIT_DONE
    except BenchError as error:
        show_error(error, errors)
        return error.exit_code
    except _WRONG_USAGE as error:
        return _show_wrong_usage(error, errors)
    except typer.Abort:
        errors.print_line("Aborted.")
        return EXIT_BUG
    except Exception:
        errors.print_line(traceback.format_exc())
        bug = Text.assemble(
            ("This is a bug in UniPath-Bench.", "bold red"), " Please report it with the traceback above."
        )
        errors.print_line(bug)
        return EXIT_BUG
    return code if isinstance(code, int) else EXIT_DONE


def show_error(error: BenchError, console: Console) -> None:
    """Print an expected error: what is wrong, then what to do."""
    if os.environ.get("UNIPATH_BENCH_DEBUG"):
        console.print_line("".join(traceback.format_exception(error)))
    console.print_line(Text.assemble(("Error:", "bold red"), f" {error.message}"))
    if error.remedy:
        console.print_line(Text.assemble(("What to do:", "bold"), f" {error.remedy}"))


def _show_wrong_usage(error: Any, console: Console) -> int:
    """Print what Typer refused, as other errors are printed; returns the exit code.

    There is no message where a command with nothing behind it has shown its help page.
    """
    message = error.format_message()
    if message:
        context = getattr(error, "ctx", None)
        remedy = f"{context.command_path if context else 'unipath-bench'} --help"
        show_error(UsageError(message, remedy), console)
    return int(error.exit_code)
