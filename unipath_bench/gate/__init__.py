"""The regression gate: is a run worse than a baseline by more than noise and more than anybody would mind?"""

from unipath_bench.gate.baseline import load_side, write_baseline
from unipath_bench.gate.judging import judge
from unipath_bench.gate.margins import parse_margins
from unipath_bench.gate.speed import REFERENCE, TOLERANCE, judge_speed, read_times
from unipath_bench.gate.terminal import show, show_speed

__all__ = [
    "REFERENCE",
    "TOLERANCE",
    "judge",
    "judge_speed",
    "load_side",
    "parse_margins",
    "read_times",
    "show",
    "show_speed",
    "write_baseline",
]
