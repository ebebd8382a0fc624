"""Opening an archive, changing something in it, and closing it again so that it agrees with itself."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from unipath_bench.core.digest import digest
from unipath_bench.core.images import encode_png
from unipath_bench.leaderboard.submission.layout import (
    FEATURES_NAME,
    IMAGE_NAME,
    MANIFEST,
    RECORD,
    SAMPLES,
    Samples,
    choose_enclosed,
    image_name,
)
from unipath_bench.leaderboard.submission.reading import read_members
from unipath_bench.leaderboard.submission.writing import write_members
from unipath_bench.leaderboard.validation import Outcome, Request, validate_archive
from unipath_bench.pipeline.store import FeatureShard, SampleRow, content_digest, shard_slices
from unipath_bench.results.run_folder import RunFolder
from unipath_bench.schema.board import Board, BoardMetric, Eligibility
from unipath_bench.schema.record import RunRecord

Members = dict[str, bytes]


@dataclass(frozen=True)
class Arena:
    """A board, runs for it by an entrant's name, and their archives."""

    root: Path
    board: Path
    compete: Callable[[str], RunFolder]
    submit: Callable[[str], Path]

    def check(self, archive: Path, board: Path | None = None, **more: Any) -> Outcome:
        """Validate an archive for the board; features of real images are kept between the tests."""
        return validate_archive(Request(archive, board or self.board, cache=self.root / "cache", **more))

    def forged(self, name: str, change: Callable[[Members], None], entrant: str = "Honest") -> Path:
        """An entrant's archive with ``change`` made to its members, written anew."""
        members = read_members(self.submit(entrant))
        change(members)
        path = self.root / f"{name}.zip"
        write_members(path, members)
        return path


def board_of(record: RunRecord) -> Board:
    """A board with the headline of each of a record's tasks."""
    return Board(
        name="tiny",
        title="Tiny",
        description="For tests.",
        kind="phantom",
        suite="phantom",
        suite_revision=record.plan.suite_revision,
        suite_arguments=dict(record.plan.suite_arguments),
        n=record.plan.n,
        metrics=tuple(
            BoardMetric(
                key=score.key,
                value=name,
                task_version=score.version,
                encoder_digest=score.encoder_digest or "",
                title=value.title,
                tier=score.tier,
                direction=value.direction,
                headline=score.task == "clip-score",
            )
            for score in record.scores
            for name, value in score.values.items()
            if value.headline
        ),
        eligibility=Eligibility(max_memorised=0.2),
    )


def seal(members: Members) -> None:
    """Give every member its digest in the manifest."""
    manifest = json.loads(members[MANIFEST])
    manifest["members"] = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in sorted(members.items())
        if name != MANIFEST
    }
    members[MANIFEST] = json.dumps(manifest).encode()


def edit_record(members: Members, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the record, with a run id that fits; the manifest is sealed."""
    record = json.loads(members[RECORD])
    change(record)
    record["run_id"] = digest([record["plan"], record["environment"]["packages"]])
    members[RECORD] = json.dumps(record).encode()
    seal(members)


def score_of(record: dict[str, Any], task: str) -> dict[str, Any]:
    """A task's score in a record's JSON."""
    return next(score for score in record["scores"] if score["task"] == task)


def features_of(members: Members) -> dict[str, np.ndarray]:
    """Feature matrices by the name of their member."""
    return {name: load(content)["features"] for name, content in members.items() if FEATURES_NAME.fullmatch(name)}


def put_features(members: Members, features: Mapping[str, np.ndarray], pngs: Mapping[tuple[str, int], bytes]) -> None:
    """Replace features, with the record's shards, the images that are then drawn, and the manifest to match."""
    record = json.loads(members[RECORD])
    samples = Samples.model_validate_json(members[SAMPLES])
    for name, matrix in features.items():
        members[name] = save({"features": matrix})
        match = FEATURES_NAME.fullmatch(name)
        assert match is not None
        rows = samples.families[match["family"]]
        content = FeatureShard(rows.keys, rows.pixels, matrix)
        folder = f"features/{match['encoder']}/{record['plan']['model_digest'][:16]}/{match['family']}"
        _put_shards(record, folder, content)
    members[RECORD] = json.dumps(record).encode()
    draw_images(members, samples, pngs)
    seal(members)


def put_pixels(members: Members, samples: Samples, pngs: Mapping[tuple[str, int], bytes]) -> None:
    """Replace sample digests, with the record's shards, the images that are then drawn, and the manifest to match."""
    record = json.loads(members[RECORD])
    members[SAMPLES] = samples.model_dump_json().encode()
    for family, rows in samples.families.items():
        columns = zip(rows.keys, rows.ids, rows.replicates, rows.pixels, strict=True)
        content = [SampleRow(key, sample, replicate, "", 0, b"", pixels) for key, sample, replicate, pixels in columns]
        _put_shards(record, f"samples/{record['plan']['model_digest'][:16]}/{family}", content)
    members[RECORD] = json.dumps(record).encode()
    draw_images(members, samples, pngs)
    seal(members)


def draw_images(members: Members, samples: Samples, pngs: Mapping[tuple[str, int], bytes]) -> None:
    """Enclose the images that the draw asks for."""
    for name in [name for name in members if IMAGE_NAME.fullmatch(name)]:
        del members[name]
    digests = {n: hashlib.sha256(content).hexdigest() for n, content in members.items() if FEATURES_NAME.fullmatch(n)}
    for key in choose_enclosed(samples, digests):
        members[image_name(*key)] = pngs[key]


def images_of(members: Members) -> dict[tuple[str, int], bytes]:
    """Enclosed images by family and row."""
    return {
        (match["family"], int(match["row"])): content
        for name, content in members.items()
        if (match := IMAGE_NAME.fullmatch(name))
    }


def as_png(image: np.ndarray) -> bytes:
    return encode_png(np.ascontiguousarray(image))


def _put_shards(record: dict[str, Any], folder: str, content: list[SampleRow] | FeatureShard) -> None:
    shards = sorted((s for s in record["shards"] if s["name"].rpartition("/")[0] == folder), key=lambda s: s["name"])
    for shard, (_, part) in zip(shards, shard_slices(len(content)), strict=True):
        shard["digest"] = content_digest(content[part])


def base64_of(sketches: np.ndarray) -> str:
    """Sketches as fingerprints hold them."""
    return base64.b64encode(sketches.astype("<f4").tobytes()).decode("ascii")
