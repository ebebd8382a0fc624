"""Finding tasks, and refusing what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from unipath_bench.contracts import Metric
from unipath_bench.core.errors import UsageError
from unipath_bench.core.registries import METRICS
from unipath_bench.scoring.catalogue import load_tasks, select_tasks

TASK = {
    "name": "mine",
    "tier": 2,
    "version": 1,
    "title": "Mine",
    "summary": "A task.",
    "metric": "frechet",
    "encoder": "@image",
    "headline": "distance",
    "values": {"distance": {"title": "Distance", "direction": "lower"}},
}


def _write(path: Path, **changes: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({**TASK, **changes}), encoding="utf-8")
    return path


def test_shipped_tasks_come_by_tier_and_name() -> None:
    tasks = load_tasks()
    order = [(spec.tier, name) for name, spec in tasks.items()]
    assert order == sorted(order)
    assert {spec.tier for spec in tasks.values()} == {1, 2, 3, 4}
    assert {"fid", "patho-fid", "clip-score", "attribute-control", "memorisation"} <= set(tasks)


@pytest.mark.parametrize("name", list(load_tasks()))
def test_a_shipped_task_names_a_metric_and_gives_its_rationale(name: str) -> None:
    spec = load_tasks()[name]
    assert isinstance(METRICS.get(spec.metric), Metric)
    assert spec.rationale
    assert all(figure.source for figure in spec.published)


def test_published_figures_are_those_of_the_protocol() -> None:
    # The table "Published figures" of the evaluation protocol, row by row (the understanding track has no task).
    figures = {(name, f.value) for name, spec in load_tasks().items() for f in spec.published}
    assert figures == {
        ("patho-fid", 80.9),
        ("fid", 484.4),
        ("clip-score", 0.348),
        ("image-to-image-recall", 4.25),
        ("attribute-control", 81.49),
        ("attribute-control", 77.02),
        ("attribute-control", 98.7),
        ("kather-crc", 87.15),
    }


def test_folders_are_searched_at_any_depth(tmp_path: Path) -> None:
    _write(tmp_path / "a.yaml", name="late", tier=4)
    _write(tmp_path / "deep" / "er" / "b.yml", name="early", tier=1)
    (tmp_path / "notes.txt").write_text("not a task")
    assert list(load_tasks([tmp_path])) == ["early", "late"]


def test_two_files_with_one_name_are_both_named(tmp_path: Path) -> None:
    first, second = _write(tmp_path / "one" / "a.yaml"), _write(tmp_path / "two" / "a.yaml")
    with pytest.raises(UsageError, match="Two files define the task 'mine'") as caught:
        load_tasks([tmp_path / "one", tmp_path / "two"])
    assert str(first) in caught.value.message
    assert str(second) in caught.value.message


def test_a_wrong_key_is_named_with_its_file(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.yaml", headlin="distance")
    with pytest.raises(UsageError, match=r"(?s)a\.yaml.*headlin: unknown key; did you mean 'headline'"):
        load_tasks([path.parent])


def test_selection_by_tier_and_by_name(tmp_path: Path) -> None:
    for name, tier in (("c", 1), ("b", 3), ("a", 3)):
        _write(tmp_path / f"{name}.yaml", name=name, tier=tier)
    folders = [tmp_path]
    assert [s.name for s in select_tasks(folders=folders)] == ["c", "a", "b"]
    assert [s.name for s in select_tasks((3,), folders=folders)] == ["a", "b"]
    assert [s.name for s in select_tasks((1, 3), ("b", "c", "b"), folders)] == ["c", "b"]


def test_an_unknown_name_suggests_near_ones() -> None:
    with pytest.raises(UsageError, match="no task named 'patho-fit'") as caught:
        select_tasks((1, 2), ("patho-fit",))
    assert "'patho-fid'" in caught.value.remedy


def test_a_named_task_outside_the_tiers_is_an_error(tmp_path: Path) -> None:
    _write(tmp_path / "a.yaml")
    with pytest.raises(UsageError, match="tier 2, which is not among the tiers 1, 3"):
        select_tasks((3, 1), ("mine",), [tmp_path])
    with pytest.raises(UsageError, match="no tasks in the tiers 4"):
        select_tasks((4,), (), [tmp_path])


def test_a_single_file_can_be_named_by_its_path(tmp_path: Path) -> None:
    path = _write(tmp_path / "elsewhere" / "task.yaml")
    assert [s.name for s in select_tasks((2,), (str(path), "clip-score"))] == ["clip-score", "mine"]
    with pytest.raises(UsageError, match="no such file"):
        select_tasks((2,), (str(tmp_path / "absent.yaml"),))


def test_a_file_that_redefines_an_installed_task_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "task.yaml", name="fid", tier=1)
    with pytest.raises(UsageError, match="'fid', which is installed already with other content"):
        select_tasks((1,), (str(path),))
