"""What is known of each trained encoder, and the weights that belong to it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from unipath_bench.core.errors import MissingError, UsageError
from unipath_bench.encoders.loading import check_digest
from unipath_bench.schema.base import Document, parse_json

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the weights and cards that are shipped."""

NAMES = ("phantom-image", "phantom-clip", "phantom-judge", "phantom-bank")


class Scores(Document):
    """How well an encoder reads tiles of the evaluation suite, on which nothing was trained."""

    suite_seed: int = Field(description="Seed of the phantom suite that the figures were measured on.")
    probe_tiles: int = Field(description="Tiles that the linear probes were fitted to.")
    test_tiles: int = Field(description="n of every weighted F1 and every distance.")
    weighted_f1: dict[str, dict[str, float]] = Field(
        description="Condition of the test tiles, then attribute: weighted F1 of a linear probe fitted to undegraded "
        "tiles."
    )
    retrieval_tiles: int = Field(default=0, description="Images, and captions, of each retrieval figure; 0: none.")
    retrieval: dict[str, float] = Field(
        default_factory=dict, description="Recalls of captions and images in each other, by wording; chance is k / n."
    )
    responses: dict[str, dict[str, float]] = Field(
        default_factory=dict,
        description="Defect, then strength. Image encoder: squared Frechet distance (plug-in) of the degraded test "
        "tiles to the probe tiles. Pairs: mean cosine of the degraded retrieval tiles and their captions.",
    )


class TrainingCard(Document):
    """How an encoder was made, and what it is worth."""

    name: str
    supervision: str
    wordings: tuple[str, ...] = Field(default=(), description="Phrasings of the captions that were trained on.")
    data_seed: int = Field(description="Seed of the phantom suite that the training tiles are of; never 0.")
    tiles: int = Field(ge=1, description="Training tiles, each of its own patient and slide.")
    training_seed: int
    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    optimiser: str
    parameters: int = Field(ge=1, description="Of the shipped networks.")
    dimension: int = Field(ge=1)
    stored_as: str
    hardware: str
    seconds: float = Field(ge=0, description="Wall time of the steps, without rendering tiles and evaluation.")
    processor_seconds: float = Field(ge=0, description="Processor time of the same.")
    torch: str
    renderer: str = Field(description="Version of the phantom's renderer.")
    captions: str = Field(default="", description="Version of the phantom's captions.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Of the weights file.")
    scores: Scores


def card_path(folder: Path, name: str) -> Path:
    """The card's file; raises :class:`UsageError` for a name that is none of :data:`NAMES`."""
    if name not in NAMES:
        raise UsageError(f"There is no phantom encoder {name!r}.", f"They are {', '.join(NAMES)}.")
    return folder / f"{name}.json"


def weights_path(folder: Path, name: str) -> Path:
    """The weights' file, as :func:`card_path`."""
    return card_path(folder, name).with_suffix(".safetensors")


def lacking(folder: Path, name: str) -> str | None:
    """The remedy where the card or the weights are not there; None where both are."""
    absent = [path for path in (card_path(folder, name), weights_path(folder, name)) if not path.is_file()]
    if not absent:
        return None
    command = f"unipath-bench train-encoders {name} --out {folder}"
    return f"Reinstall unipath-bench, which ships them, or train them: {command}"


def read_card(folder: Path, name: str) -> TrainingCard:
    """Read the card of the encoder ``name`` from ``folder``.

    Raises :class:`MissingError` where it is not there, and ``UsageError`` where the file is not a card or is the card
    of another encoder.
    """
    path = card_path(folder, name)
    if not path.is_file():
        raise MissingError(f"{path} is not there.", lacking(folder, name) or "")
    card = parse_json(TrainingCard, path)
    if card.name != name:
        raise UsageError(f"{path} is the card of {card.name!r}.", "Put each encoder's own card beside its weights.")
    return card


def checked_weights(folder: Path, name: str) -> Path:
    """The weights' file, after its SHA-256 was found to be the card's.

    Raises:
        MissingError: card or weights are not there.
        DataError: the weights are others than the card's.
    """
    path = weights_path(folder, name)
    if not path.is_file():
        raise MissingError(f"{path} is not there.", lacking(folder, name) or "")
    check_digest(path, read_card(folder, name).sha256)
    return path


def separation_problems(cards: list[TrainingCard]) -> list[str]:
    """Say why these encoders are not separate from one another; the list is empty where they are.

    Each must have its own training tiles (data seed), its own training seed and its own weights.
    """
    problems = []
    for field in ("data_seed", "training_seed", "sha256"):
        seen: dict[object, str] = {}
        for card in cards:
            value = getattr(card, field)
            if value in seen:
                problems.append(f"{seen[value]} and {card.name} have the same {field}: {value}")
            seen.setdefault(value, card.name)
    return problems
