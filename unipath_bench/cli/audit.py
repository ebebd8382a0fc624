"""``audit``."""

from __future__ import annotations

from typing import Annotated

import typer

from unipath_bench import api
from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console, write_json
from unipath_bench.core.errors import UsageError
from unipath_bench.core.parsing import parse_yaml
from unipath_bench.options import Options

Defects = Annotated[
    list[str] | None,
    typer.Option("--defects", metavar="NAME", help="Only these defects; repeatable or separated by commas."),
]
Levels = Annotated[
    list[str] | None,
    typer.Option("--levels", metavar="DEFECT=[A,B,...]", help="Other levels of a defect; 0 is added. Repeatable."),
]
Number = Annotated[
    int | None,
    typer.Option(
        "--n",
        "-n",
        metavar="N",
        help=f"Prompts; default: {api.AUDITED_PROMPTS}, or all of the test split where it has fewer.",
    ),
]


@opt.take(Options, without=("model", "images", "n", "seeds", "model_arguments"))
def audit(
    given: opt.Given,
    n: Number = None,
    defects: Defects = None,
    levels: Levels = None,
    out: opt.Out = opt.DEFAULT_OUT,
    as_json: opt.AsJson = False,
) -> None:
    """Test the metrics themselves: which of them see which defect, and which move for the wrong reason.

    Held-out real images answer the prompts and are then damaged by known amounts: blur, noise, JPEG, stain, scale,
    nuclei removed, mitoses added, modes dropped, patients copied, attributes flipped, captions shuffled. Each value is
    judged against what it is declared to be for.

    Examples:
      unipath-bench audit

      unipath-bench audit --suite folder --data TILES/ --encoder MY_ENCODER --tiers 1

      unipath-bench audit --defects blur,captions-shuffled --levels blur=[0.25,0.5,1,2]
    """
    from unipath_bench.audit.terminal import print_audit
    from unipath_bench.cli.drawing import RichProgress

    changes, planned = parse_levels(levels), api.plan("real", n=n, **given)
    with RichProgress(Console(stderr=True)) as progress:
        result, folder = api.audit(
            planned, defects=opt.parse_names(defects), levels=changes, out=out, progress=progress
        )
    if as_json:
        write_json(folder.result.read_text(encoding="utf-8"))
        return
    console = Console()
    print_audit(result, console)
    console.print_line(f"\nResult  {folder.result}\nTable   {folder.table}")
    console.print_line(f"Map     {folder.map}\nPage    {folder.page}")


def parse_levels(items: list[str] | None) -> dict[str, tuple[float, ...]]:
    """``blur=[0.5,1,2]`` or ``blur=0.5,1,2`` to levels by defect."""
    found: dict[str, tuple[float, ...]] = {}
    for item in items or []:
        name, separator, text = item.partition("=")
        remedy = "Example: --levels blur=[0.5,1,2]"
        if not separator or name in found:
            raise UsageError(f"--levels {item!r} is not of the form DEFECT=[A,B,...], once a defect.", remedy)
        try:
            value = parse_yaml(text if text.startswith("[") else f"[{text}]")
        except ValueError as error:
            raise UsageError(f"--levels {item!r}: not a list of numbers.", remedy) from error
        if not isinstance(value, list) or not all(
            isinstance(x, int | float) and not isinstance(x, bool) for x in value
        ):
            raise UsageError(f"--levels {item!r}: not a list of numbers.", remedy)
        found[name] = tuple(float(x) for x in value)
    return found
