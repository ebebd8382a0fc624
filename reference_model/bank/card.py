"""What a prototype bank says of itself: ``bank.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from unipath_bench import DataError, EncoderCard
from unipath_bench.core.errors import listed
from unipath_bench.schema.base import Document

CARD, FEATURES, TABLE, KEYWORDS = "bank.json", "features.safetensors", "bank.parquet", "keywords.json"
RouteName = Literal["text-text", "text-image", "keyword"]


class EncoderReference(Document):
    """The encoder that made features of a bank."""

    name: str = Field(min_length=1, description="Registered encoder, or module:attribute, which is never imported.")
    digest: str = Field(default="", description="Of all that decides the features; empty where it is not known.")
    dimension: int = Field(ge=1)
    licence: str = ""

    @classmethod
    def of(cls, name: str, card: EncoderCard) -> EncoderReference:
        """From an encoder's card; ``name`` is what it was asked for by."""
        return cls(name=name, digest=card.digest(), dimension=card.dimension, licence=card.licence)


class SuiteReference(Document):
    """The images that a bank was built from."""

    name: str
    revision: str = Field(description="Digest of the suite's content; empty where it is not known.")
    kind: Literal["tissue", "phantom"]
    licence: str


class RetrievalRule(Document):
    """How many prototypes each route gives."""

    text_text: int = Field(default=4, ge=0, description="Nearest captions to the prompt, by cosine.")
    text_image: int = Field(default=4, ge=0, description="Nearest images to the prompt, by cosine.")
    keywords: int = Field(default=4, ge=0, description="Keywords of the prompt that are used, the rarest first.")
    per_keyword: int = Field(default=2, ge=0, description="Prototypes a keyword.")
    limit: int = Field(default=16, ge=1, description="Prototypes a prompt, all routes together.")
    seed: int = Field(default=0, description="Decides draws and ties.")


class Counts(Document):
    """How large the bank is, and what it was chosen from."""

    prototypes: int = Field(ge=1)
    candidates: int = Field(ge=1, description="Images that the prototypes were chosen from.")
    groups: int = Field(ge=0, description="Patients, slides or blocks that the prototypes are of; 0: not known.")
    per_group: int = Field(ge=0, description="Most prototypes of one group; 0: no bound.")
    keywords: int = Field(ge=0)
    phrases: int = Field(ge=0, description="Phrases that the keywords were chosen from.")


class BankCard(Document):
    """All that is known of a prototype bank, and the digests of its files."""

    format: Literal["unipath-prototype-bank/1"] = "unipath-prototype-bank/1"
    source: SuiteReference
    payload: EncoderReference = Field(description="Features that condition the generator.")
    retrieval: EncoderReference | None = Field(
        description="Features that prompts are compared in; null: keywords only."
    )
    routes: tuple[RouteName, ...]
    rule: RetrievalRule = RetrievalRule()
    selection: str = Field(description="How the prototypes were chosen.")
    filters: tuple[str, ...] = Field(default=(), description="What the vocabulary went through.")
    seed: int | None = Field(description="Of the selection; null where it is not known.")
    counts: Counts
    thumbnail: int = Field(ge=0, description="Longest side of the thumbnails in pixels; 0: there are none.")
    licence: str
    files: dict[str, str] = Field(default_factory=dict, description="SHA-256 of each file of the directory.")


def read_card(path: Path) -> BankCard:
    """Read and check a ``bank.json``; raises :class:`~unipath_bench.DataError` that names it and each wrong field."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return BankCard.model_validate(value)
    except FileNotFoundError as error:
        raise DataError(f"{path} is not there.", "Give the directory that `prototypes build` wrote.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc'])) or '(document)'}: {item['msg']}" for item in error.errors()]
        raise DataError(f"{path} is not the card of a prototype bank:\n{listed(problems)}", REBUILD) from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}", REBUILD) from error


REBUILD = "Copy the bank again from its source, or build it anew: unipath-bench prototypes build."
