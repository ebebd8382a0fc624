"""What a leaderboard consists of: its rules, its submissions, and the standings that follow from both."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from unipath_bench.schema.base import Document
from unipath_bench.schema.cards import PublishedFigure
from unipath_bench.schema.task import Tier


class BoardMetric(Document):
    """One ranked column of a board."""

    key: str = Field(description="Key of the score in the record: task, or task[encoder].")
    value: str = Field(description="Name of the value in that score.")
    task_version: int = Field(ge=1, description="Entries scored by another version are stale and not ranked.")
    encoder_digest: str = Field(default="", description="Digest that the score's encoder must have; empty: no encoder.")
    title: str
    tier: Tier
    direction: Literal["lower", "higher"]
    headline: bool = Field(default=False, description="The standings are ordered by the first headline metric.")


class Eligibility(Document):
    """Who is ranked. An entry that fails a rule stays on the board, unranked, with the reason."""

    oracles: bool = Field(default=False, description="Whether models that are shown the suite's real images take part.")
    coupled: bool = Field(default=False, description="Whether scores in an encoder that the generator uses are ranked.")
    max_memorised: float | None = Field(
        default=None, ge=0, le=1, description="Highest share of copied images that the memorisation task may find."
    )
    licence_required: bool = True


class QuotedModel(Document):
    """Figures of a model from a publication: shown apart, never ranked."""

    model: str
    figures: tuple[PublishedFigure, ...]


class Board(Document):
    """A board's rules, ``board.yaml`` in its folder."""

    schema_version: Literal[1] = 1
    name: str
    title: str
    description: str
    kind: Literal["tissue", "phantom"]
    suite: str
    suite_revision: str
    suite_arguments: dict[str, Any] = Field(default_factory=dict)
    n: int = Field(ge=2, description="Prompts of every ranked entry.")
    seeds: int = Field(default=1, ge=1, description="Images a prompt.")
    metrics: tuple[BoardMetric, ...]
    eligibility: Eligibility = Eligibility()
    quoted: tuple[QuotedModel, ...] = ()


class Entry(Document):
    """What arrives by pull request beside a record: where the archive lies and who vouches for it."""

    schema_version: Literal[1] = 1
    name: str = Field(description="Name of the entry: the folder's name.")
    title: str
    submitted_on: str = Field(description="Date as YYYY-MM-DD.")
    submitter: str
    archive: str = Field(description="Path, URL or hub data set of the archive.")
    archive_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    archive_bytes: int = Field(ge=1)
    licence_statement: str
    notes: str = ""

    @property
    def hosted(self) -> bool:
        """Whether the archive can be fetched from anywhere: it is no path."""
        return self.archive.startswith(("https://", "hf://"))


class Cell(Document):
    """One entry's value of one metric."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    rank: int | None = Field(default=None, description="Best rank of its group of entries that can't be told apart.")
    reason: str = Field(default="", description="Why there is no value, or why it is not ranked.")


class Standing(Document):
    """One row of the standings."""

    name: str
    title: str
    model: str
    revision: str
    licence: str
    submitted_on: str
    rank: int | None = Field(default=None, description="By the first headline metric; shared within a group.")
    tied_with: tuple[str, ...] = Field(default=(), description="Entries that it can't be told apart from.")
    eligible: bool
    stale: bool = False
    reasons: tuple[str, ...] = Field(default=(), description="Why it is not ranked.")
    cells: dict[str, Cell] = Field(description="By '<score key>/<value name>'.")


class Standings(Document):
    """A board with its entries ranked."""

    board: Board
    rows: tuple[Standing, ...] = Field(description="Ranked entries first, in order of rank, then the unranked by name.")
    older: int = Field(default=0, description="Entries whose records are of an earlier version of the format.")
