"""``encoders list``, ``encoders show`` and ``encoders verify``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.table import Table

from unipath_bench.cli import options as opt
from unipath_bench.core.console import Console, write_json
from unipath_bench.core.errors import DataError

if TYPE_CHECKING:
    from unipath_bench.encoders.spec import EncoderSpec

app = typer.Typer(help="The encoder panel: list it, show a specification, verify weights.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME|SPEC.yaml|MODULE:ATTR", help="The encoder.")]


@app.command("list")
def list_(
    markdown: Annotated[bool, typer.Option("--markdown", help="As the table in docs/encoders.md.")] = False,
    as_json: opt.AsJson = False,
) -> None:
    """List the panel's encoders with the facts by which to choose."""
    from unipath_bench.encoders.panel import panel

    rows = [row_of(spec) for spec in panel().values()]
    if as_json:
        write_json(json.dumps([spec.model_dump(mode="json") for spec in panel().values()], indent=2))
    elif markdown:
        Console().print_line(markdown_table(rows))
    else:
        table = Table()
        for column in rows[0]:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*row.values())
        Console().print(table)


@app.command()
def show(name: Name, as_json: opt.AsJson = False) -> None:
    """Show an encoder's specification, or the card of one that has none."""
    facts = _facts(name)
    if as_json:
        write_json(json.dumps(facts, indent=2))
    else:
        Console().print_line(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=100).rstrip())


@app.command()
def verify(
    name: Name,
    write: Annotated[Path | None, typer.Option("--write", metavar="FILE.json", help="Write the features.")] = None,
    expect: Annotated[
        Path | None, typer.Option("--expect", metavar="FILE.json", help="Compare with features that --write wrote.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0, help="Largest difference, in units of the features' size.")
    ] = 1e-3,
    device: opt.Device = "cpu",
    offline: opt.Offline = False,
    trust_remote_code: opt.TrustRemoteCode = False,
    as_json: opt.AsJson = False,
) -> None:
    """Embed the public test images and print what came out; with --expect, compare it with somebody else's.

    Exit code 3 where the weights are not at hand, 4 where the features differ.
    """
    from unipath_bench.contracts import Context
    from unipath_bench.core.registries import ENCODERS
    from unipath_bench.encoders import verification

    context = Context(device, offline, trust_remote_code=trust_remote_code)
    found = verification.measure(ENCODERS.get(name)(), name, context)
    if write is not None:
        verification.save(found, write)
    if as_json:
        write_json(found.model_dump_json(indent=2))
    else:
        _print(found, write)
    if expect is None:
        Console(stderr=as_json).print_line(
            f"There is no published digest of {found.encoder.name}: nothing was compared. --expect FILE compares."
        )
        return
    result = verification.compare(found, expect, tolerance)
    if not result.agrees:
        raise DataError(
            f"The features of {found.encoder.name} differ from {expect} by {result.difference:.2e} of their size; "
            f"{tolerance:g} is allowed.",
            "The weights and the recipe are the same, so compare the versions of torch, timm, transformers and Pillow.",
        )
    Console(stderr=as_json).print_line(
        f"Agrees with {expect}: largest difference {result.difference:.2e} of their size."
    )


def row_of(spec: EncoderSpec) -> dict[str, str]:
    """One encoder as a row of the table."""
    scale = "" if spec.microns_per_pixel is None else f"{spec.microns_per_pixel:g}"
    size = f"{spec.input_size}" if spec.resize_to is None else f"{spec.input_size} of {spec.resize_to}"
    return {
        "Name": spec.name,
        "Model": spec.title,
        "Loader": spec.loader,
        "Dim.": str(spec.dimension),
        "Features": spec.pooling,
        "Texts": "yes" if "text" in spec.modalities else "no",
        "Pixels": size,
        "Filter": spec.resize,
        "µm/px": scale or "not stated",
        "Licence": spec.licence,
        "Gated": "yes" if spec.gated else "no",
    }


def markdown_table(rows: list[dict[str, str]]) -> str:
    """Rows as a Markdown table."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _facts(name: str) -> dict[str, Any]:
    from unipath_bench.core.registries import ENCODERS
    from unipath_bench.encoders.pretrained import Pretrained

    encoder = ENCODERS.get(name)()
    if isinstance(encoder, Pretrained):
        return {**encoder.spec.model_dump(mode="json", exclude_unset=True), "card_revision": encoder.card.revision}
    return encoder.card.model_dump(mode="json")


def _print(found: Any, write: Path | None) -> None:
    console = Console()
    console.print_line(f"Encoder      {found.encoder.name}, {found.encoder.revision}")
    console.print_line(f"Recipe       {found.encoder.recipe or 'see the card'} (digest {found.encoder_digest})")
    console.print_line(f"Test images  {len(found.features)}, digest {found.pattern}")
    console.print_line(f"Features     SHA-256 {found.features_sha256}")
    for i, row in enumerate(found.features):
        norm = sum(value * value for value in row) ** 0.5
        head = " ".join(f"{value:+.5f}" for value in row[:5])
        console.print_line(f"  image {i}    norm {norm:.5f}, begins {head}")
    if write is not None:
        console.print_line(f"Written      {write}")
