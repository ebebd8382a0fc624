"""Four small encoders trained on the phantom, shipped with their weights, each with a card.

:class:`PhantomImage` for tier 1, :class:`PhantomClip` for tier 2, :class:`PhantomJudge` for tiers 3 and 4, and
:class:`PhantomBank` for the prototype bank of a generator. They share no weight and no training tile, and none has
seen a tile of the benchmark's suite. ``unipath-bench train-encoders`` trains them from scratch. See
docs/phantom-encoders.md.
"""

from __future__ import annotations

from unipath_bench.phantom.encoders.cards import NAMES, WEIGHTS, TrainingCard, read_card, separation_problems
from unipath_bench.phantom.encoders.encoders import PhantomBank, PhantomClip, PhantomImage, PhantomJudge

__all__ = [
    "NAMES",
    "WEIGHTS",
    "PhantomBank",
    "PhantomClip",
    "PhantomImage",
    "PhantomJudge",
    "TrainingCard",
    "read_card",
    "separation_problems",
]
