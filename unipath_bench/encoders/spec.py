"""What the framework must know of a pretrained encoder: where its weights lie, how its network is built, how it is fed.

One document for the panel's own table (``panel.yaml``) and for a user's file: an encoder is data, never a class.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from unipath_bench.core.digest import digest
from unipath_bench.core.registries import ENCODER_LOADERS
from unipath_bench.core.registry import suggest
from unipath_bench.schema.base import Document
from unipath_bench.schema.cards import EncoderCard

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class EncoderSpec(Document):
    """A pretrained encoder, by its published facts.

    Features are float32 and never divided by their norm: metrics that read cosines do that themselves.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", description="How the command line calls it.")
    title: str = ""
    loader: str = Field(description="Who builds the network: a registered loader.")
    hub_id: str = Field(default="", description="owner/name of the Hugging Face repository.")
    revision: str | None = Field(default=None, description="Full commit of that repository; None: not pinned.")
    url: str = Field(default="", description="Where the weights file is published, if not on the hub.")
    path: Path | None = Field(default=None, description="Folder or weights file on this machine, not hub or URL.")
    weights: str = Field(
        default="", description="Name of the weights file: *.safetensors, or a pickle that loads with weights_only."
    )
    sha256: str | None = Field(
        default=None, description="Of the weights file; None: not known, the file's own digest goes into the card."
    )
    files: tuple[str, ...] = Field(default=(), description="Configuration and tokenizer files that are read too.")
    asked_on_main: tuple[str, ...] = Field(
        default=(), description="Files that the repository's own code looks for on branch main (loader remote)."
    )
    architecture: str = Field(default="", description="Name of the network in the loader's library.")
    options: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of the network.")
    pooling: str = Field(
        description="class: the class token. class+patch-mean: it and the mean of the patch tokens (registers left "
        "out), concatenated. pooled: what the network pools itself. projected: the space shared with texts. A loader "
        "may offer others."
    )
    dimension: int = Field(ge=1)
    modalities: tuple[Literal["image", "text"], ...] = ("image",)
    input_size: int = Field(ge=1, description="Pixels a side that the network sees.")
    resize_to: int | None = Field(
        default=None, ge=1, description="Shorter side before the central crop; None: input_size."
    )
    resize: Literal["bilinear", "bicubic", "lanczos"] = Field(description="Pillow's antialiased filter of that name.")
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    precision: Literal["float32"] = "float32"
    micro_batch: int = Field(default=16, ge=1)
    microns_per_pixel: float | None = Field(default=None, gt=0, description="Scale that it was trained at.")
    licence: str = Field(default="", description="Of the weights; SPDX identifier where there is one.")
    gated: bool = False
    pathology: bool = True
    parameters: str | None = Field(
        default=None, pattern=r"^\d+(\.\d+)?[MB]$", description="Of the whole network, as published: 303.35M, 1.1B."
    )
    source: str = Field(default="", description="Where these facts come from.")
    notes: str = ""

    @field_validator("loader")
    @classmethod
    def _registered(cls, loader: str) -> str:
        """Only a registered name: a specification is data, and importing what it names would run somebody's code."""
        if loader not in ENCODER_LOADERS:
            kind = ENCODER_LOADERS.kind
            raise ValueError(f"there is no {kind} of that name. {suggest(loader, ENCODER_LOADERS.names(), kind)}")
        return loader

    @model_validator(mode="after")
    def _consistent(self) -> EncoderSpec:
        loader = ENCODER_LOADERS.get(self.loader)
        if self.pooling not in loader.poolings:
            offered = ", ".join(loader.poolings)
            raise ValueError(f"pooling {self.pooling!r}: the loader {self.loader} offers {offered}")
        if "text" in self.modalities and self.pooling not in loader.joint:
            raise ValueError(f"the loader {self.loader} with pooling {self.pooling!r} reads no text")
        if self.revision is not None and not _COMMIT.fullmatch(self.revision):
            raise ValueError(f"revision {self.revision!r} is no full commit (40 hex digits): names can move")
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256):
            raise ValueError("sha256 is not 64 hex digits")
        if not (self.hub_id or self.url or self.path):
            raise ValueError("say where the weights are: hub_id, url or path")
        if not self.weights and not (self.path and self.path.suffix):
            raise ValueError("weights: the name of the weights file is required")
        if loader.runs_code and self.revision is None:
            raise ValueError("code from a repository runs at a pinned revision only: state the full commit")
        return self

    @property
    def shorter_side(self) -> int:
        """Pixels of the shorter side after resizing, before the crop."""
        return self.resize_to or self.input_size

    @property
    def recipe(self) -> str:
        """All in the specification that decides the features and is not on the card, in one line with its digest."""
        facts = self.model_dump(
            mode="json", include={"loader", "architecture", "options", "pooling", "resize_to", "sha256"}
        )
        network = f"{self.loader} {self.architecture}".strip()
        return f"{self.pooling} of {network} ({digest(facts)[:12]})"

    def card(self, weights_digest: str | None = None) -> EncoderCard:
        """The card; ``weights_digest`` is that of the file at hand, for weights that the specification does not pin."""
        if self.sha256 is None and weights_digest is not None:
            revision = f"sha256:{weights_digest}"
        else:
            revision = self.revision or self.sha256 or "not pinned"
        return EncoderCard(
            name=self.name,
            title=self.title,
            revision=revision,
            dimension=self.dimension,
            modalities=self.modalities,
            input_size=self.input_size,
            resize=self.resize,
            mean=self.mean,
            std=self.std,
            precision=self.precision,
            micro_batch=self.micro_batch,
            microns_per_pixel=self.microns_per_pixel,
            recipe=self.recipe,
            hub_id=self.hub_id,
            licence=self.licence,
            gated=self.gated,
            pathology=self.pathology,
            source=self.source,
            notes=self.notes,
        )
