"""Stores of several machines to one: the shards of a run that was shared out."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from unipath_bench.digest import digest, digest_file
from unipath_bench.errors import DataError, UsageError, listed
from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.environment import package_versions
from unipath_bench.pipeline.files import write_atomically, write_text
from unipath_bench.pipeline.generate import GenerateStage
from unipath_bench.pipeline.plan import Options, Plan
from unipath_bench.pipeline.store import Store
from unipath_bench.pipeline.work import Share
from unipath_bench.schema.base import Document, parse_json

_CARRIED = ("samples", "features", "suites")


class ShareNote(Document):
    """``shares/*.json``: what a share did, so that all shares of one run are known to be there."""

    run: str = Field(description="Digest of the plan and the packages: equal among the shares of one run.")
    number: int
    of: int
    options: dict[str, Any] = Field(description="What the user asked for.")


@dataclass(frozen=True, slots=True)
class Merged:
    """What was united."""

    options: Options
    copied: int
    """Files."""


def note_share(plan: Plan, out: Path, share: Share) -> Path:
    """Say in ``out`` that a share is complete."""
    run = digest([plan.record().model_dump(mode="json"), package_versions()])
    note = ShareNote(run=run, number=share.number, of=share.of, options=asdict(plan.options))
    path = out / "shares" / f"{run[:16]}-{share.number}-of-{share.of}.json"
    write_text(path, note.model_dump_json(indent=2) + "\n")
    return path


def merge(folders: Sequence[Path], out: Path) -> Merged:
    """Bring the shards of every share into ``out`` (which may be one of the folders) and give the run's options.

    Raises :class:`~unipath_bench.errors.UsageError` where the shares are of different runs or some are lacking, and
    :class:`~unipath_bench.errors.DataError` where two folders hold one shard with different content.
    """
    notes = [parse_json(ShareNote, path) for folder in folders for path in sorted((folder / "shares").glob("*.json"))]
    if not notes:
        raise UsageError("None of these folders holds a share of a run.", "Make shares with `run --shard 1/4` ...")
    if len({(note.run, note.of) for note in notes}) > 1:
        raise UsageError(
            "These are shares of different runs:\n" + listed(sorted({f"{n.run[:16]} of {n.of}" for n in notes})),
            "Give the same command to every machine, with the same versions of the packages; only --shard differs.",
        )
    absent = sorted(set(range(1, notes[0].of + 1)) - {note.number for note in notes})
    if absent:
        raise UsageError(
            f"Of {notes[0].of} shares, these are lacking: {', '.join(map(str, absent))}.",
            "Carry them out, or name their folders too.",
        )
    target = Store(out / "store")
    target.prepare()
    copied = 0
    for folder in folders:
        source = Store(folder / "store")
        source.prepare()
        if source.root.resolve() != target.root.resolve():
            copied += sum(_bring(path, source, target) for kind in _CARRIED for path in _files(source.root / kind))
    return Merged(_options(notes[0].options), copied)


def require_complete(plan: Plan, out: Path) -> None:
    """Raise :class:`~unipath_bench.errors.DataError` where a united store lacks a shard of the plan."""
    store = Store(out / "store")
    generate, embed = GenerateStage(plan, store), EmbedStage(plan, store)
    lacking = [str(u) for u in generate.units() if generate.lacks(u)]
    lacking += [str(u) for u in embed.units() if embed.lacks(u)]
    if lacking:
        raise DataError(
            f"The parts together lack {len(lacking)} shards:\n" + listed(lacking),
            "Carry out the shares again; what is there is kept.",
        )


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".") and p.suffix != ".damaged")


def _bring(path: Path, source: Store, target: Store) -> bool:
    place = target.root / source.relative(path)
    if not place.exists():

        def copy(beside: Path) -> None:
            shutil.copyfile(path, beside)

        write_atomically(place, copy)
        return True
    if digest_file(place) != digest_file(path):
        raise DataError(
            f"{path} and {place} are one shard with different content.",
            "A machine is not deterministic, or a file is damaged: delete one of them and run its share again.",
        )
    return False


def _options(values: dict[str, Any]) -> Options:
    lists = {name: tuple(values[name]) for name in ("tiers", "tasks", "encoders")}
    return Options(**{**values, **lists})
