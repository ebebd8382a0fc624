"""Generators and encoders for the tests, named on the command line as ``tests.adapters:NAME``."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unipath_bench import EncoderCard, Generator, GeneratorCard, ImageEncoder, Request


class Painter(Generator):
    """Pink ground with dark squares: many where the prompt says 'many'. Counts its calls in a file, if told to."""

    card = GeneratorCard(name="painter", revision="1", licence="MIT")
    incidental = frozenset({"delay", "log", "fault", "at"})

    def __init__(self, delay: float = 0.0, log: str | None = None) -> None:
        self.delay = delay
        self.log = log

    def generate(self, requests: Sequence[Request]) -> list[np.ndarray]:
        if self.log is not None:
            with Path(self.log).open("a") as stream:
                stream.writelines(f"{r.sample_id}\t{r.replicate}\t{r.prompt}\n" for r in requests)
        return [self._paint(r) for r in requests]

    def _paint(self, request: Request) -> np.ndarray:
        time.sleep(self.delay)
        rng = np.random.default_rng(request.seed)
        image = np.full((request.height, request.width, 3), (228, 190, 212), np.uint8)
        image += rng.integers(0, 12, image.shape, np.uint8)
        for _ in range(24 if "many" in request.prompt else 4):
            y, x = rng.integers(0, request.height - 5), rng.integers(0, request.width - 5)
            image[y : y + 5, x : x + 5] = (95, 60, 140)
        return image


class Faulty(Painter):
    """A painter with one fault, from the image number ``at`` on; the fault 'none' is the same painter, mended."""

    card = GeneratorCard(name="faulty", revision="1", licence="MIT")

    def __init__(self, fault: str, at: int = 0) -> None:
        super().__init__()
        self.fault = fault
        self.at = at
        self.count = 0

    def generate(self, requests: Sequence[Request]) -> list[np.ndarray]:
        images = super().generate(requests)
        self.count += len(images)
        if self.fault == "none" or self.count <= self.at:
            return images
        if self.fault == "raises":
            raise RuntimeError("the cat stepped on the cable")
        if self.fault == "interrupted":
            raise KeyboardInterrupt
        if self.fault == "too few":
            return images[:-1]
        if self.fault == "floats":
            return [image / np.float32(255) for image in images]
        if self.fault == "wrong size":
            return [image[:-1] for image in images]
        if self.fault == "grey":
            return [image[..., 0] for image in images]
        raise AssertionError(self.fault)


class Troubled(Painter):
    """A painter to whom something happens at one sample, as often as ``times`` says; the images stay the same.

    ``memo``: a folder that remembers what has happened, over all processes."""

    card = GeneratorCard(name="troubled", revision="1", licence="MIT")
    incidental = frozenset({"trouble", "sample", "times", "memo", "delay", "log"})

    def __init__(
        self, trouble: str = "none", sample: str = "", times: int = 1, memo: str | None = None, delay: float = 0.0
    ) -> None:
        super().__init__(delay)
        self.trouble = trouble
        self.sample = sample
        self.times = times
        self.memo = Path(memo) if memo else None

    def generate(self, requests: Sequence[Request]) -> list[np.ndarray]:
        if self.trouble == "out of memory" and len(requests) > self.times:
            raise MemoryError(f"no room for {len(requests)} images")
        if any(r.sample_id == self.sample for r in requests) and self._again():
            if self.trouble == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.trouble == "hangs":
                time.sleep(600)
            if self.trouble == "raises":
                raise RuntimeError("a poisoned prompt")
        return super().generate(requests)

    def _again(self) -> bool:
        if self.memo is None:
            return self.trouble in ("hangs", "raises")
        happened = len(list(self.memo.iterdir()))
        if happened >= self.times:
            return False
        (self.memo / str(happened)).touch()
        return True


class BufferReusing(Generator):
    """Draws every batch into the same array."""

    card = GeneratorCard(name="buffer-reusing", revision="1", licence="MIT")
    buffer: np.ndarray | None = None

    def generate(self, requests: Sequence[Request]) -> np.ndarray:
        images = np.stack(Painter().generate(requests))
        if self.buffer is None:
            self.buffer = np.empty((64, *images.shape[1:]), np.uint8)
        drawn = self.buffer[: len(images)]
        drawn[:] = images
        return drawn


class Unconditional(Painter):
    """Ignores its prompts, and says so."""

    card = GeneratorCard(name="unconditional", revision="1", licence="MIT", conditions_on=())


class NotANumber(ImageEncoder):
    """Gives NaN for every image whose first pixel is even."""

    card = EncoderCard(name="tests.adapters:NotANumber", revision="1", dimension=2, micro_batch=4)

    def embed_images(self, images: np.ndarray) -> np.ndarray:
        features = images.mean(axis=(1, 2))[:, :2].astype(np.float32)
        features[images[:, 0, 0, 0] % 2 == 0] = np.nan
        return features


class OnceNotANumber(ImageEncoder):
    """Gives NaN in one batch of one process, once, as faulty memory does; the environment names who remembers it."""

    card = EncoderCard(name="tests.adapters:OnceNotANumber", revision="1", dimension=2, micro_batch=4)

    def embed_images(self, images: np.ndarray) -> np.ndarray:
        features = images.mean(axis=(1, 2))[:, :2].astype(np.float32)
        memo = Path(os.environ["UNIPATH_BENCH_TEST_MEMO"]) / "happened"
        if images[0, 0, 0, 0] % 2 and not memo.exists():
            memo.touch()
            features[1] = np.nan
        return features


class BatchSensitive(ImageEncoder):
    """Its features depend on the batch's shape, as a GPU's do; the fixed micro-batch must hide that."""

    card = EncoderCard(name="tests.adapters:BatchSensitive", revision="1", dimension=6, micro_batch=4)

    def embed_images(self, images: np.ndarray) -> np.ndarray:
        means, spread = images.mean(axis=(1, 2)), images.std(axis=(1, 2))
        return (np.concatenate([means, spread], axis=1) + len(images)).astype(np.float32)


NO_GENERATOR = object()
HERE = os.path.dirname(__file__)
