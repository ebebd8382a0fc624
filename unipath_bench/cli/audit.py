"""``audit``."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Annotated

import typer

from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console, write_json
from unipath_bench.core.errors import UsageError
from unipath_bench.core.parsing import parse_yaml

if TYPE_CHECKING:
    from unipath_bench.pipeline.plan import Plan

DEFAULT_N = 256

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
        "--n", "-n", metavar="N", help=f"Prompts; default: {DEFAULT_N}, or all of the test split where it has fewer."
    ),
]


def audit(
    suite: opt.Suite = "phantom",
    data: opt.Data = None,
    tiers: opt.Tiers = "1-4",
    tasks: opt.Tasks = None,
    n: Number = None,
    encoder: opt.Encoder = None,
    defects: Defects = None,
    levels: Levels = None,
    suite_arg: opt.SuiteArg = None,
    device: opt.Device = "cpu",
    offline: opt.Offline = False,
    trust_remote_code: opt.TrustRemoteCode = False,
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
    from unipath_bench.audit.catalogue import choose_defects
    from unipath_bench.audit.examples import example_tiles
    from unipath_bench.audit.files import save_audit
    from unipath_bench.audit.run import make_cohort, run_audit
    from unipath_bench.audit.terminal import print_audit
    from unipath_bench.cli.drawing import RichProgress

    chosen = choose_defects(opt.parse_names(defects), parse_levels(levels))
    planned = _plan(suite, data, tiers, tasks, n, encoder, suite_arg, device, offline, trust_remote_code)
    planned.require_chosen()
    with RichProgress(Console(stderr=True)) as progress:
        result = run_audit(planned, chosen, progress)
    folder = save_audit(result, example_tiles(make_cohort(planned), chosen), out)
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


def _plan(
    suite: str,
    data: str | None,
    tiers: str,
    tasks: list[str] | None,
    n: int | None,
    encoder: list[str] | None,
    suite_arg: list[str] | None,
    device: str,
    offline: bool,
    trust_remote_code: bool,
) -> Plan:
    """The plan of the ``real`` baseline, whose images the audit damages."""
    from unipath_bench.pipeline.options import Options
    from unipath_bench.pipeline.plan import make_plan

    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    plan = make_plan(
        Options(
            model="real",
            suite=suite,
            data=data,
            suite_arguments=opt.parse_arguments(suite_arg, "--suite-arg"),
            tiers=opt.parse_tiers(tiers),
            tasks=opt.parse_names(tasks),
            n=n,
            encoders=opt.parse_names(encoder),
            device=device,
            offline=offline,
            trust_remote_code=trust_remote_code,
        )
    )
    return plan if n is not None else dataclasses.replace(plan, prompts=plan.prompts[:DEFAULT_N])
