"""What the defects look like, for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unipath_bench.audit.catalogue import Defect
from unipath_bench.audit.editions import Cohort
from unipath_bench.core.arrays import RGBImage

_CANDIDATES = 16


def example_tiles(cohort: Cohort, defects: Sequence[Defect]) -> Mapping[str, Sequence[RGBImage]]:
    """For each defect that shows in one image, one held-out image at every level, 0 first.

    The image is the one of the first sixteen with the most contrast, so that there is something to see.
    """
    honest = cohort.honest.pictures[:_CANDIDATES]
    chosen = max(range(len(honest)), key=lambda i: (float(honest[i].load().std()), -i))
    return {
        defect.name: [
            honest[chosen].load(),
            *(defect.build(cohort, level).pictures[chosen].load() for level in defect.levels),
        ]
        for defect in defects
        if defect.kind in ("image", "tissue")
    }
