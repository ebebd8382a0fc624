"""What can be asked of an evaluation: each option once, with its name, its default and its help.

The options of ``unipath-bench run`` and ``plan``, the keywords of :func:`unipath_bench.evaluate` and
:func:`unipath_bench.plan`, and the values that the pipeline reads are all made of the fields here. A new option is a
new field, and the code that reads it.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from unipath_bench.contracts import Generator, ImageEncoder, Suite, TextEncoder
from unipath_bench.core.errors import UsageError
from unipath_bench.core.progress import Progress
from unipath_bench.core.registries import EXECUTORS
from unipath_bench.schema.task import TaskSpec

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DEFAULT_OUT = "unipath-bench-runs"
DEFAULT_EXPERIMENT = "unipath-bench"

WHAT = "What to evaluate"
HOW = "How"
OUTPUT = "Output"

Encoder = ImageEncoder | TextEncoder
TaskChoice = str | TaskSpec
"""A task's name, the path of a YAML file, or a specification."""
EncoderChoice = str | Encoder | tuple[str, str | Encoder]
"""``NAME`` or an encoder (for the role ``image``), ``ROLE=NAME``, or a pair of a role and either."""

SelectedT = TypeVar("SelectedT", bound="DataclassInstance")


class Option:
    """What is said of a field: on the command line, and in the documentation of the Python functions.

    Args:
        names: On the command line; without one the option is Python's alone.
        help: What the option is for.
        panel: Heading of the help page under which it stands.
        metavar: What stands for the value on the help page; None: its type.
        environment: Variable that gives the value where the user gives none.
        least: Smallest number allowed.
        values: ``many`` is repeatable, ``arguments`` is repeatable as ``KEY=VALUE``.
    """

    def __init__(
        self,
        *names: str,
        help: str,
        panel: str | None = None,
        metavar: str | None = None,
        environment: str | None = None,
        least: float | None = None,
        values: Literal["one", "many", "arguments"] = "one",
    ) -> None:
        self.names = names
        self.help = help
        self.panel = panel
        self.metavar = metavar
        self.environment = environment
        self.least = least
        self.values = values


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to evaluate, on what, in which tasks and encoders; nothing is looked up yet.

    A model, a suite, a task or an encoder is given as an object or by its name.
    """

    model: Annotated[
        str | Generator | Callable[..., Generator] | None,
        Option("--model", "-m", metavar="NAME|CARD.yaml|MODULE:ATTR", help="The generator.", panel=WHAT),
    ] = field(default=None, kw_only=False)
    """An object, a class or function that makes one of ``model_arguments``, or a name."""
    suite: Annotated[
        str | Suite | Callable[..., Suite],
        Option(
            "--suite",
            "-s",
            metavar="NAME|SUITE.yaml|MODULE:ATTR",
            help="Real images, prompts and labels.",
            panel=WHAT,
        ),
    ] = "phantom"
    """Likewise; a class or function is called with ``data`` and ``suite_arguments``."""
    data: Annotated[
        str | Path | None,
        Option("--data", "-d", metavar="PATH|HUB_ID", help="Where the suite's data lie.", panel=WHAT),
    ] = None
    images: Annotated[
        str | Path | None,
        Option(
            "--images",
            metavar="DIR",
            help="Score images that you generated yourself (--model folder). "
            "`unipath-bench prompts` writes the requests and the file names expected.",
            panel=WHAT,
        ),
    ] = None
    """Kept as what it is short for: the model ``folder`` with this argument."""
    tiers: Annotated[
        str | int | Sequence[int],
        Option("--tiers", "-t", metavar="1-4", help="Tiers, e.g. 1-4 or 1,3.", panel=WHAT),
    ] = "1-4"
    tasks: Annotated[
        TaskChoice | Sequence[TaskChoice],
        Option(
            "--tasks",
            metavar="NAME|TASK.yaml",
            help="Only these tasks; repeatable or separated by commas.",
            panel=WHAT,
            values="many",
        ),
    ] = ()
    """Empty: all of the tiers."""
    n: Annotated[
        int | None,
        Option("--n", "-n", metavar="N", help="Prompts; default: all of the test split.", panel=WHAT),
    ] = None
    seeds: Annotated[int, Option("--seeds", metavar="S", help="Images a prompt.", panel=WHAT)] = 1
    encoders: Annotated[
        str | Encoder | Sequence[EncoderChoice],
        Option(
            "--encoder",
            "-e",
            metavar="[ROLE=]NAME|SPEC.yaml|MODULE:ATTR",
            help="Encoder for a role: image (default), judge or alignment; repeat for a panel.",
            panel=HOW,
            values="many",
        ),
    ] = ()
    """A role that is not named keeps the suite's default."""
    model_arguments: Annotated[
        Mapping[str, Any] | None,
        Option(
            "--model-arg",
            metavar="KEY=VALUE",
            help="Argument for the generator; repeatable.",
            panel=WHAT,
            values="arguments",
        ),
    ] = None
    suite_arguments: Annotated[
        Mapping[str, Any] | None,
        Option(
            "--suite-arg",
            metavar="KEY=VALUE",
            help="Argument for the suite; repeatable.",
            panel=WHAT,
            values="arguments",
        ),
    ] = None
    device: Annotated[str, Option("--device", help="cpu, cuda, cuda:1, mps.", panel=HOW)] = "cpu"
    offline: Annotated[bool, Option("--offline", help="Reach for nothing on the network.", panel=HOW)] = False
    trust_remote_code: Annotated[
        bool,
        Option(
            "--trust-remote-code",
            help="Run the Python code in the repositories of the encoders that need it, "
            "at their pinned commits. Read it first.",
            panel=HOW,
        ),
    ] = False

    def __post_init__(self) -> None:
        if self.images is None:
            return
        if self.model not in (None, "folder"):
            raise UsageError(f"--images goes with --model folder, not with {self.model!r}.", "Leave --model out.")
        object.__setattr__(self, "model", "folder")
        object.__setattr__(self, "model_arguments", {**(self.model_arguments or {}), "images": str(self.images)})
        object.__setattr__(self, "images", None)


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Who carries out the units of a run; no part of a record.

    Raises :class:`~unipath_bench.UsageError` for an executor that nobody registers.
    """

    batch_size: Annotated[
        int | None,
        Option(
            "--batch-size",
            "-b",
            help="Images per call of the generator; never changes an image.",
            panel=HOW,
            least=1,
        ),
    ] = None
    executor: Annotated[
        str,
        Option(
            "--executor",
            metavar="local|processes|ray|NAME|MODULE:ATTR",
            help="Who works: this process, several (one a GPU), a Ray cluster, or an executor of your own. "
            "The record is the same.",
            panel=HOW,
        ),
    ] = "local"
    workers: Annotated[
        int | None,
        Option("--workers", metavar="N", help="Processes or actors; default: one a GPU, else 2.", panel=HOW),
    ] = None
    timeout: Annotated[
        float | None,
        Option(
            "--timeout",
            metavar="SECONDS",
            help="Give up a process (--executor processes) that shows no sign of life for so long.",
            panel=HOW,
            least=0.0,
        ),
    ] = None
    address: Annotated[
        str | None,
        Option(
            "--address",
            metavar="HOST:PORT|auto",
            help="A running Ray cluster; default: Ray on this machine.",
            panel=HOW,
        ),
    ] = None

    def __post_init__(self) -> None:
        EXECUTORS.get(self.executor)


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where everything is written."""

    out: Annotated[
        str | Path,
        Option(
            "--out",
            "-o",
            metavar="DIR|URL",
            help="Store, records and reports: a folder, or an address such as s3://bucket/prefix.",
            panel=OUTPUT,
        ),
    ] = DEFAULT_OUT


@dataclass(frozen=True, kw_only=True)
class OutputSettings:
    """What the user asks of the outputs."""

    tracking_uri: Annotated[
        str | None,
        Option(
            "--tracking-uri",
            metavar="URI",
            help="MLflow; default: SQLite in the output folder.",
            panel=OUTPUT,
            environment="MLFLOW_TRACKING_URI",
        ),
    ] = None
    experiment: Annotated[
        str,
        Option(
            "--experiment",
            metavar="NAME",
            help="MLflow's experiment.",
            panel=OUTPUT,
            environment="MLFLOW_EXPERIMENT_NAME",
        ),
    ] = DEFAULT_EXPERIMENT
    mlflow: Annotated[
        bool,
        Option("--mlflow/--no-mlflow", help="Whether to log to MLflow; `import` does it later.", panel=OUTPUT),
    ] = True


OutputChoice = str | Callable[[OutputSettings], Any]
"""A registered output or ``module:attribute``, or what these name: a class of outputs."""


@dataclass(frozen=True, kw_only=True)
class RunOptions(OutputSettings, Destination, Execution, Options):
    """All that can be asked of a run."""

    outputs: Annotated[
        Sequence[OutputChoice] | None,
        Option(help="What to write after the run, as names or classes; default: every registered output."),
    ] = None
    progress: Annotated[Progress | None, Option(help="Is told what each stage does; default: nobody.")] = None

    def __post_init__(self) -> None:
        Options.__post_init__(self)
        Execution.__post_init__(self)


@dataclass(frozen=True, kw_only=True)
class PartOptions(RunOptions):
    """All that can be asked of one machine's part of a run."""

    part: Annotated[
        str | tuple[int, int] | None,
        Option(
            "--part",
            metavar="I/N",
            help="Do the I-th of N parts, without scores, e.g. in an array job; then `unipath-bench merge`.",
            panel=HOW,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Described:
    """A field as the command line and the documentation see it."""

    name: str
    default: Any
    option: Option
    hint: Any
    """Type of the field."""
    type: type
    """Of one value on the command line: the first plain type that the field may have."""

    def check(self, value: Any) -> None:
        """Raise :class:`~unipath_bench.UsageError` for a value that is no number or switch where one is wanted."""
        if self.type is str or value == self.default:
            return
        taken: Any = (int, float) if self.type is float else self.type
        if not isinstance(value, taken) or isinstance(value, bool) is not (self.type is bool):
            raise UsageError(f"{self.name} is {value!r}.", f"Give {_NOUNS[self.type]}.")
        if self.option.least is not None and float(value) < self.option.least:
            raise UsageError(f"{self.name} is {value!r}.", f"Give {self.option.least:g} or more.")


_NOUNS = {bool: "True or False", int: "a whole number", float: "a number"}


def describe(kind: Any) -> dict[str, Described]:
    """The options of a dataclass, by the names of its fields."""
    hints = typing.get_type_hints(kind, include_extras=True)
    found = {}
    for each in fields(kind):
        hint, option = typing.get_args(hints[each.name])
        plain = _plain_type(hint)
        found[each.name] = Described(name=each.name, default=each.default, option=option, hint=hint, type=plain)
    return found


def select(options: DataclassInstance, kind: type[SelectedT]) -> SelectedT:
    """Those of the options that ``kind`` has too."""
    return kind(**{each.name: getattr(options, each.name) for each in fields(kind)})


def _plain_type(hint: Any) -> type:
    members = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return next((member for member in members if member in (str, int, float, bool)), str)


def parse_tiers(tiers: str | int | Collection[int]) -> tuple[int, ...]:
    """'1-4', '2' or '1,3', one number or several, to tier numbers in order."""
    spelled = spell_tiers(tiers)
    found: set[int] = set()
    for text in spelled.split(","):
        matched = re.fullmatch(r"\s*([1-4])(?:\s*-\s*([1-4]))?\s*", text)
        if matched is None:
            raise UsageError(f"--tiers {spelled!r} names no tiers.", "Tiers are 1 to 4: write 1-4, 2 or 1,3.")
        low, high = int(matched[1]), int(matched[2] or matched[1])
        if low > high:
            raise UsageError(f"--tiers {spelled!r}: {low} is above {high}.", f"Write {high}-{low}.")
        found.update(range(low, high + 1))
    return tuple(sorted(found))


def spell_tiers(tiers: str | int | Collection[int]) -> str:
    """Tiers as one text."""
    return tiers if isinstance(tiers, str) else ",".join(map(str, [tiers] if isinstance(tiers, int) else tiers))


def parse_part(part: str | tuple[int, int] | None) -> tuple[int, int]:
    """'2/8' to (2, 8)."""
    text = part if isinstance(part, str) else "/".join(map(str, part or ()))
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--part {text!r} names no part.", "Write I/N with I from 1 to N, e.g. --part 2/8.")
    return int(found[1]), int(found[2])


def parse_tasks(given: TaskChoice | Sequence[TaskChoice]) -> tuple[TaskChoice, ...]:
    """One task, several, or names separated by commas, one by one."""
    return (given,) if isinstance(given, TaskSpec) else parse_names(given) if isinstance(given, str) else tuple(given)


def parse_encoders(given: str | Encoder | Sequence[EncoderChoice]) -> tuple[EncoderChoice, ...]:
    """One encoder, several, or names separated by commas, one by one."""
    if isinstance(given, str):
        return parse_names(given)
    return (given,) if isinstance(given, ImageEncoder | TextEncoder) else tuple(given)


def parse_names(given: str) -> tuple[str, ...]:
    """The names in a text, which commas separate."""
    return tuple(name.strip() for name in given.split(",") if name.strip())
