"""The files of an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unipath_bench.audit.figure import map_file
from unipath_bench.audit.page import render_page
from unipath_bench.audit.result import AuditResult
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.csv_safety import escape_formula
from unipath_bench.core.files import write_text
from unipath_bench.schema.base import parse_json


@dataclass(frozen=True)
class AuditFolder:
    """Where an audit lies."""

    path: Path

    @property
    def result(self) -> Path:
        """The audit itself; everything else is a view of it."""
        return self.path / "audit.json"

    @property
    def page(self) -> Path:
        """Path of ``audit.html``, the result as a page with example images."""
        return self.path / "audit.html"

    @property
    def table(self) -> Path:
        """Path of ``audit.csv``, the result with one row per value, defect and level."""
        return self.path / "audit.csv"

    @property
    def map(self) -> Path:
        """Path of ``map.svg``, the map as a drawing that stands alone."""
        return self.path / "map.svg"


def save_audit(result: AuditResult, examples: Mapping[str, Sequence[RGBImage]], out: Path) -> AuditFolder:
    """Write the result, the table, the map and the page under ``out / "audits"``; returns the folder.

    Raises :class:`MissingError` where the disk is full or the folder may not be written to.
    """
    folder = AuditFolder(out / "audits" / result.name)
    write_text(folder.result, result.model_dump_json(indent=2) + "\n")
    write_text(folder.table, _table(result))
    write_text(folder.map, map_file(result))
    write_text(folder.page, render_page(result, examples))
    return folder


def load_audit(path: Path) -> AuditResult:
    """Read a result back, from its folder or its JSON file."""
    return parse_json(AuditResult, AuditFolder(path).result if path.is_dir() else path)


def _table(result: AuditResult) -> str:
    frame = result.to_frame()
    texts = frame.select_dtypes(exclude=["number", "bool"]).columns
    frame[texts] = frame[texts].map(lambda cell: escape_formula(cell) if isinstance(cell, str) else cell)
    return frame.to_csv(index=False)
