"""Cards: what a suite, a generator or an encoder says of itself.

The docstrings of the cards are the descriptions in their JSON schemas, so their examples are here.

Examples:
    Whether two cards are of one model depends on what decides the images, which a title does not.

    >>> card = GeneratorCard(name="ours", revision="v1.2", licence="MIT", arguments={"steps": 30})
    >>> card.model_copy(update={"title": "Our model"}).deciding() == card.deciding()
    True
    >>> card.model_copy(update={"revision": "v1.3"}).deciding() == card.deciding()
    False

    Another revision of an encoder makes other features; a note does not.

    >>> encoder = EncoderCard(name="ours", revision="v1", dimension=512)
    >>> encoder.model_copy(update={"notes": "Fast."}).digest() == encoder.digest()
    True
    >>> encoder.model_copy(update={"revision": "v2"}).digest() == encoder.digest()
    False

    A suite says what it is of; a figure that a publication gives for a generator says where it stands.

    >>> SuiteCard(name="tiles", title="Our tiles", kind="tissue", licence="CC-BY-4.0").attributes
    ()
    >>> figure = PublishedFigure(metric="FID", value=12.5, source="doi:10.1000/example")
    >>> card.model_copy(update={"published": (figure,)}).published[0].value
    12.5
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import Field

from unipath_bench.core.digest import digest
from unipath_bench.schema.base import Document


class FieldUse(Enum):
    """What a field of a card is for."""

    DECIDES = "decides"
    """The images or features depend on it, so it is part of their digest."""
    DESCRIBES = "describes"
    """It may change without a new digest."""


class DigestedCard(Document):
    """A card of which a part decides what is made; each field says by a :class:`FieldUse` whether it belongs to it."""

    @classmethod
    def __pydantic_init_subclass__(cls, **arguments: Any) -> None:
        """Refuse a field that does not say."""
        super().__pydantic_init_subclass__(**arguments)
        for name, field in cls.model_fields.items():
            if sum(isinstance(mark, FieldUse) for mark in field.metadata) != 1:
                raise TypeError(
                    f"{cls.__name__}.{name} must be Annotated with one of FieldUse.DECIDES and FieldUse.DESCRIBES"
                )

    def deciding(self, *, without: Collection[str] = ()) -> dict[str, Any]:
        """The fields that decide, as JSON values; but for those named in ``without``."""
        names = {name for name, field in type(self).model_fields.items() if FieldUse.DECIDES in field.metadata}
        return self.model_dump(mode="json", include=names - set(without))


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


class GeneratorCard(DigestedCard):
    """What a generator says of itself. A YAML file of this form in ``baselines/`` is a named model."""

    name: Annotated[str, FieldUse.DECIDES]
    title: Annotated[str, FieldUse.DESCRIBES] = ""
    adapter: Annotated[str, FieldUse.DECIDES] = Field(
        default="", description="Registered generator or module:attribute that loads this card's model."
    )
    arguments: Annotated[dict[str, Any], FieldUse.DECIDES] = Field(
        default_factory=dict, description="Keyword arguments for the adapter."
    )
    revision: Annotated[str, FieldUse.DECIDES] = Field(
        description="Pinned version of code and weights: tag, commit or digest."
    )
    licence: Annotated[str, FieldUse.DECIDES]
    height: Annotated[int | None, FieldUse.DECIDES] = Field(
        default=None, ge=1, description="Native output size in pixels; None: the suite's size."
    )
    width: Annotated[int | None, FieldUse.DECIDES] = Field(default=None, ge=1)
    conditions_on: Annotated[tuple[Condition, ...], FieldUse.DECIDES] = Field(
        default=("prompt",), description="What of a request decides the image; empty: unconditional."
    )
    internal_encoders: Annotated[tuple[str, ...], FieldUse.DECIDES] = Field(
        default=(), description="Encoders inside the generator; scores in them are coupled."
    )
    oracle: Annotated[bool, FieldUse.DECIDES] = Field(
        default=False,
        description="Is shown the suite's real images (a baseline); never eligible for a board.",
    )
    published: Annotated[tuple[PublishedFigure, ...], FieldUse.DESCRIBES] = ()
    url: Annotated[str, FieldUse.DESCRIBES] = ""
    citation: Annotated[str, FieldUse.DESCRIBES] = ""
    notes: Annotated[str, FieldUse.DESCRIBES] = ""


class EncoderCard(DigestedCard):
    """What an encoder says of itself."""

    name: Annotated[str, FieldUse.DECIDES]
    title: Annotated[str, FieldUse.DESCRIBES] = ""
    revision: Annotated[str, FieldUse.DECIDES] = Field(
        description="Hub revision, weights digest, or the version of a training-free encoder."
    )
    dimension: Annotated[int, FieldUse.DECIDES] = Field(ge=1)
    modalities: Annotated[tuple[Literal["image", "text"], ...], FieldUse.DESCRIBES] = ("image",)
    input_size: Annotated[int | None, FieldUse.DECIDES] = Field(
        default=None, ge=1, description="Pixels a side after resizing; None: native size."
    )
    resize: Annotated[Literal["none", "bilinear", "bicubic", "lanczos"], FieldUse.DECIDES] = Field(
        default="none", description="Pillow's filter of that name, which is antialiased."
    )
    mean: Annotated[tuple[float, float, float] | None, FieldUse.DECIDES] = None
    std: Annotated[tuple[float, float, float] | None, FieldUse.DECIDES] = None
    precision: Annotated[Literal["float32", "float16", "bfloat16", "float64"], FieldUse.DECIDES] = "float32"
    micro_batch: Annotated[int, FieldUse.DECIDES] = Field(
        default=16,
        ge=1,
        description="Images in one forward pass: fixed, so that results never depend on the run. A divisor of 32, the "
        "images of a shard, pads none but the last.",
    )
    microns_per_pixel: Annotated[float | None, FieldUse.DESCRIBES] = Field(
        default=None, gt=0, description="Scale that the encoder was trained at."
    )
    recipe: Annotated[str, FieldUse.DECIDES] = Field(
        default="", description="What else decides the features: pooling and network, with a digest of their settings."
    )
    hub_id: Annotated[str, FieldUse.DESCRIBES] = ""
    licence: Annotated[str, FieldUse.DESCRIBES] = ""
    gated: Annotated[bool, FieldUse.DESCRIBES] = False
    pathology: Annotated[bool, FieldUse.DESCRIBES] = Field(
        default=True, description="Trained on, or designed for, histology."
    )
    source: Annotated[str, FieldUse.DESCRIBES] = Field(default="", description="Where these facts come from.")
    notes: Annotated[str, FieldUse.DESCRIBES] = ""

    def digest(self) -> str:
        """SHA-256 of all that decides the features; an empty ``recipe`` is left out."""
        return digest(self.deciding(without=() if self.recipe else ("recipe",)))
