"""Held-out real images with one graded defect: how sensitive is a score to it?"""

from __future__ import annotations

from typing import Literal

from unipath_bench.contracts import Context, Request, Sample
from unipath_bench.core.arrays import RGBImage
from unipath_bench.generators._arguments import choice, number
from unipath_bench.generators._defects import DEFECTS, degrade
from unipath_bench.generators._oracle import OracleGenerator
from unipath_bench.schema.cards import GeneratorCard
from unipath_bench.suites.roles import Roles, match_heldout


class DegradedGenerator(OracleGenerator):
    """The images of the ``real`` baseline, each with the same defect at the same strength.

    Strength is the Gaussian sigma in pixels (``blur``, default 2), the stain factor less one
    (``stain-shift``, 0.5: haematoxylin times 1.5 and eosin divided by 1.5), the sigma in grey levels
    (``noise``, 20, seeded by the request) or 100 minus the JPEG quality (``jpeg``, 80). Strength 0 returns
    the stored pixels.
    """

    card = GeneratorCard(
        name="degraded",
        title="Real images with a graded defect",
        adapter="degraded",
        revision="1",
        licence="Apache-2.0",
        conditions_on=("attributes",),
        oracle=True,
        notes="--model-arg defect=blur|stain-shift|noise|jpeg and --model-arg strength=NUMBER.",
    )

    def __init__(
        self, *, defect: Literal["blur", "stain-shift", "noise", "jpeg"], strength: float | None = None
    ) -> None:
        super().__init__()
        self.defect = choice("degraded", "defect", defect, list(DEFECTS))
        family = DEFECTS[self.defect]
        self.strength = number(
            "degraded", "strength", family.default if strength is None else strength, 0.0, family.maximum
        )
        self.card = type(self).card.model_copy(update={"arguments": {"defect": self.defect, "strength": self.strength}})
        self._matched: dict[int, dict[str, Sample]] = {}

    def setup(self, context: Context) -> None:
        """Assign the roles."""
        super().setup(context)
        self._matched = {}

    def lacking(self, roles: Roles) -> str | None:
        """The remedy where there are no held-out images."""
        if roles.heldout:
            return None
        return (
            "Add images in a split named 'heldout', or more groups to 'train': this baseline degrades held-out images."
        )

    def answer(self, request: Request) -> RGBImage:
        """The matched held-out image with the defect."""
        if request.replicate not in self._matched:
            self._matched[request.replicate] = match_heldout(self.roles, request.replicate)
        sample = self._matched[request.replicate].get(request.sample_id)
        if sample is None:
            raise self.unknown_sample(request)
        return degrade(self.suite.load(sample), self.defect, self.strength, request.seed)
