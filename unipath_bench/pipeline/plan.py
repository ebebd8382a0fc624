"""The plan: the union of what the chosen tasks need, and what stands in the way, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from unipath_bench.contracts import (
    Context,
    Generator,
    ImageEncoder,
    Metric,
    Request,
    Sample,
    Suite,
    TextEncoder,
)
from unipath_bench.core.digest import digest
from unipath_bench.core.errors import MissingError, UsageError
from unipath_bench.core.registries import ENCODERS, METRICS
from unipath_bench.core.registry import is_file
from unipath_bench.generators.cards import load_generator, model_digest
from unipath_bench.pipeline.requests import build_requests, build_variants, wordings
from unipath_bench.schema.cards import EncoderCard, SuiteCard
from unipath_bench.schema.record import PlanRecord
from unipath_bench.schema.task import TaskSpec
from unipath_bench.scoring.anchors import required
from unipath_bench.scoring.catalogue import select_tasks
from unipath_bench.suites.card import load_suite
from unipath_bench.suites.roles import Roles, assign_roles, match_heldout

Encoder = ImageEncoder | TextEncoder
ROLES = ("image", "judge", "alignment")
_DESCRIPTIVE = {
    "title",
    "notes",
    "source",
    "licence",
    "gated",
    "hub_id",
    "pathology",
    "modalities",
    "microns_per_pixel",
}


@dataclass(frozen=True)
class Options:
    """What the user asked for."""

    model: str
    suite: str = "phantom"
    data: str | None = None
    model_arguments: Mapping[str, Any] | None = None
    suite_arguments: Mapping[str, Any] | None = None
    tiers: tuple[int, ...] = (1, 2, 3, 4)
    tasks: tuple[str, ...] = ()
    n: int | None = None
    seeds: int = 1
    encoders: tuple[str, ...] = ()
    """``NAME`` (the image role) or ``ROLE=NAME``; repeated for a panel."""
    device: str = "cpu"
    offline: bool = False
    trust_remote_code: bool = False


@dataclass(frozen=True)
class PlannedTask:
    """A task with its encoder, or with the reason why it will not be computed."""

    spec: TaskSpec
    metric: Metric
    encoder: str | None
    obstacle: tuple[str, str] | None = None
    """(reason, remedy)"""
    extra: frozenset[str] = frozenset()
    """What the metric welcomes and the suite has."""

    @property
    def key(self) -> str:
        """``task[encoder]``, or the task's name alone where it has no encoder; unique in a plan."""
        return f"{self.spec.name}[{self.encoder}]" if self.encoder else self.spec.name

    @property
    def needs(self) -> frozenset[str]:
        """What the metric and its anchors read."""
        return required(self.spec, self.metric) | self.extra


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

    @property
    def runnable(self) -> tuple[PlannedTask, ...]:
        """The tasks that nothing stands in the way of."""
        return tuple(t for t in self.tasks if t.obstacle is None)

    @cached_property
    def needs(self) -> frozenset[str]:
        """The union over the runnable tasks."""
        return frozenset().union(*(t.needs for t in self.runnable))

    def needs_of(self, encoder: str) -> frozenset[str]:
        """What must be embedded in one encoder."""
        return frozenset().union(*(t.needs for t in self.runnable if t.encoder == encoder))

    @cached_property
    def generated(self) -> dict[str, list[Request]]:
        """Requests by family: ``seed-0`` ... and, where a task asks for other wordings, ``wording-0`` ..."""
        families = {
            f"seed-{r}": build_requests(self.prompts, r, self.height, self.width) for r in range(self.options.seeds)
        }
        if any(need.startswith("variants.") for need in self.needs):
            for w in range(wordings(self.prompts)):
                families[f"wording-{w}"] = build_variants(self.prompts, w, self.height, self.width)
        return families

    @cached_property
    def heldout_of(self) -> dict[str, Sample]:
        """The held-out image matched to each prompt, by sample id."""
        matched = match_heldout(self.roles)
        return {s.id: matched[s.id] for s in self.prompts}

    @cached_property
    def real(self) -> dict[str, tuple[Sample, ...]]:
        """Real images by set name, as far as the tasks need them, each in its fixed order."""
        sets: dict[str, tuple[Sample, ...]] = {}
        if "reference.images" in self.needs:
            sets["reference"] = self.prompts
        if "heldout.images" in self.needs:
            sets["heldout"] = self.roles.heldout
        if "train.images" in self.needs:
            sets["train"] = self.roles.train
        return sets

    def context(self) -> Context:
        """What the run lends to its generator and encoders."""
        oracle = self.generator.card.oracle
        return _context(self.options, self.suite if oracle else None)

    def require_chosen(self) -> None:
        """Raise :class:`MissingError` where an encoder that the user chose is not at hand.

        A suite's own encoder that is not at hand leaves its tasks "not computed" instead.
        """
        chosen = {name for item in self.options.encoders for name in self.role_encoders.get(_role(item), ())}
        for name in sorted(chosen & set(self.encoders)):
            remedy = self.encoders[name].missing(self.context())
            if remedy is not None:
                raise MissingError(f"The encoder {name!r} is not at hand.", remedy)

    def record(self) -> PlanRecord:
        """The plan as it stands in the run record."""
        used = sorted({t.encoder for t in self.runnable if t.encoder})
        counts = {name: len(samples) for name, samples in self.real.items()}
        counts["generated"] = sum(len(r) for f, r in self.generated.items() if f.startswith("seed-"))
        counts["variants"] = sum(len(r) for f, r in self.generated.items() if f.startswith("wording-"))
        return PlanRecord(
            suite=self.suite.card,
            suite_spec=_portable(self.options.suite),
            suite_data=Path(self.options.data).name if self.options.data else "",
            suite_revision=self.suite.revision,
            suite_arguments=dict(self.options.suite_arguments or {}),
            model=self.generator.card,
            model_spec=_portable(self.options.model),
            model_digest=self.model_digest,
            tiers=tuple(sorted({t.spec.tier for t in self.tasks})),
            tasks=tuple(f"{t.key}@{t.spec.version}" for t in self.tasks),
            n=len(self.prompts),
            seeds=self.options.seeds,
            encoders={name: self.encoders[name].card for name in used},
            roles=dict(self.role_encoders),
            counts=counts,
        )


def _portable(spec: str) -> str:
    """A name or module:attribute as it is; of a file its name alone, so that records do not depend on folders."""
    return Path(spec).name if spec.endswith((".yaml", ".yml")) else spec


def encoder_digest(card: EncoderCard) -> str:
    """Digest of all in a card that decides the features."""
    left_out = _DESCRIPTIVE if card.recipe else _DESCRIPTIVE | {"recipe"}
    return digest(card.model_dump(mode="json", exclude=left_out))


def make_plan(options: Options) -> Plan:
    """Resolve every name, count every set and find what is missing. Loads no weights and decodes no image."""
    if options.seeds < 1:
        raise UsageError(f"--seeds is {options.seeds}.", "At least one image a prompt is needed.")
    specs = select_tasks(options.tiers, options.tasks)
    suite = load_suite(options.suite, options.data, options.suite_arguments or {}, offline=options.offline)
    specs = _for_suite(specs, suite.card, options)
    roles = assign_roles(suite)
    generator = load_generator(options.model, dict(options.model_arguments or {}))
    prompts = _take(roles, options.n, suite)
    context = _context(options, suite if generator.card.oracle else None)
    remedy = generator.missing(context)
    if remedy is not None:
        raise MissingError(f"The generator {generator.card.name!r} cannot be loaded.", remedy)
    height, width = _size(generator, suite, prompts)
    encoders: dict[str, Encoder] = {}
    role_encoders = {
        role: tuple(_recorded_name(name, encoders) for name in names)
        for role, names in assign_encoders(suite.card.default_encoders, options.encoders).items()
    }
    tasks: list[PlannedTask] = []
    for spec in specs:
        tasks.extend(_plan_task(spec, role_encoders, encoders, context, roles, prompts, generator))
    plan = Plan(
        options,
        suite,
        roles,
        generator,
        model_digest(generator, suite.revision if generator.card.oracle else None),
        prompts,
        height,
        width,
        tuple(tasks),
        encoders,
        role_encoders,
    )
    generator.check([r for requests in plan.generated.values() for r in requests])
    return plan


def _for_suite(specs: Sequence[TaskSpec], card: SuiteCard, options: Options) -> list[TaskSpec]:
    """The tasks that are for this kind of suite. A task that was named must be."""
    fitting = [spec for spec in specs if spec.suites in ("any", card.kind)]
    others = [spec.name for spec in specs if spec not in fitting]
    if others and options.tasks:
        raise UsageError(
            f"{', '.join(others)}: for {next(s.suites for s in specs if s not in fitting)} suites, and "
            f"{card.name!r} is a {card.kind} suite.",
            "`unipath-bench list tasks` names the kind of suite that each task is for.",
        )
    return fitting


def plan_requests(options: Options) -> list[Request]:
    """The requests of a run at the suite's own image size, without a generator: for images made elsewhere."""
    suite = load_suite(options.suite, options.data, options.suite_arguments or {}, offline=options.offline)
    prompts = _take(assign_roles(suite), options.n, suite)
    height, width = _suite_size(suite, prompts)
    return [r for s in range(options.seeds) for r in build_requests(prompts, s, height, width)]


def assign_encoders(defaults: Mapping[str, str], chosen: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Encoder names by role: the suite's defaults, replaced role by role by ``NAME`` (image) or ``ROLE=NAME``."""
    replaced: dict[str, list[str]] = {}
    for item in chosen:
        role, name = _role(item), item.rpartition("=")[2]
        if role not in ROLES:
            raise UsageError(f"--encoder {item}: there is no role {role!r}.", f"Roles are {', '.join(ROLES)}.")
        replaced.setdefault(role, []).append(name)
    roles = {role: (name,) for role, name in defaults.items()}
    return roles | {role: tuple(dict.fromkeys(names)) for role, names in replaced.items()}


def _role(item: str) -> str:
    return item.rpartition("=")[0] or "image"


def _recorded_name(name: str, encoders: dict[str, Encoder]) -> str:
    """What records call an encoder: of a file, the name that it states, so that they do not depend on folders."""
    if not is_file(name):
        return name
    encoder = ENCODERS.get(name)()
    encoders[encoder.card.name] = encoder
    return encoder.card.name


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


def _plan_task(
    spec: TaskSpec,
    role_encoders: Mapping[str, tuple[str, ...]],
    encoders: dict[str, Encoder],
    context: Context,
    roles: Roles,
    prompts: Sequence[Sample],
    generator: Generator,
) -> list[PlannedTask]:
    metric = METRICS.get(spec.metric)
    names: tuple[str | None, ...] = (spec.encoder,)
    if spec.encoder is not None and spec.encoder.startswith("@"):
        role = spec.encoder[1:]
        names = role_encoders.get(role, ())
        if not names:
            remedy = f"Choose one with --encoder {role}=NAME; `unipath-bench list encoders` names them."
            return [PlannedTask(spec, metric, None, (f"No encoder was chosen for the role {role!r}.", remedy))]
    extra = frozenset(need for need in metric.welcome if getattr(roles, need.partition(".")[0]))
    planned = []
    for name in names:
        task = PlannedTask(spec, metric, name, extra=extra)
        obstacle = _lack_of_material(task, roles, prompts, generator) or _lack_of_encoder(task, encoders, context)
        planned.append(replace(task, obstacle=obstacle))
    return planned


def _lack_of_encoder(task: PlannedTask, encoders: dict[str, Encoder], context: Context) -> tuple[str, str] | None:
    if task.encoder is None:
        return None
    if task.encoder not in encoders:
        encoders[task.encoder] = ENCODERS.get(task.encoder)()
    encoder = encoders[task.encoder]
    if any(need.endswith(".texts") for need in task.needs) and not isinstance(encoder, TextEncoder):
        return (
            f"The encoder {task.encoder!r} reads no text.",
            "Choose a joint image-text encoder with --encoder alignment=NAME.",
        )
    remedy = encoder.missing(context)
    return (f"The encoder {task.encoder!r} is not at hand.", remedy) if remedy is not None else None


def _lack_of_material(
    task: PlannedTask, roles: Roles, prompts: Sequence[Sample], generator: Generator
) -> tuple[str, str] | None:
    needs = task.needs
    if "train.images" in needs and not roles.train:
        return "The suite has no training split.", "Add a split named 'train'."
    if "heldout.images" in needs and not roles.heldout:
        return (
            "The suite has no held-out images.",
            "Add groups to the test split, or a split named 'heldout'.",
        )
    if "labels" in needs and not prompts[0].labels:
        return "The suite's samples have no labels.", "Add label columns to the suite's metadata."
    if "prompts" in needs and not all(s.prompt for s in prompts):
        return "Not every sample of the suite has a prompt.", "Add a text column to the suite's metadata."
    if any(need.startswith("variants.") for need in needs) and wordings(prompts) < 1:
        return "The suite's prompts have no paraphrases.", "Add a paraphrases column to the suite's metadata."
    if any(need.startswith("variants.") for need in needs) and not generator.answers_paraphrases:
        return (
            f"The generator {generator.card.name!r} cannot be asked the same in other words.",
            "Paraphrases need a generator that runs here.",
        )
    if needs & {"labels", "prompts", "variants.images"} and not generator.card.conditions_on:
        return (
            f"The generator {generator.card.name!r} is unconditional: its images answer no prompt.",
            "Tiers 2 to 4 need a conditional generator; with --images, name the files by sample and seed.",
        )
    return None
