"""The one entrance: what Python programs and the command line call.

Models, suites, tasks, encoders and outputs are given as objects or by name. The options are those of the command line,
with the same names and defaults: both are made of :mod:`unipath_bench.options`, where a repeatable option has a name in
the plural (``--encoder`` is ``encoders``, ``--model-arg`` is ``model_arguments``). Whatever is wrong with them raises a
:class:`~unipath_bench.BenchError`, which says what is wrong and what to do.

The command line puts no parts of the pipeline together: that is done here, and a contract of import-linter holds it.
Heavy modules are imported when they are used.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from unipath_bench.core.errors import UsageError
from unipath_bench.core.offline import without_hub
from unipath_bench.core.progress import Progress, Silent
from unipath_bench.core.registry import suggest
from unipath_bench.options import (
    DEFAULT_OUT,
    Execution,
    Options,
    OutputChoice,
    OutputSettings,
    PartOptions,
    RunOptions,
    describe,
    parse_names,
    parse_part,
    parse_tiers,
    select,
)

if TYPE_CHECKING:
    from unipath_bench.audit.files import AuditFolder
    from unipath_bench.audit.result import AuditResult
    from unipath_bench.contracts import Request, Suite
    from unipath_bench.core.console import Console
    from unipath_bench.pipeline.estimate import Estimate
    from unipath_bench.pipeline.place import Place
    from unipath_bench.pipeline.plan import Plan
    from unipath_bench.pipeline.probe import Forecast, Probe
    from unipath_bench.results.gallery import Exhibits
    from unipath_bench.results.run_folder import RunFolder
    from unipath_bench.schema.record import RunRecord
    from unipath_bench.schema.task import TaskSpec
    from unipath_bench.suites.checking.report import Finding
    from unipath_bench.views.comparison import Comparison

__all__ = [
    "Result",
    "audit",
    "carry_out",
    "check_tasks",
    "compare",
    "estimate",
    "evaluate",
    "evaluate_part",
    "list_requests",
    "list_tasks",
    "load_record",
    "log_runs",
    "merge",
    "plan",
    "probe",
    "write_report",
]

AUDITED_PROMPTS = 256
"""Prompts of an audit whose plan is of the whole test split."""

REQUEST_OPTIONS = ("suite", "data", "n", "seeds", "suite_arguments", "offline")
"""The options that :func:`list_requests` has."""

P = ParamSpec("P")
OptionsT = TypeVar("OptionsT")
ReturnT = TypeVar("ReturnT")


@dataclass(frozen=True)
class Result:
    """A finished evaluation."""

    folder: RunFolder
    """Where its files lie."""
    record: RunRecord
    messages: tuple[str, ...] = ()
    """What the outputs say to the user, such as ``"Report  PATH"``."""

    def show(self, console: Console | None = None) -> None:
        """Print the summary, and where the files lie; on standard output, if no console is given."""
        from unipath_bench.core.console import Console
        from unipath_bench.views.terminal import print_summary

        console = console or Console()
        print_summary(self.record, console)
        for line in (f"Record  {self.folder.record}", *self.messages):
            console.print_line(line)


AnyRun = Result | str | Path
"""A result, a run's folder, or the file of its record."""


def _takes(
    kind: Callable[P, OptionsT], *, only: Collection[str] = ()
) -> Callable[[Callable[[OptionsT], ReturnT]], Callable[P, ReturnT]]:
    """Give a function of an options object the object's fields, or ``only`` these, as its parameters.

    A variable of the environment stands in for an option that is not given. Raises
    :class:`~unipath_bench.UsageError` for an option that does not exist.
    """
    options = {name: each for name, each in describe(kind).items() if not only or name in only}
    parameters = [
        each.replace(annotation=options[name].hint)
        for name, each in inspect.signature(kind).parameters.items()
        if name in options
    ]

    def decorate(function: Callable[[OptionsT], ReturnT]) -> Callable[P, ReturnT]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> ReturnT:
            for name, value in kwargs.items():
                if name not in options:
                    remedy = suggest(name, list(options), "option")
                    raise UsageError(f"{function.__name__} has no option {name!r}.", remedy)
                options[name].check(value)
            for name, each in options.items():
                variable = each.option.environment
                if variable and os.environ.get(variable):
                    kwargs.setdefault(name, os.environ[variable])
            return function(kind(*args, **kwargs))

        returned = inspect.signature(function).return_annotation
        call.__signature__ = inspect.Signature(parameters, return_annotation=returned)  # type: ignore[attr-defined]
        helped = "\n".join(f"    {name}: {each.option.help}" for name, each in options.items())
        call.__doc__ = f"{inspect.getdoc(function)}\n\nArgs:\n{helped}\n"
        return call

    return decorate


@_takes(Options)
def plan(options: Options) -> Plan:
    """Plan an evaluation: resolve every name, count every image, and find what is missing. Computes nothing.

    :func:`carry_out` computes it, :func:`estimate` and :func:`probe` say what that would take.
    """
    return _plan(options)


@_takes(RunOptions)
def evaluate(options: RunOptions) -> Result:
    """Evaluate a generator: generate, embed, score, record, and write every output.

    Every image is generated once and embedded once per encoder, and everything finished is kept in the output folder:
    the same call resumes after an interruption, and a larger ``n`` or ``seeds`` computes only what is new.
    """
    return carry_out(
        _plan(options),
        options.out,
        execution=select(options, Execution),
        settings=select(options, OutputSettings),
        outputs=options.outputs,
        progress=options.progress,
    )


@_takes(PartOptions)
def evaluate_part(options: PartOptions) -> str:
    """Generate and embed one of several parts of a run, for :func:`merge` to score; returns what is to be done then.

    Every machine is given the same options but for ``part``.
    """
    number, of = parse_part(options.part)
    planned = _plan(options)
    planned.require_chosen()

    from unipath_bench.pipeline.merge import note_part
    from unipath_bench.pipeline.place import Place
    from unipath_bench.pipeline.run import run_part
    from unipath_bench.pipeline.work import Part

    place, part = Place.parse(options.out), Part(number, of)
    with without_hub(options.offline):
        run_part(planned, place, part, progress=options.progress, execution=select(options, Execution))
    note_part(planned, place.folder, part)
    then = f"unipath-bench merge {place}" if place.url is None else "the same command without --part"
    return f"Part {number} of {of} is complete in {place}. When all are: {then}"


def carry_out(
    plan: Plan,
    out: str | Path | Place = DEFAULT_OUT,
    *,
    execution: Execution | None = None,
    settings: OutputSettings | None = None,
    outputs: Sequence[OutputChoice] | None = None,
    progress: Progress | None = None,
) -> Result:
    """Carry out a plan and write ``outputs``, or every registered one.

    Raises as :func:`~unipath_bench.pipeline.run.run` does. When an output fails, the record is complete, and what was
    written before it stays.
    """
    plan.require_chosen()

    from unipath_bench.pipeline.place import Place
    from unipath_bench.pipeline.run import run
    from unipath_bench.results.gallery import Exhibits
    from unipath_bench.scoring.catalogue import load_tasks
    from unipath_bench.views.output import Finished, make_outputs

    place = Place.parse(out)
    show = progress or Silent()
    made = make_outputs(outputs, settings or OutputSettings())
    with without_hub(plan.options.offline), ExitStack() as stack:
        for output in made:
            stack.enter_context(output.open(plan, place))
        folder = run(plan, place, progress=show, execution=execution)
        show.start("Publish", len(made))
        finished = Finished(place, folder, folder.load_record(), Exhibits.load(folder.exhibits), load_tasks())
        lines = []
        for output in made:
            lines.append(output.write(finished))
            show.advance(1)
        show.finish()
        place.publish(folder.path)
    return Result(folder, finished.record, tuple(line for line in lines if line is not None))


def merge(
    folders: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    trust_remote_code: bool = False,
    settings: OutputSettings | None = None,
    progress: Progress | None = None,
) -> Result:
    """Unite the parts of a run in ``out``, or in the first folder, and score them: the record of an undivided run.

    The options come from the folders; ``trust_remote_code`` must be given here again. Raises
    :class:`~unipath_bench.UsageError` where parts are lacking or of different runs, and
    :class:`~unipath_bench.DataError` where two of them differ in what they have in common.
    """
    from unipath_bench.pipeline.merge import merge as unite
    from unipath_bench.pipeline.merge import require_complete

    target = Path(out or folders[0])
    merged = unite([Path(folder) for folder in folders], target, trust_remote_code=trust_remote_code)
    if progress is not None:
        progress.note(f"{merged.copied} files brought to {target}.")
    planned = _plan(merged.options)
    require_complete(planned, target)
    return carry_out(planned, target, settings=settings, progress=progress)


def check_tasks(suite: Suite, *, offline: bool = False) -> Finding:
    """Say which tasks a suite's data allow, whatever generator is asked, with the reasons of the others."""
    from unipath_bench.pipeline import suitability

    return suitability.check_tasks(suite, offline=offline)


def estimate(plan: Plan, out: str | Path = DEFAULT_OUT) -> Estimate:
    """Count what a plan still needs, given what the output folder holds already; computes nothing."""
    from unipath_bench.pipeline import estimate as estimating

    return estimating.estimate(plan, Path(out))


def probe(plan: Plan, out: str | Path = DEFAULT_OUT) -> tuple[Probe, Forecast]:
    """Generate and embed eight images, and score made-up features: what it took, and what the whole will take.

    Stores nothing.
    """
    plan.require_chosen()

    from unipath_bench.pipeline import probe as probing

    cost = estimate(plan, out)
    with without_hub(plan.options.offline):
        found = probing.probe(plan, cost)
    return found, probing.forecast(plan, cost, found, Path(out))


@_takes(Options, only=REQUEST_OPTIONS)
def list_requests(options: Options) -> list[Request]:
    """The requests of a run at the suite's own image size: to generate the images elsewhere and score them as images.

    The file name that is expected for each is :func:`unipath_bench.generators.folder.expected_file_name`.
    """
    from unipath_bench.pipeline.plan import plan_requests

    with without_hub(options.offline):
        return plan_requests(options)


def load_record(run: str | Path) -> RunRecord:
    """Read a run's record from its folder or from the file itself."""
    from unipath_bench.results import run_folder

    return run_folder.load_record(Path(run))


def list_tasks(tiers: str | int | Sequence[int] = "1-4") -> list[TaskSpec]:
    """The installed tasks of these tiers, ordered by tier and name."""
    from unipath_bench.scoring.catalogue import select_tasks

    return select_tasks(parse_tiers(tiers))


def compare(*runs: AnyRun | RunRecord, html: str | Path | None = None) -> Comparison:
    """Put runs side by side, task by task, with paired differences; says where they cannot be compared, and why.

    With ``html`` a page is written too, with the images that runs' folders keep.
    """
    if len(runs) < 2:
        raise UsageError("compare needs two runs or more.", "Name their folders, e.g. unipath-bench-runs/runs/*")

    from unipath_bench.schema.record import RunRecord
    from unipath_bench.views import comparison

    found = comparison.compare([run if isinstance(run, RunRecord) else _folder(run)[1] for run in runs])
    if html is not None:
        from unipath_bench.views.comparison.page import write_page

        exhibits = [None if isinstance(run, RunRecord) else _exhibits(_folder(run)[0]) for run in runs]
        write_page(found, exhibits, Path(html))
    return found


def write_report(run: AnyRun, to: str | Path | None = None) -> Path:
    """Write the HTML report of a run anew, by default ``report.html`` in its folder; returns the file."""
    from unipath_bench.results.gallery import Exhibits
    from unipath_bench.scoring.catalogue import load_tasks
    from unipath_bench.views.output import REPORT
    from unipath_bench.views.report import write_report as write

    folder, record = _folder(run)
    return write(record, Exhibits.load(folder.exhibits), Path(to or folder.path / REPORT), load_tasks())


def log_runs(
    runs: Sequence[str | Path], out: str | Path = DEFAULT_OUT, *, settings: OutputSettings | None = None
) -> list[tuple[RunRecord, str]]:
    """Log finished runs into MLflow, by default into the database in ``out``; returns each with its MLflow run's id.

    What was logged before is not logged twice.
    """
    from unipath_bench.scoring.catalogue import load_tasks
    from unipath_bench.views.tracking import default_tracking_uri, log_run

    settings = settings or OutputSettings()
    found = [_folder(run) for run in runs]
    uri, tasks = settings.tracking_uri or default_tracking_uri(Path(out)), load_tasks()
    if settings.tracking_uri is None:
        Path(out).mkdir(parents=True, exist_ok=True)
    return [
        (record, log_run(record, folder.path, tracking_uri=uri, experiment=settings.experiment, tasks=tasks))
        for folder, record in found
    ]


def audit(
    plan: Plan,
    *,
    defects: str | Sequence[str] = (),
    levels: Mapping[str, Sequence[float]] | None = None,
    out: str | Path = DEFAULT_OUT,
    progress: Progress | None = None,
) -> tuple[AuditResult, AuditFolder]:
    """Damage the held-out images of a plan of the model ``real`` by known amounts, and see which metrics notice.

    ``defects``: names, all where there are none; ``levels``: others than a defect's own. A plan of the whole test split
    is cut to its first :data:`AUDITED_PROMPTS` prompts. Returns the result, and where its files lie.
    """
    from unipath_bench.audit.catalogue import choose_defects
    from unipath_bench.audit.examples import example_tiles
    from unipath_bench.audit.files import save_audit
    from unipath_bench.audit.run import make_cohort, run_audit

    names = parse_names(defects) if isinstance(defects, str) else tuple(defects)
    chosen = choose_defects(names, {name: tuple(each) for name, each in (levels or {}).items()})
    plan.require_chosen()
    if plan.options.n is None:
        plan = replace(plan, prompts=plan.prompts[:AUDITED_PROMPTS])
    with without_hub(plan.options.offline):
        result = run_audit(plan, chosen, progress)
    return result, save_audit(result, example_tiles(make_cohort(plan), chosen), Path(out))


def _plan(options: Options) -> Plan:
    from unipath_bench.pipeline.plan import make_plan

    with without_hub(options.offline):
        return make_plan(select(options, Options))


def _folder(run: AnyRun) -> tuple[RunFolder, RunRecord]:
    """A run's folder, where its record may have another name than usual, and its record."""
    from unipath_bench.results.run_folder import RunFolder

    if isinstance(run, Result):
        return run.folder, run.record
    path = Path(run)
    return RunFolder(path if path.is_dir() else path.parent), load_record(path)


def _exhibits(folder: RunFolder) -> Exhibits | None:
    """The images that a run's folder keeps; None beside a lone record."""
    from unipath_bench.results.gallery import Exhibits

    return Exhibits.load(folder.exhibits) if folder.exhibits.is_dir() else None
