"""The parts of the calibration: its bound, and that honest runs differ by nothing but chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.studies.gate.bench import COPIED, DEFECTS, SHUFFLED, draw_pair, tasks
from tests.studies.gate.calibrate import upper_bound
from tests.studies.gate.pool import DAMAGED, DAMAGES, RENDERINGS, Pool
from unipath_bench.contracts import FeatureSet


@pytest.fixture(scope="module")
def pool() -> Pool:
    """A pool without images: 12 patients of 4 cases."""
    cases = FeatureSet(ids=tuple(f"c{i}" for i in range(48)), groups=tuple(f"p{i // 4}" for i in range(48)))
    return Pool(cases, FeatureSet(ids=tuple(f"t{i}" for i in range(100))), cases, {})


@pytest.mark.parametrize(("hits", "of"), [(0, 1000), (47, 1000), (1000, 1000)])
def test_the_bound_is_clopper_and_pearsons(hits: int, of: int) -> None:
    peer = stats.binomtest(hits, of, alternative="less").proportion_ci(0.99, method="exact").high
    assert upper_bound(hits, of) == pytest.approx(peer)


@pytest.mark.parametrize("seed", range(5))
def test_honest_runs_never_share_an_image(pool: Pool, seed: int) -> None:
    first, second = draw_pair(pool, 8, seed)
    assert len(first.rows) == 32
    assert np.array_equal(first.rows, second.rows)
    picks = np.vstack([first.picks, second.picks])
    assert (np.sort(picks, axis=0) == np.arange(RENDERINGS)[:, None]).all()
    assert set(first.answer) == set(second.answer) == {"honest"}


def test_resplits_differ(pool: Pool) -> None:
    drawn = [draw_pair(pool, 8, seed)[0] for seed in range(6)]
    assert len({draw.rows.tobytes() + draw.picks.tobytes() for draw in drawn}) == 6


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_strikes_the_second_run_alone(pool: Pool, defect: str) -> None:
    first, second = draw_pair(pool, 8, 0, defect)
    assert set(first.answer) == {"honest"}
    assert (first.source_row == first.rows).all()
    assert (first.copies == -1).all()
    if defect in DAMAGES:
        assert set(second.answer) == {defect}
        assert (first.picks >= DAMAGED).all()  # none that the damaged images were made of
    assert (second.source_row != second.rows).sum() == (8 if defect == SHUFFLED else 0)
    assert (second.copies >= 0).sum() == (3 if defect == COPIED else 0)


def test_the_family_is_every_headline_of_the_phantom() -> None:
    found = tasks()
    assert len(found) == len({task.spec.name for task in found})
    assert {task.spec.tier for task in found} == {1, 2, 3, 4}
    substitutes = [task for task in found if task.name != task.spec.headline]
    assert [(task.encoder, task.name) for task in substitutes] == [("texture", "basis_distance")]
