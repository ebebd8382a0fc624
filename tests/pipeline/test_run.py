"""The main job on small made-up tiles: every image once, resumable, the same whatever the batch, and nothing lost."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from unipath_bench.core.digest import pixel_digest
from unipath_bench.core.errors import DataError, GeneratorError, UsageError
from unipath_bench.core.images import decode_png, encode_png
from unipath_bench.options import Options
from unipath_bench.pipeline import generate
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.pipeline.resolve import assign_encoders
from unipath_bench.pipeline.run import run
from unipath_bench.schema.record import RunRecord

pytestmark = pytest.mark.integration


@pytest.fixture
def options(small_tiles: Path) -> Options:
    return Options(model="tests.adapters:Painter", suite="folder", data=str(small_tiles))


def evaluate(options: Options, out: Path, **how: Any) -> RunRecord:
    return run(make_plan(options), out, **how).load_record()


def timeless(record: RunRecord) -> str:
    return json.dumps(record.model_dump(mode="json", exclude={"timing"}), sort_keys=True)


def pixels(out: Path) -> dict[tuple[str, int, str], str]:
    """Pixel digest of every stored image by sample, replicate and prompt."""
    rows = [row for path in sorted(out.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return {(r["sample_id"], r["replicate"], r["prompt"]): r["pixel_sha256"] for r in rows}


@pytest.fixture(scope="module")
def finished(small_tiles: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunRecord]:
    out = tmp_path_factory.mktemp("finished")
    return out, evaluate(Options(model="tests.adapters:Painter", suite="folder", data=str(small_tiles)), out)


def test_every_tier_has_scores(finished: tuple[Path, RunRecord]) -> None:
    _, record = finished
    computed = {s.tier for s in record.scores if s.status == "computed"}
    assert computed == {1, 2, 3, 4}
    for score in record.scores:
        assert (score.status == "computed") == bool(score.values)
        assert score.status == "computed" or (score.reason and score.remedy)


def test_a_second_run_computes_nothing_and_gives_the_same_record(
    finished: tuple[Path, RunRecord], options: Options
) -> None:
    out, first = finished
    again = evaluate(options, out)
    assert (again.timing.images_generated, again.timing.images_embedded) == (0, 0)
    assert timeless(again) == timeless(first)


def test_another_folder_gives_the_same_record(
    finished: tuple[Path, RunRecord], options: Options, tmp_path: Path
) -> None:
    assert timeless(evaluate(options, tmp_path)) == timeless(finished[1])


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_the_batch_size_changes_no_byte(
    finished: tuple[Path, RunRecord], options: Options, tmp_path: Path, batch_size: int
) -> None:
    assert timeless(evaluate(options, tmp_path, batch_size=batch_size)) == timeless(finished[1])


def test_an_adapter_may_draw_every_batch_into_one_array(
    finished: tuple[Path, RunRecord], options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch is encoded while the next one is generated: slowly here, so that the next one is there first."""

    def slowly(image: np.ndarray) -> bytes:
        time.sleep(0.01)
        return encode_png(image)

    monkeypatch.setattr(generate, "encode_png", slowly)
    chosen = replace(options, model="tests.adapters:BufferReusing", tasks=("frechet-distance",))
    evaluate(chosen, tmp_path, batch_size=4)
    drawn = pixels(tmp_path)
    assert drawn == {key: pixels(finished[0])[key] for key in drawn}
    for path in tmp_path.rglob("*.parquet"):
        for row in pq.read_table(path).to_pylist():
            assert pixel_digest(decode_png(row["image"]["bytes"])) == row["pixel_sha256"]


def test_fixed_micro_batches_hide_a_batch_sensitive_encoder(options: Options, tmp_path: Path) -> None:
    chosen = replace(options, encoders=("tests.adapters:BatchSensitive",), tasks=("frechet-distance",))
    whole = evaluate(replace(chosen, n=None), tmp_path / "whole")
    evaluate(replace(chosen, n=7), tmp_path / "parts")
    parts = evaluate(chosen, tmp_path / "parts")
    assert whole.scores == parts.scores


def test_raising_n_computes_only_the_new_images(options: Options, tmp_path: Path) -> None:
    few = evaluate(replace(options, n=10), tmp_path)
    assert few.timing.images_generated == few.plan.counts["generated"] + few.plan.counts["variants"]
    many = evaluate(replace(options, n=36), tmp_path)
    wordings = few.plan.counts["variants"] // 10
    assert many.timing.images_generated == 26 * (1 + wordings)
    fresh = evaluate(replace(options, n=36), tmp_path / "fresh")
    assert timeless(many) == timeless(fresh)


def test_raising_the_seeds_computes_only_the_new_images(finished: tuple[Path, RunRecord], options: Options) -> None:
    out, first = finished
    n = first.plan.n
    more = evaluate(replace(options, seeds=3), out)
    assert more.timing.images_generated == 2 * n
    assert more.plan.counts["generated"] == 3 * n


def test_seeds_and_wordings_give_other_images(finished: tuple[Path, RunRecord], options: Options) -> None:
    evaluate(replace(options, seeds=3), finished[0])
    digests = list(pixels(finished[0]).values())
    assert len(set(digests)) > 0.5 * len(digests)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("raises", "RuntimeError: the cat stepped on the cable"),
        ("too few", "returned 7 images"),
        ("floats", "float32"),
        ("wrong size", "47"),
        ("grey", "48"),
    ],
)
def test_a_faulty_adapter_is_named_and_finished_images_are_kept(
    options: Options, tmp_path: Path, fault: str, message: str
) -> None:
    arguments = {"fault": fault, "at": 20}
    with pytest.raises(GeneratorError, match=message):
        evaluate(
            replace(options, model="tests.adapters:Faulty", model_arguments=arguments, tasks=("frechet-distance",)),
            tmp_path,
        )
    assert len(pixels(tmp_path)) == 16  # two whole batches of eight; the faulty one began at image 20


def test_a_mended_adapter_goes_on_where_the_faulty_one_stopped(options: Options, tmp_path: Path) -> None:
    chosen = replace(
        options,
        model="tests.adapters:Faulty",
        model_arguments={"fault": "raises", "at": 20},
        tasks=("frechet-distance",),
    )
    with pytest.raises(GeneratorError):
        evaluate(chosen, tmp_path)
    record = evaluate(replace(chosen, model_arguments={"fault": "none"}), tmp_path)
    assert record.timing.images_generated == record.plan.n - 16


def test_ctrl_c_keeps_what_is_finished(options: Options, tmp_path: Path) -> None:
    chosen = replace(
        options,
        model="tests.adapters:Faulty",
        model_arguments={"fault": "interrupted", "at": 20},
        tasks=("frechet-distance",),
    )
    with pytest.raises(KeyboardInterrupt):
        evaluate(chosen, tmp_path)
    assert len(pixels(tmp_path)) == 16


def test_nan_features_name_the_images_and_are_not_stored(options: Options, tmp_path: Path) -> None:
    chosen = replace(options, encoders=("tests.adapters:NotANumber",), tasks=("frechet-distance",))
    with pytest.raises(DataError, match="NaN or infinite features") as caught:
        evaluate(chosen, tmp_path)
    assert "replicate 0" in caught.value.message
    assert not list(tmp_path.rglob("*.safetensors"))


def test_an_unconditional_generator_is_scored_where_prompts_do_not_matter(options: Options, tmp_path: Path) -> None:
    record = evaluate(replace(options, model="tests.adapters:Unconditional"), tmp_path)
    assert record.score("frechet-distance[texture]").status == "computed"
    control = record.score("attribute-control[texture]")
    assert control.status == "not computed"
    assert "unconditional" in control.reason


def test_n_larger_than_the_suite_is_refused(options: Options) -> None:
    with pytest.raises(UsageError, match="has 40 samples"):
        make_plan(replace(options, n=41))


@pytest.mark.parametrize(("n", "seeds"), [(1, 1), (0, 1), (-3, 1), (10, 0)])
def test_too_little_is_refused(options: Options, n: int, seeds: int) -> None:
    with pytest.raises(UsageError, match=r"--(n|seeds) is"):
        make_plan(replace(options, n=n, seeds=seeds))


def test_encoders_replace_the_defaults_role_by_role() -> None:
    defaults = {"image": "texture", "judge": "texture"}
    assert assign_encoders(defaults, []) == {"image": ("texture",), "judge": ("texture",)}
    panel = assign_encoders(defaults, ["a", "b", "judge=c", "alignment=d"])
    assert panel == {"image": ("a", "b"), "judge": ("c",), "alignment": ("d",)}
    with pytest.raises(UsageError, match="no role 'jury'"):
        assign_encoders(defaults, ["jury=a"])


def test_a_panel_of_encoders_scores_each(options: Options, tmp_path: Path) -> None:
    chosen = replace(options, encoders=("texture", "tests.adapters:BatchSensitive"), tasks=("frechet-distance",), n=20)
    record = evaluate(chosen, tmp_path)
    assert [s.key for s in record.scores] == [
        "frechet-distance[texture]",
        "frechet-distance[tests.adapters:BatchSensitive]",
    ]


def test_a_run_uses_each_request_once(small_tiles: Path, tmp_path: Path) -> None:
    log = tmp_path / "calls.tsv"
    chosen = Options(
        model="tests.adapters:Painter",
        model_arguments={"log": str(log)},
        suite="folder",
        data=str(small_tiles),
        seeds=2,
    )
    record = evaluate(chosen, tmp_path / "out")
    calls = log.read_text().splitlines()
    assert len(calls) == len(set(calls)) == record.timing.images_generated


def test_tasks_for_another_kind_of_suite_are_left_out_and_refused_by_name(options: Options) -> None:
    phantom = replace(options, suite="phantom", data=None, suite_arguments={"train": 32, "test": 16})
    names = {task.spec.name for task in make_plan(phantom).tasks}
    assert {"phantom-fid", "phantom-patho-fid", "kernel-distance"} <= names
    assert not names & {"fid", "patho-fid", "frechet-distance"}
    assert not {task.spec.name for task in make_plan(options).tasks} & {"phantom-fid", "phantom-patho-fid"}
    with pytest.raises(UsageError, match="fid: for tissue suites, and 'phantom' is a phantom suite"):
        make_plan(replace(phantom, tasks=("fid",)))
