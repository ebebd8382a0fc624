"""Questions about an image: the small tower before a text-only model, and Qwen2.5-VL by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import AddedToken
from torch import nn
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from reference_model.language import TURN_END
from reference_model.pipeline import UniPathPipeline
from reference_model.tiny_language import build_tokenizer
from reference_model.understanding import CHOICE, QUESTION, answer
from reference_model.vision_tower import VisionTower
from tests.reference_model.made_up_models import PROMPTS, randomised, tiny_pipeline
from unipath_bench import MissingError, UsageError

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
OPTIONS = ("necrosis", "solid sheets", "dense stroma")


@pytest.fixture(scope="module")
def seeing() -> UniPathPipeline:
    pipeline = tiny_pipeline()
    torch.manual_seed(1)
    tower = VisionTower(side=32, width=8, hidden_size=32)
    return UniPathPipeline(**pipeline.components | {"vision_tower": tower}, bank=pipeline.bank, max_text_tokens=24)


def test_options_are_weighed_by_their_whole_wording(seeing: UniPathPipeline) -> None:
    """By hand: the chat with the image's tokens in the description's place, one option after the other, each token's
    log-probability summed with that of the end of the turn, and a softmax over the options."""
    answered = answer(seeing, IMAGE, "Which pattern?", OPTIONS)
    language, system = seeing.language, seeing.semantic_tokens.config.system
    resized = seeing.image_processor.preprocess(seeing.image_processor.numpy_to_pil(IMAGE[None] / 255)[0], 32, 32)
    assert resized.shape == (1, 3, 32, 32)
    before, after = (
        language.text_ids(part)
        for part in (
            f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\nDescription:",
            "Question: Which pattern?<|im_end|>\n<|im_start|>assistant\n",
        )
    )
    scores = []
    with torch.no_grad():
        assert seeing.vision_tower is not None
        tokens = seeing.vision_tower(resized)[0]
        for option in OPTIONS:
            told = [*language.text_ids(option), language.tokenizer.convert_tokens_to_ids(TURN_END)]
            rows = torch.cat([language.embed(before), tokens, language.embed(after), language.embed(told)])
            logits = language.model(inputs_embeds=rows[None]).logits[0].log_softmax(dim=-1)
            start = len(rows) - len(told) - 1
            scores.append(sum(float(logits[start + i, token]) for i, token in enumerate(told)))
    expected = torch.softmax(torch.tensor(scores, dtype=torch.float64), dim=0)
    assert answered.probabilities == pytest.approx(expected.tolist(), abs=1e-6)
    assert answered.index == int(expected.argmax())
    assert answered.option == OPTIONS[answered.index]
    assert answered.options == OPTIONS


def test_the_order_of_the_options_does_not_matter(seeing: UniPathPipeline) -> None:
    one = answer(seeing, IMAGE, "Which pattern?", OPTIONS)
    other = answer(seeing, IMAGE, "Which pattern?", OPTIONS[::-1])
    assert other.probabilities[::-1] == pytest.approx(one.probabilities, abs=1e-6)
    assert other.option == one.option


def test_the_answer_depends_on_the_image(seeing: UniPathPipeline) -> None:
    one, other = (answer(seeing, image, "Which pattern?", OPTIONS) for image in (IMAGE, 255 - IMAGE))
    assert not np.allclose(one.probabilities, other.probabilities, atol=1e-6)


def test_the_tower_is_saved_and_loaded_with_the_pipeline(seeing: UniPathPipeline, tmp_path: Path) -> None:
    seeing.save_pretrained(tmp_path)
    loaded = UniPathPipeline.from_pretrained(tmp_path, bank=None)
    arguments = (IMAGE, "Which pattern?", OPTIONS)
    assert answer(loaded, *arguments).probabilities == answer(seeing, *arguments).probabilities


def test_an_offloaded_pipeline_answers_alike(seeing: UniPathPipeline, tmp_path: Path) -> None:
    seeing.save_pretrained(tmp_path)
    offloaded = UniPathPipeline.from_pretrained(tmp_path, bank=None)
    offloaded.enable_model_cpu_offload(device="cpu")
    arguments = (IMAGE, "Which pattern?", OPTIONS)
    assert answer(offloaded, *arguments).probabilities == pytest.approx(
        answer(seeing, *arguments).probabilities, abs=1e-6
    )


def test_tokens_of_the_tower_are_its_squares_row_by_row() -> None:
    """With means of 16 x 16 pixels for features, a change inside a square moves that square's token alone."""
    torch.manual_seed(0)
    tower = VisionTower(side=64, width=8, hidden_size=16).eval()
    tower.trunk = nn.Sequential(nn.AvgPool2d(16), nn.Conv2d(3, 32, 1))
    tower.norm = nn.Identity()
    base = torch.zeros(1, 3, 64, 64)
    with torch.no_grad():
        assert tower(base).shape == (1, 16, 16)
        for place in range(16):
            row, column = divmod(place, 4)
            changed = base.clone()
            changed[0, :, 16 * row + 6, 16 * column + 6] = 1.0
            moved = (tower(changed) - tower(base)).abs().amax(dim=2)[0]
            assert moved.nonzero().flatten().tolist() == [place]
    with pytest.raises(ValueError, match="no multiple of 16"):
        VisionTower(side=40)


def test_what_is_missing_or_no_choice_is_said(seeing: UniPathPipeline) -> None:
    with pytest.raises(MissingError, match="no vision tower"):
        answer(tiny_pipeline(), IMAGE, "Which?", OPTIONS)
    for options in (("necrosis",), ("necrosis", "necrosis"), ("necrosis", " ")):
        with pytest.raises(UsageError, match="no choice"):
            answer(seeing, IMAGE, "Which?", options)
    with pytest.raises(UsageError, match="does not know their words"):
        answer(seeing, IMAGE, "Which?", ("zebra", "giraffe"))
    with pytest.raises(UsageError, match="the vision tower 16"):
        UniPathPipeline(**seeing.components | {"vision_tower": VisionTower(32, 8, 16)})


VISION_TOKENS = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", "<|vision_pad|>"]


@pytest.fixture(scope="module")
def qwen() -> UniPathPipeline:
    """A Qwen2.5-VL of two layers with random weights, and its processor."""
    turns = (CHOICE.replace("{question}", " ").replace("{options}", " A B C . "), QUESTION.replace("{question}", " "))
    tokenizer = build_tokenizer([*PROMPTS, *OPTIONS, "Which pattern ? a b c . which"], turns)
    tokenizer.add_special_tokens(
        {"additional_special_tokens": [AddedToken(t, special=True) for t in VISION_TOKENS]},
        replace_extra_special_tokens=False,
    )
    ids = dict(zip(VISION_TOKENS, tokenizer.convert_tokens_to_ids(VISION_TOKENS), strict=True))
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]},
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 32,
            "patch_size": 14,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    torch.manual_seed(3)
    model = randomised(Qwen2_5_VLForConditionalGeneration(config), 4, 0.1).eval()
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=112 * 112), tokenizer, Qwen2VLVideoProcessor()
    )
    parts = tiny_pipeline().components | {"language_model": model, "tokenizer": tokenizer, "processor": processor}
    return UniPathPipeline(**parts)


def test_qwen_is_asked_for_a_letter(qwen: UniPathPipeline) -> None:
    """By hand: the image's patches, its places in the token sequence, the logits of the letters at the last place."""
    answered = answer(qwen, IMAGE, "Which pattern?", OPTIONS)
    tokenizer: Any = qwen.tokenizer
    patches = qwen.processor.image_processor(images=[IMAGE], return_tensors="pt")
    places = int(patches["image_grid_thw"].prod()) // 4
    text = (
        f"<|im_start|>system\n{qwen.semantic_tokens.config.system}<|im_end|>\n<|im_start|>user\n"
        f"<|vision_start|>{'<|image_pad|>' * places}<|vision_end|>Which pattern?\nA. necrosis\nB. solid sheets\n"
        "C. dense stroma\nAnswer with the option's letter directly.<|im_end|>\n<|im_start|>assistant\n"
    )
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    of_image = ids == tokenizer.convert_tokens_to_ids("<|image_pad|>")
    with torch.no_grad():
        logits = qwen.language_model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=patches["pixel_values"],
            image_grid_thw=patches["image_grid_thw"],
            mm_token_type_ids=of_image.int(),
        ).logits[0, -1]
    letters = [tokenizer.convert_tokens_to_ids(letter) for letter in ("a", "b", "c")]
    assert len({*letters, tokenizer.unk_token_id}) == 4
    expected = torch.softmax(logits[letters].double(), dim=0)
    assert answered.probabilities == pytest.approx(expected.tolist(), abs=1e-5)
    other = answer(qwen, 255 - IMAGE, "Which pattern?", OPTIONS)
    assert not np.allclose(answered.probabilities, other.probabilities, atol=1e-6)


def test_qwen_without_a_processor_says_so(qwen: UniPathPipeline) -> None:
    blind = UniPathPipeline(**qwen.components | {"processor": None})
    with pytest.raises(MissingError, match="no processor"):
        answer(blind, IMAGE, "Which?", OPTIONS)
