"""Runs side by side, value by value: where they may be compared, by how much they differ, and where not and why."""

from unipath_bench.comparison.comparing import compare
from unipath_bench.comparison.pairs import Pair
from unipath_bench.comparison.table import CAVEAT, Comparison, Row

__all__ = ["CAVEAT", "Comparison", "Pair", "Row", "compare"]
