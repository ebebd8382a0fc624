"""How a run record is read, in one place for every view: numbers, scales, notes."""

from unipath_bench.results.notes import Note, audit_verdict, remedies, run_notes, task_flags
from unipath_bench.results.numbers import (
    format_interval,
    format_number,
    format_percent,
    format_seconds,
    format_value,
    freed_of_bias,
    plural,
)
from unipath_bench.results.scale import TIERS, Scale, TierText, scale_of

__all__ = [
    "TIERS",
    "Note",
    "Scale",
    "TierText",
    "audit_verdict",
    "format_interval",
    "format_number",
    "format_percent",
    "format_seconds",
    "format_value",
    "freed_of_bias",
    "plural",
    "remedies",
    "run_notes",
    "scale_of",
    "task_flags",
]
