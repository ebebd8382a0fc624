"""``unipath-bench prototypes``: build, import and look at prototype banks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console, write_json

app = typer.Typer(help="Build, import and look at prototype banks.", no_args_is_help=True, add_completion=False)

Payload = Annotated[
    str, typer.Option("--encoder", "-e", metavar="NAME|MODULE:ATTR", help="Encoder of the features that condition.")
]
Retrieval = Annotated[
    str | None,
    typer.Option(
        "--retrieval",
        metavar="NAME|MODULE:ATTR|none",
        help="Encoder that prompts are compared in; default: --encoder, where it reads text. none: keywords only.",
    ),
]
BankOut = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Directory of the bank.")]
Size = Annotated[int, typer.Option("--size", min=1, help="Prototypes.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Of the clustering and of retrieval.")]
PerGroup = Annotated[
    int | None,
    typer.Option("--per-group", min=1, help="Most prototypes of one patient; default: twice the even share."),
]
LeastCount = Annotated[int, typer.Option("--min-count", min=1, help="Captions that a keyword must be in.")]
MostShare = Annotated[
    float, typer.Option("--max-share", min=0.0, max=1.0, help="Share of captions above which a phrase is no keyword.")
]
Vocabulary = Annotated[
    Path | None,
    typer.Option("--vocabulary", metavar="FILE", help="Keep these phrases only: a phrase or JSON object a line."),
]
Thumbnail = Annotated[int, typer.Option("--thumbnail", min=0, help="Longest side of the thumbnails; 0: none.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Directory of a bank.")]


@app.command()
def build(
    suite: opt.Suite,
    encoder: Payload,
    out: BankOut,
    data: opt.Data = None,
    suite_arg: opt.SuiteArg = None,
    retrieval: Retrieval = None,
    size: Size = 8000,
    seed: Seed = 0,
    per_group: PerGroup = None,
    min_count: LeastCount = 3,
    max_share: MostShare = 0.6,
    vocabulary: Vocabulary = None,
    thumbnail: Thumbnail = 96,
    device: opt.Device = "cpu",
    offline: opt.Offline = False,
) -> None:
    """Build a bank from the train split of a suite.

    Examples:
      unipath-bench prototypes build --suite phantom --encoder phantom-bank --size 512 --out BANK/

      unipath-bench prototypes build --suite folder --data TILES/ --encoder texture --retrieval none --size 400 -o BANK/
    """
    from reference_model.bank.build import BuildOptions, build_bank
    from reference_model.bank.card import RetrievalRule
    from reference_model.bank.description import describe_card
    from unipath_bench import Context
    from unipath_bench.cli.drawing import RichProgress
    from unipath_bench.suites.card import load_suite

    options = BuildOptions(
        encoder=encoder,
        retrieval=retrieval,
        size=size,
        seed=seed,
        per_group=per_group,
        least_count=min_count,
        most_share=max_share,
        vocabulary=vocabulary,
        thumbnail=thumbnail,
        rule=RetrievalRule(seed=seed),
    )
    chosen = load_suite(suite, data, opt.parse_arguments(suite_arg, "--suite-arg"), offline=offline)
    with RichProgress(Console(stderr=True)) as progress:
        card = build_bank(chosen, out, options, context=Context(device, offline), progress=progress)
    Console().print(describe_card(out, card))


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder in the released RAG_8K layout.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="Directory of the bank.")],
    retrieval: Annotated[str, typer.Option("--retrieval", help="Registered name of its retrieval encoder.")] = "conch",
    payload: Annotated[str, typer.Option("--encoder", help="Registered name of its payload encoder.")] = "uni2-h",
    thumbnail: Thumbnail = 96,
) -> None:
    """Convert the released RAG_8K folder (needs h5py)."""
    from reference_model.bank.description import describe_card
    from reference_model.bank.rag import import_rag

    card = import_rag(source, destination, retrieval=retrieval, payload=payload, thumbnail=thumbnail)
    Console().print(describe_card(destination, card))


@app.command()
def show(
    folder: Folder,
    prompt: Annotated[str | None, typer.Argument(metavar="[PROMPT]", help="Show what it retrieves, and why.")] = None,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", "-e", help="Retrieval encoder, where the card's is not registered here."),
    ] = None,
    as_json: opt.AsJson = False,
    device: opt.Device = "cpu",
    offline: opt.Offline = False,
) -> None:
    """Print a bank's card, or the prototypes of a prompt with every route that found them."""
    from reference_model.bank.description import describe_card, describe_retrieval, retrieval_json
    from reference_model.bank.encoders import open_encoder
    from reference_model.bank.prototype_bank import load_bank
    from unipath_bench import Context

    context = Context(device, offline)
    given = None if encoder is None or prompt is None else open_encoder(encoder, context)
    bank = load_bank(folder, retrieval=given, context=context)
    if prompt is None:
        if as_json:
            write_json(bank.card.model_dump_json(indent=2))
        else:
            Console().print(describe_card(folder, bank.card, bank.content))
    elif as_json:
        write_json(retrieval_json(bank, prompt))
    else:
        Console().print(describe_retrieval(bank, prompt))
