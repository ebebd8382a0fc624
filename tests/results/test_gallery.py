"""Saving and loading what a report shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import made_up_records as made_up
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.results.gallery import INDEX, Exhibits, ShownSample


def test_every_pixel_and_word_comes_back(tmp_path: Path) -> None:
    shown = made_up.exhibits()
    shown.samples[0].labels["note"] = 'quotes " and µ'  # type: ignore[index]
    shown = Exhibits([*shown.samples, ShownSample("no real", "", {}, None, [made_up.tile(3)])], shown.neighbours)
    shown.save(tmp_path / "exhibits")
    back = Exhibits.load(tmp_path / "exhibits")
    assert len(back.samples) == len(shown.samples)
    for mine, theirs in zip(back.samples, shown.samples, strict=True):
        assert (mine.sample_id, mine.prompt, mine.labels) == (theirs.sample_id, theirs.prompt, theirs.labels)
        assert (mine.real is None) == (theirs.real is None)
        if mine.real is not None and theirs.real is not None:
            np.testing.assert_array_equal(mine.real, theirs.real)
        for a, b in zip(mine.generated, theirs.generated, strict=True):
            np.testing.assert_array_equal(a, b)
    for pair, other in zip(back.neighbours, shown.neighbours, strict=True):
        np.testing.assert_array_equal(pair.generated, other.generated)
        np.testing.assert_array_equal(pair.train, other.train)
        facts = ("sample_id", "replicate", "train_id", "distance", "copied")
        assert [getattr(pair, f) for f in facts] == [getattr(other, f) for f in facts]


def test_saving_again_replaces_everything(tmp_path: Path) -> None:
    made_up.exhibits(samples=4, pairs=3).save(tmp_path / "exhibits")
    made_up.exhibits(samples=1, pairs=0).save(tmp_path / "exhibits")
    # One index, one real image and two replicates; nothing of the first version, nothing beside the folder.
    assert len(list((tmp_path / "exhibits").iterdir())) == 4
    assert [p.name for p in tmp_path.iterdir()] == ["exhibits"]


def test_a_failed_save_leaves_the_earlier_version(tmp_path: Path) -> None:
    made_up.exhibits(samples=2).save(tmp_path / "exhibits")
    bad = Exhibits([ShownSample("x", "", {}, np.zeros((4, 4, 7), np.uint8), [])])
    with pytest.raises(TypeError):
        bad.save(tmp_path / "exhibits")
    assert len(Exhibits.load(tmp_path / "exhibits").samples) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["exhibits"]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        Exhibits.load(tmp_path / "nowhere")
    folder = tmp_path / "exhibits"
    made_up.exhibits(samples=1, pairs=0).save(folder)
    png = folder / "sample-000-real.png"
    png.write_bytes(png.read_bytes()[:60])
    with pytest.raises(DataError, match=r"sample-000-real\.png"):
        Exhibits.load(folder)
    png.unlink()
    with pytest.raises(UsageError, match=r"sample-000-real\.png"):
        Exhibits.load(folder)
    (folder / INDEX).write_text('{"samples": 3}', encoding="utf-8")
    with pytest.raises(DataError, match="not an index"):
        Exhibits.load(folder)


def test_an_index_cannot_point_out_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "exhibits"
    made_up.exhibits(samples=1, pairs=0).save(folder)
    (folder / "sample-000-real.png").rename(tmp_path / "outside.png")
    text = (folder / INDEX).read_text(encoding="utf-8").replace("sample-000-real.png", "../outside.png")
    (folder / INDEX).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"outside\.png"):
        Exhibits.load(folder)


def test_an_index_that_names_what_no_file_can_be_called(tmp_path: Path) -> None:
    folder = tmp_path / "exhibits"
    made_up.exhibits(samples=1, pairs=0).save(folder)
    text = (folder / INDEX).read_text(encoding="utf-8").replace("sample-000-real.png", "9" * 300 + ".png")
    (folder / INDEX).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="no such file"):
        Exhibits.load(folder)
