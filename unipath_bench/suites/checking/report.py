"""What a check of a suite's data found, as a document."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from unipath_bench.schema.base import Document

Verdict = Literal["ok", "note", "not checked", "wrong"]


class Finding(Document):
    """One question that was asked of the data."""

    check: str
    verdict: Verdict
    summary: str
    items: tuple[str, ...] = Field(default=(), description="What exactly, one line each; all of it.")


class DataReport(Document):
    """A check of the data of one suite."""

    suite: str
    samples: int
    looked_at: int = Field(description="Images that were decoded: all, or as many as --n says in a fixed order.")
    splits: dict[str, int] = Field(default_factory=dict, description="Samples by split.")
    classes: dict[str, dict[str, dict[str, int]]] = Field(
        default_factory=dict, description="Samples by attribute, class and split."
    )
    groups: dict[str, int] = Field(default_factory=dict, description="Groups by split; empty: none are known.")
    sizes: dict[str, int] = Field(default_factory=dict, description="Images looked at, by 'height x width'.")
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return all(finding.verdict != "wrong" for finding in self.findings)
