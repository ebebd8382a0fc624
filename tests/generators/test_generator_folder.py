"""The user's own images: names, manifests, and every way in which they do not fit."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unipath_bench.contracts import Request
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.generators.cards import model_digest
from unipath_bench.generators.folder import FolderGenerator, expected_file_name


def request(sample_id: str, replicate: int = 0, **fields: object) -> Request:
    made = Request(sample_id, f"prompt of {sample_id}", 10_000 + replicate, replicate, 4, 6)
    return replace(made, **fields)  # type: ignore[arg-type]


def picture(value: int, size: tuple[int, int] = (6, 4)) -> Image.Image:
    return Image.new("RGB", size, (value, 2 * value % 256, 255 - value))


def write(folder: Path, names: Sequence[str]) -> Path:
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(i).save(path)
    return folder


def reds(images: Sequence[np.ndarray]) -> list[int]:
    """Which file each image came from: its position in :func:`write`."""
    return [int(image[0, 0, 0]) for image in images]


def manifest(
    folder: Path, rows: Sequence[Mapping[str, object]], name: str = "manifest.csv", encoding: str = "utf-8"
) -> Path:
    with (folder / name).open("w", newline="", encoding=encoding) as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.mark.parametrize(
    ("sample_id", "replicate", "expected"),
    [
        ("test/colon/001.png", 0, "test/colon/001_seed0.png"),
        ("a.tiff", 3, "a_seed3.png"),
        ("TCGA-A1.01", 0, "TCGA-A1.01_seed0.png"),
        ("row:17", 1, "row-17_seed1.png"),
        ("/../x.png", 0, "-/x_seed0.png"),
        (".png", 0, ".png_seed0.png"),
    ],
)
def test_expected_names(sample_id: str, replicate: int, expected: str) -> None:
    assert expected_file_name(request(sample_id, replicate)) == expected


@pytest.mark.integration
@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=30), st.integers(0, 9))
def test_an_expected_name_stays_inside_the_folder(sample_id: str, replicate: int) -> None:
    name = Path(expected_file_name(request(sample_id, replicate)))
    assert not name.is_absolute()
    assert ".." not in name.parts


def test_files_written_under_the_expected_names_come_back(tmp_path: Path) -> None:
    requests = [request(f"test/{tissue}/{i}.png", r) for tissue in ("a", "b") for i in range(3) for r in range(2)]
    generator = FolderGenerator(images=write(tmp_path, [expected_file_name(r) for r in requests]))
    generator.check(requests)
    assert reds(generator.generate(requests)) == list(range(12))
    assert reds(generator.generate(requests[5:2:-1])) == [5, 4, 3]


@pytest.mark.parametrize(
    "names", [["a__1_seed0.png", "a__2_seed0.png"], ["a/1.png", "a/2.jpg"], ["a__1.png", "a/2_seed0.PNG"]]
)
def test_flat_names_other_suffixes_and_a_missing_seed_are_understood(tmp_path: Path, names: list[str]) -> None:
    generator = FolderGenerator(images=write(tmp_path, names))
    requests = [request("a/1.png"), request("a/2.png")]
    generator.check(requests)
    assert [g.shape for g in generator.generate(requests)] == [(4, 6, 3)] * 2


def test_the_seed_may_not_be_left_out_where_there_are_several(tmp_path: Path) -> None:
    generator = FolderGenerator(images=write(tmp_path, ["a.png", "a_seed1.png"]))
    with pytest.raises(DataError, match="1 missing, 1 surplus, 0 duplicate") as caught:
        generator.check([request("a.png", 0), request("a.png", 1)])
    assert "a_seed0.png" in caught.value.message


def test_missing_surplus_and_duplicate_files_are_listed_at_once(tmp_path: Path) -> None:
    names = ["one_seed0.png", "one.png", "two_seed0.png", "stray_seed0.png", "stray_seed1.png"]
    generator = FolderGenerator(images=write(tmp_path, names))
    with pytest.raises(DataError) as caught:
        generator.check([request(f"{name}.png") for name in ("one", "two", "three", "four")])
    message = caught.value.message
    assert "2 missing, 2 surplus, 1 duplicate" in message
    for name in ("three_seed0.png", "four_seed0.png", "stray_seed0.png", "stray_seed1.png", "one.png, one_seed0.png"):
        assert name in message.replace("one_seed0.png, one.png", "one.png, one_seed0.png")
    assert "two_seed0.png" not in message
    assert "unipath-bench prompts" in caught.value.remedy


def test_long_lists_are_cut_and_counted(tmp_path: Path) -> None:
    generator = FolderGenerator(images=write(tmp_path, ["x_seed0.png"]))
    with pytest.raises(DataError, match="and 90 more"):
        generator.check([request(f"{i:03d}.png") for i in range(100)])


def test_surplus_files_can_be_accepted(tmp_path: Path) -> None:
    folder = write(tmp_path, ["a_seed0.png", "b_seed0.png"])
    with pytest.raises(DataError) as caught:
        FolderGenerator(images=folder).check([request("a.png")])
    assert "surplus=ignore" in caught.value.remedy
    generator = FolderGenerator(images=folder, surplus="ignore")
    generator.check([request("a.png")])
    assert reds(generator.generate([request("a.png")])) == [0]


def test_two_samples_that_expect_one_file_are_told_apart_by_a_manifest_only(tmp_path: Path) -> None:
    folder = write(tmp_path, ["a_seed0.png", "other.png"])
    requests = [request("a.png"), request("a.jpg")]
    with pytest.raises(DataError, match=r"a.png \(replicate 0\), a.jpg \(replicate 0\)"):
        FolderGenerator(images=folder).check(requests)
    manifest(
        folder, [{"file_name": "a_seed0.png", "sample_id": "a.png"}, {"file_name": "other.png", "sample_id": "a.jpg"}]
    )
    generator = FolderGenerator(images=folder)
    generator.check(requests)
    assert reds(generator.generate(requests)) == [0, 1]


@pytest.mark.parametrize("name", ["manifest.csv", "metadata.csv"])
def test_a_manifest_by_replicate(tmp_path: Path, name: str) -> None:
    files = ["x/7.png", "x/8.png", "y.png"]
    rows = [
        {"file_name": "x/7.png", "sample_id": "s", "replicate": 1},
        {"file_name": "x/8.png", "sample_id": "s", "replicate": 0},
        {"file_name": "y.png", "sample_id": "t", "replicate": 0},
    ]
    generator = FolderGenerator(images=manifest(write(tmp_path, files), rows, name, "utf-8-sig"), surplus="ignore")
    generator.check([request("s", 0), request("s", 1), request("t", 0)])
    assert reds(generator.generate([request("s", 0), request("s", 1), request("t", 0)])) == [1, 0, 2]


@pytest.mark.parametrize("seeds", [(0, 1), (10_000, 10_001)])
def test_a_manifest_by_seed_takes_the_run_s_seeds_or_plain_numbers(tmp_path: Path, seeds: tuple[int, int]) -> None:
    rows = [{"file_name": f"{i}.png", "sample_id": "s", "seed": seed} for i, seed in enumerate(seeds)]
    generator = FolderGenerator(images=manifest(write(tmp_path, ["0.png", "1.png"]), rows))
    generator.check([request("s", 0), request("s", 1)])
    assert reds(generator.generate([request("s", 1), request("s", 0)])) == [1, 0]


def test_a_manifest_and_its_images_must_agree(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"file_name": "a.png", "sample_id": "s", "replicate": "zero"},
        {"file_name": "gone.png", "sample_id": "t", "replicate": 0},
    ]
    with pytest.raises(DataError, match="3 problems") as caught:
        FolderGenerator(images=manifest(write(tmp_path, ["a.png", "extra.png"]), rows))
    for said in ("line 2", "'zero'", "line 3", "'gone.png'", "extra.png: not in the manifest"):
        assert said in caught.value.message


def test_a_manifest_cannot_reach_outside_the_folder(tmp_path: Path) -> None:
    write(tmp_path, ["secret.png", "inside/a.png"])
    rows = [{"file_name": "../secret.png", "sample_id": "s"}, {"file_name": "a.png", "sample_id": "t"}]
    with pytest.raises(DataError, match=r"no image '\.\./secret.png'"):
        FolderGenerator(images=manifest(tmp_path / "inside", rows))


def test_one_sample_twice_in_a_manifest_is_a_duplicate(tmp_path: Path) -> None:
    rows = [{"file_name": f"{name}.png", "sample_id": "s"} for name in "ab"]
    generator = FolderGenerator(images=manifest(write(tmp_path, ["a.png", "b.png"]), rows))
    with pytest.raises(DataError, match="0 missing, 0 surplus, 1 duplicate"):
        generator.check([request("s")])


def test_manifest_faults_are_named(tmp_path: Path) -> None:
    write(tmp_path, ["a.png"])
    (tmp_path / "manifest.csv").write_bytes("file_name,sample_id\na.png,\xe9\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        FolderGenerator(images=tmp_path)
    (tmp_path / "manifest.csv").write_text("name,id\na.png,s\n")
    with pytest.raises(DataError, match="no column file_name and no column sample_id; it has: name, id"):
        FolderGenerator(images=tmp_path)
    (tmp_path / "metadata.csv").write_text("file_name,sample_id\na.png,s\n")
    with pytest.raises(UsageError, match=r"both manifest.csv and metadata.csv"):
        FolderGenerator(images=tmp_path)


def test_the_card_takes_the_size_of_the_files_and_is_the_instance_s_own(tmp_path: Path) -> None:
    generator = FolderGenerator(images=write(tmp_path / "mine", ["a.png"]))
    assert (generator.card.height, generator.card.width) == (4, 6)
    assert generator.card.name == "folder-mine"
    assert FolderGenerator.card.height is None


def test_unequal_sizes_unreadable_files_and_no_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images"):
        FolderGenerator(images=tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        FolderGenerator(images=tmp_path / "none")
    write(tmp_path, ["a.png", "b.png"])
    picture(1, (8, 8)).save(tmp_path / "c.png")
    with pytest.raises(DataError) as caught:
        FolderGenerator(images=tmp_path)
    assert "6 x 4 pixels: 2 images" in caught.value.message
    assert "8 x 8 pixels: 1 images, e.g. c.png" in caught.value.message
    (tmp_path / "c.png").write_bytes(b"not a picture")
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(DataError, match="2 files") as caught:
        FolderGenerator(images=tmp_path)
    assert "b.png" in caught.value.message
    assert "c.png" in caught.value.message


def test_truncated_and_16_bit_images_are_all_listed_by_check(tmp_path: Path) -> None:
    names = [f"{i}_seed0.png" for i in range(6)]
    write(tmp_path, names)
    whole = (tmp_path / names[2]).read_bytes()
    (tmp_path / names[2]).write_bytes(whole[: len(whole) - 20])
    Image.new("I;16", (6, 4)).save(tmp_path / names[4])
    generator = FolderGenerator(images=tmp_path)
    with pytest.raises(DataError, match="2 images") as caught:
        generator.check([request(f"{i}.png") for i in range(6)])
    assert names[2] in caught.value.message
    assert names[4] in caught.value.message


def test_hidden_and_other_files_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, ["a_seed0.png", ".cache/b.png", ".c.png"])
    (tmp_path / "notes.txt").write_text("mine")
    generator = FolderGenerator(images=tmp_path)
    generator.check([request("a.png")])
    assert generator.index.files == ("a_seed0.png",)


def test_an_unpaired_set_is_dealt_out_in_order_and_is_unconditional(tmp_path: Path) -> None:
    generator = FolderGenerator(images=write(tmp_path, ["c.png", "a.png", "b.png", "d.png"]), paired=False)
    requests = [request("y", 1), request("x", 0), request("y", 0), request("x", 1)]
    generator.check(requests)
    assert generator.card.conditions_on == ()
    # Sorted requests x0, x1, y0, y1 take a (written second: 1), b (2), c (0), d (3).
    assert reds(generator.generate(requests)) == [3, 1, 0, 2]


@pytest.mark.parametrize(
    ("files", "prompts", "seeds", "fitting"),
    [
        (6, 4, 2, ["--n 3 --seeds 2"]),
        (12, 4, 2, ["--n 6 --seeds 2", "--n 4 --seeds 3"]),
        (7, 4, 2, ["--n 7 --seeds 1"]),
    ],
)
def test_an_unpaired_set_of_another_count_says_what_would_fit(
    tmp_path: Path, files: int, prompts: int, seeds: int, fitting: list[str]
) -> None:
    generator = FolderGenerator(images=write(tmp_path, [f"{i:02d}.png" for i in range(files)]), paired=False)
    with pytest.raises(DataError, match=f"holds {files}") as caught:
        generator.check([request(str(i), r) for i in range(prompts) for r in range(seeds)])
    for option in fitting:
        assert option in caught.value.remedy


def test_an_unpaired_set_cannot_be_asked_piecemeal(tmp_path: Path) -> None:
    generator = FolderGenerator(images=write(tmp_path, ["a.png"]), paired=False)
    with pytest.raises(DataError, match="no image") as caught:
        generator.generate([request("a")])
    assert "check()" in caught.value.remedy


def test_a_paired_set_can(tmp_path: Path) -> None:
    generator = FolderGenerator(images=write(tmp_path, ["a.png", "b_seed0.png"]))
    assert reds(generator.generate([request("b.png"), request("a.png")])) == [1, 0]
    with pytest.raises(DataError, match=r"no image for c.png \(replicate 0\)"):
        generator.generate([request("c.png")])


def test_two_wordings_of_a_prompt_are_refused(tmp_path: Path) -> None:
    generator = FolderGenerator(images=write(tmp_path, ["a_seed0.png"]))
    with pytest.raises(DataError, match="two wordings"):
        generator.check([request("a.png"), request("a.png", prompt="said otherwise")])
    generator.check([request("a.png"), request("a.png")])


def test_the_digest_follows_the_files_and_not_their_place(tmp_path: Path) -> None:
    first = write(tmp_path / "one" / "set", ["a.png", "b.png"])
    second = write(tmp_path / "two" / "set", ["a.png", "b.png"])
    assert model_digest(FolderGenerator(images=first)) == model_digest(FolderGenerator(images=second))
    before = model_digest(FolderGenerator(images=second))
    picture(9).save(second / "b.png")
    after = model_digest(FolderGenerator(images=second))
    assert before != after
    (second / "b.png").rename(second / "c.png")
    assert model_digest(FolderGenerator(images=second)) not in (before, after)


def test_the_digest_follows_the_manifest(tmp_path: Path) -> None:
    write(tmp_path, ["a.png", "b.png"])
    digests = set()
    for ids in ("st", "ts"):
        manifest(tmp_path, [{"file_name": f"{n}.png", "sample_id": s} for n, s in zip("ab", ids, strict=True)])
        digests.add(model_digest(FolderGenerator(images=tmp_path)))
    assert len(digests) == 2
