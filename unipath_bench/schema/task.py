"""Tasks: one YAML file each."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from unipath_bench.schema.base import Document
from unipath_bench.schema.cards import PublishedFigure

Anchor = float | Literal["none", "real", "reference", "constant", "shuffled", "analytic"]
"""How an end of the scale is found: a number, ``real`` (held-out real images in the generator's place), ``reference``
(the reference images in the generator's place, each under its own prompt), ``constant`` (one held-out image for every
prompt), ``shuffled`` (held-out real images under the wrong prompts), ``analytic`` (the metric knows it in closed
form), ``none``."""

Tier = Literal[1, 2, 3, 4]


class ValueSpec(Document):
    """One number that a task reports."""

    title: str
    direction: Literal["lower", "higher"] = Field(description="Which way is better.")
    bad_end: Anchor = Field(default="none", description="Where the scale that the value is read on begins.")
    good_end: Anchor = Field(default="none", description="Where it ends.")
    unit: str = Field(default="", description="'fraction', 'cosine', ... ; empty for a plain number.")


class TaskSpec(Document):
    """What is measured, with which metric, parameters and encoder."""

    name: str
    tier: Tier
    version: int = Field(ge=1, description="Raised whenever the same inputs could give another number.")
    title: str
    summary: str
    metric: str = Field(description="Registered metric or module:attribute.")
    parameters: dict[str, Any] = Field(default_factory=dict)
    encoder: str | None = Field(
        default=None,
        description="Encoder name, or a role: '@image', '@judge', '@alignment'; None where no features are needed.",
    )
    suites: Literal["any", "tissue", "phantom"] = Field(
        default="any", description="The kind of suite that it is for; with another kind it is left out."
    )
    headline: str = Field(description="Which of the values stands for the task.")
    values: dict[str, ValueSpec] = Field(min_length=1)
    published: tuple[PublishedFigure, ...] = ()
    citation: str = ""
    rationale: str = Field(default="", description="What is the project's choice where the paper is silent.")

    @field_validator("name")
    @classmethod
    def _name_is_a_slug(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
            raise ValueError("use lower-case letters, digits and single hyphens")
        return value

    @field_validator("encoder")
    @classmethod
    def _role_is_known(cls, value: str | None) -> str | None:
        if value is not None and value.startswith("@") and value[1:] not in ("image", "judge", "alignment"):
            raise ValueError("a role is one of @image, @judge, @alignment")
        return value

    @model_validator(mode="after")
    def _headline_is_a_value(self) -> TaskSpec:
        if self.headline not in self.values:
            raise ValueError(f"headline {self.headline!r} is not among the values {sorted(self.values)}")
        return self
