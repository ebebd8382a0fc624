"""Stores of several machines to one: the shards of a run that was shared out."""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from unipath_bench.contracts import Generator, ImageEncoder, Suite, TextEncoder
from unipath_bench.core.digest import digest_file
from unipath_bench.core.errors import DataError, UsageError, listed
from unipath_bench.core.files import replace_file, write_text
from unipath_bench.core.registry import is_file, load_attribute
from unipath_bench.options import Options
from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.generate import GenerateStage
from unipath_bench.pipeline.options import OptionsDocument
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.run import identify
from unipath_bench.pipeline.store import Store
from unipath_bench.pipeline.work import Part
from unipath_bench.schema.base import Document, parse_json

_CARRIED = ("samples", "features", "suites")


class PartNote(Document):
    """``parts/*.json``: what a part did, so that all parts of one run are known to be there."""

    run: str = Field(description="Digest of the plan and the packages: equal among the parts of one run.")
    number: int = Field(ge=1)
    of: int = Field(ge=1, le=100_000)
    options: OptionsDocument = Field(description="What the user asked for.")


@dataclass(frozen=True, slots=True)
class Merged:
    """What was united."""

    options: Options
    copied: int
    """Files."""


def note_part(plan: Plan, out: Path, part: Part) -> Path:
    """Say in ``out`` that a part is complete."""
    run = identify(plan).run_id
    note = PartNote(run=run, number=part.number, of=part.of, options=OptionsDocument.of(plan.options))
    path = out / "parts" / f"{run[:16]}-{part.number}-of-{part.of}.json"
    write_text(path, note.model_dump_json(indent=2) + "\n")
    return path


def merge(folders: Sequence[Path], out: Path, *, trust_remote_code: bool = False) -> Merged:
    """Bring the shards of every part into ``out`` (which may be one of the folders) and give the run's options.

    The options come from the folders. So that a folder of somebody else's cannot run code by them, the code that they
    name must be a Generator, Suite or encoder class, links are not followed, and ``trust_remote_code`` must be given
    here again.
    Raises :class:`~unipath_bench.UsageError` where the parts are of different runs or some are lacking, and
    :class:`~unipath_bench.DataError` where two folders hold one shard with different content.
    """
    notes = [parse_json(PartNote, path) for folder in folders for path in sorted((folder / "parts").glob("*.json"))]
    if not notes:
        raise UsageError("None of these folders holds a part of a run.", "Make parts with `run --part 1/4` ...")
    if len({(note.run, note.of) for note in notes}) > 1:
        raise UsageError(
            "These are parts of different runs:\n" + listed(sorted({f"{n.run[:16]} of {n.of}" for n in notes})),
            "Give the same command to every machine, with the same versions of the packages; only --part differs.",
        )
    absent = sorted(set(range(1, notes[0].of + 1)) - {note.number for note in notes})
    if absent:
        raise UsageError(
            f"Of {notes[0].of} parts, these are lacking: {', '.join(map(str, absent))}.",
            "Carry them out, or name their folders too.",
        )
    options = _options(notes[0].options, trust_remote_code)
    target = Store(out / "store")
    target.prepare()
    copied = 0
    for folder in folders:
        source = Store(folder / "store")
        source.prepare()
        if source.root.resolve() != target.root.resolve():
            copied += sum(_bring(path, source, target) for kind in _CARRIED for path in _files(source.root / kind))
    return Merged(options, copied)


def require_complete(plan: Plan, out: Path) -> None:
    """Raise :class:`~unipath_bench.DataError` where a united store lacks a shard of the plan."""
    store = Store(out / "store")
    generate, embed = GenerateStage(plan, store), EmbedStage(plan, store)
    lacking = [str(u) for u in generate.items() if generate.lacks(u)]
    lacking += [str(u) for u in embed.items() if embed.lacks(u)]
    if lacking:
        raise DataError(
            f"The parts together lack {len(lacking)} shards:\n" + listed(lacking),
            "Carry out the parts again; what is there is kept.",
        )


def _files(folder: Path) -> list[Path]:
    found = []
    for place, _, names in os.walk(folder, followlinks=False):
        for name in names:
            path = Path(place, name)
            if path.is_symlink():
                raise DataError(f"{path} is a link; a store holds files.", "Copy the file in its place, or remove it.")
            if not name.startswith(".") and path.suffix != ".damaged":
                found.append(path)
    return sorted(found)


def _bring(path: Path, source: Store, target: Store) -> bool:
    place = target.root / source.relative(path)
    if not place.exists():

        def copy(beside: Path) -> None:
            shutil.copyfile(path, beside)

        replace_file(place, copy)
        return True
    if digest_file(place) != digest_file(path):
        raise DataError(
            f"{path} and {place} are one shard with different content.",
            "A machine is not deterministic, or a file is damaged: delete one of them and run its part again.",
        )
    return False


def _options(document: OptionsDocument, trust_remote_code: bool) -> Options:
    options = document.options()
    if options.trust_remote_code and not trust_remote_code:
        raise UsageError(
            "These parts were made with --trust-remote-code, which a folder cannot ask for by itself.",
            "Add --trust-remote-code, if you would run that code.",
        )
    encoders = [spec.partition("=")[2] or spec for spec in document.encoders]
    classes: tuple[tuple[str, tuple[type, ...]], ...] = (
        (document.model or "", (Generator,)),
        (document.suite, (Suite,)),
        *((e, (ImageEncoder, TextEncoder)) for e in encoders),
    )
    for spec, kind in classes:
        if ":" in spec and not is_file(spec):
            target = load_attribute(spec)
            if not (isinstance(target, kind) or (inspect.isclass(target) and issubclass(target, kind))):
                raise UsageError(
                    f"These parts name {spec!r}, which is no class of a generator, suite or encoder: a folder cannot "
                    "have other code called.",
                    "Name a class when making parts, or copy the stores into one yourself and `run` there.",
                )
    return options
