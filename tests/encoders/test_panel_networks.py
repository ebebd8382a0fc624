"""The recipe check: every network that can be built without its weights, against what was published of it."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tests.encoders.small_saves import save, smaller
from unipath_bench.contracts import Context
from unipath_bench.encoders import keep, open_clip, timm, transformers
from unipath_bench.encoders.panel import open_encoder, panel

MODULES: dict[str, ModuleType] = {"timm": timm, "transformers": transformers, "open_clip": open_clip, "keep": keep}
BUILDABLE = [name for name, spec in panel().items() if spec.loader in MODULES]

_TEXT = {"vocab_size": 60, "num_hidden_layers": 1}
SHALLOW: dict[str, dict[str, Any]] = {
    # One block instead of all; widths, patches, pooling, projections and preprocessing as published.
    **{
        name: {"depth": 1}
        for name in ("uni", "uni2-h", "virchow", "virchow2", "h-optimus-0", "h-optimus-1", "prov-gigapath")
    },
    "phikon-v2": {"num_hidden_layers": 1},
    "dinov2": {"num_hidden_layers": 1},
    "plip": {
        "text_config": {"vocab_size": 60, "num_hidden_layers": 1, "bos_token_id": 0, "eos_token_id": 1},
        "vision_config": {"num_hidden_layers": 1},
    },
    "clip": {
        "text_config": {"vocab_size": 60, "num_hidden_layers": 1, "bos_token_id": 0, "eos_token_id": 1},
        "vision_config": {"num_hidden_layers": 1},
    },
    "pathgen-clip": {"vision_cfg": {"layers": 1}, "text_cfg": {"layers": 1, "vocab_size": 60}},
    "quiltnet": {"vision_cfg": {"layers": 1}, "text_cfg": {"layers": 1, "vocab_size": 60}},
    "biomedclip": {"vision_cfg": {"timm_model_name": "vit_tiny_patch16_224"}, "text_cfg": {"hf_config": _TEXT}},
    "keep": {"vision": {"depth": 1}, "text": _TEXT},
}


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    both = {
        k: _merged(base[k], v) if isinstance(v, dict) and isinstance(base.get(k), dict) else v
        for k, v in changes.items()
    }
    return {**base, **both}


def test_what_can_be_built_is_everything_but_the_authors_own_code() -> None:
    assert set(panel()) - set(BUILDABLE) == {"conch", "conch-v1.5", "musk", "inception-v3"}
    assert set(SHALLOW) == set(BUILDABLE)


@pytest.mark.integration
@pytest.mark.parametrize("name", BUILDABLE)
def test_the_number_of_parameters_is_the_published_one(name: str) -> None:
    spec = panel()[name]
    if name == "keep":
        assert spec.parameters is None  # none was published; its parts are checked in test_joint.py
        return
    with torch.device("meta"):
        network = MODULES[spec.loader].build_network(spec)
    count = sum(p.numel() for p in network.parameters())
    figure, unit = re.fullmatch(r"([\d.]+)([MB])", str(spec.parameters)).groups()  # type: ignore[union-attr]
    published = float(figure) * {"M": 1e6, "B": 1e9}[unit]
    # It rounds to the figure as printed; papers that print three digits are allowed half a per cent.
    last_digit = {"M": 1e6, "B": 1e9}[unit] / 10 ** len(figure.partition(".")[2])
    assert abs(count - published) <= max(last_digit / 2, 0.005 * published), f"{count:,}"


@pytest.mark.integration
@pytest.mark.parametrize("name", BUILDABLE)
def test_dimension_and_invariance_to_the_batch(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = smaller(name, options=_merged(panel()[name].options, SHALLOW[name]), sha256=None, micro_batch=3)
    spec = spec.model_copy(
        update={"modalities": ("image",), "files": tuple(f for f in spec.files if f == "config.json")}
    )
    save(spec, tmp_path / spec.name)
    monkeypatch.setenv("UNIPATH_BENCH_WEIGHTS", str(tmp_path))
    encoder = open_encoder(spec)
    monkeypatch.setattr(type(encoder), "_open_tokenizer", lambda *_: None, raising=False)
    if spec.loader in ("keep", "transformers") and spec.pooling == "projected":
        monkeypatch.setattr("transformers.BertTokenizer.from_pretrained", lambda *_, **__: None)
        monkeypatch.setattr("transformers.CLIPTokenizer.from_pretrained", lambda *_, **__: None)
    encoder.setup(Context())
    images = np.random.default_rng(5).integers(0, 256, (3, 240, 240, 3), dtype=np.uint8)
    features = encoder.embed_images(images)
    assert features.shape == (3, panel()[name].dimension)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    size = np.sqrt((features**2).mean())
    assert size > 0
    np.testing.assert_allclose(encoder.embed_images(images[[2, 0, 1]]), features[[2, 0, 1]], rtol=0, atol=1e-5 * size)
    np.testing.assert_allclose(encoder.embed_images(images[[1, 1, 1]])[:1], features[1:2], rtol=0, atol=1e-5 * size)
