"""The charts of every page: SVG made here in plain arithmetic, coloured by the page's style sheet, light and dark.

A chart runs no script, asks for no font or file, and is the same text for the same numbers. What it says is also its
``aria-label``; all text from outside is escaped by :mod:`unipath_bench.views.charts.elements`, which every chart is
made of. :func:`style` are the rules that a page has to hold beside its own.
"""

from unipath_bench.views.charts.bars import bars
from unipath_bench.views.charts.curves import budget_curves, distance_curves
from unipath_bench.views.charts.elements import style
from unipath_bench.views.charts.radar import field_is_drawn, field_medians, radar, radar_numbers

__all__ = [
    "bars",
    "budget_curves",
    "distance_curves",
    "field_is_drawn",
    "field_medians",
    "radar",
    "radar_numbers",
    "style",
]
