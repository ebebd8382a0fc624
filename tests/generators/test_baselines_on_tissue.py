"""The baselines' signatures at the level of images, on real H&E tiles."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from unipath_bench.contracts import Context, Request, Sample
from unipath_bench.core.digest import pixel_digest, seed_from
from unipath_bench.generators.cards import load_generator
from unipath_bench.suites.folder import FolderSuite
from unipath_bench.suites.roles import Roles, assign_roles

pytestmark = pytest.mark.integration


class Tissue:
    """The suite with its roles, its requests and every image outside the test split by its pixels."""

    def __init__(self, folder: Path) -> None:
        self.suite = FolderSuite(data=folder)
        self.roles: Roles = assign_roles(self.suite)
        self.known = {pixel_digest(self.suite.load(s)): s for s in (*self.roles.train, *self.roles.heldout)}
        self.test = {s.id: s for s in self.roles.test}
        self.requests = [Request(s.id, s.prompt, seed_from(s.id, 0), 0, 256, 256) for s in self.roles.test]

    def answers(self, name: str, first: int | None = None) -> list[str]:
        """Pixel digests of a baseline's images, of the first few or of all."""
        generator = load_generator(name)
        generator.setup(Context(suite=self.suite))
        return [pixel_digest(image) for image in generator.generate(self.requests[:first])]

    def sources(self, name: str) -> list[Sample]:
        """Which real image each answer is."""
        return [self.known[answer] for answer in self.answers(name)]

    def kept(self, found: list[Sample]) -> float:
        """Share of the prompts that got an image of their own stratum."""
        pairs = zip(self.requests, found, strict=True)
        return float(np.mean([self.roles.stratum(self.test[r.sample_id]) == self.roles.stratum(s) for r, s in pairs]))


@pytest.fixture(scope="module")
def tissue(real_tiles: Path) -> Tissue:
    return Tissue(real_tiles)


def test_real_and_memoriser_keep_the_class_and_draw_on_their_own_split(tissue: Tissue) -> None:
    for name, role in (("real", tissue.roles.heldout), ("memoriser", tissue.roles.train)):
        found = tissue.sources(name)
        assert {s.id for s in found} <= {s.id for s in role}
        assert tissue.kept(found) == 1.0


def test_shuffled_is_real_under_other_classes_throughout(tissue: Tissue) -> None:
    real, shuffled = tissue.sources("real"), tissue.sources("shuffled")
    assert Counter(s.id for s in shuffled) == Counter(s.id for s in real)
    assert tissue.kept(shuffled) == 0.0


def test_mode_collapse_has_eight_images_and_keeps_the_class(tissue: Tissue) -> None:
    found = tissue.sources("mode-collapse")
    assert len({s.id for s in found}) == 8
    assert tissue.kept(found) == 1.0


@pytest.mark.parametrize("name", ["blur", "stain-shift", "noise"])
def test_altered_images_occur_nowhere_in_the_suite(tissue: Tissue, name: str) -> None:
    assert not set(tissue.answers(name, first=40)) & set(tissue.known)
