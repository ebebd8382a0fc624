"""UniPath as an answerer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from reference_model.answerer import UniPathAnswerer
from reference_model.pipeline import UniPathPipeline
from reference_model.understanding import answer
from reference_model.vision_tower import VisionTower
from tests.reference_model.made_up_models import tiny_pipeline
from unipath_bench import Context, MissingError, UsageError
from unipath_bench.understanding import AskedQuestion

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[UniPathPipeline, Path]:
    torch.manual_seed(1)
    parts = tiny_pipeline().components | {"vision_tower": VisionTower(32, 8, 32)}
    pipeline = UniPathPipeline(**parts, licence="Apache-2.0")
    folder = tmp_path_factory.mktemp("answerer") / "small"
    pipeline.save_pretrained(folder)
    return pipeline, folder


@pytest.mark.integration
def test_the_reply_is_the_letter_of_the_pipelines_choice(saved: tuple[UniPathPipeline, Path]) -> None:
    pipeline, folder = saved
    answerer = UniPathAnswerer(pipeline=folder)
    assert answerer.missing(Context()) is None
    answerer.setup(Context())
    options = [("necrosis", "solid sheets"), ("solid sheets", "necrosis"), ("glandular", "dense stroma", "necrosis")]
    asked = [AskedQuestion(f"q{i}", "Which pattern?", o, IMAGE) for i, o in enumerate(options)]
    expected = ["ABC"[answer(pipeline, IMAGE, "Which pattern?", o).index] for o in options]
    assert answerer.answer(asked) == expected
    # The first two are one question in another order.
    assert {expected[0], expected[1]} == {"A", "B"}
    assert (answerer.card.name, answerer.card.licence) == ("unipath-small", "Apache-2.0")


def test_what_cannot_answer_says_so(tmp_path: Path) -> None:
    absent = UniPathAnswerer(pipeline=tmp_path)
    assert "holds no pipeline" in str(absent.missing(Context()))
    with pytest.raises(MissingError):
        absent.setup(Context())
    with pytest.raises(UsageError, match="not set up"):
        absent.answer([])
