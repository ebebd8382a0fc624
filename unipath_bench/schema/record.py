"""The run record: one JSON document per evaluation.

Every output (terminal, report, MLflow, leaderboard) is a view of it. Two runs of one evaluation on one machine give
the same record byte for byte, but for ``timing``.

Examples:
    What a metric of your own says beside a value: the interval that was found, or contributions for paired differences.

    >>> Interval(low=0.2, high=0.4, method="bootstrap of patients").kind
    'two-sided'
    >>> Contributions(estimate=0.3, parts="", blocks="", units=40, method="jackknife").residual_bias
    0.0
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field

from unipath_bench.schema import migrations
from unipath_bench.schema.base import Document
from unipath_bench.schema.cards import EncoderCard, GeneratorCard, SuiteCard
from unipath_bench.schema.details import Details
from unipath_bench.schema.task import Tier

if TYPE_CHECKING:
    import pandas as pd


DetailsT = TypeVar("DetailsT", bound=Document)

IntervalKind = Literal["two-sided", "widened", "at zero", "upper bound"]
"""``two-sided``: ``low`` to ``high``. ``widened``: the same, stretched downwards by bias that may be left. ``at the
floor``: not told apart from zero, so ``high`` alone holds. ``upper bound``: only ``high`` holds, and there is no
estimate."""


class Interval(Document):
    """What the sample says about the quantity behind a value, by a method that has been shown to cover."""

    kind: IntervalKind = "two-sided"
    estimate: float | None = Field(
        default=None,
        description="The quantity freed of its bias, which the interval surrounds; beside the value where that is the "
        "plug-in figure of a biased distance. None where it must not be printed.",
    )
    low: float | None = Field(default=None, description="None in a one-sided interval.")
    high: float | None = None
    level: float = 0.95
    units: int | None = Field(default=None, description="Independent units (patients, slides, images) of the set.")
    method: str
    note: str = Field(default="", description="Why it is not two-sided, and what would do.")


class Contributions(Document):
    """What a paired difference to another run needs: how each block of cases moves the value.

    See :mod:`unipath_bench.metrics.paired`; at most 100 blocks, so a few hundred bytes whatever n is.
    """

    estimate: float = Field(description="What is subtracted: the value, or the quantity freed of its bias.")
    residual_bias: float = Field(default=0.0, description="Bias that the estimate may still have.")
    parts: str = Field(description="Contribution of each block: little-endian float32 in base64.")
    blocks: str = Field(description="Digest of which patients, slides or images lie in which block, with their number.")
    units: int = Field(description="Independent units (patients, slides, images).")
    method: str


class Value(Document):
    """One number with what it takes to read it."""

    value: float
    title: str
    direction: Literal["lower", "higher"]
    headline: bool
    unit: str = ""
    bad_end: float | None = Field(default=None, description="Where the scale that the value is read on begins.")
    bad_end_source: str = ""
    good_end: float | None = Field(default=None, description="Where the scale ends.")
    good_end_source: str = ""
    position: float | None = Field(
        default=None, description="Per cent of the way from the bad end of the scale to the good end; not clipped."
    )
    interval: Interval | None = None
    interval_note: str = Field(default="", description="Why there is no interval.")
    contributions: Contributions | None = Field(default=None, description="For paired differences to other runs.")
    contributions_note: str = Field(default="", description="Why there are none.")


class TaskScore(Document):
    """One task's outcome: numbers, or why there are none."""

    key: str = Field(description="task, or task[encoder]: unique in the record.")
    task: str
    tier: Tier
    version: int
    title: str
    status: Literal["computed", "not computed"]
    reason: str = Field(default="", description="Why it was not computed.")
    remedy: str = ""
    encoder: str | None = None
    encoder_digest: str | None = None
    coupled: bool = Field(default=False, description="The generator uses this encoder inside: never heads a ranking.")
    n_images: int | None = Field(default=None, description="Generated images that went in.")
    dimension: int | None = None
    values: dict[str, Value] = Field(default_factory=dict)
    details: Details | None = Field(default=None, description="The tables behind the values.")

    def details_as(self, kind: type[DetailsT]) -> DetailsT | None:
        """The details where they are of this kind; None where they are not."""
        return self.details if isinstance(self.details, kind) else None

    @property
    def not_reported(self) -> dict[str, str]:
        """Values that a computed task could not give, by name, with the reason."""
        return self.details.not_reported if self.details is not None else {}


class PlanRecord(Document):
    """What was asked for."""

    suite: SuiteCard
    suite_spec: str = Field(
        default="", description="What --suite named: a registered suite, module:attribute or a file's name."
    )
    suite_data: str = Field(
        default="", description="Last part of what --data named; where it lies is the machine's affair."
    )
    suite_revision: str
    suite_arguments: dict[str, Any] = Field(default_factory=dict)
    model: GeneratorCard
    model_spec: str = Field(default="", description="What --model named: a card, module:attribute or a file's name.")
    model_digest: str
    tiers: tuple[int, ...]
    tasks: tuple[str, ...]
    n: int = Field(description="Prompts.")
    seeds: int = Field(description="Images a prompt.")
    encoders: dict[str, EncoderCard] = Field(default_factory=dict)
    roles: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="Role to encoder names.")
    counts: dict[str, int] = Field(default_factory=dict, description="Images in each set.")


class Shard(Document):
    """One finished file of the store, by content."""

    kind: Literal["samples", "features"]
    name: str = Field(description="Path in the store.")
    rows: int
    digest: str = Field(description="SHA-256 of the rows' content: pixels or feature bytes with their keys.")


class Environment(Document):
    """What the numbers were computed with."""

    python: str
    platform: str
    machine: str
    device: str
    packages: dict[str, str]


class Timing(Document):
    """The only part that differs between identical runs."""

    started_at: str
    finished_at: str
    seconds: dict[str, float] = Field(
        description="Wall seconds a stage: verify, generate, embed, read (every shard's digest), score."
    )
    images_generated: int
    images_embedded: int
    peak_memory_mib: float | None = None
    repaired: tuple[str, ...] = Field(default=(), description="Damaged shards that were set aside and computed anew.")


class RunRecord(Document):
    """One evaluation of one generator."""

    schema_version: Literal[2] = 2
    migrated_from: Literal[1] | None = Field(
        default=None,
        description="The earlier version that it was written in, if so: what that lacked is lacking.",
    )
    framework_version: str
    run_id: str = Field(description="Digest of the plan: the same evaluation has the same id.")
    name: str
    plan: PlanRecord
    scores: tuple[TaskScore, ...]
    shards: tuple[Shard, ...] = ()
    environment: Environment
    timing: Timing

    @classmethod
    def migrated(cls, value: Any, source: str) -> Any:
        """See :func:`unipath_bench.schema.migrations.migrate`."""
        return migrations.migrate(value, source, "run record")

    def score(self, key: str) -> TaskScore:
        """The score with this key; raises ``KeyError`` where there is none."""
        for score in self.scores:
            if score.key == key:
                return score
        raise KeyError(key)

    def to_frame(self) -> pd.DataFrame:
        """One row a value: run, model, suite, tier, task, encoder, value, ends of the scale, interval and status."""
        import pandas as pd

        shared = {"run": self.name, "model": self.plan.model.name, "suite": self.plan.suite.name}
        rows: list[dict[str, Any]] = []
        for score in self.scores:
            head = {
                **shared,
                "tier": score.tier,
                "task": score.task,
                "version": score.version,
                "encoder": score.encoder,
                "coupled": score.coupled,
                "status": score.status,
                "n_images": score.n_images,
                "dimension": score.dimension,
            }
            if not score.values:
                rows.append({**head, "reason": score.reason})
            for name, value in score.values.items():
                rows.append(
                    {
                        **head,
                        "metric": name,
                        "headline": value.headline,
                        "value": value.value,
                        "direction": value.direction,
                        "bad_end": value.bad_end,
                        "good_end": value.good_end,
                        "position": value.position,
                        "estimate": value.interval.estimate if value.interval else None,
                        "low": value.interval.low if value.interval else None,
                        "high": value.interval.high if value.interval else None,
                        "interval": value.interval.kind if value.interval else None,
                    }
                )
        return pd.DataFrame(rows)
