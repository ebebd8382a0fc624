"""Which tasks a suite's data allow, whatever generator is asked."""

from __future__ import annotations

from unipath_bench.contracts import Context, Suite
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.pipeline.blockers import Judge
from unipath_bench.pipeline.planned_tasks import plan_tasks
from unipath_bench.pipeline.resolve import open_encoders, tasks_for
from unipath_bench.scoring.catalogue import select_tasks
from unipath_bench.suites.checking.report import Finding
from unipath_bench.suites.roles import assign_roles

TIERS = (1, 2, 3, 4)
CHECK = "tasks that can be computed"


def check_tasks(suite: Suite, *, offline: bool = False) -> Finding:
    """Ask what a plan asks of every task of the four tiers, in the suite's own encoders, with all its prompts.

    The verdict is ``note`` where a task cannot be computed, with the reason in ``items`` (``plan`` says what to do);
    ``not checked`` where the splits allow no plan.
    """
    specs = tasks_for(select_tasks(TIERS, ()), suite.card)
    try:
        roles = assign_roles(suite)
    except (DataError, UsageError) as error:
        return Finding(check=CHECK, verdict="not checked", summary=error.message)
    encoders, role_encoders = open_encoders(specs, suite.card)
    judge = Judge(suite.card, roles, roles.test, 1, encoders, Context("cpu", offline))
    tasks = plan_tasks(specs, role_encoders, judge)
    blocked = tuple(f"{task.key}: {task.blocker.reason}" for task in tasks if task.blocker)
    return Finding(
        check=CHECK,
        verdict="note" if blocked else "ok",
        summary=f"{len(tasks) - len(blocked)} of {len(tasks)}",
        items=blocked,
    )
