"""What ``explain`` tells of a prompt."""

from __future__ import annotations

import json

import numpy as np
import pytest

from reference_model.explain import explain, parse_attributes
from reference_model.pipeline import UniPathPipeline
from tests.reference_model.made_up_models import PROMPTS, tiny_pipeline


@pytest.fixture(scope="module")
def pipeline() -> UniPathPipeline:
    return tiny_pipeline()


def test_the_three_streams_are_shown(pipeline: UniPathPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = pipeline.language.text_ids("solid necrosis")
    monkeypatch.setattr(pipeline.language, "generate", lambda turns, *_, **__: [answer] * len(turns))
    told = explain(pipeline, "solid, Necrosis", image=np.zeros((32, 32, 3), np.uint8), expand=True)
    assert told.tokens == ("solid", ",", "necrosis")
    assert told.cut == ()
    assert told.expansion == "solid necrosis"
    assert told.chat.endswith("assistant solid necrosis")
    assert "solid , necrosis" in told.chat
    assert told.n_query == 4
    assert told.prototypes is not None
    # Found by the bundle, in the language model's words, not by the prompt's.
    assert [p.id for p in told.prototypes] == ["reference image", "tile-solid", "tile-necrosis"]
    assert [r.name for r in told.prototypes[1].routes] == ["keyword", "text-text"]
    assert told.prototypes[1].image is not None
    assert told.prototypes[1].image[0, 0, 0] == len("solid")
    written = json.loads(json.dumps(told.to_dict()))
    assert written["prototypes"][1]["routes"][0] == {"name": "keyword", "score": None, "detail": "solid"}
    assert "tile-solid: keyword (solid); text-text 0.500" in str(told)


@pytest.mark.parametrize("own", [False, True])
def test_whether_the_prompt_is_expanded_is_the_pipelines_own_setting(
    pipeline: UniPathPipeline, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    monkeypatch.setattr(pipeline.language, "generate", lambda turns, *_, **__: [[1]] * len(turns))
    before = pipeline.config.expand
    pipeline.register_to_config(expand=own)
    try:
        assert (explain(pipeline, "solid").expansion is not None) == own
    finally:
        pipeline.register_to_config(expand=before)


def test_what_would_be_cut_is_shown_without_an_error(pipeline: UniPathPipeline) -> None:
    told = explain(pipeline, " ".join(["mitoses"] * 26), expand=False)
    assert len(told.tokens) == 24
    assert told.cut == ("mitoses", "mitoses")
    assert told.expansion is None
    assert "cut         2 tokens" in str(told)


def test_without_a_bank_there_are_no_prototypes() -> None:
    pipeline = tiny_pipeline()
    pipeline.bank = None
    assert explain(pipeline, PROMPTS[0], expand=False).prototypes is None


@pytest.mark.parametrize(
    ("bundle", "attributes"),
    [
        ("cellularity: high; necrosis: absent.", {"cellularity": "high", "necrosis": "absent"}),
        ("cellularity : high ; cellularity : low", {"cellularity": "high"}),
        ("pattern: solid\nmitoses: few", {"pattern": "solid", "mitoses": "few"}),
        ("no attributes; : x; y :", {}),
    ],
)
def test_bundles_are_parsed(bundle: str, attributes: dict[str, str]) -> None:
    assert parse_attributes(bundle) == attributes
