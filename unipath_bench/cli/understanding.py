"""``understand``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console, write_json

if TYPE_CHECKING:
    from unipath_bench.understanding.record import SubsetScore, UnderstandingRecord

Model = Annotated[str, typer.Option("--model", "-m", metavar="NAME|MODULE:ATTR", help="What answers.")]
Questions = Annotated[str, typer.Option("--questions", "-q", metavar="NAME|MODULE:ATTR", help="What is asked.")]
SetArg = Annotated[
    list[str] | None,
    typer.Option("--set-arg", metavar="KEY=VALUE", help="Argument for the questions; repeatable."),
]
Number = Annotated[int | None, typer.Option("--n", "-n", metavar="N", help="Questions, drawn by --seed; default: all.")]
Seed = Annotated[int, typer.Option("--seed", help="Of the order of the options, and of the draw.")]
BatchSize = Annotated[int, typer.Option("--batch-size", "-b", min=1, help="Questions kept at a time.")]


def understand(
    model: Model,
    questions: Questions = "phantom",
    data: opt.Data = None,
    n: Number = None,
    seed: Seed = 0,
    model_arg: opt.ModelArg = None,
    set_arg: SetArg = None,
    device: opt.Device = "cpu",
    batch_size: BatchSize = 16,
    offline: opt.Offline = False,
    out: opt.Out = opt.DEFAULT_OUT,
    as_json: opt.AsJson = False,
) -> None:
    """Ask a model multiple-choice questions about images, and count right answers.

    For models with a language model inside. The options' order is drawn by the seed; a reply is read strictly, and
    refusals are counted. The same command goes on where it was interrupted.

    Examples:
      unipath-bench understand --model unipath

      unipath-bench understand --model transformers --model-arg model=FOLDER --questions pathmmu --data PATHMMU/

      unipath-bench understand --model openai --model-arg url=http://localhost:8000/v1/chat/completions --model-arg
      model=NAME --questions pathmmu --data PATHMMU/ --set-arg split=test_tiny
    """
    from unipath_bench.cli.drawing import RichProgress
    from unipath_bench.contracts import Context
    from unipath_bench.core.builder import build
    from unipath_bench.understanding.contracts import Answerer, QuestionSet
    from unipath_bench.understanding.registries import ANSWERERS, QUESTION_SETS
    from unipath_bench.understanding.run import RECORD, evaluate

    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    set_arguments = opt.parse_arguments(set_arg, "--set-arg") | ({} if data is None else {"data": data})
    asked = build(
        QUESTION_SETS.get(questions),
        questions,
        set_arguments,
        QuestionSet,  # type: ignore[type-abstract]
        noun=QUESTION_SETS.kind,
        option="--set-arg",
        options={"data": "--data PATH"},
    )
    answerer = build(
        ANSWERERS.get(model),
        model,
        opt.parse_arguments(model_arg, "--model-arg"),
        Answerer,  # type: ignore[type-abstract]
        noun=ANSWERERS.kind,
        option="--model-arg",
    )
    with RichProgress(Console(stderr=True)) as progress:
        record, folder = evaluate(
            answerer,
            asked,
            out,
            seed=seed,
            n=n,
            batch_size=batch_size,
            context=Context(device=device, offline=offline),
            progress=progress,
        )
    if as_json:
        write_json((folder / RECORD).read_text(encoding="utf-8"))
        return
    console = Console()
    console.print(_table(record))
    if record.questions.notes:
        console.print(record.questions.notes, style="dim")
    console.print_line(f"Record  {folder / RECORD}")


def _table(record: UnderstandingRecord) -> Table:
    table = Table(title=f"{record.answerer.name} on {record.questions.title}", title_justify="left")
    table.add_column("Subset", no_wrap=True)
    for name in ("Questions", "Accuracy", "95% interval", "Chance", "Refused", "Unread"):
        table.add_column(name, justify="right")
    for name, score in record.subsets.items():
        table.add_row(name, *_figures(score))
    table.add_section()
    table.add_row("all", *_figures(record.overall), style="bold")
    return table


def _figures(score: SubsetScore) -> list[str]:
    interval = score.interval
    told = (
        "-"
        if interval is None or interval.low is None or interval.high is None
        else (f"{100 * interval.low:.1f} to {100 * interval.high:.1f}")
    )
    return [
        f"{score.n:,}",
        f"{100 * score.accuracy:.1f}%",
        told,
        f"{100 * score.chance:.1f}%",
        str(score.refused),
        str(score.unread),
    ]
