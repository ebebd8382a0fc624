"""Real images in a generator's place: the good end of the scales, and three failures that are known beforehand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Literal, get_args

from unipath_bench.contracts import Context, Request, Sample
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import seed_from
from unipath_bench.generators._arguments import choice, integer
from unipath_bench.generators._oracle import OracleGenerator
from unipath_bench.schema.cards import GeneratorCard
from unipath_bench.suites.roles import Roles, Stratum, match_heldout, match_train, mismatch_heldout

Strategy = Literal["heldout", "train", "mismatched", "collapse"]

_MATCHES: Mapping[str, Callable[[Roles, int], dict[str, Sample]]] = {
    "heldout": match_heldout,
    "train": match_train,
    "mismatched": mismatch_heldout,
}


class ReplayGenerator(OracleGenerator):
    """Replays stored real images, pixels unchanged.

    ``heldout``: an image of the prompt's stratum that is in neither the reference set nor training.
    ``train``: a training image of the stratum. ``mismatched``: the held-out images dealt out to prompts of
    other strata. ``collapse``: only ``distinct`` held-out images, spread over the strata; a prompt gets one
    of its stratum where there is one.
    """

    card = GeneratorCard(
        name="replay",
        title="Real images, replayed",
        adapter="replay",
        revision="1",
        licence="Apache-2.0",
        conditions_on=("attributes",),
        oracle=True,
        notes="Use the baseline cards real, memoriser, shuffled and mode-collapse.",
    )

    def __init__(self, *, strategy: Strategy, distinct: int = 8) -> None:
        super().__init__()
        self.strategy = choice("replay", "strategy", strategy, get_args(Strategy))
        self.distinct = integer("replay", "distinct", distinct, 1)
        self.card = type(self).card.model_copy(
            update={"arguments": {"strategy": self.strategy, "distinct": self.distinct}}
        )
        self._matched: dict[int, dict[str, Sample]] = {}
        self._chosen: dict[Stratum, list[Sample]] = {}
        self._strata: dict[str, Stratum] = {}

    def setup(self, context: Context) -> None:
        """Assign the roles and, for ``collapse``, choose the distinct images."""
        super().setup(context)
        self._matched = {}
        self._strata = {s.id: self.roles.stratum(s) for s in self.roles.test}
        self._chosen = choose_distinct(self.roles, self.distinct) if self.strategy == "collapse" else {}

    def lacking(self, roles: Roles) -> str | None:
        """The remedy where there are no training or held-out images, or fewer than ``distinct``."""
        if self.strategy == "train":
            return None if roles.train else "Add images in a split named 'train': this baseline replays them."
        if not roles.heldout:
            return (
                "Add images in a split named 'heldout', or more groups to 'train': this baseline replays "
                "held-out images."
            )
        if self.strategy == "collapse" and self.distinct > len(roles.heldout):
            return (
                f"The suite has {len(roles.heldout)} held-out images, fewer than distinct={self.distinct}. "
                f"Give --model-arg distinct={max(1, len(roles.heldout) // 2)}."
            )
        return None

    def answer(self, request: Request) -> RGBImage:
        """The stored image that stands for the request."""
        return self.suite.load(self.source(request))

    def source(self, request: Request) -> Sample:
        """Which real image answers a request."""
        if self.strategy == "collapse":
            return self._collapsed(request)
        if request.replicate not in self._matched:
            self._matched[request.replicate] = _MATCHES[self.strategy](self.roles, request.replicate)
        sample = self._matched[request.replicate].get(request.sample_id)
        if sample is None:
            raise self.unknown_sample(request)
        return sample

    def _collapsed(self, request: Request) -> Sample:
        stratum = self._strata.get(request.sample_id)
        if stratum is None:
            raise self.unknown_sample(request)
        options = self._chosen.get(stratum) or [s for chosen in self._chosen.values() for s in chosen]
        return options[seed_from("collapse", request.sample_id, request.replicate) % len(options)]


def choose_distinct(roles: Roles, distinct: int) -> dict[Stratum, list[Sample]]:
    """``distinct`` held-out images, by stratum: one of each in turn, the strata with most prompts first."""
    wanted = Counter(roles.stratum(s) for s in roles.test)
    pools: dict[Stratum, list[Sample]] = defaultdict(list)
    for sample in roles.heldout:
        pools[roles.stratum(sample)].append(sample)
    order = sorted(pools, key=lambda stratum: (-wanted[stratum], stratum))
    chosen: dict[Stratum, list[Sample]] = {}
    taken, turn = 0, 0
    while taken < distinct and any(turn < len(pools[s]) for s in order):
        for stratum in order:
            if taken < distinct and turn < len(pools[stratum]):
                chosen.setdefault(stratum, []).append(pools[stratum][turn])
                taken += 1
        turn += 1
    return chosen
