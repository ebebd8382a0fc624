"""``python -m unipath_bench.phantom.encoders [DIR]``: the cards of the encoders as Markdown tables.

Reads the shipped cards, or those in DIR.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from unipath_bench.core.console import Console
from unipath_bench.core.errors import BenchError
from unipath_bench.phantom import CLASSES
from unipath_bench.phantom.encoders.cards import NAMES, WEIGHTS, TrainingCard, read_card, weights_path


def tables(folder: Path) -> str:
    """Making, attributes, retrieval and responses of the four encoders in ``folder``, one table each.

    Raises ``MissingError`` where a card is not there.
    """
    cards = [read_card(folder, name) for name in NAMES]
    parts = [_making(cards, folder), _attributes(cards), _retrieval(cards)]
    parts += [_responses(card) for card in cards if card.scores.responses]
    return "\n\n".join(parts)


def _making(cards: Sequence[TrainingCard], folder: Path) -> str:
    rows = []
    for c in cards:
        megabytes = weights_path(folder, c.name).stat().st_size / 1e6
        counts = [str(c.dimension), f"{c.parameters:,}", f"{megabytes:.2f}", str(c.data_seed), f"{c.tiles:,}"]
        minutes = [f"{c.processor_seconds / 60:.1f}", f"{c.seconds / 60:.1f}"]
        rows.append([f"`{c.name}`", *counts, str(c.training_seed), f"{c.steps:,}", *minutes, c.hardware])
    head = [
        "encoder",
        "dimension",
        "parameters",
        "MB",
        "data seed",
        "tiles",
        "training seed",
        "steps",
        "processor minutes",
        "wall minutes",
        "hardware",
    ]
    return _markdown(head, rows)


def _attributes(cards: Sequence[TrainingCard]) -> str:
    columns = [(card, condition) for card in cards for condition in card.scores.weighted_f1]
    head = ["weighted F1", *(f"{card.name.removeprefix('phantom-')}, {condition}" for card, condition in columns)]
    rows = [
        [name, *(f"{card.scores.weighted_f1[condition][name]:.3f}" for card, condition in columns)] for name in CLASSES
    ]
    return _markdown(head, rows)


def _retrieval(cards: Sequence[TrainingCard]) -> str:
    pairs = [card for card in cards if card.scores.retrieval]
    rows = [[name, *(f"{card.scores.retrieval[name]:.3f}" for card in pairs)] for name in pairs[0].scores.retrieval]
    return _markdown(["retrieval", *(f"`{card.name}`" for card in pairs)], rows)


def _responses(card: TrainingCard) -> str:
    measure = "mean cosine" if card.scores.retrieval else "distance"
    rows = [
        [name, ", ".join(f"{strength}: {value:.3g}" for strength, value in grades.items())]
        for name, grades in card.scores.responses.items()
    ]
    return _markdown([f"`{card.name}`, defect", f"strength: {measure}"], rows)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *("--:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def main(arguments: Sequence[str]) -> int:
    """Print the tables; returns the exit code."""
    try:
        Console().print_line(tables(Path(arguments[0]) if arguments else WEIGHTS))
    except BenchError as error:
        Console(stderr=True).print_line(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
