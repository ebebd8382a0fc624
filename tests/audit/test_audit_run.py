"""A whole audit on a small phantom, and its views."""

from __future__ import annotations

import io
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from tests.views.charts.drawings import looking, places, read
from unipath_bench.audit.catalogue import choose_defects
from unipath_bench.audit.curves import curve_parts
from unipath_bench.audit.examples import example_tiles
from unipath_bench.audit.files import load_audit, save_audit
from unipath_bench.audit.layout import make_grid
from unipath_bench.audit.result import AuditResult
from unipath_bench.audit.run import make_cohort, run_audit
from unipath_bench.audit.scorers import make_scorer
from unipath_bench.audit.sets import Gallery, Sets, part
from unipath_bench.audit.terminal import print_audit
from unipath_bench.cli.audit import audit, parse_levels
from unipath_bench.core.console import Console
from unipath_bench.core.errors import MissingError, UsageError
from unipath_bench.core.progress import Silent
from unipath_bench.options import Options
from unipath_bench.pipeline.plan import Plan, make_plan
from unipath_bench.scoring.evaluate import evaluate

pytestmark = pytest.mark.integration

TASKS = (
    "phantom-patho-fid",
    "precision-recall",
    "image-to-image-recall",
    "attribute-control",
    "memorisation",
    "terminology-robustness",
)
DEFECTS = ("blur", "modes-dropped", "patients-copied", "captions-shuffled", "wordings-misread")
TEXTURE = ("image=texture", "judge=texture", "alignment=texture")


def small_plan(tasks: tuple[str, ...] = TASKS, images: int = 64) -> Plan:
    sizes = {"train": 128, "test": images}
    return make_plan(Options(model="real", suite="phantom", suite_arguments=sizes, tasks=tasks, encoders=TEXTURE))


SHARES = (0.25, 0.5, 1.0)


@pytest.fixture(scope="module")
def result() -> AuditResult:
    levels = {"blur": (0.5, 1.0, 2.0), "modes-dropped": (0.5, 0.75, 0.9)}
    return run_audit(small_plan(), choose_defects(DEFECTS, dict.fromkeys(DEFECTS, SHARES) | levels))


def key(task: str, value: str) -> str:
    return f"{task}[texture]:{value}"


def test_every_value_meets_every_defect_once(result: AuditResult) -> None:
    assert {d.name for d in result.defects} == set(DEFECTS)
    assert len(result.cells) == len(result.values) * len(DEFECTS)
    assert {v.task for v in result.values} | {n.key.partition("[")[0] for n in result.not_audited} == set(TASKS)
    assert result.half_samples == 16
    for cell in result.cells:
        assert cell.levels[0] == 0
        assert cell.changes[0] == 0
        assert len(cell.values) == len(cell.levels) == len(cell.p_values) + 1


def test_level_nought_is_the_honest_value(result: AuditResult) -> None:
    """Also for attribute control, whose judges the audit trains once where the task trains them each time."""
    honest = {v.key: v.honest for v in result.values}
    assert all(cell.values[0] == pytest.approx(honest[cell.key], rel=1e-12) for cell in result.cells)


def test_the_scorers_of_the_audit_give_the_tasks_own_figures() -> None:
    plan = small_plan(("attribute-control", "synthetic-training"))
    cohort = make_cohort(plan)
    gallery = Gallery({"texture": plan.encoders["texture"]}, plan.context())
    edition = choose_defects(("captions-shuffled",), {})[0].build(cohort, 0.5)
    gallery.add((cohort.picture(s) for s in (*cohort.prompts, *cohort.answers, *cohort.train)), Silent(), "")
    sets = Sets(cohort, gallery, "texture", cohort.train)
    honest, shuffled = sets.inputs(cohort.honest), sets.inputs(edition)
    for task in plan.runnable:
        scorer = make_scorer(task.spec, task.metric, honest, evaluate(task.spec, task.metric, honest).details)
        direct = evaluate(task.spec, task.metric, shuffled).values
        assert scorer.whole(shuffled) == pytest.approx({name: v.value for name, v in direct.items()}, rel=1e-12)


def test_shuffled_captions_leave_every_score_of_the_images_as_it_is(result: AuditResult) -> None:
    for task in ("phantom-patho-fid", "precision-recall", "memorisation"):
        for value in (v for v in result.values if v.task == task):
            cell = result.cell(value.key, "captions-shuffled")
            assert len(set(cell.values)) == 1
            assert cell.verdict == "still"


@pytest.mark.parametrize(
    ("task", "value", "defect"),
    [
        ("phantom-patho-fid", "distance", "blur"),
        ("precision-recall", "coverage", "blur"),
        ("precision-recall", "recall", "modes-dropped"),
        ("precision-recall", "coverage", "modes-dropped"),
        ("memorisation", "copied_fraction", "patients-copied"),
        ("image-to-image-recall", "recall@10", "captions-shuffled"),
        ("attribute-control", "weighted_f1", "captions-shuffled"),
        ("terminology-robustness", "paraphrased", "wordings-misread"),
    ],
)
def test_what_a_value_is_for_it_answers_to(result: AuditResult, task: str, value: str, defect: str) -> None:
    cell = result.cell(key(task, value), defect)
    assert (cell.verdict, cell.direction) == ("responds", "worse"), cell.finding
    assert cell.spearman is not None
    assert cell.spearman >= 0.9


def test_copies_of_a_quarter_are_a_quarter(result: AuditResult) -> None:
    cell = result.cell(key("memorisation", "copied_fraction"), "patients-copied")
    by_level = dict(zip(cell.levels, cell.values, strict=True))
    # What is copied pixel by pixel is at distance 0, so the fraction is at least the share; honest images add a little.
    assert 0.25 <= by_level[0.25] <= 0.25 + 2 * by_level[0.0] + 0.02
    assert by_level[1.0] == 1.0


def test_the_same_audit_gives_the_same_bytes(tmp_path: Path) -> None:
    plan, defects = small_plan(("phantom-patho-fid",)), choose_defects(("blur", "attribute-flipped"), {"blur": (1, 2)})
    first, second = (save_audit(run_audit(plan, defects), {}, tmp_path / name) for name in ("a", "b"))
    for name in ("audit.json", "audit.csv", "audit.html", "map.svg"):
        assert (first.path / name).read_bytes() == (second.path / name).read_bytes()


def test_the_files_hold_the_result(result: AuditResult, tmp_path: Path) -> None:
    plan = small_plan()
    defects = choose_defects(DEFECTS, {})
    examples = example_tiles(make_cohort(plan), choose_defects(("blur",), {"blur": (0.5, 1.0, 2.0)}))
    folder = save_audit(result, examples, tmp_path)
    assert load_audit(folder.path) == load_audit(folder.result) == result
    frame = result.to_frame()
    assert len(frame) == sum(len(cell.levels) for cell in result.cells)
    assert len(folder.table.read_text(encoding="utf-8").splitlines()) == len(frame) + 1
    drawing = ElementTree.fromstring(folder.map.read_bytes())
    assert float(drawing.get("width", "")) > 400
    said = ["".join(text.itertext()) for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {defect.title for defect in defects} <= set(said)
    for verdict in ("blind", "still", "moves"):
        assert said.count(verdict) == sum(1 for _ in result.with_verdict(verdict))
    page = folder.page.read_text(encoding="utf-8")
    assert page.count("<img ") == 4  # one tile at 0, 0.5, 1 and 2
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", page)  # nothing is fetched
    assert "<script" not in page
    for defect in defects:
        assert defect.title in page


def test_a_curve_is_filled_where_the_change_is_seen(result: AuditResult) -> None:
    headlines = [row.value.key for row in make_grid(result).rows if row.value.headline]
    assert len(headlines) <= 6  # all are shown
    for drawn in curve_parts(result):
        _, chart = read(drawn.chart)
        curves = looking(chart, "curve")
        cells = [result.cell(key, drawn.defect.name) for key in headlines]
        assert len(curves) == len(cells)
        for cell in cells:
            assert f"{cell.changes[-1]:.0%}" in (chart.get("aria-label") or "")
        seen = [c.seen_from is not None and level >= c.seen_from for c in cells for level in c.levels]
        assert len(looking(chart, "mark")) == len(seen)
        assert len(looking(chart, "mark hollow")) == seen.count(False)
        for curve, cell in zip(curves, cells, strict=True):
            # The axis reaches from -0.41 to 1.31, 150 units high above 172; changes are drawn between -0.35 and 1.25.
            heights = [172 - 150 * (min(max(change, -0.35), 1.25) + 0.41) / 1.72 for change in cell.changes]
            assert [y for _, y in places(curve)] == pytest.approx(heights, abs=0.051)


def test_the_terminal_names_what_is_blind(result: AuditResult) -> None:
    console = Console(file=io.StringIO(), width=160, color_system=None)
    print_audit(result, console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"{result.n} prompts of {result.patients} patients" in shown
    for cell in result.with_verdict("blind", "moves"):
        assert cell.finding in shown.replace("\n", " ")


def test_half_of_the_prompts_is_half_of_every_set_but_training() -> None:
    plan = small_plan(("phantom-patho-fid",))
    cohort = make_cohort(plan)
    gallery = Gallery({"texture": plan.encoders["texture"]}, plan.context())
    gallery.add((cohort.picture(s) for s in (*cohort.prompts, *cohort.answers, *cohort.train)), Silent(), "")
    edition = choose_defects(("captions-shuffled",), {})[0].build(cohort, 1.0)
    whole = Sets(cohort, gallery, "texture", cohort.train).inputs(edition)
    half = part(whole, np.arange(0, 64, 2))
    kept = {cohort.prompts[i].id for i in range(0, 64, 2)}
    assert set(half["generated"].ids) == set(half["reference"].ids) == kept
    assert len(half["variants"]) == 32 * cohort.wordings
    assert len(half["train"]) == len(whole["train"])


def test_without_a_task_that_can_be_computed_the_remedy_is_named() -> None:
    plan = small_plan(("clip-score",))
    if plan.runnable:
        pytest.skip("an encoder that reads text is at hand")
    with pytest.raises(MissingError, match="clip-score"):
        run_audit(plan, choose_defects(("blur",), {}))


def test_the_command_writes_a_page_and_names_it(tmp_path: Path) -> None:
    application = typer.Typer()
    application.command()(audit)
    arguments = ["--tasks", "kernel-distance,precision-recall", "--defects", "blur", "--levels", "blur=[1,3]"]
    sizes = ["--suite-arg", "train=0", "--suite-arg", "test=32", "--encoder", "texture"]
    shown = CliRunner().invoke(application, [*arguments, *sizes, "--out", str(tmp_path)], catch_exceptions=False)
    assert shown.exit_code == 0
    (folder,) = (tmp_path / "audits").iterdir()
    assert {p.name for p in folder.iterdir()} == {"audit.json", "audit.csv", "audit.html", "map.svg"}
    assert str(folder / "audit.html") in shown.output.replace("\n", "")
    assert load_audit(folder).n == 32


def test_levels_are_read_from_the_command_line() -> None:
    assert parse_levels(["blur=[0.5,1,2]", "noise=3,9"]) == {"blur": (0.5, 1.0, 2.0), "noise": (3.0, 9.0)}
    for wrong in (["blur"], ["blur=[a,b]"], ["blur=[1,2"], ["blur=1,2", "blur=3,4"], ["blur=true,2"]):
        with pytest.raises(UsageError, match="levels"):
            parse_levels(wrong)
