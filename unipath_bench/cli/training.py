"""``train-encoders``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from unipath_bench.core.console import Console

if TYPE_CHECKING:
    from unipath_bench.phantom.encoders.cards import TrainingCard

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Encoders to train; default: all four.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Weights and cards are written here.")]
Cache = Annotated[
    Path | None,
    typer.Option("--cache", metavar="DIR", help="Rendered tiles are kept here; default: the folder tiles in --out."),
]
Steps = Annotated[int | None, typer.Option("--steps", min=2, help="Optimiser steps; default: the recipe's.")]
Tiles = Annotated[int | None, typer.Option("--tiles", min=1, help="Training tiles; default: the recipe's.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Training seed; default: the recipe's.")]
TestTiles = Annotated[int, typer.Option("--test-tiles", min=32, help="Tiles that the scores are measured on.")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, mps.")]


def train_encoders(
    out: Out,
    names: Names = None,
    steps: Steps = None,
    tiles: Tiles = None,
    seed: Seed = None,
    cache: Cache = None,
    test_tiles: TestTiles = 1024,
    device: Device = "cpu",
) -> None:
    """Train the phantom encoders from scratch, as the shipped ones were made.

    Tiles are rendered from phantom seeds that the benchmark does not use. Each encoder's weights and card are written
    when it is done, and its scores are shown beside those of the shipped one. On the CPU one thread is used.

    Examples:
      unipath-bench train-encoders --out ENCODERS/

      unipath-bench train-encoders phantom-judge --out ENCODERS/ --steps 3000
    """
    from unipath_bench.cli.drawing import RichProgress
    from unipath_bench.phantom.encoders.cards import NAMES
    from unipath_bench.phantom.encoders.training import adjusted, train

    recipes = [adjusted(name, tiles=tiles, steps=steps, seed=seed) for name in names or NAMES]
    with RichProgress(Console(stderr=True)) as progress:
        made = [train(recipe, out, cache or out / "tiles", device, progress, test_tiles) for recipe in recipes]
    console = Console()
    for card in made:
        console.print(_table(card))
    console.print_line(f"Written to {out}")


def _table(card: TrainingCard) -> Table:
    """Scores of a new encoder beside those of the shipped one of its name."""
    from unipath_bench.phantom.encoders.cards import WEIGHTS, lacking, read_card

    shipped = None if lacking(WEIGHTS, card.name) else read_card(WEIGHTS, card.name)
    table = Table(title=f"{card.name}: {card.steps} steps, {card.seconds:.0f} s", title_justify="left")
    table.add_column("Score")
    table.add_column("New", justify="right")
    table.add_column("Shipped", justify="right")
    before = {} if shipped is None else _figures(shipped)
    for name, value in _figures(card).items():
        table.add_row(name, f"{value:.3f}", f"{before[name]:.3f}" if name in before else "-")
    return table


def _figures(card: TrainingCard) -> dict[str, float]:
    found: dict[str, float] = {}
    for condition, scores in card.scores.weighted_f1.items():
        found |= {f"{attribute}, {condition}": value for attribute, value in scores.items()}
    found |= card.scores.retrieval
    for defect, grades in card.scores.responses.items():
        found |= {f"{defect} {strength}": value for strength, value in grades.items()}
    return found
