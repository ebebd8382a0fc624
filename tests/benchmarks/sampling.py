"""Two ways of drawing the images of prompts with several seeds each: the pipeline's, and the released code's.

The released way: one prompt and one seed a call, with the semantic tokens and the prototypes computed anew for each
seed, and keys and values of the context computed at each step. Both ways share all code but that, so what differs is
batching, sharing and caching.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reference_model.generator import SHIPPED
from reference_model.pipeline import UniPathPipeline
from unipath_bench.phantom import PhantomSuite

Images = npt.NDArray[np.float32]


def build(micro_batch: int | None) -> UniPathPipeline:
    """unipath-tiny, with so many latents in a call."""
    pipeline = UniPathPipeline.from_pretrained(SHIPPED)
    if micro_batch is not None:
        pipeline.register_to_config(micro_batch=micro_batch)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def prompts_of(count: int) -> list[str]:
    """The first different prompts of the phantom's test split."""
    prompts = dict.fromkeys(sample.prompt for sample in PhantomSuite().samples() if sample.split == "test")
    return list(prompts)[:count]


def _drawn(pipeline: UniPathPipeline, *arguments: Any, **named: Any) -> Images:
    (images,) = pipeline(*arguments, **{**named, "output_type": "np", "return_dict": False})
    return np.asarray(images)


def ours(pipeline: UniPathPipeline, prompts: list[str], seeds: int, steps: int) -> Images:
    """One call for all."""
    generators = [torch.Generator().manual_seed(seed) for _ in prompts for seed in range(seeds)]
    return _drawn(pipeline, prompts, seeds, steps, generator=generators)


def released(pipeline: UniPathPipeline, prompts: list[str], seeds: int, steps: int) -> Images:
    """One call an image."""
    images = []
    for prompt in prompts:
        for seed in range(seeds):
            generator = [torch.Generator().manual_seed(seed)]
            images.append(_drawn(pipeline, prompt, 1, steps, generator=generator, cache_context=False))
    return np.concatenate(images)
