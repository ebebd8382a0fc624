"""Multiple-choice questions about an image, answered by the language model.

Qwen2.5-VL sees the image through its own vision tower and is asked for the letter of an option. A text-only language
model reads the tokens of :class:`~reference_model.vision_tower.VisionTower` where a description would stand, and is
asked for the words of an option.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from reference_model.inputs import ImageInput, image_list
from reference_model.language import CHAT, TURN_END, LanguageModel, QwenVLLanguage
from reference_model.offload import onto_device
from reference_model.pipeline import UniPathPipeline
from unipath_bench import MissingError, UsageError

QUESTION = "Description: {prompt} Question: {question}"
"""What the user says to a text-only language model; the image's tokens stand at ``{prompt}``."""
CHOICE = "<|vision_start|><|image_pad|><|vision_end|>{question}\n{options}\nAnswer with the option's letter directly."
"""What the user says to Qwen2.5-VL."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered question."""

    question: str
    options: tuple[str, ...]
    index: int
    """Of the chosen option: the first of the most probable ones."""
    probabilities: tuple[float, ...]
    """Of each option, by the language model, among the options; their sum is 1."""

    @property
    def option(self) -> str:
        """The chosen option."""
        return self.options[self.index]


@torch.no_grad()
def answer(pipeline: UniPathPipeline, image: ImageInput, question: str, options: Sequence[str]) -> Answer:
    """Answer a multiple-choice question about an image (PIL or uint8 (H, W, 3)) by the pipeline's language model.

    Raises :class:`~unipath_bench.MissingError` where the pipeline has neither processor nor vision tower, and
    :class:`~unipath_bench.UsageError` for options that are not a choice or that the model cannot tell apart.
    """
    if len(options) < 2 or len(set(options)) < len(options) or not all(option.strip() for option in options):
        raise UsageError(f"The options {list(options)} are no choice.", "Give two different ones or more.")
    picture = image_list(image, 1)[0]
    ask = _by_letter if isinstance(pipeline.language, QwenVLLanguage) else _by_words
    scores = ask(pipeline, picture, question, options)
    pipeline.maybe_free_model_hooks()
    probabilities = torch.softmax(scores.double(), dim=0)
    return Answer(question, tuple(options), int(probabilities.argmax()), tuple(probabilities.tolist()))


def answer_scores(language: LanguageModel, system: str, seen: Tensor, question: str, options: Sequence[str]) -> Tensor:
    """Log-probability of each option as the assistant's whole turn, by a text-only language model, (options,).

    ``seen``: the image's tokens, (places, hidden_size). Raises :class:`~unipath_bench.UsageError` where the model
    reads two options alike.
    """
    end = language.tokenizer.convert_tokens_to_ids(TURN_END)
    told = [[*language.text_ids(option.replace("_", " ")), end] for option in options]
    if len({tuple(ids) for ids in told}) < len(told):
        raise UsageError(
            f"The language model cannot tell the options {list(options)} apart: it does not know their words.",
            "Use the words that it was trained with.",
        )
    before, after = language.chat_around(system, QUESTION.replace("{question}", question))
    beginning, rest = language.embed(before), language.embed(after)
    return language.continuation_scores(torch.cat([beginning, seen.to(beginning), rest]), told)


def _by_words(pipeline: UniPathPipeline, image: Image.Image, question: str, options: Sequence[str]) -> Tensor:
    tower = pipeline.vision_tower
    if tower is None:
        raise MissingError(
            "This pipeline's language model reads text alone, and it has no vision tower.",
            "Load unipath-tiny, or train a tower: a vision stage in the configuration of reference_model.train.",
        )
    device = onto_device(tower)
    side = int(tower.config.side)
    pixels = pipeline.image_processor.preprocess(image, height=side, width=side)
    seen = tower(pixels.to(device=device, dtype=tower.dtype))[0]
    return answer_scores(pipeline.language, str(pipeline.semantic_tokens.config.system), seen, question, options)


def _by_letter(pipeline: UniPathPipeline, image: Image.Image, question: str, options: Sequence[str]) -> Tensor:
    """Logit of each option's letter as the first token of the answer, (options,)."""
    language, processor = pipeline.language, pipeline.processor
    if processor is None:
        raise MissingError(
            "The pipeline has no processor, which prepares images for the language model.",
            "Convert with the language model's folder, which holds preprocessor_config.json.",
        )
    letters = string.ascii_uppercase[: len(options)]
    if len(letters) < len(options):
        raise UsageError(f"There are {len(options)} options.", f"Give {len(string.ascii_uppercase)} at most.")
    listed = "\n".join(f"{letter}. {option}" for letter, option in zip(letters, options, strict=True))
    user = CHOICE.replace("{question}", question).replace("{options}", listed)
    text = CHAT.replace("{system}", pipeline.semantic_tokens.config.system).replace("{user}", user)
    device = onto_device(language.model)
    inputs = processor(text=[text], images=[image], return_tensors="pt").to(device)
    logits = language.model(**inputs, use_cache=False, logits_to_keep=1).logits[0, -1]
    ids = [language.text_ids(letter)[0] for letter in letters]
    scores: Tensor = logits[ids].float()
    return scores
