"""The PixCell adapter on a tiny model in its published layout: weights, code and autoencoder in three folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unipath_bench.contracts import Context, ImageEncoder, Request
from unipath_bench.core.errors import DataError, MissingError, UsageError
from unipath_bench.generators.cards import model_digest
from unipath_bench.generators.pixcell import PixCellGenerator
from unipath_bench.schema.cards import EncoderCard

SIDE = 16
CODE = """
import torch
from diffusers import AutoencoderKL, DiffusionPipeline, DPMSolverMultistepScheduler, PixArtTransformer2DModel
from diffusers.image_processor import VaeImageProcessor
from diffusers.pipelines.pipeline_utils import ImagePipelineOutput


class PixCellPipeline(DiffusionPipeline):
    def __init__(self, vae, transformer, scheduler):
        super().__init__()
        self.register_modules(vae=vae, transformer=transformer, scheduler=scheduler)
        self.image_processor = VaeImageProcessor(vae_scale_factor=2)

    def get_unconditional_embedding(self, batch_size):
        config = self.transformer.config
        return torch.zeros(batch_size, config.caption_num_tokens, config.caption_channels)

    @torch.no_grad()
    def __call__(
        self, uni_embeds, negative_uni_embeds, num_inference_steps, guidance_scale, height, width, generator,
        output_type,
    ):
        tokens = self.transformer.config.caption_num_tokens
        assert uni_embeds.shape == negative_uni_embeds.shape == (1, tokens, self.transformer.config.caption_channels)
        latents = torch.randn(1, 4, height // 2, width // 2, generator=generator)
        for _ in range(num_inference_steps):
            seen, unseen = (
                self.transformer(
                    latents, encoder_hidden_states=embeds, timestep=torch.tensor([500]),
                    added_cond_kwargs={"resolution": None, "aspect_ratio": None},
                ).sample[:, :4]
                for embeds in (uni_embeds, negative_uni_embeds)
            )
            latents = latents - 0.5 * (unseen + guidance_scale * (seen - unseen))
        image = self.vae.decode(latents).sample
        return ImagePipelineOutput(self.image_processor.postprocess(image, output_type=output_type))
"""


class Colours(ImageEncoder):
    """Mean colour of each image."""

    card = EncoderCard(name="tests.generators.test_generator_pixcell:Colours", revision="1", dimension=3, micro_batch=2)

    def embed_images(self, images: np.ndarray) -> np.ndarray:
        assert len(images) == self.card.micro_batch
        return (images.mean(axis=(1, 2)) / 64).astype(np.float32)


class Wide(Colours):
    card = Colours.card.model_copy(update={"name": "wide", "dimension": 6})


class Unready(Colours):
    def missing(self, context: Context) -> str | None:
        return "Fetch the weights of Unready."


HERE = __name__


@pytest.fixture(scope="module", params=[1, 4])
def parts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Arguments for the adapter: a model that reads one feature vector, and one that reads 2 x 2 of them."""
    import torch
    from diffusers import DPMSolverMultistepScheduler, PixArtTransformer2DModel

    from tests.generators.tiny_pipelines import autoencoder

    root = tmp_path_factory.mktemp(f"pixcell-{request.param}")
    torch.manual_seed(5)
    transformer = PixArtTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=8,
        num_layers=1,
        cross_attention_dim=16,
        sample_size=8,
        patch_size=2,
        caption_channels=3,
        norm_num_groups=4,
        num_embeds_ada_norm=1000,
        use_additional_conditions=False,
    )
    transformer.register_to_config(caption_num_tokens=request.param)
    transformer.save_pretrained(root / "model" / "transformer")
    DPMSolverMultistepScheduler().save_pretrained(root / "model" / "scheduler")
    vae = autoencoder()
    vae.save_pretrained(root / "sd3" / "vae")
    (root / "model" / "vae").mkdir()
    shutil.copy(root / "sd3" / "vae" / "config.json", root / "model" / "vae")
    index: dict[str, object] = {"_class_name": "PixCellPipeline", "_diffusers_version": "0.42.0"}
    index |= {
        name: ["diffusers", kind]
        for name, kind in (
            ("scheduler", "DPMSolverMultistepScheduler"),
            ("transformer", "PixArtTransformer2DModel"),
            ("vae", "AutoencoderKL"),
        )
    }
    (root / "model" / "model_index.json").write_text(json.dumps(index))
    (root / "code").mkdir()
    (root / "code" / "pipeline.py").write_text(CODE)
    return {
        "model": root / "model",
        "pipeline_code": root / "code",
        "vae": root / "sd3",
        "encoder": f"{HERE}:Colours",
        "height": SIDE,
        "width": SIDE,
        "steps": 2,
    }


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three training and one test image of each of two classes; every quadrant has a colour of its own."""
    root = tmp_path_factory.mktemp("references")
    for split, count in (("train", 3), ("test", 1)):
        for label in ("lung", "skin"):
            for i in range(count):
                seed = [split == "test", label == "skin", i]
                colours = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), dtype=np.uint8)
                image = colours.repeat(SIDE // 2, axis=0).repeat(SIDE // 2, axis=1)
                (root / split / label).mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(root / split / label / f"{i}.png")
    return root


def ask(label: str, seed: int = 7, image: np.ndarray | None = None) -> Request:
    return Request(f"test/{label}/0.png", "", seed, 0, SIDE, SIDE, {"label": label}, image)


def ready(**arguments: Any) -> PixCellGenerator:
    generator = PixCellGenerator(**arguments)
    generator.setup(Context(trust_remote_code=True))
    return generator


def by_hand(generator: PixCellGenerator, image: np.ndarray, seed: int) -> np.ndarray:
    """The peer: the pipeline called with features worked out here, tile by tile from the upper left."""
    import torch

    side = 1 if generator._pipeline.transformer.config.caption_num_tokens == 1 else 2
    step = SIDE // side
    tiles = [image[y : y + step, x : x + step] for y in range(0, SIDE, step) for x in range(0, SIDE, step)]
    features = torch.tensor(np.stack([tile.mean(axis=(0, 1)) / 64 for tile in tiles]), dtype=torch.float32)
    made = generator._pipeline(
        uni_embeds=features[None],
        negative_uni_embeds=torch.zeros_like(features)[None],
        num_inference_steps=2,
        guidance_scale=1.5,
        height=SIDE,
        width=SIDE,
        generator=torch.Generator("cpu").manual_seed(seed),
        output_type="np",
    ).images[0]
    return np.clip(np.rint(made * 255), 0, 255).astype(np.uint8)


@pytest.mark.integration
def test_the_reference_has_the_prompt_s_labels_and_its_features_decide_the_image(
    parts: dict[str, Any], references: Path
) -> None:
    generator = ready(**parts, references=references)
    assert generator.card.conditions_on == ("image", "attributes")
    assert generator.card.internal_encoders == (f"{HERE}:Colours",)
    for label in ("lung", "skin"):
        requests = [ask(label, seed) for seed in range(4)]
        generator.check(requests)
        for request, image in zip(requests, generator.generate(requests), strict=True):
            known = [np.asarray(Image.open(p)) for p in sorted((references / "train" / label).glob("*.png"))]
            answers = [by_hand(generator, reference, request.seed) for reference in known]
            assert sum((image == answer).all() for answer in answers) == 1
            assert image.shape == (SIDE, SIDE, 3)


def test_an_image_of_the_request_s_own_comes_first(parts: dict[str, Any], references: Path) -> None:
    own = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    without = ready(**parts)
    assert without.card.conditions_on == ("image",)
    without.check([ask("lung", image=own)])
    expected = by_hand(without, own, 7)
    np.testing.assert_array_equal(without.generate([ask("lung", image=own)])[0], expected)
    np.testing.assert_array_equal(ready(**parts, references=references).generate([ask("lung", image=own)])[0], expected)


def test_its_code_runs_only_where_the_user_trusts_it(parts: dict[str, Any]) -> None:
    generator = PixCellGenerator(**parts)
    assert "--trust-remote-code" in str(generator.missing(Context()))
    with pytest.raises(MissingError):
        generator.setup(Context())
    assert generator.missing(Context(trust_remote_code=True)) is None


def test_what_is_lacking_is_named(parts: dict[str, Any], tmp_path: Path) -> None:
    trusted = Context(trust_remote_code=True)
    assert "Unready" in str(PixCellGenerator(**{**parts, "encoder": f"{HERE}:Unready"}).missing(trusted))
    for part, said in (("model", "model_index.json"), ("pipeline_code", "pipeline.py"), ("vae", "vae/config.json")):
        assert said in str(PixCellGenerator(**{**parts, part: tmp_path}).missing(trusted))
    hub = {"model": "owner/name", "revision": "0" * 40}
    offline = Context(trust_remote_code=True, offline=True, cache_dir=tmp_path)
    assert "hf download owner/name" in str(PixCellGenerator(**{**parts, **hub}).missing(offline))
    with pytest.raises(UsageError, match="those of wide have 6"):
        ready(**{**parts, "encoder": f"{HERE}:Wide"})


def test_a_request_without_a_reference_is_refused(parts: dict[str, Any], references: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="conditioned on images") as caught:
        PixCellGenerator(**parts).check([ask("lung")])
    assert "references=" in caught.value.remedy
    with pytest.raises(DataError, match="label=gut"):
        PixCellGenerator(**parts, references=references).check([ask("gut")])
    with pytest.raises(DataError, match="no training images"):
        PixCellGenerator(**parts, references=references / "test")
    with pytest.raises(DataError, match="16 x 16 pixels, and the model reads 32 x 32"):
        PixCellGenerator(**{**parts, "height": 32, "width": 32}, references=references)
    with pytest.raises(DataError, match="is 8 x 16"):
        ready(**parts).generate([ask("lung", image=np.zeros((16, 8, 3), np.uint8))])


def test_the_digest_follows_references_code_and_autoencoder(
    parts: dict[str, Any], references: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(references, tmp_path / "references"))
    before = model_digest(PixCellGenerator(**parts, references=references))
    assert model_digest(PixCellGenerator(**parts, references=copy)) == before
    (copy / "train" / "lung" / "0.png").unlink()
    assert model_digest(PixCellGenerator(**parts, references=copy)) != before
    code = Path(shutil.copytree(parts["pipeline_code"], tmp_path / "code"))
    (code / "pipeline.py").write_text(CODE + "\n")
    assert model_digest(PixCellGenerator(**{**parts, "pipeline_code": code}, references=references)) != before
