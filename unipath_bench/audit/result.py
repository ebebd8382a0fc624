"""The result of an audit: one JSON document; table, figure and page are views of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from unipath_bench.audit.catalogue import Kind
from unipath_bench.audit.expectations import Kind as ExpectationKind
from unipath_bench.audit.sensitivity import Verdict
from unipath_bench.schema.base import Document
from unipath_bench.schema.cards import EncoderCard, SuiteCard
from unipath_bench.schema.record import Environment
from unipath_bench.schema.task import Tier

if TYPE_CHECKING:
    import pandas as pd


class DefectRecord(Document):
    """One family of defects, as it was applied."""

    name: str
    title: str
    kind: Kind
    unit: str
    levels: tuple[float, ...] = Field(description="0 first.")
    lacking: str = Field(default="", description="Why the suite cannot have it; empty where it was applied.")


class ValueRecord(Document):
    """One number of one task in one encoder, on the honest generator."""

    key: str = Field(description="task[encoder]:value, unique in the document.")
    task: str
    version: int
    tier: Tier
    metric: str
    encoder: str | None
    value: str
    title: str
    direction: Literal["lower", "higher"] = Field(description="Which way is better.")
    headline: bool
    purpose: str = Field(
        default="", description="What the value is declared to be for; empty where nothing is declared."
    )
    honest: float = Field(description="Value of held-out real images in the generator's place.")
    bad_end: float | None = Field(default=None, description="The bad end of the value's scale.")
    bad_end_source: str = ""
    span: float | None = Field(
        default=None,
        description="What changes are measured in, positive: from the honest value to the bad end, or, where the value "
        "has no bad end beyond the honest value, the largest change in this audit. None where it never changed.",
    )


class Cell(Document):
    """One value under one defect."""

    key: str
    defect: str
    levels: tuple[float, ...]
    values: tuple[float, ...]
    changes: tuple[float, ...] = Field(
        description="From level 0, in parts of the value's span; positive is worse. 0 where the value never changed."
    )
    standard_errors: tuple[float | None, ...] = Field(
        description="Of the difference from level 0, for each level above 0."
    )
    p_values: tuple[float | None, ...]
    spearman: float | None = Field(default=None, description="Of level and badness; None where nothing changes.")
    spearman_low: float | None = Field(default=None, description="Least over the half-samples.")
    spearman_high: float | None = Field(default=None, description="Greatest over the half-samples.")
    seen_from: float | None = Field(default=None, description="Smallest level that is seen at this n.")
    direction: Literal["worse", "better", "none"]
    expectation: ExpectationKind
    bound: float = 0.0
    up_to: float | None = None
    because: str = Field(description="Why this is expected.")
    verdict: Verdict
    finding: str = Field(default="", description="The verdict in words, where it needs any.")


class NotAudited(Document):
    """A task that has no number here."""

    key: str
    reason: str
    remedy: str = ""


class AuditResult(Document):
    """One audit of the metrics on one suite."""

    schema_version: Literal[1] = 1
    framework_version: str
    audit_id: str = Field(description="Digest of what was audited: the same audit has the same id.")
    name: str
    suite: SuiteCard
    suite_spec: str
    suite_data: str = ""
    suite_revision: str
    suite_arguments: dict[str, Any] = Field(default_factory=dict)
    n: int = Field(description="Prompts, and images at each level.")
    patients: int = Field(description="Independent units among the prompts.")
    half_samples: int = Field(
        description="Halves of the patients that every curve was computed on; 0: too few patients."
    )
    microns_per_pixel: float
    scale_is_assumed: bool
    alpha: float
    monotone: float = Field(description="Least Spearman correlation that counts as monotone.")
    encoders: dict[str, EncoderCard]
    defects: tuple[DefectRecord, ...]
    values: tuple[ValueRecord, ...]
    cells: tuple[Cell, ...]
    not_audited: tuple[NotAudited, ...] = ()
    environment: Environment

    def cell(self, key: str, defect: str) -> Cell:
        """The cell of a value and a defect; raises ``KeyError`` where there is none."""
        for cell in self.cells:
            if (cell.key, cell.defect) == (key, defect):
                return cell
        raise KeyError((key, defect))

    def with_verdict(self, *verdicts: Verdict) -> Iterator[Cell]:
        """Cells with one of these verdicts, in the document's order."""
        return (cell for cell in self.cells if cell.verdict in verdicts)

    def to_frame(self) -> pd.DataFrame:
        """One row a value, defect and level: what a CSV or Parquet file of the audit holds."""
        import pandas as pd

        values = {v.key: v for v in self.values}
        rows: list[dict[str, Any]] = []
        for cell in self.cells:
            of = values[cell.key]
            for k, level in enumerate(cell.levels):
                rows.append(
                    {
                        "suite": self.suite.name,
                        "n": self.n,
                        "patients": self.patients,
                        "tier": of.tier,
                        "task": of.task,
                        "encoder": of.encoder,
                        "value_name": of.value,
                        "direction": of.direction,
                        "headline": of.headline,
                        "defect": cell.defect,
                        "level": level,
                        "value": cell.values[k],
                        "change": cell.changes[k],
                        "standard_error": cell.standard_errors[k - 1] if k else None,
                        "p_value": cell.p_values[k - 1] if k else None,
                        "spearman": cell.spearman,
                        "spearman_low": cell.spearman_low,
                        "spearman_high": cell.spearman_high,
                        "seen_from": cell.seen_from,
                        "seen_direction": cell.direction,
                        "expectation": cell.expectation,
                        "verdict": cell.verdict,
                        "finding": cell.finding,
                    }
                )
        return pd.DataFrame(rows)
