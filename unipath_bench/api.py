"""An evaluation from its plan to everything that is written of it."""

from __future__ import annotations

from contextlib import ExitStack
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from unipath_bench.core.errors import UsageError
from unipath_bench.core.progress import Progress, Silent
from unipath_bench.core.registries import OUTPUTS
from unipath_bench.pipeline.executors import Execution
from unipath_bench.pipeline.place import Place
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.run import run
from unipath_bench.results.gallery import Exhibits
from unipath_bench.results.run_folder import RunFolder
from unipath_bench.scoring.catalogue import load_tasks
from unipath_bench.views.output import Finished, Output, OutputSettings


def evaluate(
    plan: Plan,
    out: Path | Place,
    *,
    execution: Execution | None = None,
    settings: OutputSettings | None = None,
    progress: Progress | None = None,
) -> tuple[RunFolder, list[str]]:
    """Carry out a plan and write every registered output; returns the run's folder and what outputs say to the user.

    Raises as :func:`~unipath_bench.pipeline.run.run` does. When an output fails, the record is complete, and what was
    written before it stays.
    """
    place = out if isinstance(out, Place) else Place(out)
    show = progress or Silent()
    outputs = _in_order({name: OUTPUTS.get(name)(settings or OutputSettings()) for name in OUTPUTS.names()})
    with ExitStack() as stack:
        for output in outputs:
            stack.enter_context(output.open(plan, place))
        folder = run(plan, place, progress=show, execution=execution)
        show.start("Publish", len(outputs))
        finished = Finished(place, folder, folder.load_record(), Exhibits.load(folder.exhibits), load_tasks())
        lines = []
        for output in outputs:
            lines.append(output.write(finished))
            show.advance(1)
        show.finish()
        place.publish(folder.path)
    return folder, [line for line in lines if line is not None]


def _in_order(outputs: dict[str, Output]) -> list[Output]:
    """Each after those that it reads, otherwise by name."""
    before = {name: [other for other in output.reads if other in outputs] for name, output in outputs.items()}
    try:
        return [outputs[name] for name in TopologicalSorter(before).static_order()]
    except CycleError as error:
        raise UsageError(
            f"Outputs read one another in a circle: {' -> '.join(error.args[1])}.",
            "Uninstall one of them, or correct what it reads.",
        ) from error
