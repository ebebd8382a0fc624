"""A run of 100,000 images on this machine: rate, memory, how the cost grows, and whether the plan foretold it.

    python tests/benchmarks/soak.py --sizes 1000 10000 100000

Each size is a run of its own from nothing: phantom tiles by an honest generator (the renderer, from other seeds),
embedded and scored in tier 1 against as many real ones.
Prints a line a size and the exponent of the cost; ``--json FILE`` keeps the figures.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from unipath_bench import Generator, GeneratorCard, Request
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import seed_from
from unipath_bench.phantom import Attributes, render, slide_appearance

TASKS = "kernel-distance,phantom-patho-fid,precision-recall"
HERE = Path(__file__).parent


class Renderer(Generator):
    """Phantom tiles of the attributes that are asked for, each under a stain of its own."""

    card = GeneratorCard(name="renderer", revision="1", licence="Apache-2.0", conditions_on=("attributes",))

    def generate(self, requests: Sequence[Request]) -> list[RGBImage]:
        return [
            render(r.seed, Attributes.from_labels(r.labels), r.height, 1.0, slide_appearance(seed_from("soak", r.seed)))
            for r in requests
        ]


@dataclass(frozen=True)
class Soak:
    """One run."""

    images: int
    seconds: float
    stages: dict[str, float]
    planned: dict[str, float]
    """Seconds by stage that ``plan --probe`` foretold."""
    memory_mib: float
    """Largest resident set of any process of the run."""

    @property
    def rate(self) -> float:
        """Images generated and embedded, real ones embedded too, a second of the whole run."""
        return self.images / self.seconds

    @property
    def foretold(self) -> float:
        """The plan's seconds over the measured ones, of all the stages that the plan foretells."""
        return sum(self.planned.values()) / sum(self.stages.get(name, 0.0) for name in self.planned)

    def stage(self, name: str) -> str:
        """Seconds of one stage, measured and, in parentheses, as the plan said."""
        told = f" ({self.planned[name]:.1f})" if name in self.planned else ""
        return f"{name} {self.stages[name]:.1f}{told}"


def soak(images: int, out: Path, workers: int) -> Soak:
    """Run ``images`` generated against as many real tiles."""
    common = [
        "--model",
        "soak:Renderer",
        "--suite",
        "phantom",
        "--suite-arg",
        f"test={images}",
        "--suite-arg",
        "train=0",
        "--suite-arg",
        "paraphrases=0",
        "--tasks",
        TASKS,
        "--out",
        str(out),
    ]
    told = json.loads(_bench("plan", *common, "--probe", "--json"))
    begun = time.perf_counter()
    executor = ["--executor", "processes", "--workers", str(workers)] if workers > 1 else []
    record = json.loads(_bench("run", *common, *executor, "--json"))
    seconds = time.perf_counter() - begun
    peak = max(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, record["timing"]["peak_memory_mib"])
    return Soak(images, seconds, record["timing"]["seconds"], told["forecast"]["seconds"], peak)


def _bench(*arguments: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-m", "unipath_bench", *arguments], cwd=HERE, stdout=subprocess.PIPE, text=True, check=True
    )
    return finished.stdout


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10000, 100000])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    found: list[Soak] = []
    print("images   seconds  images/s   MiB  plan/measured  seconds of each stage (the plan's)")
    for size in chosen.sizes:
        with tempfile.TemporaryDirectory() as folder:
            one = soak(size, Path(folder), chosen.workers)
        found.append(one)
        stages = ", ".join(map(one.stage, one.stages))
        memory = f"{one.memory_mib:>5.0f}"
        print(
            f"{one.images:>6}  {one.seconds:>8.0f}  {one.rate:>8.1f}  {memory}  {one.foretold:>13.2f}  {stages}",
            flush=True,
        )
    for before, after in pairwise(found):
        grown = math.log(after.seconds / before.seconds) / math.log(after.images / before.images)
        print(f"{before.images} to {after.images}: cost grows with n to the power {grown:.2f}")
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
