"""One record, whoever does the work: this process, several, a Ray cluster, or machines that each do a part."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.adapters import Troubled
from tests.test_outside_the_house import some_tiles
from unipath_bench.cli.app import app
from unipath_bench.cli.commands import attach
from unipath_bench.core.errors import BenchError, DataError, GeneratorError, MissingError, UsageError
from unipath_bench.options import Options
from unipath_bench.pipeline.damage import DamagedShard
from unipath_bench.pipeline.embed import EmbedStage
from unipath_bench.pipeline.executors import Execution, Job, LostWork
from unipath_bench.pipeline.executors import ray as ray_executor
from unipath_bench.pipeline.executors.processes import Processes
from unipath_bench.pipeline.family import Family
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.pipeline.run import run
from unipath_bench.pipeline.store import Store
from unipath_bench.pipeline.work import WorkItem
from unipath_bench.schema.record import RunRecord

TIERS = (1, 3)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are other processes: the tests' adapters reach them by the environment."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]), prepend=os.pathsep)
    attach(app)


@pytest.fixture(scope="module")
def options(small_tiles: Path) -> Options:
    return Options(model="tests.adapters:Troubled", suite="folder", data=str(small_tiles), tiers=TIERS)


@pytest.fixture(scope="module")
def alone(options: Options, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The run of one process: its folder and its record."""
    out = tmp_path_factory.mktemp("alone")
    return out, record(run(make_plan(options), out).load_record())


def record(found: RunRecord) -> dict[str, Any]:
    """Without times, and without the arguments that decide no image."""
    whole = found.model_dump(mode="json", exclude={"timing"})
    whole["plan"]["model"].pop("arguments")
    return {key: value for key, value in whole.items() if key not in ("run_id", "name")}


def timeless(found: RunRecord) -> dict[str, Any]:
    return found.model_dump(mode="json", exclude={"timing"})


def carried_out(options: Options, out: Path, execution: Execution, **trouble: Any) -> dict[str, Any]:
    planned = make_plan(replace(options, model_arguments=trouble))
    return record(run(planned, out, execution=execution).load_record())


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["processes", "ray"])
def test_two_workers_give_the_same_record(
    alone: tuple[Path, dict[str, Any]], options: Options, tmp_path: Path, kind: Any
) -> None:
    assert carried_out(options, tmp_path, Execution(executor=kind, workers=2)) == alone[1]


@pytest.mark.integration
@pytest.mark.parametrize("suite", ["phantom", "real tiles"])
def test_ray_gives_the_record_of_one_process_on_every_tier(
    suite: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if suite == "phantom":
        chosen = Options("blur", suite_arguments={"train": 64, "test": 64, "paraphrases": 1})
    else:
        tiles = some_tiles(request.getfixturevalue("real_tiles"), tmp_path / "tiles")
        chosen = Options("blur", suite="folder", data=str(tiles))
    alone = run(make_plan(chosen), tmp_path / "alone")
    by_ray = run(make_plan(chosen), tmp_path / "ray", execution=Execution(executor="ray", workers=2))
    assert by_ray.path.name == alone.path.name
    assert timeless(by_ray.load_record()) == timeless(alone.load_record())
    assert {score.tier for score in alone.load_record().scores} == {1, 2, 3, 4}


@pytest.mark.integration
@pytest.mark.parametrize(("kind", "times"), [("processes", 2), ("ray", 5)])
def test_killed_workers_change_nothing(
    alone: tuple[Path, dict[str, Any]], options: Options, tmp_path: Path, kind: Any, times: int
) -> None:
    memo = tmp_path / "memo"
    memo.mkdir()
    sample = make_plan(options).prompts[20].id
    trouble = {"trouble": "killed", "sample": sample, "times": times, "memo": str(memo)}
    assert carried_out(options, tmp_path / "out", Execution(executor=kind, workers=2), **trouble) == alone[1]
    assert len(list(memo.iterdir())) == times


@pytest.mark.integration
def test_what_kills_every_worker_is_named(options: Options, tmp_path: Path) -> None:
    memo = tmp_path / "memo"
    memo.mkdir()
    sample = make_plan(options).prompts[20].id
    trouble = {"trouble": "killed", "sample": sample, "times": 99, "memo": str(memo)}
    with pytest.raises(
        GeneratorError, match=r"3 worker processes died at generate seed-0 shard 0 \(exit code -9\)"
    ) as e:
        carried_out(options, tmp_path / "out", Execution(executor="processes", workers=2), **trouble)
    assert sample in e.value.message or "more" in e.value.message
    assert len(list(memo.iterdir())) == 3


@pytest.mark.integration
def test_what_kills_every_actor_ends_the_run(options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memo = tmp_path / "memo"
    memo.mkdir()
    monkeypatch.setattr(ray_executor, "RETRIES", 1)
    sample = make_plan(options).prompts[20].id
    trouble = {"trouble": "killed", "sample": sample, "times": 99, "memo": str(memo)}
    with pytest.raises(GeneratorError, match=r"2 actors, one after the other, died at generate seed-0 shard 0"):
        carried_out(options, tmp_path / "out", Execution(executor="ray", workers=2), **trouble)
    assert len(list(memo.iterdir())) == 2


def test_a_process_is_asked_once_for_what_it_holds(options: Options, tmp_path: Path) -> None:
    """However long an item takes: a request with every look at the clock would fill the pipe and hang the driver."""
    sent: list[WorkItem | None] = []
    hand = SimpleNamespace(pipe=SimpleNamespace(send=sent.append), items=deque(), flushed=False)
    plan, store = make_plan(options), Store(tmp_path)
    processes: Any = Processes(Job(plan, store, EmbedStage(plan, store), Execution(executor="processes")))
    item = WorkItem("generate", Family("seed"), 0, 32)
    for _ in range(5):
        processes._give(hand, deque([item]) if not sent else deque())
    assert sent == [item, None]
    processes._give(hand, deque([item]))
    assert sent == [item, None, item, None]


@pytest.mark.integration
def test_a_hung_generator_is_named_in_time(options: Options, tmp_path: Path) -> None:
    sample = make_plan(options).prompts[0].id
    execution = Execution(executor="processes", workers=1, timeout=20)
    with pytest.raises(GeneratorError, match=rf"no sign of life .* during the generator 'troubled' at {sample}"):
        carried_out(options, tmp_path, execution, trouble="hangs", sample=sample)


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["local", "processes", "ray"])
def test_a_poisoned_prompt_is_named_and_the_others_are_kept(
    alone: tuple[Path, dict[str, Any]], options: Options, tmp_path: Path, kind: Any
) -> None:
    sample = make_plan(options).prompts[33].id
    # One worker, so that the shard before the poisoned one is done first.
    one = Execution(executor=kind) if kind == "local" else Execution(executor=kind, workers=1)
    with pytest.raises(GeneratorError, match="a poisoned prompt") as raised:
        carried_out(options, tmp_path, one, trouble="raises", sample=sample)
    assert make_plan(options).prompts[32].id in raised.value.message  # The batch begins with the shard.
    mended = make_plan(replace(options, model_arguments={}))
    folder = run(mended, tmp_path)
    assert record(folder.load_record()) == alone[1]
    assert folder.load_record().timing.images_generated < 40


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["processes", "ray"])
def test_nan_from_one_worker_is_named_and_nothing_of_it_is_kept(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    chosen = replace(options, encoders=("tests.adapters:OnceNotANumber",), tasks=("frechet-distance",))
    monkeypatch.setenv("UNIPATH_BENCH_TEST_MEMO", str(tmp_path))
    with pytest.raises(DataError, match=r"'tests.adapters:OnceNotANumber' gave NaN or infinite features for 1 of"):
        run(make_plan(chosen), tmp_path / "out", execution=Execution(executor=kind, workers=2))
    assert (tmp_path / "happened").exists()
    resumed = run(make_plan(chosen), tmp_path / "out", execution=Execution(executor=kind, workers=2)).load_record()
    assert resumed.timing.images_generated < 40
    assert timeless(resumed) == timeless(run(make_plan(chosen), tmp_path / "alone").load_record())


@pytest.mark.slow
def test_a_machine_that_is_lost_is_replaced_by_another(
    alone: tuple[Path, dict[str, Any]], options: Options, tmp_path: Path
) -> None:
    """A Ray cluster whose only machine with processors is switched off in mid-run, and another put in its place."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    machine = cluster.add_node(num_cpus=3)
    execution = Execution(executor="ray", workers=2, address=cluster.address)
    try:
        with ThreadPoolExecutor(1) as driver:
            running = driver.submit(carried_out, options, tmp_path, execution, delay=0.2)
            while not list(tmp_path.rglob("samples/**/*.parquet")):
                assert not running.done()
                time.sleep(0.05)
            cluster.remove_node(machine, allow_graceful=False)
            assert not running.done()
            cluster.add_node(num_cpus=3)
            assert running.result() == alone[1]
    finally:
        cluster.shutdown()


@pytest.mark.integration
def test_memory_that_runs_out_halves_the_batch_and_is_remembered(
    alone: tuple[Path, dict[str, Any]], options: Options, tmp_path: Path
) -> None:
    assert carried_out(options, tmp_path, Execution(), trouble="out of memory", times=3) == alone[1]
    (memory,) = (tmp_path / "store" / "batch-sizes").iterdir()
    assert json.loads(memory.read_text()) == {"size": 2}  # 8, 4, 2
    with pytest.raises(GeneratorError, match="no room for 1 images"):
        carried_out(options, tmp_path / "none", Execution(), trouble="out of memory", times=0)


@pytest.mark.integration
@pytest.mark.parametrize("folders", [1, 3])
def test_parts_that_are_merged_are_the_whole(
    alone: tuple[Path, dict[str, Any]], options: Options, tmp_path: Path, folders: int
) -> None:
    parts = [tmp_path / f"part{i % folders}" for i in range(3)]
    for number, part in enumerate(parts, start=1):
        arguments = ["run", "--model", str(options.model), "--suite", "folder", "--data", str(options.data)]
        ended = CliRunner().invoke(
            app, [*arguments, "--tiers", "1,3", "--part", f"{number}/3", "--out", str(part)], catch_exceptions=False
        )
        assert ended.exit_code == 0
        assert f"Part {number} of 3 is complete" in ended.output
    assert not list(tmp_path.rglob("record.json"))
    merged = CliRunner().invoke(
        app,
        ["merge", *map(str, dict.fromkeys(parts)), "--out", str(tmp_path / "whole"), "--json"],
        catch_exceptions=False,
    )
    assert merged.exit_code == 0
    (path,) = (tmp_path / "whole").glob("runs/*/record.json")
    assert record(RunRecord.model_validate_json(path.read_text())) == alone[1]


@pytest.mark.integration
def test_a_merge_misses_and_mistrusts(options: Options, tmp_path: Path) -> None:
    def invoke(*arguments: str) -> BaseException | None:
        return CliRunner().invoke(app, list(arguments)).exception

    common = ["run", "--model", str(options.model), "--suite", "folder", "--data", str(options.data), "--tiers", "1,3"]
    assert isinstance(invoke("merge", str(tmp_path)), UsageError)
    a, b = tmp_path / "a", tmp_path / "b"
    assert invoke(*common, "--part", "1/2", "--out", str(a)) is None
    lacking = invoke("merge", str(a))
    assert isinstance(lacking, UsageError)
    assert "these are lacking: 2" in lacking.message
    assert invoke(*common, "--part", "2/2", "--out", str(b)) is None
    shutil.copytree(a / "store" / "samples", b / "store" / "samples", dirs_exist_ok=True)
    forged = next((b / "store" / "samples").rglob("000000-*.parquet"))
    forged.write_bytes(forged.read_bytes() + b"x")
    differs = invoke("merge", str(a), str(b), "--out", str(tmp_path / "c"))
    assert isinstance(differs, DataError)
    assert "one shard with different content" in differs.message
    forged.unlink()
    next((a / "store" / "samples").rglob("000000-*.parquet")).unlink()
    incomplete = invoke("merge", str(a), str(b), "--out", str(tmp_path / "d"))
    assert isinstance(incomplete, DataError)
    assert "generate seed-0 shard 0" in incomplete.message
    assert invoke(*common, "--n", "10", "--part", "2/2", "--out", str(b)) is None
    other = invoke("merge", str(a), str(b))
    assert isinstance(other, UsageError)
    assert "different runs" in other.message


@pytest.mark.parametrize(
    ("execution", "message"),
    [
        (Execution(executor="local", workers=3), "has one worker"),
        (Execution(executor="processes", workers=0), "--workers is 0"),
        (Execution(executor="ray", timeout=3.0), "--timeout does not go with"),
        (Execution(executor="local", address="auto"), "--address is for"),
    ],
)
def test_settings_that_do_not_go_together(options: Options, tmp_path: Path, execution: Execution, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(make_plan(options), tmp_path, execution=execution)


@pytest.mark.parametrize(("name", "remedy"), [("process", "Did you mean 'processes'?"), ("slurm", "local, processes")])
def test_an_executor_that_nobody_registers(name: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=f"no executor named '{name}'") as caught:
        Execution(executor=name)
    assert remedy in caught.value.remedy


def test_without_ray_the_remedy_is_named(options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(MissingError, match=r"unipath-bench\[ray\]"):
        run(make_plan(options), tmp_path, execution=Execution(executor="ray"))


@pytest.mark.parametrize(
    "error", [DataError("what", "how"), DamagedShard(Path("a/b"), "torn"), LostWork(2, 5), GeneratorError("x")]
)
def test_errors_survive_the_way_between_processes(error: BenchError) -> None:
    import pickle

    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_the_made_up_trouble_is_no_part_of_an_image() -> None:
    assert Troubled.incidental >= {"trouble", "sample", "times", "memo"}
