"""Gathers the images that a report shows: real beside generated, and the audit's nearest pairs."""

from __future__ import annotations

from collections.abc import Sequence

from unipath_bench.contracts import Sample
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.images import decode_png
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.requests import request_key
from unipath_bench.pipeline.store import Store, shard_slices
from unipath_bench.results.gallery import Exhibits, NeighbourPair, ShownSample
from unipath_bench.schema.details import Memorisation, Pair
from unipath_bench.schema.record import RunRecord

SHOWN_PROMPTS = 12
SHOWN_REPLICATES = 4


def gather_exhibits(plan: Plan, store: Store, record: RunRecord) -> Exhibits:
    """The first prompts of the run's random order, as many of each stratum as fit: never chosen by their looks."""
    shown = _spread(plan, SHOWN_PROMPTS)
    replicates = range(min(plan.options.seeds, SHOWN_REPLICATES))
    wanted = {(s.id, r) for s in shown for r in replicates}
    pairs = _pairs(record)
    wanted |= {(pair.generated, pair.replicate) for pair in pairs}
    images = _generated(plan, store, wanted)
    train = {s.id: s for s in plan.roles.train}
    return Exhibits(
        samples=[
            ShownSample(
                sample_id=s.id,
                prompt=s.prompt,
                labels=dict(s.labels),
                real=plan.suite.load(s),
                generated=[images[s.id, r] for r in replicates],
            )
            for s in shown
        ],
        neighbours=[
            NeighbourPair(
                generated=images[pair.generated, pair.replicate],
                train=plan.suite.load(train[pair.train]),
                sample_id=pair.generated,
                replicate=pair.replicate,
                train_id=pair.train,
                distance=pair.distance,
                copied=pair.copied,
            )
            for pair in pairs
        ],
    )


def _spread(plan: Plan, count: int) -> list[Sample]:
    strata: dict[tuple[str, ...], list[Sample]] = {}
    for sample in plan.prompts:
        strata.setdefault(plan.roles.stratum(sample), []).append(sample)
    queues = [strata[key] for key in sorted(strata)]
    turns = [queue[turn] for turn in range(count) for queue in queues if turn < len(queue)]
    return turns[:count]


def _pairs(record: RunRecord) -> Sequence[Pair]:
    audits = (score.details_as(Memorisation) for score in record.scores)
    return next((audit.pairs for audit in audits if audit is not None), ())


def _generated(plan: Plan, store: Store, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], RGBImage]:
    found: dict[tuple[str, int], RGBImage] = {}
    for family, requests in plan.generated.items():
        if family.set_name != "generated":
            continue
        shards = store.samples(plan.model_digest, family)
        keys = [request_key(plan.model_digest, r) for r in requests]
        for position, rows in shard_slices(len(keys)):
            if any((r.sample_id, r.replicate) in wanted for r in requests[rows]):
                for row in shards.read(shards.path(position, keys[rows])):
                    if (row.sample_id, row.replicate) in wanted:
                        found[row.sample_id, row.replicate] = decode_png(row.png)
    return found
