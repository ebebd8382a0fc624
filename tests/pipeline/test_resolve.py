"""Models, suites, tasks and encoders as objects and as names: the same plan, the same digests."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from tests.adapters import Painter
from unipath_bench.contracts import Context, ImageEncoder
from unipath_bench.core.arrays import Features, RGBBatch
from unipath_bench.core.errors import UsageError
from unipath_bench.encoders.texture import TextureEncoder
from unipath_bench.options import Options
from unipath_bench.pipeline.executors import Execution, Job
from unipath_bench.pipeline.executors.processes import Processes
from unipath_bench.pipeline.options import OptionsDocument
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.pipeline.resolve import assign_encoders, spelled
from unipath_bench.pipeline.run import run
from unipath_bench.schema.cards import EncoderCard
from unipath_bench.scoring.catalogue import load_tasks
from unipath_bench.suites.folder import FolderSuite


@pytest.fixture
def named(small_tiles: Path) -> Options:
    return Options(
        model="tests.adapters:Painter",
        suite="folder",
        data=str(small_tiles),
        tasks=("frechet-distance", "attribute-control"),
        encoders=("texture",),
    )


@pytest.fixture
def objects(small_tiles: Path) -> Options:
    tasks = load_tasks()
    return Options(
        model=Painter(),
        suite=FolderSuite(data=str(small_tiles)),
        tasks=(tasks["frechet-distance"], tasks["attribute-control"]),
        encoders=(TextureEncoder(),),
    )


def test_objects_and_names_give_one_plan(named: Options, objects: Options) -> None:
    first, second = make_plan(named).record(), make_plan(objects).record()
    spelling = {"suite_spec", "suite_data", "model_spec"}
    assert first.model_dump(exclude=spelling) == second.model_dump(exclude=spelling)
    assert second.model_spec == "tests.adapters:Painter"
    assert second.suite_spec == "unipath_bench.suites.folder:FolderSuite"


def test_a_class_is_made_of_its_arguments(named: Options, small_tiles: Path) -> None:
    plan = make_plan(replace(named, model=Painter, suite=FolderSuite))
    assert plan.record().suite_revision == make_plan(named).record().suite_revision
    with pytest.raises(UsageError, match="no argument 'colour'"):
        make_plan(replace(named, model=Painter, model_arguments={"colour": "red"}))
    with pytest.raises(UsageError, match="finished suite"):
        make_plan(replace(named, suite=FolderSuite(data=str(small_tiles))))
    with pytest.raises(UsageError, match="finished generator"):
        make_plan(replace(named, model=Painter(), model_arguments={"colour": "red"}))


def test_objects_run(objects: Options, tmp_path: Path) -> None:
    record = run(make_plan(replace(objects, n=12)), tmp_path).load_record()
    assert {score.status for score in record.scores} == {"computed"}


class Mean(ImageEncoder):
    """Mean colour."""

    card: ClassVar[EncoderCard] = EncoderCard(name="mean", revision="1", dimension=3)  # type: ignore[misc]

    def __init__(self, micro_batch: int = 8) -> None:
        self.card = self.card.model_copy(update={"micro_batch": micro_batch})  # type: ignore[misc]
        self.setups = 0

    def setup(self, context: Context) -> None:
        self.setups += 1

    def embed_images(self, images: RGBBatch) -> Features:
        return images.mean(axis=(1, 2)).astype(np.float32)


def test_an_encoder_has_the_role_that_it_is_given(named: Options) -> None:
    mean = Mean()
    plan = make_plan(replace(named, encoders=(("judge", mean), "image=texture")))
    assert plan.role_encoders["judge"] == ("mean",)
    assert plan.encoders["mean"] is mean
    assert {task.key for task in plan.tasks} == {"frechet-distance[texture]", "attribute-control[mean]"}
    assert mean.setups == 0


def test_two_encoders_of_one_name_are_refused(named: Options) -> None:
    with pytest.raises(UsageError, match="Two encoders are named 'mean'"):
        make_plan(replace(named, encoders=(Mean(), Mean(micro_batch=4))))
    assert assign_encoders({}, (Mean(), ("judge", Mean()))).keys() == {"image", "judge"}
    with pytest.raises(UsageError, match="no role 'jugde'"):
        assign_encoders({}, (("jugde", Mean()),))


def test_objects_are_not_written_down(named: Options, objects: Options) -> None:
    assert OptionsDocument.of(named).options() == named
    with pytest.raises(UsageError, match="not objects: Painter, FolderSuite, TaskSpec"):
        OptionsDocument.of(objects)


def test_what_cannot_travel_is_refused_by_the_executors_that_need_it(named: Options, tmp_path: Path) -> None:
    class Local(Painter):
        """Defined in a function, so another process cannot import it."""

    plan = make_plan(replace(named, model=Local()))
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(plan.options)
    with pytest.raises(UsageError, match="cannot be sent to other processes"):
        Processes(Job(plan, None, None, Execution(executor="processes")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "spelling"),
    [
        ("memoriser", "memoriser"),
        ("cards/mine.yaml", "mine.yaml"),
        ("a.b:C", "a.b:C"),
        (Painter, "tests.adapters:Painter"),
        (Painter(), "tests.adapters:Painter"),
    ],
)
def test_the_spelling_depends_on_no_folder(given: object, spelling: str) -> None:
    assert spelled(given) == spelling
