"""Entries: made of an archive that passed, and held to it afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.core.files import write_bytes, write_text
from unipath_bench.core.images import encode_png, image_size, read_image
from unipath_bench.leaderboard.boards import CARD, ENTRIES, ENTRY, FINGERPRINTS, RECORD, load_entry
from unipath_bench.leaderboard.fingerprints import load_fingerprints, write_fingerprints
from unipath_bench.leaderboard.submission.contents import Documents
from unipath_bench.leaderboard.validation.checks import Check, judged
from unipath_bench.leaderboard.validation.validate import Outcome
from unipath_bench.schema.base import validate
from unipath_bench.schema.board import Entry
from unipath_bench.schema.cards import GeneratorCard

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MAX_CARD = 1 << 20
PICTURE = "samples.png"
TILE, GAP, COLUMNS = 96, 4, 6


def add_entry(
    board: Path,
    outcome: Outcome,
    *,
    name: str | None,
    title: str | None,
    submitter: str,
    archive: str,
    notes: str = "",
    on: date | None = None,
) -> Path:
    """Write the folder of an entry; returns it.

    Raises :class:`DataError` for an archive that was refused, :class:`UsageError` for a name that is taken or no slug.
    """
    documents, report = outcome.documents, outcome.report
    if report.refused or documents is None:
        raise DataError(f"{report.archive} was refused.", "`unipath-bench leaderboard validate` says why.")
    model = documents.record.plan.model
    called = name or _slug(f"{model.name}-{model.revision}")
    if not NAME.fullmatch(called):
        raise UsageError(f"{called!r} is no name of an entry.", "Use lower-case letters, digits and single hyphens.")
    folder = board / ENTRIES / called
    if folder.exists():
        raise UsageError(f"The board has an entry {called!r} already.", "Choose another with --name.")
    entry = Entry(
        name=called,
        title=title or model.title or model.name,
        submitted_on=(on or datetime.now(UTC).date()).isoformat(),
        submitter=submitter,
        archive=archive,
        archive_sha256=report.sha256,
        archive_bytes=report.bytes,
        licence_statement=documents.manifest.licence_statement,
        notes=notes,
    )
    write_text(folder / ENTRY, entry.model_dump_json(indent=2) + "\n")
    write_text(folder / RECORD, documents.record.model_dump_json(indent=2) + "\n")
    write_text(folder / CARD, card_text(model))
    if outcome.fingerprints is not None:
        write_text(folder / FINGERPRINTS, write_fingerprints(outcome.fingerprints))
    if outcome.images:
        write_bytes(folder / PICTURE, encode_png(draw_samples(outcome.images)))
    return folder


def draw_samples(images: Sequence[RGBImage]) -> RGBImage:
    """One picture of an archive's images, six in a row, each fitted into 96 pixels: uint8 (H, W, 3) on white."""
    tiles = [Image.fromarray(image) for image in images]
    for tile in tiles:
        tile.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    page = Image.new("RGB", (columns * (TILE + GAP) + GAP, rows * (TILE + GAP) + GAP), "white")
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        page.paste(tile, (GAP + column * (TILE + GAP), GAP + row * (TILE + GAP)))
    return np.asarray(page, dtype=np.uint8)


def card_text(card: GeneratorCard) -> str:
    """A card as YAML, without what is at its default."""
    plain = json.loads(card.model_dump_json(exclude_defaults=True))
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110))


def hold_entry(folder: Path, outcome: Outcome) -> Outcome:
    """The outcome with one more check: an entry's files are those of its archive."""
    if outcome.documents is None:
        return outcome
    check = _check_entry(folder, outcome.documents, outcome)
    return replace(outcome, report=replace(outcome.report, checks=(check, *outcome.report.checks)))


def _check_entry(folder: Path, documents: Documents, outcome: Outcome) -> Check:
    submitted = load_entry(folder)
    problems = []
    if submitted.record != documents.record:
        problems.append(f"{RECORD} is not the archive's")
    if read_card(folder / CARD) != documents.card:
        problems.append(f"{CARD} is not the archive's")
    if submitted.entry.licence_statement != documents.manifest.licence_statement:
        problems.append("its licence statement is not the archive's")
    fingerprints = load_fingerprints(folder / FINGERPRINTS)
    if outcome.fingerprints is not None and fingerprints != outcome.fingerprints:
        problems.append(f"{FINGERPRINTS} is not what the archive's features give")
    picture = folder / PICTURE
    if outcome.images and picture.exists() and not _is_picture(picture, draw_samples(outcome.images)):
        problems.append(f"{PICTURE} is not of the archive's images")
    unknown = sorted({path.name for path in folder.iterdir()} - {ENTRY, RECORD, CARD, FINGERPRINTS, PICTURE})
    problems.extend(f"{name} is no file of an entry" for name in unknown)
    return judged("entry", problems, submitted.entry.name)


def _is_picture(path: Path, expected: RGBImage) -> bool:
    """Whether a file shows these pixels, within what libraries' resizing differs by."""
    if path.is_symlink() or image_size(path) != expected.shape[:2]:
        return False
    found = read_image(path)
    return float(np.abs(found.astype(np.int16) - expected.astype(np.int16)).mean()) <= 1.0


def read_card(path: Path) -> GeneratorCard:
    """A card that somebody else wrote: no aliases, which a small file can blow up with; raises :class:`UsageError`."""
    if not path.is_file() or path.stat().st_size > MAX_CARD:
        raise UsageError(f"{path} is not there, or larger than {MAX_CARD:,} bytes.", "Give the generator's card.")
    try:
        text = path.read_text(encoding="utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise UsageError(f"{path} uses YAML aliases.", "Write each value out.")
        plain: Any = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not valid YAML: {error}", "Correct the file.") from error
    return validate(GeneratorCard, plain, str(path))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-")
