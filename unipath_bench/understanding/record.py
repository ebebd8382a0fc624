"""The record of an understanding run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from unipath_bench.schema.base import Document
from unipath_bench.schema.record import Environment, Interval


class AnswererCard(Document):
    """What answers."""

    name: str
    title: str = ""
    revision: str
    licence: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    notes: str = ""


class QuestionSetCard(Document):
    """What is asked."""

    name: str
    title: str
    kind: Literal["tissue", "phantom"]
    licence: str
    citation: str = ""
    notes: str = ""


class SubsetScore(Document):
    """Answers to the questions of one subset, or of all."""

    n: int
    right: int
    accuracy: float = Field(ge=0, le=1, description="Share of right answers; what cannot be read counts as wrong.")
    chance: float = Field(description="Mean of one over the number of options.")
    refused: int = Field(description="Replies that decline to answer.")
    unread: int = Field(description="Other replies that name no option, or several.")
    interval: Interval | None = None
    interval_note: str = ""


class UnderstandingRecord(Document):
    """One run of the track. Two identical runs give the same record but for ``seconds``."""

    schema_version: Literal[1] = 1
    framework_version: str
    run_id: str
    questions: QuestionSetCard
    question_revision: str
    answerer: AnswererCard
    answerer_digest: str
    seed: int = Field(description="Of the order of the options.")
    prompt: str = Field(description="The instruction after the options.")
    overall: SubsetScore
    subsets: dict[str, SubsetScore]
    environment: Environment
    seconds: float
