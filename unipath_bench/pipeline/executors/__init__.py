"""Who carries out the units of a run: this process, several, or a Ray cluster. The record is the same."""

from unipath_bench.pipeline.executors.build import Execution, build_executor
from unipath_bench.pipeline.executors.local import Local
from unipath_bench.pipeline.executors.protocol import Executor

__all__ = ["Execution", "Executor", "Local", "build_executor"]
