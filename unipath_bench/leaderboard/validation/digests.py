"""Does the archive agree with itself: manifest, record, sample digests, features and images?"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import pixel_digest
from unipath_bench.core.errors import BenchError
from unipath_bench.core.images import image_size, read_image
from unipath_bench.leaderboard.submission.contents import Documents
from unipath_bench.leaderboard.submission.layout import (
    FEATURES_NAME,
    MANIFEST,
    MAX_PIXELS,
    Manifest,
    SampleFamily,
    choose_enclosed,
    image_name,
)
from unipath_bench.leaderboard.validation.checks import Check, judged
from unipath_bench.pipeline.family import Family
from unipath_bench.pipeline.store import FeatureShard, SampleRow, content_digest, shard_slices
from unipath_bench.schema.record import RunRecord

Features = Mapping[tuple[str, str], npt.NDArray[np.float32]]


def check_manifest(manifest: Manifest, members: Mapping[str, bytes]) -> Check:
    """Every member has the digest and size that the manifest gives, and there are no others."""
    problems = [f"{name} is not in the manifest" for name in members if name not in {*manifest.members, MANIFEST}]
    for name, member in manifest.members.items():
        content = members.get(name)
        if content is None:
            problems.append(f"{name} is in the manifest alone")
        elif (hashlib.sha256(content).hexdigest(), len(content)) != (member.sha256, member.bytes):
            problems.append(f"{name} differs from its digest")
    return judged("manifest", problems, f"{len(manifest.members)} members")


def check_card(documents: Documents) -> Check:
    """The card is the record's."""
    same = documents.card == documents.record.plan.model
    return judged("generator card", [] if same else ["it is not the card in the record"], documents.card.name)


def check_samples(documents: Documents) -> Check:
    """One digest an image: of the families that the record counts, and those that its sample shards are made of."""
    record, families = documents.record, documents.samples.families
    problems = _family_problems(record, families)
    if not problems:
        problems = _shard_problems(
            record,
            "samples",
            {
                f"samples/{record.plan.model_digest[:16]}/{name}": _sample_rows(found)
                for name, found in families.items()
            },
        )
    rows = sum(len(found) for found in families.values())
    return judged("sample digests", problems, f"{rows} images in {len(families)} families")


def check_features(documents: Documents, features: Features) -> Check:
    """Each feature matrix fits its encoder and family, and is what the record's feature shards are made of."""
    record, families = documents.record, documents.samples.families
    cards = {card.digest()[:16]: card for card in record.plan.encoders.values()}
    problems = []
    folders: dict[str, FeatureShard] = {}
    for (encoder, family), matrix in sorted(features.items()):
        name = f"features {encoder}/{family}"
        card, rows = cards.get(encoder), families.get(family)
        if card is None or rows is None:
            problems.append(f"{name}: the record has no such {'encoder' if card is None else 'family'}")
        elif matrix.shape != (len(rows), card.dimension):
            problems.append(f"{name}: shape {matrix.shape}, not ({len(rows)}, {card.dimension})")
        else:
            folder = f"features/{encoder}/{record.plan.model_digest[:16]}/{family}"
            folders[folder] = FeatureShard(rows.keys, rows.pixels, matrix)
    if not problems:
        problems = _shard_problems(record, "features", folders)
    return judged("feature digests", problems, f"{len(features)} matrices")


def check_images(
    documents: Documents,
    members: Mapping[str, bytes],
    images: Mapping[tuple[str, int], bytes],
    size: tuple[int, int] | None,
) -> tuple[Check, dict[tuple[str, int], RGBImage]]:
    """The images that the draw asks for are there, whole, of the right size, and with the digests that were given."""
    families = documents.samples.families
    digests = {n: hashlib.sha256(content).hexdigest() for n, content in members.items() if FEATURES_NAME.fullmatch(n)}
    wanted = choose_enclosed(documents.samples, digests)
    problems = [f"{image_name(*key)} was drawn and is missing" for key in wanted if key not in images]
    problems += [f"{image_name(*key)} was not drawn" for key in images if key not in wanted]
    decoded: dict[tuple[str, int], RGBImage] = {}
    for key in wanted:
        if key not in images:
            continue
        found = _decode(images[key], image_name(*key), size)
        if isinstance(found, str):
            problems.append(found)
        elif pixel_digest(found) != families[key[0]].pixels[key[1]]:
            problems.append(f"{image_name(*key)} differs from its sample digest")
        else:
            decoded[key] = found
    return judged("image digests", problems, f"{len(decoded)} images"), decoded


def _decode(content: bytes, name: str, size: tuple[int, int] | None) -> RGBImage | str:
    claimed = image_size(content)
    if claimed is None or not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return f"{name} is no PNG"
    if size is not None and claimed != size:
        return f"{name} has {claimed[0]} x {claimed[1]} pixels, not {size[0]} x {size[1]}"
    try:
        return read_image(content, name, max_pixels=MAX_PIXELS)
    except BenchError as error:
        return error.message


def _family_problems(record: RunRecord, families: Mapping[str, SampleFamily]) -> list[str]:
    plan = record.plan
    problems = []
    for name, found in families.items():
        if len({len(found.keys), len(found.ids), len(found.replicates), len(found.pixels)}) > 1:
            problems.append(f"{name}: its columns are of different lengths")
        elif len(found) != plan.n:
            problems.append(f"{name} has {len(found)} images, and the record has n = {plan.n}")
        elif len(set(found.ids)) < len(found):
            problems.append(f"{name} answers a prompt twice")
        elif set(found.replicates) != {Family.parse(name).replicate}:
            problems.append(f"{name}: its replicates are not those of its name")
    sets = Counter(Family.parse(name).set_name for name in families)
    seeds, variants = sets["generated"], sets["variants"]
    if seeds != plan.seeds:
        problems.append(f"{seeds} families of answers, and the record has {plan.seeds} seeds")
    if variants * plan.n != plan.counts.get("variants", 0):
        problems.append(f"{variants} families of paraphrases, and the record counts {plan.counts.get('variants', 0)}")
    return problems


def _sample_rows(found: SampleFamily) -> list[SampleRow]:
    return [
        SampleRow(key, sample, replicate, "", 0, b"", pixels)
        for key, sample, replicate, pixels in zip(found.keys, found.ids, found.replicates, found.pixels, strict=True)
    ]


def _shard_problems(
    record: RunRecord, kind: str, folders: Mapping[str, list[SampleRow]] | Mapping[str, FeatureShard]
) -> list[str]:
    """The record's shards of generated images and these rows are the same, shard by shard."""
    model = record.plan.model_digest[:16]
    recorded: dict[str, list[tuple[int, str]]] = {}
    for shard in sorted(record.shards, key=lambda s: s.name):
        folder = shard.name.rpartition("/")[0]
        if shard.kind == kind and model in folder.split("/"):
            recorded.setdefault(folder, []).append((shard.rows, shard.digest))
    problems = [f"{folder}: in the record alone" for folder in recorded if folder not in folders]
    for folder, rows in folders.items():
        shards = [rows[part] for _, part in shard_slices(len(rows))]
        found = [(len(part), content_digest(part)) for part in shards]
        if found != recorded.get(folder):
            problems.append(f"{folder} differs from the digests of the record's shards")
    return problems
