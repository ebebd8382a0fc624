"""A suite at fewer pixels: its images are Pillow's, and nothing else of it changes but the scale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from unipath_bench.contracts import Suite
from unipath_bench.core.errors import BenchError, DataError, UsageError
from unipath_bench.core.images import decode_png
from unipath_bench.options import Options
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.pipeline.run import run
from unipath_bench.suites.card import load_suite

SIDE = 24


@pytest.fixture(scope="module")
def whole(small_tiles: Path) -> Suite:
    """Tiles of 48 pixels."""
    return load_suite("folder", str(small_tiles), {"microns_per_pixel": 0.5})


@pytest.fixture(scope="module")
def reduced(small_tiles: Path) -> Suite:
    return load_suite("reduced", str(small_tiles), {"side": SIDE, "microns_per_pixel": 0.5})


def test_its_images_are_pillow_s(whole: Suite, reduced: Suite) -> None:
    for sample, source in zip(reduced.samples(), whole.samples(), strict=True):
        expected = Image.fromarray(whole.load(source)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(reduced.load(sample), np.asarray(expected))


def test_samples_and_card_are_the_other_suite_s_at_another_scale(whole: Suite, reduced: Suite) -> None:
    assert [replace(sample, microns_per_pixel=None) for sample in reduced.samples()] == [
        replace(sample, microns_per_pixel=None) for sample in whole.samples()
    ]
    assert (reduced.card.height, reduced.card.width, reduced.card.microns_per_pixel) == (SIDE, SIDE, 1.0)
    assert reduced.card.attributes == whole.card.attributes
    assert f"{SIDE} x {SIDE} pixels" in reduced.card.notes


def test_side_and_content_decide_the_revision(whole: Suite, reduced: Suite, small_tiles: Path) -> None:
    again = load_suite("reduced", str(small_tiles), {"side": SIDE, "microns_per_pixel": 0.5})
    other = load_suite("reduced", str(small_tiles), {"side": SIDE - 1, "microns_per_pixel": 0.5})
    assert again.revision == reduced.revision
    assert len({reduced.revision, other.revision, whole.revision}) == 3


def test_a_computed_suite_stays_one() -> None:
    phantom = load_suite("reduced", None, {"suite": "phantom", "side": 32, "train": 0, "test": 8})
    assert phantom.computed
    assert phantom.load(phantom.samples()[0]).shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"side": 49}, DataError, "48 x 48 pixels, fewer than side=49"),
        ({"side": 0}, UsageError, "side=0 is no number of pixels"),
        ({"side": "big"}, UsageError, "side='big' is no number of pixels"),
        ({}, UsageError, "needs side"),
        ({"side": 24, "sise": "any"}, UsageError, "no suite argument 'sise'"),
        ({"side": 24, "suite": "foldr"}, UsageError, "foldr"),
        ({"side": 24, "suite": "reduced"}, UsageError, "not reduced again"),
    ],
)
def test_bad_arguments_are_named(
    small_tiles: Path, arguments: dict[str, object], error: type[BenchError], message: str
) -> None:
    with pytest.raises(error, match=message):
        load_suite("reduced", str(small_tiles), arguments)


@pytest.mark.integration
def test_a_generator_is_asked_for_images_of_its_size(small_tiles: Path, tmp_path: Path) -> None:
    arguments = {"side": 32}
    options = Options("tests.adapters:Painter", suite="reduced", data=small_tiles, suite_arguments=arguments, n=8)
    record = run(make_plan(options), tmp_path).load_record()
    assert "computed" in {score.status for score in record.scores if score.tier == 1}
    rows = [row for path in tmp_path.rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    assert {decode_png(row["image"]["bytes"]).shape for row in rows} == {(32, 32, 3)}
