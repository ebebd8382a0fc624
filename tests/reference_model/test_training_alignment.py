"""Representation alignment and mixed precision in the training of the image transformer."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from pydantic import ValidationError

from reference_model.training.alignment import Alignment, alignment_targets, open_patch_encoder
from reference_model.training.assembly import build_transformer
from reference_model.training.mixed_precision import SinglePrecisionAttention
from reference_model.training.tiles import Tiles
from tests.reference_model.training_setup import configuration, schedule, training
from unipath_bench import Context, ImageEncoder, UsageError
from unipath_bench.core.arrays import Features, RGBBatch
from unipath_bench.schema.cards import EncoderCard


class Quarters(ImageEncoder):
    """The mean red and green of each quarter of an image."""

    card = EncoderCard(
        name="quarters",
        revision="1",
        dimension=2,
        input_size=16,
        resize="none",
        mean=(0, 0, 0),
        std=(1, 1, 1),
        licence="MIT",
    )

    def embed_images(self, images: RGBBatch) -> Features:
        return self.embed_patches(images).mean(axis=(1, 2))

    def embed_patches(self, images: RGBBatch) -> npt.NDArray[np.float32]:
        count, height, width, _ = images.shape
        parts = images[..., :2].reshape(count, 2, height // 2, 2, width // 2, 2)
        return parts.mean(axis=(2, 4), dtype=np.float64).astype(np.float32)


def tiles(count: int = 5) -> Tiles:
    return Tiles(np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), np.uint8), ())


def transformer() -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built: torch.nn.Module = build_transformer(configuration().transformer, 16, 16, 4)
    return built


def test_targets_follow_the_tile_as_it_is_turned() -> None:
    steps: list[int] = []
    found = alignment_targets(Quarters(), tiles(), 2, steps.append).astype(np.float64)
    assert found.shape == (8, 5, 4, 2)
    assert steps == [5]
    # Mean 0 and variance 1 in each feature, to the rounding of half precision.
    assert np.abs(found.mean(axis=(0, 1, 2))).max() < 1e-3
    assert found.std(axis=(0, 1, 2)) == pytest.approx([1, 1], abs=1e-3)
    # A quarter turn against the clock brings the upper right quarter (place 1) to the upper left (place 0); a mirror
    # image exchanges left and right.
    assert np.array_equal(found[1, :, 0], found[0, :, 1])
    assert np.array_equal(found[4, :, [0, 1, 2, 3]], found[0, :, [1, 0, 3, 2]])


def test_the_loss_is_one_minus_the_cosine() -> None:
    model = transformer()
    targets = np.zeros((8, 1, 4, 2), np.float16)
    targets[...] = (1.0, 0.0)
    alignment = Alignment(model, targets, 2, 0, torch.device("cpu"))
    alignment.head = torch.nn.Sequential(torch.nn.Identity())
    # At 60 degrees to the target in every place: 1 - 1/2.
    seen = torch.tensor([0.5, math.sqrt(3) / 2]).expand(1, 4, 2)
    index = np.zeros(1, np.int64)
    assert float(alignment.loss(seen, index, index)) == pytest.approx(0.5)


def test_what_a_block_shows_is_seen_once_a_call_and_only_within() -> None:
    model = transformer()
    targets = np.ones((8, 1, 4, 2), np.float16)
    alignment = Alignment(model, targets, 1, 0, torch.device("cpu"))
    inputs = {
        "encoder_hidden_states": torch.randn(3, 6, 16),
        "encoder_attention_mask": torch.ones(3, 6, dtype=torch.bool),
        "timestep": torch.tensor([1, 2, 3]),
    }
    with alignment.shown() as seen:
        model(torch.randn(3, 16, 4, 4), **inputs)
    model(torch.randn(3, 16, 4, 4), **inputs)
    assert [tuple(part.shape) for part in seen] == [(3, 4, 16)]


def test_an_encoder_without_places_or_of_another_grid_is_refused() -> None:
    with pytest.raises(UsageError, match="no embed_patches"):
        open_patch_encoder("texture", Context())
    bank = open_patch_encoder("phantom-bank", Context())
    with pytest.raises(UsageError, match="8 x 8 places, not 2 x 2"):
        alignment_targets(bank, tiles(), 2, lambda count: None)


@pytest.mark.integration
def test_the_head_learns_and_is_thrown_away(tmp_path: Path) -> None:
    align = {"encoder": f"{__name__}:Quarters", "block": 1, "until": 0.5}
    config = configuration(flow={"schedule": schedule(4, ema=0.9), "align": align, "precision": "bfloat16"})
    pipeline = training(tmp_path, config).run()
    assert pipeline is not None
    state = torch.load(tmp_path / "flow" / "state.pt", weights_only=True)
    assert {name for name in state["weights"] if name.startswith("alignment")}
    assert all(value.dtype == torch.float32 for value in state["weights"].values())
    assert not any(name.startswith("alignment") for name in pipeline.transformer.state_dict())
    assert not any(isinstance(p, SinglePrecisionAttention) for p in pipeline.transformer.attn_processors.values())


def test_a_block_that_is_not_there_is_refused_before_anything_is_trained() -> None:
    align = {"encoder": f"{__name__}:Quarters", "block": 3}
    with pytest.raises(ValidationError, match="block is 3, and the transformer has 2 blocks"):
        configuration(flow={"schedule": schedule(1), "align": align})


def test_attention_in_single_precision_is_the_stock_attention() -> None:
    model = transformer().eval()
    generator = torch.Generator().manual_seed(5)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    inputs = {
        "encoder_hidden_states": torch.randn(2, 3, 16, generator=generator),
        "encoder_attention_mask": mask,
        "timestep": torch.tensor([10, 900]),
        "return_dict": False,
    }
    latents = torch.randn(2, 16, 4, 4, generator=generator)
    stock = model(latents, **inputs)[0]
    model.set_attn_processor(SinglePrecisionAttention())  # type: ignore[operator]
    torch.testing.assert_close(model(latents, **inputs)[0], stock, atol=1e-5, rtol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(latents, **inputs)[0].float()
    # bfloat16 keeps 8 bits: a few per cent of the spread, and not exactly the same.
    assert 0 < float((mixed - stock).detach().square().mean().sqrt()) < 0.05 * float(stock.std())
