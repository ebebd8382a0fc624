"""Every stage at a tiny size; what a resumed training gives."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from reference_model.pipeline import UniPathPipeline
from reference_model.training.config import TrainingConfig
from tests.reference_model.made_up_models import images_of
from tests.reference_model.training_setup import configuration, phantom, schedule, training
from unipath_bench import UsageError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As the command line sets it: sums that are split over threads differ in the last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training") / "whole"
    assert training(folder).run() is not None
    return folder


def test_the_pipeline_is_written_and_draws(finished: Path) -> None:
    pipeline = UniPathPipeline.from_pretrained(finished / "pipeline", bank=None)
    pipeline.set_progress_bar_config(disable=True)
    prompt, streams = "solid sheets with no hemorrhage", ("text", "semantic")
    image = images_of(pipeline, prompt, num_inference_steps=2, streams=streams, output_type="np")
    assert np.asarray(image).shape == (1, 16, 16, 3)
    assert pipeline.config.internal_encoders == ["texture"]
    assert pipeline.config.micro_batch == 3
    # Stored in half precision, the latent code excepted; read as float32.
    for part, half in ((pipeline.transformer, True), (pipeline.semantic_tokens, True), (pipeline.vae, False)):
        weights = torch.cat([p.flatten() for p in part.parameters()])
        assert weights.dtype == torch.float32
        assert torch.equal(weights, weights.half().float()) is half
    card = json.loads((finished / "pipeline" / "bank" / "bank.json").read_text(encoding="utf-8"))
    assert (card["rule"]["keywords"], card["rule"]["per_keyword"]) == (3, 2)
    # Nothing says where on this machine it was made.
    for path in (finished / "pipeline").rglob("*.json"):
        assert str(finished.parent) not in path.read_text(encoding="utf-8"), path


def test_a_resumed_training_gives_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    shutil.copytree(finished, folder, ignore=shutil.ignore_patterns("flow", "pipeline"))
    assert training(folder).run(flow_steps=2) is None
    assert not (folder / "pipeline").exists()
    assert training(folder).run(flow_steps=5) is None
    assert training(folder).run() is not None
    written = sorted((finished / "pipeline").rglob("*.safetensors"))
    assert {"transformer", "prototype_projector"} <= {path.parent.name for path in written}
    for path in written:
        assert (folder / path.relative_to(finished)).read_bytes() == path.read_bytes(), path


def test_a_resumed_decoder_gives_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    # Stopped in the first stage: the loop of that stage alone is run to step 1, then all of it.
    from reference_model.training.coding import PatchProblem
    from reference_model.training.config import PatchCodeConfig
    from reference_model.training.loop import Loop

    whole = training(tmp_path)
    tiles = whole.tiles()
    config = whole.config.code
    assert isinstance(config, PatchCodeConfig)
    problem = PatchProblem(tiles, config, whole.config.seed, whole.device)
    Loop(problem, config.schedule, tmp_path / "code", whole.accelerator, whole.progress, whole.tracker).run(1)
    whole.code(tiles)
    name = "code/diffusion_pytorch_model.safetensors"
    assert (tmp_path / name).read_bytes() == (finished / name).read_bytes()


def test_a_longer_training_goes_on_from_the_plateau(finished: Path, tmp_path: Path) -> None:
    # 6 steps with decay 0.5 leave the plateau at step 3; 12 steps with decay 0.5 leave it at 6, so their first 3
    # steps are the same.
    longer = configuration(flow={"neighbours": 0.5, "schedule": schedule(12, ema=0.9, decay=0.5)})
    fresh, continued = tmp_path / "fresh", tmp_path / "continued"
    for folder in (fresh, continued):
        shutil.copytree(finished, folder, ignore=shutil.ignore_patterns("flow", "pipeline"))
    (continued / "flow").mkdir()
    shutil.copy(finished / "flow" / "plateau.pt", continued / "flow" / "state.pt")
    for folder in (fresh, continued):
        assert training(folder, longer).run(flow_steps=5) is None
    states = [torch.load(f / "flow" / "state.pt", weights_only=True) for f in (fresh, continued)]
    assert states[0]["step"] == states[1]["step"] == 5
    for name, value in states[0]["weights"].items():
        assert torch.equal(value, states[1]["weights"][name]), name


def test_processes_that_torchrun_starts_share_each_batch(finished: Path, tmp_path: Path) -> None:
    folder, config = tmp_path / "two", tmp_path / "miniature.yaml"
    shutil.copytree(finished, folder, ignore=shutil.ignore_patterns("flow", "pipeline", "curves.jsonl"))
    config.write_text(configuration().model_dump_json(), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*command, "-m", "reference_model.train", str(config), "--out", str(folder)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    # Two trainings, each of its own, would both write every step.
    lines = [json.loads(line) for line in (folder / "curves.jsonl").read_text().splitlines()]
    assert [x["step"] for x in lines if "loss" in x] == [1, 2, 3, 4, 5, 6]
    # The second process draws other tiles than the first one: what is learned is not what one process learns alone.
    weights = [torch.load(place / "flow" / "state.pt", weights_only=True)["weights"] for place in (folder, finished)]
    assert set(weights[0]) == set(weights[1])
    assert any(not torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    UniPathPipeline.from_pretrained(folder / "pipeline", bank=None)


def test_another_configuration_is_refused(finished: Path) -> None:
    other = configuration(seed=4)
    with pytest.raises(UsageError, match="seed"):
        training(finished, other)


def test_curves_are_kept_beside_the_checkpoints(finished: Path) -> None:
    lines = [json.loads(line) for line in (finished / "curves.jsonl").read_text().splitlines()]
    steps = {stage: [x["step"] for x in lines if x["stage"] == stage and "loss" in x] for stage in ("code", "flow")}
    assert steps == {"code": [1, 2, 3], "flow": [1, 2, 3, 4, 5, 6]}
    assert {x["stage"] for x in lines} == {"code", "language", "vision", "flow"}


def test_mlflow_has_the_curves(finished: Path, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    folder = tmp_path / "tracked"
    shutil.copytree(finished, folder, ignore=shutil.ignore_patterns("flow", "pipeline", "curves.jsonl"))
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    tracked = configuration(tracking={"uri": uri})
    assert training(folder, tracked).run(flow_steps=2) is None
    assert training(folder, tracked).run(flow_steps=4) is None
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("unipath-training")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.params["data.hidden.deposit"] == "0.5"
    assert [m.step for m in client.get_metric_history(run.info.run_id, "flow/loss")] == [1, 2, 3, 4]


def test_the_benchmark_is_never_trained_on() -> None:
    with pytest.raises(ValueError, match="seed 0"):
        configuration(data={"suite": phantom(0, 70)})
    with pytest.raises(ValueError, match="seed 0"):
        TrainingConfig.model_validate(configuration().model_dump() | {"data": {"suite": {"name": "phantom"}}})


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="Extra inputs"):
        configuration(flow={"schedule": schedule(1), "noise": 2})
