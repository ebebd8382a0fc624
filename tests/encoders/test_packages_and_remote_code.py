"""Encoders with code of their authors: what is asked for when it is absent, and what is called when it is there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from unipath_bench.cli.app import invoke
from unipath_bench.contracts import Context
from unipath_bench.core.errors import DataError, MissingError
from unipath_bench.encoders.panel import open_encoder, panel

MODELING = """
import torch
from transformers import PretrainedConfig, PreTrainedModel


class TinyConfig(PretrainedConfig):
    model_type = "tiny-tower"


class Tower(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3))

    def forward(self, pixels):
        return pixels.mean((2, 3)) * self.weight


class TinyModel(PreTrainedModel):
    config_class = TinyConfig

    def __init__(self, config):
        super().__init__(config)
        self.tower = Tower()
        self.post_init()

    def _init_weights(self, module):
        pass

    def return_tower(self):
        return self.tower, "its transform"
"""


@pytest.mark.parametrize(
    ("name", "module", "command"),
    [("conch", "conch", "git+https://github.com/Mahmoodlab/CONCH.git"), ("musk", "musk", "lilab-stanford/MUSK")],
)
def test_an_absent_package_is_named_with_its_command(name: str, module: str, command: str) -> None:
    remedy = open_encoder(panel()[name]).missing(Context())
    assert f"needs the package {module}" in str(remedy)
    assert command in str(remedy)
    with pytest.raises(MissingError):
        open_encoder(panel()[name]).setup(Context())


def _install(monkeypatch: pytest.MonkeyPatch, name: str, **members: Any) -> None:
    module = ModuleType(name)
    module.__spec__ = SimpleNamespace(name=name)  # type: ignore[assignment]
    for key, value in members.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, name, module)


class _Conch(torch.nn.Module):
    """As CONCH's model: both kinds of image features, and texts of 128 tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = torch.nn.Linear(3, 4)
        self.text = torch.nn.Linear(128, 4)

    def encode_image(self, images: torch.Tensor, normalize: bool = True, proj_contrast: bool = True) -> torch.Tensor:
        assert not normalize
        return self.visual(images.mean((2, 3))) * (2.0 if proj_contrast else 1.0)

    def encode_text(self, tokens: torch.Tensor, normalize: bool = True) -> torch.Tensor:
        assert not normalize
        assert tokens.shape[1] == 128
        assert (tokens[:, -1] == 7).all()  # the class token's place, held by padding
        return self.text(tokens.float())


class _Tokenizer:
    pad_token_id = 7

    def __call__(self, texts: list[str], max_length: int | None = None, **options: Any) -> dict[str, Any]:
        rows = [[1] + [2] * len(text.split()) + [3] for text in texts]
        if max_length is None:
            return {"input_ids": rows}
        assert options["padding"] == "max_length"
        return {"input_ids": torch.tensor([row + [7] * (max_length - len(row)) for row in rows])}


def test_conch_is_called_as_its_authors_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = _Conch()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    asked = []

    def create(name: str, checkpoint_path: str, return_transform: bool) -> _Conch:
        asked.append((name, checkpoint_path, return_transform))
        return _Conch()

    _install(monkeypatch, "conch")
    _install(monkeypatch, "conch.open_clip_custom", create_model_from_pretrained=create, get_tokenizer=_Tokenizer)
    facts = {"path": tmp_path, "sha256": None, "dimension": 4, "input_size": 8}
    encoder = open_encoder(panel()["conch"].model_copy(update=facts))
    encoder.setup(Context())
    assert asked == [("conch_ViT-B-16", str(tmp_path / "pytorch_model.bin"), False)]
    images = np.full((2, 8, 8, 3), 128, np.uint8)
    plain = open_encoder(panel()["conch"].model_copy(update={**facts, "pooling": "pooled", "modalities": ("image",)}))
    plain.setup(Context())
    seen = (128 / 255 - np.array(facts_mean := panel()["conch"].mean)) / np.array(panel()["conch"].std)
    assert facts_mean[0] == pytest.approx(0.48145466)
    by_hand = seen @ model.visual.weight.detach().numpy().T + model.visual.bias.detach().numpy()
    np.testing.assert_allclose(plain.embed_images(images)[0], by_hand, atol=1e-5)
    np.testing.assert_allclose(encoder.embed_images(images)[0], 2 * by_hand, atol=1e-5)
    assert encoder.embed_texts(["a gland", "b"]).shape == (2, 4)  # type: ignore[attr-defined]

    torch.save({"visual.weight": model.visual.weight}, tmp_path / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"visual\.bias"):
        open_encoder(panel()["conch"].model_copy(update=facts)).setup(Context())


def test_musk_is_called_as_its_authors_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    class Musk(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vision_head = torch.nn.Linear(3, 4)

        def forward(self, image: torch.Tensor, **options: Any) -> tuple[torch.Tensor, None]:
            assert options == {"with_head": False, "out_norm": False, "ms_aug": False, "return_global": True}
            return self.vision_head(image.mean((2, 3))), None

    torch.manual_seed(0)
    saved = Musk()
    save_file(saved.state_dict(), tmp_path / "model.safetensors")
    _install(monkeypatch, "musk")
    _install(monkeypatch, "musk.modeling")
    monkeypatch.setattr(timm, "create_model", lambda name: {"musk_large_patch16_384": Musk}[name]())
    facts = {"path": tmp_path, "sha256": None, "dimension": 4, "input_size": 8}
    encoder = open_encoder(panel()["musk"].model_copy(update=facts))
    encoder.setup(Context())
    white = np.full((1, 8, 8, 3), 255, np.uint8)  # (1 - 0.5) / 0.5 = 1 in every channel
    expected = saved.vision_head.weight.sum(1) + saved.vision_head.bias
    np.testing.assert_allclose(encoder.embed_images(white)[0], expected.detach().numpy(), atol=1e-5)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose model is built by Python code in it, as TITAN's is."""
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = tmp_path / "tiny_tower"
    folder.mkdir()
    (folder / "modeling_tiny.py").write_text(MODELING)
    (folder / "config.json").write_text(
        '{"model_type": "tiny-tower", "architectures": ["TinyModel"], '
        '"auto_map": {"AutoConfig": "modeling_tiny.TinyConfig", "AutoModel": "modeling_tiny.TinyModel"}}'
    )
    save_file({"tower.weight": torch.tensor([1.0, 2.0, 3.0])}, folder / "model.safetensors")
    return folder


def test_remote_code_runs_only_when_the_user_trusts_it(repository: Path) -> None:
    facts = {
        "path": repository,
        "weights": "model.safetensors",
        "files": ("config.json", "modeling_tiny.py"),
        "sha256": None,
        "dimension": 3,
        "input_size": 8,
        "options": {"method": "return_tower"},
    }
    encoder = open_encoder(panel()["conch-v1.5"].model_copy(update=facts))
    remedy = str(encoder.missing(Context()))
    assert "--trust-remote-code" in remedy
    assert f"https://huggingface.co/MahmoodLab/TITAN/tree/{panel()['conch-v1.5'].revision}" in remedy
    with pytest.raises(MissingError, match="may not be used yet"):
        encoder.setup(Context())
    trusting = Context(trust_remote_code=True)
    assert encoder.missing(trusting) is None
    encoder.setup(trusting)
    white = np.full((2, 8, 8, 3), 255, np.uint8)
    seen = (1 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(encoder.embed_images(white)[1], seen * [1, 2, 3], rtol=1e-5)


def test_a_local_save_with_code_is_loaded_from_the_command_line_where_it_is_trusted(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a socket was asked for"))
    facts = {
        "name": "tower",
        "like": "conch-v1.5",
        "title": "Tower",
        "path": str(repository),
        "revision": "1" * 40,
        "weights": "model.safetensors",
        "files": ["config.json", "modeling_tiny.py"],
        "dimension": 3,
        "input_size": 8,
        "options": {"method": "return_tower"},
    }
    file = tmp_path / "tower.yaml"
    file.write_text(yaml.safe_dump(facts), encoding="utf-8")
    command = ["encoders", "verify", str(file), "--offline", "--json"]
    assert invoke(command) == 3
    said = " ".join(capsys.readouterr().err.split())
    assert f"Tower runs Python code from {repository}. Read it" in said
    assert "--trust-remote-code" in said
    assert invoke([*command, "--trust-remote-code"]) == 0
    found = np.array(json.loads(capsys.readouterr().out)["features"])
    assert found.shape == (4, 3)
    assert np.isfinite(found).all()


def test_files_that_the_code_asks_for_on_main_are_looked_for_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNIPATH_BENCH_WEIGHTS", raising=False)
    spec = panel()["conch-v1.5"]
    trusting = Context(cache_dir=tmp_path, trust_remote_code=True)
    remedy = str(open_encoder(spec).missing(trusting))
    assert f"--revision {spec.revision}" in remedy
    assert "hf download MahmoodLab/TITAN conch_v1_5_pytorch_model.bin\n" in remedy
    root = tmp_path / "models--MahmoodLab--TITAN"
    (root / "refs").mkdir(parents=True)
    for commit, files in ((str(spec.revision), (spec.weights, *spec.files)), ("1" * 40, spec.asked_on_main)):
        assert open_encoder(spec).missing(trusting) is not None
        (root / "snapshots" / commit).mkdir(parents=True)
        for file in files:
            (root / "snapshots" / commit / file).touch()
    (root / "refs" / "main").write_text("1" * 40)
    assert open_encoder(spec).missing(trusting) is None
