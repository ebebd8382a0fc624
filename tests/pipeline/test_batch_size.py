"""How many images a generator is asked for at once: halved where memory runs out, and remembered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from unipath_bench.core.errors import GeneratorError, UsageError
from unipath_bench.options import Options
from unipath_bench.pipeline.batch_size import DEFAULT, BatchSize
from unipath_bench.pipeline.plan import Plan, make_plan
from unipath_bench.pipeline.store import Store


@pytest.fixture(scope="module")
def plan(small_tiles: Path) -> Plan:
    return make_plan(Options(model="tests.adapters:Painter", suite="folder", data=str(small_tiles), n=4))


def because_of(cause: BaseException) -> GeneratorError:
    error = GeneratorError("The generator raised.")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("cause", [MemoryError(), RuntimeError("MPS backend out of memory (allocated 9 GB)")])
def test_the_size_that_fitted_is_remembered_for_this_kind_of_device(
    plan: Plan, tmp_path: Path, cause: BaseException
) -> None:
    store = Store(tmp_path)
    batches = BatchSize(store, plan)
    assert batches.size == DEFAULT
    assert batches.back_off(6, because_of(cause))
    assert batches.size == BatchSize(store, plan).size == 3
    assert BatchSize(store, plan, chosen=5).size == 5
    elsewhere = replace(plan, options=replace(plan.options, device="cuda:1"))
    assert BatchSize(store, elsewhere).size == DEFAULT


def test_one_image_that_does_not_fit_and_other_faults_are_not_tried_again(plan: Plan, tmp_path: Path) -> None:
    batches = BatchSize(Store(tmp_path), plan)
    assert not batches.back_off(1, because_of(MemoryError()))
    assert not batches.back_off(8, because_of(RuntimeError("shape mismatch")))
    assert (batches.size, list(tmp_path.rglob("*.json"))) == (DEFAULT, [])


@pytest.mark.parametrize("content", ["", "[]", '{"size": 0}', '{"size": "8"}', '{"side": 8}'])
def test_a_memory_that_was_spoilt_is_named_with_what_to_do(plan: Plan, tmp_path: Path, content: str) -> None:
    memory = tmp_path / "batch-sizes" / f"{plan.model_digest[:16]}-cpu.json"
    memory.parent.mkdir()
    memory.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=memory.name) as caught:
        BatchSize(Store(tmp_path), plan)
    assert caught.value.remedy == "Delete this file."
