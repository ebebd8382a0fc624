"""The plan: the union of what the chosen tasks need, and what stands in the way, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from unipath_bench.contracts import Context, Generator, Request, Sample, Suite
from unipath_bench.core.errors import MissingError, UsageError
from unipath_bench.generators.cards import model_digest
from unipath_bench.options import Encoder, Options
from unipath_bench.pipeline.blockers import Judge
from unipath_bench.pipeline.family import Family
from unipath_bench.pipeline.planned_tasks import PlannedTask, plan_tasks
from unipath_bench.pipeline.requests import build_requests, build_variants, wordings
from unipath_bench.pipeline.resolve import resolve, spelled
from unipath_bench.schema.record import PlanRecord
from unipath_bench.suites.card import load_suite
from unipath_bench.suites.roles import Roles, assign_roles, match_heldout


@dataclass(frozen=True)
class Plan:
    """A run that can be carried out: everything is resolved, nothing is loaded."""

    options: Options
    suite: Suite
    roles: Roles
    generator: Generator
    model_digest: str
    prompts: tuple[Sample, ...]
    height: int
    width: int
    tasks: tuple[PlannedTask, ...]
    encoders: Mapping[str, Encoder]
    role_encoders: Mapping[str, tuple[str, ...]]
    chosen_encoders: frozenset[str] = frozenset()
    """Names of the encoders that the user chose, where others are the suite's defaults."""

    @property
    def runnable(self) -> tuple[PlannedTask, ...]:
        """The tasks that nothing stands in the way of."""
        return tuple(t for t in self.tasks if t.blocker is None)

    @cached_property
    def needs(self) -> frozenset[str]:
        """The union over the runnable tasks."""
        return frozenset().union(*(t.needs for t in self.runnable))

    def needs_of(self, encoder: str) -> frozenset[str]:
        """What must be embedded in one encoder."""
        return frozenset().union(*(t.needs for t in self.runnable if t.encoder == encoder))

    @cached_property
    def generated(self) -> dict[Family, list[Request]]:
        """Requests by family: one a seed and, where a task asks for other wordings, one a wording."""
        families = {
            Family("seed", r): build_requests(self.prompts, r, self.height, self.width)
            for r in range(self.options.seeds)
        }
        if any(need.startswith("variants.") for need in self.needs):
            for w in range(wordings(self.prompts)):
                families[Family("wording", w)] = build_variants(self.prompts, w, self.height, self.width)
        return families

    @cached_property
    def heldout_of(self) -> dict[str, Sample]:
        """The held-out image matched to each prompt, by sample id."""
        matched = match_heldout(self.roles)
        return {s.id: matched[s.id] for s in self.prompts}

    @cached_property
    def real(self) -> dict[Family, tuple[Sample, ...]]:
        """Real images by family, as far as the tasks need them, each in its fixed order."""
        families = {
            Family("reference"): self.prompts,
            Family("heldout"): self.roles.heldout,
            Family("train"): self.roles.train,
        }
        return {f: samples for f, samples in families.items() if f"{f.set_name}.images" in self.needs}

    def context(self) -> Context:
        """What the run lends to its generator and encoders."""
        oracle = self.generator.card.oracle
        return _context(self.options, self.suite if oracle else None)

    def require_chosen(self) -> None:
        """Raise :class:`MissingError` where an encoder that the user chose is not available.

        A suite's own encoder that is not available leaves its tasks "not computed" instead.
        """
        for name in sorted(self.chosen_encoders):
            remedy = self.encoders[name].missing(self.context())
            if remedy is not None:
                raise MissingError(f"The encoder {name!r} is not available.", remedy)

    def record(self) -> PlanRecord:
        """The plan as it stands in the run record."""
        used = sorted({t.encoder for t in self.runnable if t.encoder})
        counts: dict[str, int] = {family.set_name: len(samples) for family, samples in self.real.items()}
        for name in ("generated", "variants"):
            counts[name] = sum(len(r) for f, r in self.generated.items() if f.set_name == name)
        return PlanRecord(
            suite=self.suite.card,
            suite_spec=spelled(self.options.suite),
            suite_data=Path(self.options.data).name if self.options.data else "",
            suite_revision=self.suite.revision,
            suite_arguments=dict(self.options.suite_arguments or {}),
            model=self.generator.card,
            model_spec=spelled(self.options.model),
            model_digest=self.model_digest,
            tiers=tuple(sorted({t.spec.tier for t in self.tasks})),
            tasks=tuple(f"{t.key}@{t.spec.version}" for t in self.tasks),
            n=len(self.prompts),
            seeds=self.options.seeds,
            encoders={name: self.encoders[name].card for name in used},
            roles=dict(self.role_encoders),
            counts=counts,
        )


def make_plan(options: Options) -> Plan:
    """Resolve every name, count every set and find what is missing. Loads no weights and decodes no image."""
    if options.seeds < 1:
        raise UsageError(f"--seeds is {options.seeds}.", "At least one image per prompt is needed.")
    found = resolve(options)
    suite, generator = found.suite, found.generator
    roles = assign_roles(suite)
    prompts = _take(roles, options.n, suite)
    context = _context(options, suite if generator.card.oracle else None)
    remedy = generator.missing(context)
    if remedy is not None:
        raise MissingError(f"The generator {generator.card.name!r} cannot be loaded.", remedy)
    height, width = _size(generator, suite, prompts)
    judge = Judge(suite.card, roles, prompts, options.seeds, found.encoders, context, generator)
    plan = Plan(
        options,
        suite,
        roles,
        generator,
        model_digest(generator, suite.revision if generator.card.oracle else None),
        prompts,
        height,
        width,
        plan_tasks(found.tasks, found.roles, judge),
        found.encoders,
        found.roles,
        found.chosen,
    )
    generator.check([r for requests in plan.generated.values() for r in requests])
    return plan


def plan_requests(options: Options) -> list[Request]:
    """The requests of a run at the suite's own image size, without a generator: for images made elsewhere."""
    suite = load_suite(options.suite, options.data, options.suite_arguments or {}, offline=options.offline)
    prompts = _take(assign_roles(suite), options.n, suite)
    height, width = _suite_size(suite, prompts)
    return [r for s in range(options.seeds) for r in build_requests(prompts, s, height, width)]


def _context(options: Options, suite: Suite | None) -> Context:
    return Context(options.device, options.offline, None, suite, options.trust_remote_code)


def _take(roles: Roles, n: int | None, suite: Suite) -> tuple[Sample, ...]:
    have = len(roles.test)
    if n is not None and n < 2:
        raise UsageError(
            f"--n is {n}.", "At least two prompts are needed; a hundred or more for figures worth reading."
        )
    if n is not None and n > have:
        raise UsageError(
            f"--n is {n}, but the test split of {suite.card.name!r} has {have} samples.",
            f"Use --n {have} or less, or raise --seeds for more images a prompt.",
        )
    return roles.test[:n]


def _size(generator: Generator, suite: Suite, prompts: Sequence[Sample]) -> tuple[int, int]:
    card = generator.card
    if card.height and card.width:
        return card.height, card.width
    return _suite_size(suite, prompts)


def _suite_size(suite: Suite, prompts: Sequence[Sample]) -> tuple[int, int]:
    if suite.card.height and suite.card.width:
        return suite.card.height, suite.card.width
    height, width, _ = suite.load(prompts[0]).shape
    return height, width
