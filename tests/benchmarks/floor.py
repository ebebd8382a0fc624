"""Where the time of a whole run goes, and how far each stage is from its floor.

    python tests/benchmarks/floor.py --n 256                                           # the default run
    python tests/benchmarks/floor.py --model blur --suite folder --data TILES          # real tiles

A run from nothing in one process, beside two floors of its stages. *Calls alone*: the same calls of generator, encoders
and decoders on images in memory, warm. *Arithmetic*: the matrix products and convolutions that torch counts in those
calls, at the rate that a large product reaches here. Encoders that don't compute with torch have no second floor.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from unipath_bench.contracts import ImageEncoder
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.images import decode_png, encode_png
from unipath_bench.encoders.embedding import embed_images
from unipath_bench.generators.validation import validate_generated
from unipath_bench.options import Options
from unipath_bench.pipeline.estimate import Estimate, estimate
from unipath_bench.pipeline.generate import call_generator
from unipath_bench.pipeline.plan import Plan, make_plan
from unipath_bench.pipeline.run import run

BATCH = 8
EDGE = 2048
REPEATS = 3


class Floor(NamedTuple):
    """Of all calls of one kind in a run."""

    seconds: float
    """Of the calls alone."""
    flops: float
    """Two for a multiplication and its addition; 0 where torch does not see them."""


def once(call: Callable[[], object]) -> float:
    """Least seconds of several warm calls."""
    call()
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return min(times)


def measured(call: Callable[[], object], calls: float) -> Floor:
    """What ``calls`` such calls cost."""
    seconds = once(call)
    for thing in gc.get_objects():
        if isinstance(thing, torch.nn.Parameter):
            thing.requires_grad_(False)  # The counter stumbles over a module that hands one out.
    with FlopCounterMode(display=False) as counter:
        call()
    return Floor(seconds * calls, counter.get_total_flops() * calls)


def flops_a_second() -> float:
    """That a large product of single-precision matrices reaches on this machine's cores."""
    left, right = torch.randn(EDGE, EDGE), torch.randn(EDGE, EDGE)
    return 2 * EDGE**3 / once(lambda: left @ right)


def generation(plan: Plan, cost: Estimate) -> tuple[Floor, list[RGBImage]]:
    """The generator's calls, and the images of one."""
    plan.generator.setup(plan.context())
    requests = [request for family in plan.generated.values() for request in family][:BATCH]
    drawn = call_generator(plan.generator, requests)
    images = validate_generated(drawn, requests)
    return measured(lambda: call_generator(plan.generator, requests), cost.to_generate / BATCH), images


def embedding(plan: Plan, cost: Estimate, name: str, images: Sequence[RGBImage]) -> Floor:
    """An encoder's calls."""
    encoder = plan.encoders[name]
    assert isinstance(encoder, ImageEncoder)
    encoder.setup(plan.context())
    count = encoder.card.micro_batch
    batch = [images[i % len(images)] for i in range(count)]
    names = [str(i) for i in range(count)]
    return measured(lambda: embed_images(encoder, batch, names), cost.to_embed[name] / count)


def reading(plan: Plan, cost: Estimate, images: Sequence[RGBImage]) -> Floor:
    """The suite's images and the generated ones, each decoded once."""
    files = [encode_png(image) for image in images]
    samples = [sample for found in plan.real.values() for sample in found][:BATCH]
    generated = sum(count for family, count in cost.to_read.items() if family.is_generated)
    real = sum(cost.to_read.values()) - generated
    png = once(lambda: [decode_png(file) for file in files]) / len(files)
    suite = once(lambda: [plan.suite.load(sample) for sample in samples]) / len(samples)
    return Floor(generated * png + real * suite, 0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the floors, run from nothing, print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="unipath")
    parser.add_argument("--suite", default="phantom")
    parser.add_argument("--data")
    parser.add_argument("--n", type=int, help="prompts; default: all of the suite")
    chosen = parser.parse_args(arguments)
    options = Options(chosen.model, suite=chosen.suite, data=chosen.data, n=chosen.n)
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(options)
        cost = estimate(plan, Path(folder))
        rate = flops_a_second()
        drawing, images = generation(plan, cost)
        encoders = {name: embedding(plan, cost, name, images) for name, count in cost.to_embed.items() if count}
        decoding = reading(plan, cost, images)
        timing = run(make_plan(options), Path(folder)).load_record().timing
    took = timing.seconds
    print(f"{cost.to_generate} images to generate, {sum(cost.to_read.values())} to decode, {took}")
    print(f"{torch.get_num_threads()} threads; a product of {EDGE} x {EDGE}: {rate / 1e9:.0f} GFLOP/s\n")
    print("| stage | took, s | calls alone, s | arithmetic, s | GFLOP |")
    print("|---|---|---|---|---|")
    floors = {"generate": drawing, **encoders, "decode": decoding}
    for name, floor in floors.items():
        whole = f"{took['generate']:.1f}" if name == "generate" else ""
        arithmetic = f"{floor.flops / rate:.1f} | {floor.flops / 1e9:.0f}" if floor.flops else " | "
        print(f"| {name} | {whole} | {floor.seconds:.1f} | {arithmetic} |")
    alone = sum(floor.seconds for floor in (*encoders.values(), decoding))
    print(f"| embed, all of these | {took['embed']:.1f} | {alone:.1f} | | |")
    for stage in ("verify", "read", "score"):
        print(f"| {stage} | {took[stage]:.1f} | | | |")
    print(f"\nPeak memory {timing.peak_memory_mib:.0f} MiB.")


if __name__ == "__main__":
    main()
