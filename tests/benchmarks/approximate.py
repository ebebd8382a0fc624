"""Recall and time of the approximate nearest neighbours beside the exact ones.

    python tests/benchmarks/approximate.py --rows 100000 --queries 2000 --dimension 256

Features have the spectrum i^-1, and queries are fresh draws: harder than real features, which lie in clusters. Seconds
of the processor, on all threads together; the time of the index holds its training and that of its measured recall.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np

from unipath_bench.metrics.approximate import approximate_neighbours
from unipath_bench.metrics.memorisation import nearest_neighbours

T = TypeVar("T")

PROBES = (8, 32, 128)


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Processor seconds and what came out."""
    begun = time.process_time()
    found = call()
    return time.process_time() - begun, found


def main(arguments: Sequence[str] | None = None) -> None:
    """Search exactly, then with more and more cells, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("rows", 100_000), ("queries", 2000), ("dimension", 256), ("k", 5), ("sample", 500)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args(arguments)
    rng = np.random.default_rng(0)
    spread = (np.arange(1, chosen.dimension + 1) ** -0.5).astype(np.float32)
    bank, query = (
        rng.standard_normal((n, chosen.dimension), np.float32) * spread for n in (chosen.rows, chosen.queries)
    )
    print(f"{chosen.queries:,} on {chosen.rows:,} x {chosen.dimension}, {chosen.k} nearest")
    seconds, _ = timed(lambda: nearest_neighbours(query, bank, chosen.k))
    print(f"exact          {seconds:8.1f} s  recall 1")
    for probes in PROBES:
        search = partial(approximate_neighbours, query, bank, chosen.k, probes=probes, sample=chosen.sample)
        seconds, found = timed(search)
        print(f"{probes:>4} cells     {seconds:8.1f} s  recall {found.recall:.3f}")


if __name__ == "__main__":
    main()
