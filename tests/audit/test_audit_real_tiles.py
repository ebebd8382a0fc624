"""The audit on real tiles with the texture encoder: what is monotone, what stands still, and by how much."""

from __future__ import annotations

from pathlib import Path

import pytest

from unipath_bench.audit.catalogue import choose_defects
from unipath_bench.audit.result import AuditResult
from unipath_bench.audit.run import run_audit
from unipath_bench.options import Options
from unipath_bench.pipeline.plan import make_plan

pytestmark = pytest.mark.integration

LEVELS = {
    "blur": (1.0, 2.0, 4.0),
    "stain-shift": (0.1, 0.5, 1.0),
    "captions-shuffled": (0.25, 0.5, 1.0),
    "modes-dropped": (0.5, 0.75, 0.9),
}
TASKS = ("kernel-distance", "precision-recall", "image-to-image-recall")


@pytest.fixture(scope="module")
def result(real_tiles: Path) -> AuditResult:
    plan = make_plan(
        Options(model="real", suite="folder", data=str(real_tiles), tasks=TASKS, n=96, encoders=("texture",))
    )
    return run_audit(plan, choose_defects(tuple(LEVELS), LEVELS))


def test_what_is_for_a_defect_is_monotone_in_it_or_listed_as_blind(result: AuditResult) -> None:
    cells = [cell for cell in result.cells if cell.expectation == "worse"]
    for cell in cells:
        monotone = cell.spearman is not None and cell.spearman >= 0.9 - 1e-9
        assert cell.verdict in ("responds", "blind", "unsettled")
        assert monotone or cell.verdict == "blind", (cell.key, cell.defect)
    assert sum(cell.verdict == "responds" for cell in cells) > len(cells) / 2


@pytest.mark.parametrize(
    ("key", "defect"),
    [
        ("kernel-distance[texture]:distance", "blur"),
        ("kernel-distance[texture]:distance", "stain-shift"),
        ("precision-recall[texture]:coverage", "blur"),
        ("precision-recall[texture]:coverage", "stain-shift"),
        ("precision-recall[texture]:recall", "modes-dropped"),
        ("image-to-image-recall[texture]:recall@10", "captions-shuffled"),
    ],
)
def test_what_must_be_seen_is_seen(result: AuditResult, key: str, defect: str) -> None:
    cell = result.cell(key, defect)
    assert cell.verdict == "responds", cell.finding


def test_fidelity_stands_exactly_still_under_shuffled_captions(result: AuditResult) -> None:
    for cell in result.cells:
        if cell.defect == "captions-shuffled" and not cell.key.startswith("image-to-image"):
            assert (set(cell.changes), cell.verdict) == ({0.0}, "still")


def test_retrieval_bears_a_mild_stain_shift_within_its_bound(result: AuditResult) -> None:
    cell = result.cell("image-to-image-recall[texture]:recall@10", "stain-shift")
    assert cell.up_to == 0.1
    assert abs(cell.changes[cell.levels.index(0.1)]) <= cell.bound
    assert cell.verdict == "still"


def test_a_scale_that_is_not_stated_is_said_to_be_assumed(result: AuditResult) -> None:
    assert (result.microns_per_pixel, result.scale_is_assumed) == (0.5, True)
