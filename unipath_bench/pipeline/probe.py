"""Eight images as a sample of a run: how long it will take, how much memory and disk it will need.

The first call of a generator or an encoder is timed with all that it does once (compiling, tuning), so short runs are
estimated well and long ones rather too high. Scores are timed on made-up features, also those that the store holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from unipath_bench.contracts import ImageEncoder, Request
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.images import decode_png, encode_png
from unipath_bench.encoders.embedding import embed_images
from unipath_bench.generators.validation import validate_generated
from unipath_bench.pipeline.environment import peak_memory_mib
from unipath_bench.pipeline.estimate import Estimate
from unipath_bench.pipeline.generate import call_generator
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.score_probe import probe_scores
from unipath_bench.pipeline.store import Store

PROBED = 8
ROW_BYTES = 300
"""Of a stored image beside its PNG: keys, digests, file structure."""

Clock = Callable[[], float]
"""Seconds from any start."""


@dataclass(frozen=True)
class Call:
    """What one thing cost: ``setup`` seconds once, then ``seconds`` a call."""

    setup: float
    seconds: float


@dataclass(frozen=True)
class Probe:
    """What was measured on ``images`` images; nothing of it is stored."""

    images: int
    generator: Call | None
    """A call is a batch; None where no image is lacking."""
    encoders: dict[str, Call]
    """A call is a micro-batch."""
    read_real: float
    """Seconds to decode a real image."""
    read_generated: float
    """Seconds to decode a generated one."""
    image_bytes: float
    """Of a generated image as it is stored."""
    scores: float
    """Seconds that all scores of the plan take."""
    memory_mib: float
    """Peak resident memory of this process."""
    device_memory_mib: float | None
    """Peak memory that torch held on a CUDA device."""


@dataclass(frozen=True)
class Forecast:
    """What the rest of the run will take."""

    seconds: dict[str, float]
    """By stage: verify, generate, embed, score."""
    disk_needed: int
    """Bytes."""
    memory_mib: float
    device_memory_mib: float | None

    @property
    def total_seconds(self) -> float:
        """All stages."""
        return sum(self.seconds.values())


def probe(plan: Plan, cost: Estimate, clock: Clock = time.perf_counter) -> Probe:
    """Generate, encode, decode and embed up to eight images of a plan, and score made-up features, each step timed.

    Stores nothing. Generator and encoders are set up only where the plan still needs them. Raises what they raise.
    """
    memory = _DeviceMemory(plan.options.device)
    samples = [sample for found in plan.real.values() for sample in found][:PROBED] or list(plan.prompts[:PROBED])
    begin = clock()
    images = [plan.suite.load(sample) for sample in samples]
    read_real = (clock() - begin) / len(images)
    generator, read_generated, image_bytes = None, 0.0, 0.0
    if cost.to_generate:
        requests = [request for family in plan.generated.values() for request in family][:PROBED]
        generator, images = _generate(plan, requests, cost.batch_size, clock)
        begin = clock()
        stored = [encode_png(image) for image in images]
        encoded = clock()
        images = [decode_png(png) for png in stored]
        read_generated = (clock() - encoded) / len(images)
        batches = -(-len(images) // cost.batch_size)
        generator = Call(generator.setup, generator.seconds + (encoded - begin) / batches)
        image_bytes = sum(map(len, stored)) / len(stored) + ROW_BYTES
    names = [f"probe {i}" for i in range(len(images))]
    encoders = {name: _embed(plan, name, images, names, clock) for name, count in cost.to_embed.items() if count}
    memory_mib = peak_memory_mib()
    return Probe(
        len(images),
        generator,
        encoders,
        read_real,
        read_generated,
        image_bytes,
        probe_scores(plan, clock),
        memory_mib,
        memory.peak_mib(),
    )


def forecast(plan: Plan, cost: Estimate, found: Probe, out: Path) -> Forecast:
    """Multiply the probe's figures by what is still to be done.

    This counts calls of the generator, micro-batches of each encoder and images to decode. Memory is the probe's peak
    and, on top, the features of the largest encoder as scores hold them.
    """
    generated = sum(count for family, count in cost.to_read.items() if family.is_generated)
    real = sum(cost.to_read.values()) - generated
    verified = plan.suite.computed or Store(out / "store").is_verified(plan.suite.revision)
    calls = [(call, cost.micro_batches[name]) for name, call in found.encoders.items()]
    seconds = {
        "verify": 0.0 if verified else found.read_real * len(plan.suite.samples()),
        "generate": found.generator.setup + found.generator.seconds * cost.batches if found.generator else 0.0,
        "embed": sum(call.setup + call.seconds * count for call, count in calls)
        + real * found.read_real
        + generated * found.read_generated,
        "score": found.scores,
    }
    rows = {name: cost.to_embed[name] + cost.embedded[name] for name in cost.to_embed}
    held = max((count * plan.encoders[name].card.dimension * 12 for name, count in rows.items()), default=0)
    return Forecast(
        seconds,
        int(cost.to_generate * found.image_bytes) + cost.feature_bytes,
        found.memory_mib + held / 2**20,
        found.device_memory_mib,
    )


def _generate(plan: Plan, requests: Sequence[Request], batch_size: int, clock: Clock) -> tuple[Call, list[RGBImage]]:
    begin = clock()
    plan.generator.setup(plan.context())
    ready = clock()
    images: list[RGBImage] = []
    batches = 0
    for start in range(0, len(requests), batch_size):
        batch = list(requests[start : start + batch_size])
        images.extend(validate_generated(call_generator(plan.generator, batch), batch))
        batches += 1
    return Call(ready - begin, (clock() - ready) / batches), images


def _embed(plan: Plan, name: str, images: Sequence[RGBImage], names: Sequence[str], clock: Clock) -> Call:
    encoder = plan.encoders[name]
    if not isinstance(encoder, ImageEncoder):
        raise TypeError(f"{name} is planned to embed images and is no image encoder")
    begin = clock()
    encoder.setup(plan.context())
    ready = clock()
    embed_images(encoder, images, names)
    sizes = [image.shape for image in images]
    calls = sum(-(-sizes.count(size) // encoder.card.micro_batch) for size in set(sizes))
    return Call(ready - begin, (clock() - ready) / calls)


class _DeviceMemory:
    """Peak of torch's memory on a CUDA device since it was made; None on any other device."""

    def __init__(self, device: str) -> None:
        self._device = ""
        if device.partition(":")[0] == "cuda":
            import torch

            if torch.cuda.is_available():
                self._device = device
                torch.cuda.reset_peak_memory_stats(device)

    def peak_mib(self) -> float | None:
        if not self._device:
            return None
        import torch

        return float(torch.cuda.max_memory_reserved(self._device)) / 2**20
