"""Who carries out the work items of a run: this process, several, or a Ray cluster. The record is the same."""

from unipath_bench.options import Execution
from unipath_bench.pipeline.executors.job import Job
from unipath_bench.pipeline.executors.protocol import Executor, LostWork

__all__ = ["Execution", "Executor", "Job", "LostWork"]
