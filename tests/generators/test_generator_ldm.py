"""The CompVis adapter against a stand-in for the package ``ldm`` whose every step can be worked out by hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from unipath_bench.contracts import Context, Request
from unipath_bench.core.errors import DataError, GeneratorError, MissingError, UsageError
from unipath_bench.generators.cards import model_digest
from unipath_bench.generators.ldm import LatentDiffusionGenerator

UTIL = """
import importlib


def instantiate_from_config(config):
    module, name = config["target"].rsplit(".", 1)
    return getattr(importlib.import_module(module), name)(**config.get("params", {}))
"""
MODEL = """
import torch
from ldm.util import instantiate_from_config


class TextLength(torch.nn.Module):
    def __init__(self, version, device="cpu"):
        super().__init__()
        self.version, self.device = version, device


class LatentDiffusion(torch.nn.Module):
    def __init__(self, channels, image_size, cond_stage_config, first_stage_config):
        super().__init__()
        assert "ckpt_path" not in first_stage_config["params"]
        self.cond_stage_model = instantiate_from_config(cond_stage_config)
        self.scale = torch.nn.Parameter(torch.zeros(channels))

    def get_learned_conditioning(self, texts):
        return torch.tensor([len(text) / 10 for text in texts])

    def decode_first_stage(self, latents):
        return (latents * self.scale[:, None, None]).repeat_interleave(4, 2).repeat_interleave(4, 3)
"""
SAMPLER = """
import torch


class DDIMSampler:
    def __init__(self, model):
        self.model = model

    def sample(self, steps, batch, shape, conditioning, eta, x_T, verbose, unconditional_guidance_scale,
               unconditional_conditioning):
        assert (batch, list(x_T.shape[1:]), verbose) == (1, shape, False)
        asked, null = conditioning, unconditional_conditioning
        mask = 0.0
        if isinstance(asked, dict):
            mask = asked["c_concat"][0].mean() * asked["c_concat"][0].shape[1]
            assert (asked["c_concat"][0] == null["c_concat"][0]).all()
            asked, null = asked["c_crossattn"][0], null["c_crossattn"][0]
        shift = null + unconditional_guidance_scale * (asked - null) + mask / 100
        noise = eta * torch.randn_like(x_T) if eta else 0.0
        return x_T / steps + shift + noise, None
"""
OMEGACONF = """
class Section(dict):
    __getattr__ = dict.__getitem__


class OmegaConf:
    @staticmethod
    def create(value):
        if isinstance(value, dict):
            return Section({name: OmegaConf.create(inner) for name, inner in value.items()})
        return value
"""
CONFIG = {
    "model": {
        "target": "ldm.models.diffusion.ddpm.LatentDiffusion",
        "params": {
            "channels": 3,
            "image_size": 4,
            "cond_stage_config": {
                "target": "ldm.models.diffusion.ddpm.TextLength",
                "params": {"version": "vinid/plip", "device": "cuda"},
            },
            "first_stage_config": {"target": "torch.nn.Identity", "params": {"ckpt_path": "/home/author/last.ckpt"}},
        },
    },
    "data": {"target": "main.DataModuleFromConfig"},
}
SCALE = [0.5, 1.0, -1.0]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stand-ins on the path."""
    root = tmp_path / "code"
    files = {"ldm/util.py": UTIL, "ldm/models/diffusion/ddpm.py": MODEL, "ldm/models/diffusion/ddim.py": SAMPLER}
    for name, text in {**files, "omegaconf.py": OMEGACONF}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.syspath_prepend(str(root))
    yield
    for name in [n for n in sys.modules if n.split(".")[0] in ("ldm", "omegaconf")]:
        del sys.modules[name]


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, Any]:
    """A configuration and a checkpoint as the training library writes it, with more than the network needs."""
    import torch

    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    state = {"scale": torch.tensor(SCALE), "loss.logvar": torch.zeros(1)}
    torch.save({"state_dict": state, "global_step": 7}, tmp_path / "last.ckpt")
    return {
        "config": tmp_path / "config.yaml",
        "checkpoint": tmp_path / "last.ckpt",
        "height": 16,
        "width": 16,
    }


def ask(prompt: str, seed: int = 3) -> Request:
    return Request("a", prompt, seed, 0, 16, 16)


def ready(**arguments: Any) -> LatentDiffusionGenerator:
    generator = LatentDiffusionGenerator(**arguments)
    generator.setup(Context())
    return generator


def expected(seed: int, steps: int, shift: float, eta: float = 0.0) -> np.ndarray:
    """The stand-in by hand: the noise of the seed over steps, plus shift, times the scale, each pixel four wide."""
    import torch

    source = torch.Generator("cpu").manual_seed(seed)
    latents = torch.randn((3, 4, 4), generator=source) / steps + shift
    latents = latents + eta * torch.randn((3, 4, 4), generator=source)
    values = latents.numpy() * np.array(SCALE, np.float32)[:, None, None]
    image = np.clip((values + 1) / 2, 0, 1).transpose(1, 2, 0)
    return np.rint(255 * image).astype(np.uint8).repeat(4, axis=0).repeat(4, axis=1)


@pytest.mark.usefixtures("package")
def test_prefix_prompt_guidance_and_seed_decide_the_image(arguments: dict[str, Any]) -> None:
    """'High;' and 'colon' are ten characters: conditioning 1 against 0 for no text, so the shift is the guidance."""
    generator = ready(**arguments, prefix="High;", steps=10, guidance=1.5)
    alone = generator.generate([ask("colon")])[0]
    np.testing.assert_array_equal(alone, expected(3, 10, 1.5))
    together = generator.generate([ask("lung"), ask("colon"), ask("colon", 4)])
    np.testing.assert_array_equal(together[1], alone)
    np.testing.assert_array_equal(together[0], expected(3, 10, 0.9 * 1.5))
    np.testing.assert_array_equal(together[2], expected(4, 10, 1.5))
    assert generator._model.cond_stage_model.device == "cpu"


@pytest.mark.usefixtures("package")
def test_noise_drawn_on_the_way_is_the_request_s_own_too(arguments: dict[str, Any]) -> None:
    import torch

    torch.manual_seed(99)
    untouched = torch.random.get_rng_state()
    generator = ready(**arguments, steps=5, guidance=1.0, eta=0.5)
    for _ in range(2):
        np.testing.assert_array_equal(generator.generate([ask("0123456789")])[0], expected(3, 5, 1.0, 0.5))
    assert torch.equal(torch.random.get_rng_state(), untouched)


@pytest.mark.usefixtures("package")
def test_a_null_mask_stands_in_where_the_model_reads_masks(arguments: dict[str, Any]) -> None:
    """Six channels of the value 10: the stand-in adds their sum over the channels, 60, over 100."""
    generator = ready(**arguments, steps=10, guidance=1.0, null_mask=10)
    np.testing.assert_array_equal(generator.generate([ask("0123456789")])[0], expected(3, 10, 1.6))


@pytest.mark.usefixtures("package")
def test_the_text_encoder_is_the_pinned_one(arguments: dict[str, Any], tmp_path: Path) -> None:
    own = tmp_path / "plip"
    own.mkdir()
    assert "config.json" in str(LatentDiffusionGenerator(**arguments, text_encoder=own).missing(Context()))
    (own / "config.json").write_text("{}")
    generator = ready(**arguments, text_encoder=own)
    assert generator._model.cond_stage_model.version == str(own)
    before = model_digest(generator)
    (own / "config.json").write_text("{ }")
    assert model_digest(generator) != before


@pytest.mark.usefixtures("package")
def test_a_configuration_is_data(arguments: dict[str, Any]) -> None:
    config = yaml.safe_load(yaml.safe_dump(CONFIG))
    config["model"]["params"]["first_stage_config"]["target"] = "os.system"
    arguments["config"].write_text(yaml.safe_dump(config))
    with pytest.raises(UsageError, match=r"os\.system"):
        LatentDiffusionGenerator(**arguments).setup(Context())
    arguments["config"].write_text("model: 3")
    with pytest.raises(UsageError, match="no configuration of a latent diffusion model"):
        LatentDiffusionGenerator(**arguments).missing(Context())


@pytest.mark.usefixtures("package")
def test_a_checkpoint_of_another_network_or_with_code_is_refused(arguments: dict[str, Any]) -> None:
    import torch

    torch.save({"state_dict": {"other": torch.zeros(1)}}, arguments["checkpoint"])
    with pytest.raises(DataError, match="lacks 1 tensors of the network, such as scale"):
        ready(**arguments)
    torch.save({"state_dict": {"scale": torch.zeros(3)}, "callback": Path("x")}, arguments["checkpoint"])
    with pytest.raises(MissingError, match="not tensors alone") as caught:
        ready(**arguments)
    assert "save_file" in caught.value.remedy
    from safetensors.torch import save_file

    converted = arguments["checkpoint"].with_suffix(".safetensors")
    save_file({"scale": torch.tensor(SCALE)}, converted)
    generator = ready(**{**arguments, "checkpoint": converted}, steps=10, guidance=1.0)
    np.testing.assert_array_equal(generator.generate([ask("0123456789")])[0], expected(3, 10, 1.0))


@pytest.mark.usefixtures("package")
def test_another_size_than_the_model_s_is_an_error(arguments: dict[str, Any]) -> None:
    with pytest.raises(GeneratorError, match="drew 16 x 16"):
        ready(**arguments).generate([Request("a", "colon", 1, 0, 32, 32)])


def test_what_is_absent_is_named_with_where_to_get_it(arguments: dict[str, Any], tmp_path: Path) -> None:
    arguments["code"] = "https://example.org/code"
    remedy = str(LatentDiffusionGenerator(**arguments).missing(Context()))
    assert "ldm" in remedy
    assert "https://example.org/code" in remedy
    with pytest.raises(MissingError):
        ready(**arguments)
    absent = LatentDiffusionGenerator(**{**arguments, "checkpoint": tmp_path / "none.ckpt"})
    assert "none.ckpt" in str(absent.missing(Context()))
