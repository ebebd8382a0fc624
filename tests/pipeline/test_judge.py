"""``plan``, ``run`` and ``data check`` answer from one judge."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from unipath_bench.contracts import FeatureSet, Measurement, ScoreInputs, metric
from unipath_bench.core.errors import DataError, NotComputable
from unipath_bench.core.registries import METRICS
from unipath_bench.options import Options
from unipath_bench.pipeline.known_sets import known_sets
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.pipeline.run import run
from unipath_bench.pipeline.suitability import check_tasks
from unipath_bench.suites.card import load_suite
from unipath_bench.suites.roles import assign_roles


def with_one_class(tiles: Path, folder: Path) -> Path:
    """A copy of the suite in which every tile is labelled dense."""
    shutil.copytree(tiles, folder)
    for metadata in folder.glob("*/metadata.csv"):
        metadata.write_text(metadata.read_text(encoding="utf-8").replace(",sparse,", ",dense,"), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("synthetic-training", "All reference images are of one class of 'label': there is nothing to tell apart."),
        ("attribute-control", "No attribute can be scored: label: the training images have one class only."),
    ],
)
def test_what_labels_forbid_is_known_before_anything_is_made(
    small_tiles: Path, tmp_path: Path, task: str, reason: str
) -> None:
    data = str(with_one_class(small_tiles, tmp_path / "data"))
    options = Options(model="noise", suite="folder", data=data, tasks=(task, "kernel-distance"), n=12)
    plan = make_plan(options)
    (planned,) = (t for t in plan.tasks if t.spec.name == task)
    assert planned.blocker is not None
    assert planned.blocker.reason == reason
    score = run(plan, tmp_path / "out").load_record().score(planned.key)
    assert (score.status, score.reason) == ("not computed", reason)
    found = check_tasks(load_suite("folder", data, {}))
    assert f"{planned.key}: {reason}" in found.items


def test_too_few_images_for_a_metric_are_known_too(small_tiles: Path) -> None:
    options = Options(model="noise", suite="folder", data=str(small_tiles), tasks=("precision-recall",), n=5)
    (planned,) = make_plan(options).tasks
    assert planned.blocker is not None
    assert planned.blocker.reason.startswith("A distance to the 5th nearest neighbour needs at least 6 images")
    (planned,) = make_plan(
        Options(model="noise", suite="folder", data=str(small_tiles), tasks=("precision-recall",), n=6)
    ).tasks
    assert planned.blocker is None


def test_a_requirement_gets_the_parameters_that_it_names_with_their_defaults() -> None:
    asked: list[int] = []

    def at_least(inputs: ScoreInputs, least: int) -> None:
        asked.append(least)
        if len(inputs["generated"]) < least:
            raise NotComputable("too few", "more")

    @metric("generated.images", requires=at_least)
    def counted(inputs: ScoreInputs, *, other: float = 0.5, least: int = 3) -> Measurement:
        return Measurement({"count": float(len(inputs["generated"]))}, n_images=len(inputs["generated"]))

    inputs = ScoreInputs({"generated": FeatureSet(("a", "b"))})
    counted.require(inputs, least=2)
    with pytest.raises(NotComputable, match="too few"):
        counted.require(inputs)
    with pytest.raises(NotComputable, match="too few"):
        counted(inputs, other=1.0)
    assert counted(inputs, least=1).values == {"count": 2.0}
    assert asked == [2, 3, 3, 1]


def test_what_is_known_is_what_metrics_see(small_tiles: Path) -> None:
    suite = load_suite("folder", str(small_tiles), {})
    roles = assign_roles(suite)
    needs = frozenset({"heldout.images", "train.images", "variants.images"})
    sets = known_sets(needs, suite.card.attributes, roles.test[:4], roles, seeds=3)
    assert {name: len(found) for name, found in sets.items()} == {
        "generated": 12,
        "reference": 4,
        "variants": 8,
        "train": len(roles.train),
        "heldout": 4,
    }
    assert sets["generated"].replicates == (0,) * 4 + (1,) * 4 + (2,) * 4
    assert sets["variants"].prompts == tuple(s.paraphrases[w] for w in range(2) for s in roles.test[:4])
    assert sets["heldout"].ids == sets["reference"].ids
    assert sets["heldout"].groups != sets["reference"].groups
    assert all(found.images is None and found.texts is None for found in sets.values())


def test_a_label_that_some_samples_lack_is_named(small_tiles: Path) -> None:
    roles = assign_roles(load_suite("folder", str(small_tiles), {}))
    prompts = [roles.test[0], replace(roles.test[1], labels={})]
    with pytest.raises(DataError, match=r"1 of 2 samples have no label 'label'.*\n.*" + roles.test[1].id):
        known_sets(frozenset(), ("label",), prompts, roles, seeds=1)


@pytest.mark.parametrize("name", sorted(METRICS.names()))
def test_every_requirement_names_parameters_of_its_metric(name: str) -> None:
    found = METRICS.get(name)
    rows = range(24)
    sample = FeatureSet(
        tuple(f"s{i}" for i in rows),
        prompts=tuple(f"p{i % 2}" for i in rows),
        labels={"label": tuple("pq"[i % 2] for i in rows)},
        groups=tuple(f"g{i}" for i in rows),
        replicates=(0,) * 24,
    )
    found.require(ScoreInputs(dict.fromkeys(("reference", "generated", "train", "heldout", "variants"), sample)))
