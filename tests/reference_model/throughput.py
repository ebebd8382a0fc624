"""Images a second of the pipeline against the released code's way of calling its model, in one run.

    python tests/reference_model/throughput.py --prompts 8 --seeds 5 --steps 30 --threads 1

The released way: one prompt and one seed a call, with the semantic tokens and the prototypes computed anew for each
seed, and keys and values of the context computed at each step. Both ways share all code but that, so what differs is
batching, sharing and caching. CPU seconds are of the process, so other load on the machine matters little. The
transformer has 2.8M weights and a context of 208 tokens; all weights are random, which changes no time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, PixArtTransformer2DModel
from made_up_models import FEATURES, MemoryBank

from reference_model.pipeline import UniPathPipeline
from reference_model.prototypes import PrototypeProjector
from reference_model.semantic_tokens import SemanticTokens
from reference_model.tiny_language import build_language_model, build_tokenizer, query_token_id
from reference_model.vae import PatchCode

WORDS = ["carcinoma", "solid", "sheets", "glands", "necrosis", "mitoses", "lymphocytes", "dense", "stroma"]


def build(micro_batch: int) -> UniPathPipeline:
    """The shape of the small model: 48 px images, 12 x 12 latents, 36 tokens."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(WORDS)
    pipeline = UniPathPipeline(
        transformer=PixArtTransformer2DModel(
            num_attention_heads=4, attention_head_dim=40, in_channels=16, out_channels=16, num_layers=6,
            cross_attention_dim=160, sample_size=12, patch_size=2, interpolation_scale=0.5,
            use_additional_conditions=False, caption_channels=160,
        ),
        vae=PatchCode(),
        language_model=build_language_model(tokenizer),
        tokenizer=tokenizer,
        semantic_tokens=SemanticTokens(64, 160, query_token_id(tokenizer)),
        prototype_projector=PrototypeProjector(FEATURES, 160),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
        bank=MemoryBank(),
        micro_batch=micro_batch,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def prompts_of(count: int) -> list[str]:
    """Prompts of 37 words and more, all different."""
    return [" ".join([*WORDS * 4, *WORDS[: index + 1]]) for index in range(count)]


def ours(pipeline: UniPathPipeline, prompts: list[str], seeds: int, steps: int) -> None:
    """One call for all."""
    generators = [torch.Generator().manual_seed(seed) for _ in prompts for seed in range(seeds)]
    pipeline(prompts, seeds, steps, generator=generators, output_type="np")


def released(pipeline: UniPathPipeline, prompts: list[str], seeds: int, steps: int) -> None:
    """One call an image."""
    for prompt in prompts:
        for seed in range(seeds):
            generator = torch.Generator().manual_seed(seed)
            pipeline(prompt, 1, steps, generator=[generator], output_type="np", cache_context=False)


def measure(run: Callable[[], None], images: int) -> tuple[float, float]:
    """CPU and wall seconds an image."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return (time.process_time() - cpu) / images, (time.perf_counter() - wall) / images


def main() -> None:
    parser = argparse.ArgumentParser(description="Images a second against the released way.")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2, help="both ways in turn; the best of each counts")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    prompts, images = prompts_of(given.prompts), given.prompts * given.seeds
    batched, single = build(micro_batch=4), build(micro_batch=1)
    ours(batched, prompts[:1], 1, 1)
    released(single, prompts[:1], 1, 1)
    times: dict[str, list[tuple[float, float]]] = {"pipeline": [], "released way": []}
    for _ in range(given.rounds):
        times["pipeline"].append(measure(lambda: ours(batched, prompts, given.seeds, given.steps), images))
        times["released way"].append(measure(lambda: released(single, prompts, given.seeds, given.steps), images))
    print(f"{given.prompts} prompts x {given.seeds} seeds, {given.steps} steps, {given.threads} threads")
    best = {name: tuple(min(column) for column in zip(*rows, strict=True)) for name, rows in times.items()}
    for name, (cpu, wall) in best.items():
        print(f"{name:14} {cpu:.3f} CPU s an image, {wall:.3f} s an image, {1 / wall:.2f} images a second")
    ratios = [slow / fast for slow, fast in zip(best["released way"], best["pipeline"], strict=True)]
    print(f"ratio          {ratios[0]:.2f} in CPU time, {ratios[1]:.2f} in wall time")


if __name__ == "__main__":
    main()
