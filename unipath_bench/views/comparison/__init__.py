"""Runs side by side, value by value: where they may be compared, by how much they differ, and where not and why."""

from unipath_bench.views.comparison.comparing import compare
from unipath_bench.views.comparison.pairs import Pair
from unipath_bench.views.comparison.table import CAVEAT, Comparison, Row

__all__ = ["CAVEAT", "Comparison", "Pair", "Row", "compare"]
