"""Random numbers as a function of where they are used: nothing to save, and a resumed training draws the same."""

from __future__ import annotations

import torch

from unipath_bench.core.digest import seed_from


def generator_at(*path: str | int) -> torch.Generator:
    """A CPU generator seeded by the path of names and numbers alone, e.g. ``(seed, "flow", step, rank)``."""
    return torch.Generator().manual_seed(seed_from(*path))


def rows_at(*path: str | int, count: int, total: int) -> list[int]:
    """``count`` row numbers below ``total``, drawn with replacement."""
    return torch.randint(total, (count,), generator=generator_at(*path)).tolist()


def chance_at(*path: str | int, share: float) -> bool:
    """True with probability ``share``."""
    return bool(torch.rand((), generator=generator_at(*path)) < share)
