"""Encoders in a plan: those the user chose must be at hand, files go by the names in them, copies stay coupled."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from unipath_bench.core.errors import MissingError, UsageError
from unipath_bench.options import Options
from unipath_bench.pipeline.plan import Plan, make_plan
from unipath_bench.pipeline.score import _coupled


@pytest.fixture(autouse=True)
def _no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIPATH_BENCH_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))


def _plan(tiles: Path, *encoders: str, trust: bool = False) -> Plan:
    return make_plan(
        Options(
            model="real",
            suite="folder",
            data=str(tiles),
            tasks=("frechet-distance",),
            encoders=encoders,
            trust_remote_code=trust,
        )
    )


@pytest.mark.integration
def test_a_chosen_encoder_that_is_absent_is_missing(small_tiles: Path) -> None:
    plan = _plan(small_tiles, "texture", "image=uni2-h")
    assert [task.blocker is None for task in plan.tasks] == [True, False]  # the plan can be shown
    with pytest.raises(MissingError, match="'uni2-h' is not available"):
        plan.require_chosen()
    _plan(small_tiles, "texture").require_chosen()


def test_a_role_that_does_not_exist_is_refused(small_tiles: Path) -> None:
    with pytest.raises(UsageError, match="no role 'jury'"):
        _plan(small_tiles, "jury=texture")


def test_trust_reaches_the_encoder(small_tiles: Path) -> None:
    for trust, asked in ((False, True), (True, False)):
        (task,) = _plan(small_tiles, "conch-v1.5", trust=trust).tasks
        assert task.blocker is not None
        assert ("--trust-remote-code" in task.blocker.remedy) is asked


def test_a_files_encoder_goes_by_its_name_and_stays_coupled(small_tiles: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.yaml"
    path.write_text("name: my-conch\nlike: conch\npooling: pooled\nmodalities: [image]\n")
    plan = _plan(small_tiles, str(path), "texture", "conch", "uni")
    assert plan.role_encoders["image"] == ("my-conch", "texture", "conch", "uni")
    inside = plan.generator.card.model_copy(update={"internal_encoders": ("conch", "no-such-encoder")})
    generator = type("Inside", (), {"card": inside})()
    conditioned = dataclasses.replace(plan, generator=generator)
    assert {task.encoder: _coupled(task, conditioned) for task in plan.tasks} == {
        "my-conch": True,
        "texture": False,
        "conch": True,
        "uni": False,
    }
    assert not any(_coupled(task, plan) for task in plan.tasks)
