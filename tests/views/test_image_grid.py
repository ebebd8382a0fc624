"""The grid of samples."""

from __future__ import annotations

import numpy as np
import pytest

from tests import made_up_records as made_up
from unipath_bench.results.gallery import Exhibits, ShownSample
from unipath_bench.views.image_grid import sample_grid


def test_the_grid_holds_each_image_untouched() -> None:
    shown = made_up.exhibits(samples=3, replicates=2, size=100)
    grid = sample_grid(shown, columns=2)
    assert grid.dtype == np.uint8
    windows = np.lib.stride_tricks.sliding_window_view(grid[:, :, 0], (1, 100))[:, :, 0]
    for sample in shown.samples:
        for image in (sample.real, *sample.generated):
            assert image is not None
            assert (windows == image[50, :, 0]).all(axis=-1).any(), f"{sample.sample_id} is not in the grid"


def test_large_images_are_fitted_and_small_ones_stay() -> None:
    large, small = (sample_grid(made_up.exhibits(samples=1, replicates=1, size=s), columns=1) for s in (400, 48))
    assert large.shape[1] < 2 * 200 + 60
    assert small.shape[1] < 2 * 110 + 60
    assert (
        sample_grid(made_up.exhibits(samples=4), columns=4).shape[1]
        > sample_grid(made_up.exhibits(samples=4), columns=1).shape[1]
    )


def test_an_endless_prompt_does_not_widen_the_grid() -> None:
    plain = made_up.exhibits(samples=1)
    wordy = Exhibits(
        [ShownSample("x", "word " * 300 + "x" * 500, {}, plain.samples[0].real, plain.samples[0].generated)]
    )
    assert sample_grid(wordy).shape == sample_grid(plain).shape


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match="no samples"):
        sample_grid(Exhibits())
