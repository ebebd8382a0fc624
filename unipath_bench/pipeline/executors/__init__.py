"""Who carries out the units of a run: this process, several, or a Ray cluster. The record is the same."""

from unipath_bench.options import Execution
from unipath_bench.pipeline.executors.job import Job
from unipath_bench.pipeline.executors.protocol import Executor, LostUnits

__all__ = ["Execution", "Executor", "Job", "LostUnits"]
