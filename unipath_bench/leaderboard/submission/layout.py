"""What lies in a submission's archive, and how large it may be.

A zip file whose members are stored without compression, in order of name, with nothing before, between or behind them:

    card.json                              the generator's card
    features/<encoder>/<family>.safetensors  float32 "features" (N, D); <encoder>: 16 digits of the encoder's digest
    images/<family>/<row>.png              a seeded subset of the generated images
    manifest.json                          licence statement, adapter, SHA-256 and size of every other member
    record.json                            the run record, with its environment
    samples.json                           key, sample, replicate and pixel digest of every generated image

A *family* is ``seed-0``, ``seed-1`` ... (the answers to the prompts) or ``wording-0`` ... (to their paraphrases).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from unipath_bench.core.digest import digest_strings, seed_from
from unipath_bench.pipeline.family import Family
from unipath_bench.schema.base import Document

MANIFEST, RECORD, CARD, SAMPLES = "manifest.json", "record.json", "card.json", "samples.json"

FAMILY = r"(?:seed|wording)-(?:0|[1-9][0-9]{0,3})"
FEATURES_NAME = re.compile(rf"features/(?P<encoder>[0-9a-f]{{16}})/(?P<family>{FAMILY})\.safetensors")
IMAGE_NAME = re.compile(rf"images/(?P<family>{FAMILY})/(?P<row>[0-9]{{6}})\.png")
DIGEST = r"^[0-9a-f]{64}$"

MAX_BYTES = 1 << 30
"""Largest archive, 1 GiB."""
MAX_MEMBERS = 1024
MAX_NAME = 100
MAX_DOCUMENT = 32 << 20
"""Largest JSON member, 32 MiB."""
MAX_PIXELS = 1 << 22
"""Largest enclosed image."""

ENCLOSED_IMAGES = 64
"""Images in the archive: where one image in ten does not belong to its features, the chance that none of them is drawn
is 0.1%."""


class Adapter(Document):
    """Whose code made the images. Nothing of it is in the archive, and nothing of it is run to check one."""

    target: str = Field(description="module:attribute of the generator, or what --model named.")
    package: str = Field(default="", description="Distribution that provides it; empty for a loose module.")
    version: str = ""
    source_sha256: str = Field(default="", description="Over the names and SHA-256 of its Python files.")
    files: int = Field(default=0, ge=0, description="How many Python files that are.")


class Member(Document):
    """One file of the archive."""

    sha256: str = Field(pattern=DIGEST)
    bytes: int = Field(ge=0)


class Manifest(Document):
    """The archive's table of contents."""

    kind: Literal["unipath-bench submission"] = "unipath-bench submission"
    schema_version: Literal[1] = 1
    licence_statement: str = Field(max_length=4000)
    adapter: Adapter
    members: dict[str, Member]


class SampleFamily(Document):
    """The generated images of one family, in the order of the prompts."""

    keys: tuple[str, ...] = Field(description="Digest of all that decides each image.")
    ids: tuple[str, ...] = Field(description="Sample whose prompt each image answers.")
    replicates: tuple[int, ...]
    pixels: tuple[str, ...] = Field(description="SHA-256 of each image's size and RGB values.")

    def __len__(self) -> int:
        return len(self.keys)


class Samples(Document):
    """Every generated image by family."""

    families: dict[Annotated[str, Field(pattern=rf"^{FAMILY}$")], SampleFamily]

    def answers(self) -> list[str]:
        """The families that answer the prompts in their own words, in order."""
        families = sorted(map(Family.parse, self.families))
        return [family.name for family in families if family.set_name == "generated"]


def features_name(encoder_digest: str, family: str) -> str:
    """Member that holds a family's features in an encoder."""
    return f"features/{encoder_digest[:16]}/{family}.safetensors"


def image_name(family: str, row: int) -> str:
    """Member that holds one image."""
    return f"images/{family}/{row:06d}.png"


def choose_enclosed(samples: Samples, features: Mapping[str, str]) -> list[tuple[str, int]]:
    """The images that an archive must enclose, as (family, row), sorted.

    ``features`` are the SHA-256 of the feature members by name. The draw is seeded by all pixel digests and all
    features, so nobody can choose the images first and forge the rest: other features draw other images.
    """
    families = sorted(samples.families, key=Family.parse)
    rows = [(family, row) for family in families for row in range(len(samples.families[family]))]
    seed = seed_from(
        digest_strings(pixels for family in families for pixels in samples.families[family].pixels),
        digest_strings(part for name in sorted(features) for part in (name, features[name])),
    )
    return draw(rows, ENCLOSED_IMAGES, seed)


def draw(rows: Sequence[tuple[str, int]], count: int, seed: int) -> list[tuple[str, int]]:
    """``count`` of the rows (all, where there are no more) without repeats, sorted."""
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(rows))[:count]
    return sorted((rows[i] for i in order.tolist()), key=lambda item: (Family.parse(item[0]), item[1]))
