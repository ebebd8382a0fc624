"""The micrograph suite: what its labels mean, its splits, and that it is what it says."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from skimage.color import rgb2hed
from skimage.data import immunohistochemistry

from unipath_bench.contracts import Sample
from unipath_bench.core.errors import DataError
from unipath_bench.suites import micrograph
from unipath_bench.suites.micrograph import MicrographSuite, measure
from unipath_bench.suites.roles import assign_roles, check_groups, match_train
from unipath_bench.suites.verify import verify_by_loading

SUITE = MicrographSuite()


def place(sample: Sample) -> tuple[int, int]:
    return int(sample.id[1:3]), int(sample.id[4:6])


def test_tiles_are_the_field_cut_without_overlap() -> None:
    field = immunohistochemistry()
    assert field.shape == (512, 512, 3)
    for sample in SUITE.samples():
        row, column = place(sample)
        np.testing.assert_array_equal(
            SUITE.load(sample), field[32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
        )
    assert len({s.id for s in SUITE.samples()}) == len(SUITE.samples())
    verify_by_loading(SUITE)


def test_every_split_has_every_combination_in_numbers() -> None:
    counts: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for sample in SUITE.samples():
        counts[sample.split][tuple(sample.labels.values())] += 1
    assert set(counts) == {"train", "test"}
    for split in counts.values():
        assert len(split) == 4
        assert min(split.values()) >= 10
    assert min((counts["train"] + counts["test"]).values()) >= 30


def test_roles_keep_both_attributes_and_all_strata() -> None:
    roles = assign_roles(SUITE)
    assert roles.attributes == ("staining", "cellularity")
    assert len(match_train(roles)) == len(roles.test)
    assert min(len(roles.train), len(roles.heldout), len(roles.test)) >= 70


def test_groups_are_blocks_of_neighbours_in_one_split() -> None:
    check_groups(SUITE.samples())
    members = defaultdict(set)
    for sample in SUITE.samples():
        members[sample.group].add(place(sample))
    for tiles in members.values():
        assert len(tiles) <= 4
        assert len({(row // 2, column // 2) for row, column in tiles}) == 1


def test_measurements_agree_with_scikit_image() -> None:
    """``rgb2hed`` unmixes natural logarithms divided by log(1e-6), so its densities are ours divided by 6, and it
    cuts negative ones to zero: the mean DAB density is then at least ours, and a share above a positive threshold is
    equal."""
    field = immunohistochemistry()
    hed = 6 * rgb2hed(field)
    tiles = hed.reshape(16, 32, 16, 32, 3).transpose(0, 2, 1, 3, 4)
    measured = measure(field)
    np.testing.assert_allclose(measured[..., 2], (tiles[..., 0] > micrograph.NUCLEAR_OD).mean(axis=(2, 3)), atol=1e-12)
    assert (tiles[..., 2].mean(axis=(2, 3)) >= measured[..., 1] - 1e-9).all()
    dense = measured[..., 1] > 0.4
    np.testing.assert_allclose(tiles[..., 2].mean(axis=(2, 3))[dense], measured[..., 1][dense], rtol=0.05)


def test_measurements_of_pure_stains() -> None:
    """A tile of one stain at density 1 has RGB 255 * 10^-v for the stain's unit vector v; white has no tissue."""
    from skimage.color import rgb_from_hed

    def flat(colour: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.round(255 * colour).astype(np.uint8), (32, 32, 3))

    vectors = np.asarray(rgb_from_hed)
    field = np.concatenate([flat(10 ** -vectors[0]), flat(10 ** -vectors[2]), flat(np.ones(3))], axis=1)
    haematoxylin, dab, white = measure(field)[0]
    np.testing.assert_allclose(haematoxylin, [1, 0, 1], atol=0.03)
    np.testing.assert_allclose(dab, [1, 1, 0], atol=0.03)
    np.testing.assert_allclose(white, [0, 0, 0], atol=1e-12)


def test_no_label_hangs_on_rounding() -> None:
    measured = measure(immunohistochemistry())
    thresholds = np.array([micrograph.TISSUE_SHARE, micrograph.DAB_OD, micrograph.NUCLEAR_SHARE])
    assert np.abs(measured - thresholds).min() > 1e-4


def test_lumen_is_left_out_and_everything_else_is_in() -> None:
    """Tiles with the white lumen at the left edge of the field (rows 10 and 11) are no tissue."""
    ids = {s.id for s in SUITE.samples()}
    assert not {"r10c00", "r11c00"} & ids
    assert len(ids) == 250
    tissue = measure(immunohistochemistry())[..., 0]
    for row in range(16):
        for column in range(16):
            assert (f"r{row:02d}c{column:02d}" in ids) == (tissue[row, column] >= 0.5)


def test_prompts_are_functions_of_the_labels_and_tell_them_apart() -> None:
    wordings: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    for sample in SUITE.samples():
        wordings[tuple(sample.labels.values())].add((sample.prompt, *sample.paraphrases))
    assert [len(w) for w in wordings.values()] == [1] * 4
    texts = [text for w in wordings.values() for text in next(iter(w))]
    assert len(texts) == len(set(texts)) == 16


def test_the_card_claims_nothing() -> None:
    assert SUITE.card.kind == "tissue"
    for phrase in ("one field", "not H&E", "smoke test", "no claim"):
        assert phrase in SUITE.card.notes


def test_revision_is_stable_and_unknown_samples_are_refused() -> None:
    assert MicrographSuite().revision == SUITE.revision
    with pytest.raises(DataError, match="no sample 'r99c99'"):
        SUITE.load(Sample("r99c99", "test"))
