"""Cards: what a suite, a generator or an encoder says of itself."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from unipath_bench.schema.base import Document

Condition = Literal["prompt", "attributes", "image"]


class PublishedFigure(Document):
    """A figure quoted from a publication; shown apart, never ranked with ours."""

    metric: str
    value: float
    dataset: str = ""
    source: str = Field(description="Citation, DOI or URL of the publication.")


class SuiteCard(Document):
    """What a suite says of itself."""

    name: str
    title: str
    kind: Literal["tissue", "phantom"] = Field(
        description="Real tissue, or a procedural test object; never mixed in one ranking."
    )
    licence: str = Field(description="SPDX identifier where there is one.")
    height: int | None = Field(default=None, ge=1, description="Pixels; None where sizes differ.")
    width: int | None = Field(default=None, ge=1)
    microns_per_pixel: float | None = Field(default=None, gt=0)
    attributes: tuple[str, ...] = Field(
        default=(), description="Label columns that tasks may use, the primary one first."
    )
    default_encoders: dict[str, str] = Field(
        default_factory=lambda: {"image": "texture", "judge": "texture"},
        description="Which encoder plays a role ('image', 'judge', 'alignment') unless --encoder says otherwise.",
    )
    citation: str = ""
    notes: str = ""


class GeneratorCard(Document):
    """What a generator says of itself. A YAML file of this form in ``baselines/`` is a named model."""

    name: str
    title: str = ""
    adapter: str = Field(
        default="", description="Registered generator or module:attribute that loads this card's model."
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments for the adapter.")
    revision: str = Field(description="Pinned version of code and weights: tag, commit or digest.")
    licence: str
    height: int | None = Field(default=None, ge=1, description="Native output size in pixels; None: the suite's size.")
    width: int | None = Field(default=None, ge=1)
    conditions_on: tuple[Condition, ...] = Field(
        default=("prompt",), description="What of a request decides the image; empty: unconditional."
    )
    internal_encoders: tuple[str, ...] = Field(
        default=(), description="Encoders inside the generator; scores in them are coupled."
    )
    oracle: bool = Field(
        default=False,
        description="Is shown the suite's real images (a baseline); never eligible for a board.",
    )
    published: tuple[PublishedFigure, ...] = ()
    url: str = ""
    citation: str = ""
    notes: str = ""


class EncoderCard(Document):
    """What an encoder says of itself; all of it decides the feature store's key."""

    name: str
    title: str = ""
    revision: str = Field(description="Hub revision, weights digest, or the version of a training-free encoder.")
    dimension: int = Field(ge=1)
    modalities: tuple[Literal["image", "text"], ...] = ("image",)
    input_size: int | None = Field(default=None, ge=1, description="Pixels a side after resizing; None: native size.")
    resize: Literal["none", "bilinear", "bicubic", "lanczos"] = Field(
        default="none", description="Pillow's filter of that name, which is antialiased."
    )
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    precision: Literal["float32", "float16", "bfloat16", "float64"] = "float32"
    micro_batch: int = Field(
        default=16,
        ge=1,
        description="Images in one forward pass: fixed, so that results never depend on the run. A divisor of 32, the "
        "images of a shard, pads none but the last.",
    )
    microns_per_pixel: float | None = Field(default=None, gt=0, description="Scale that the encoder was trained at.")
    recipe: str = Field(
        default="", description="What else decides the features: pooling and network, with a digest of their settings."
    )
    hub_id: str = ""
    licence: str = ""
    gated: bool = False
    pathology: bool = Field(default=True, description="Trained on, or designed for, histology.")
    source: str = Field(default="", description="Where these facts come from.")
    notes: str = ""
