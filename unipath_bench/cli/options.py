"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from unipath_bench.core.errors import UsageError
from unipath_bench.core.parsing import parse_yaml
from unipath_bench.core.redaction import refuse_secrets

DEFAULT_OUT = Path("unipath-bench-runs")

_WHAT = "What to evaluate"
_HOW = "How"
_OUTPUT = "Output"

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="NAME|CARD.yaml|MODULE:ATTR", help="The generator.", rich_help_panel=_WHAT),
]
ModelArg = Annotated[
    list[str] | None,
    typer.Option(
        "--model-arg",
        metavar="KEY=VALUE",
        help="Argument for the generator; repeatable.",
        rich_help_panel=_WHAT,
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        "--images",
        metavar="DIR",
        help="Score images that you generated yourself (--model folder). "
        "`unipath-bench prompts` writes the requests and the file names expected.",
        rich_help_panel=_WHAT,
    ),
]
Suite = Annotated[
    str,
    typer.Option(
        "--suite",
        "-s",
        metavar="NAME|SUITE.yaml|MODULE:ATTR",
        help="Real images, prompts and labels.",
        rich_help_panel=_WHAT,
    ),
]
SuiteArg = Annotated[
    list[str] | None,
    typer.Option("--suite-arg", metavar="KEY=VALUE", help="Argument for the suite; repeatable.", rich_help_panel=_WHAT),
]
Data = Annotated[
    str | None,
    typer.Option("--data", "-d", metavar="PATH|HUB_ID", help="Where the suite's data lie.", rich_help_panel=_WHAT),
]
Tiers = Annotated[
    str, typer.Option("--tiers", "-t", metavar="1-4", help="Tiers, e.g. 1-4 or 1,3.", rich_help_panel=_WHAT)
]
Tasks = Annotated[
    list[str] | None,
    typer.Option(
        "--tasks",
        metavar="NAME|TASK.yaml",
        help="Only these tasks; repeatable or separated by commas.",
        rich_help_panel=_WHAT,
    ),
]
Number = Annotated[
    int | None,
    typer.Option("--n", "-n", metavar="N", help="Prompts; default: all of the test split.", rich_help_panel=_WHAT),
]
Seeds = Annotated[int, typer.Option("--seeds", metavar="S", help="Images a prompt.", rich_help_panel=_WHAT)]
Encoder = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder",
        "-e",
        metavar="[ROLE=]NAME|SPEC.yaml|MODULE:ATTR",
        help="Encoder for a role: image (default), judge or alignment; repeat for a panel.",
        rich_help_panel=_HOW,
    ),
]
TrustRemoteCode = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Run the Python code in the repositories of the encoders that need it, "
        "at their pinned commits. Read it first.",
        rich_help_panel=_HOW,
    ),
]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, mps.", rich_help_panel=_HOW)]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        "-b",
        min=1,
        help="Images per call of the generator; never changes an image.",
        rich_help_panel=_HOW,
    ),
]
Executor = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="local|processes|ray|NAME|MODULE:ATTR",
        help="Who works: this process, several (one a GPU), a Ray cluster, or an executor of your own. "
        "The record is the same.",
        rich_help_panel=_HOW,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", help="Processes or actors; default: one a GPU, else 2.", rich_help_panel=_HOW
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0.0,
        help="Give up a process (--executor processes) that shows no sign of life for so long.",
        rich_help_panel=_HOW,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT|auto",
        help="A running Ray cluster; default: Ray on this machine.",
        rich_help_panel=_HOW,
    ),
]
Shard = Annotated[
    str | None,
    typer.Option(
        "--part",
        "--shard",
        metavar="I/N",
        help="Do the I-th of N parts, without scores, e.g. in an array job; then `unipath-bench merge`.",
        rich_help_panel=_HOW,
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Reach for nothing on the network.", rich_help_panel=_HOW)]
Out = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="DIR", help="Store, records and reports.", rich_help_panel=_OUTPUT),
]
OutPlace = Annotated[
    str,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR|URL",
        help="Store, records and reports: a folder, or an address such as s3://bucket/prefix.",
        rich_help_panel=_OUTPUT,
    ),
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        metavar="URI",
        envvar="MLFLOW_TRACKING_URI",
        help="MLflow; default: SQLite in the output folder.",
        rich_help_panel=_OUTPUT,
    ),
]
Mlflow = Annotated[
    bool,
    typer.Option(
        "--mlflow/--no-mlflow",
        help="Whether to log to MLflow; `import` does it later.",
        rich_help_panel=_OUTPUT,
    ),
]
FormerTrack = Annotated[bool | None, typer.Option("--track/--no-track", hidden=True)]
"""The former spelling of ``--mlflow``."""
Experiment = Annotated[
    str,
    typer.Option(
        "--experiment",
        metavar="NAME",
        envvar="MLFLOW_EXPERIMENT_NAME",
        help="MLflow's experiment.",
        rich_help_panel=_OUTPUT,
    ),
]
DEFAULT_EXPERIMENT = "unipath-bench"
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.", rich_help_panel=_OUTPUT)]


def parse_tiers(text: str) -> tuple[int, ...]:
    """'1-4', '2' or '1,3' to tier numbers."""
    tiers: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*([1-4])(?:\s*-\s*([1-4]))?\s*", part)
        if found is None:
            raise UsageError(f"--tiers {text!r} names no tiers.", "Tiers are 1 to 4: write 1-4, 2 or 1,3.")
        low, high = int(found[1]), int(found[2] or found[1])
        if low > high:
            raise UsageError(f"--tiers {text!r}: {low} is above {high}.", f"Write {high}-{low}.")
        tiers.update(range(low, high + 1))
    return tuple(sorted(tiers))


def parse_part(text: str) -> tuple[int, int]:
    """'2/8' to (2, 8)."""
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--part {text!r} names no part.", "Write I/N with I from 1 to N, e.g. --part 2/8.")
    return int(found[1]), int(found[2])


def parse_arguments(items: list[str] | None, option: str) -> dict[str, Any]:
    """KEY=VALUE pairs; values are YAML scalars or lists (``steps=30``, ``attributes=[label]``)."""
    arguments: dict[str, Any] = {}
    for item in items or []:
        key, separator, value = item.partition("=")
        if not separator or not key.isidentifier():
            raise UsageError(f"{option} {item!r} is not of the form KEY=VALUE.", f"Example: {option} revision=main")
        if key in arguments:
            raise UsageError(f"{option} names {key!r} twice.", "Give each argument once.")
        try:
            arguments[key] = parse_yaml(value)
        except ValueError as error:
            raise UsageError(f"{option} {key}: the value is not valid YAML.", "Quote it.") from error
    refuse_secrets(arguments, option)
    return arguments


def parse_names(items: list[str] | None) -> tuple[str, ...]:
    """Repeated or comma-separated names."""
    return tuple(name.strip() for item in items or [] for name in item.split(",") if name.strip())


def choose_model(model: str | None, images: Path | None, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The model and its arguments; ``--images DIR`` means the folder generator."""
    if images is not None:
        if model not in (None, "folder"):
            raise UsageError(f"--images goes with --model folder, not with {model!r}.", "Leave --model out.")
        return "folder", {**arguments, "images": str(images)}
    if model is None:
        raise UsageError(
            "No generator was named.", "Add --model NAME (see `unipath-bench list models`) or --images DIR."
        )
    return model, arguments
