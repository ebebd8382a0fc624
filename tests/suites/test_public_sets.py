"""Public data sets in their published layouts, through the command line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from tests.suites.public_layouts import LAYOUTS, image, save
from unipath_bench.cli.app import invoke
from unipath_bench.cli.options import parse_arguments
from unipath_bench.contracts import Suite
from unipath_bench.core.errors import DataError, MissingError, UsageError
from unipath_bench.suites.card import load_suite
from unipath_bench.suites.public.dealing import deal
from unipath_bench.suites.public.sets import SETS
from unipath_bench.suites.public.slides import open_slide
from unipath_bench.suites.roles import check_groups
from unipath_bench.suites.tabular import Row
from unipath_bench.suites.verify import verify_by_loading

Output = pytest.CaptureFixture[str]


def options(name: str, root: Path) -> list[str]:
    root.mkdir(exist_ok=True)
    given = LAYOUTS[name](root)
    return ["--suite", name, "--data", str(root), *(part for item in given for part in ("--suite-arg", item))]


def opened(name: str, root: Path, **arguments: object) -> Suite:
    root.mkdir(exist_ok=True)
    LAYOUTS[name](root)
    return load_suite(name, str(root), arguments)


def test_every_set_of_the_table_has_a_layout_here() -> None:
    assert set(LAYOUTS) == set(SETS)


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_plans_in_its_published_layout(name: str, tmp_path: Path, capsys: Output) -> None:
    task = ["--tasks", "frechet-distance"]
    arguments = ["plan", "--model", "real", *options(name, tmp_path / "data"), *task, "--json"]
    assert invoke([*arguments, "--out", str(tmp_path / "out")]) == 0
    card = json.loads(capsys.readouterr().out)["plan"]["suite"]
    assert SETS[name].licence in json.dumps(card)


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_every_image_decodes_and_no_group_straddles(name: str, tmp_path: Path) -> None:
    root = tmp_path / "data"
    given = parse_arguments(options(name, root)[5::2], "--suite-arg")
    suite = load_suite(name, str(root), given)
    verify_by_loading(suite)
    check_groups(suite.samples())
    assert {s.split for s in suite.samples()} >= {"test"}
    assert SETS[name].licence == suite.card.licence


@pytest.mark.integration
def test_runs_a_task_from_the_command_line(tmp_path: Path, capsys: Output) -> None:
    arguments = ["run", "--model", "memoriser", *options("nct-crc", tmp_path / "data"), "--tasks", "memorisation"]
    assert invoke([*arguments, "--n", "8", "--out", str(tmp_path / "out"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [score["status"] for score in record["scores"] if score["task"] == "memorisation"][:1] == ["computed"]


@pytest.mark.integration
@pytest.mark.parametrize("name", sorted(set(LAYOUTS)))
def test_data_that_are_not_there_are_exit_code_three_with_the_page(name: str, tmp_path: Path, capsys: Output) -> None:
    for data in (tmp_path / "absent", tmp_path):
        extra = ["--suite-arg", "table=absent.csv"] if name == "unipath-1m" else []
        code = invoke(["plan", "--model", "memoriser", "--suite", name, "--data", str(data), *extra])
        said = capsys.readouterr().err
        if data == tmp_path and SETS[name].takes_hub_id:
            assert code == 4
            assert "no Parquet files" in said
        else:
            assert code == 3
            assert SETS[name].page in said
            assert SETS[name].licence in said


def test_columns_that_are_not_published_are_asked_for_with_those_that_are_there(tmp_path: Path) -> None:
    for name in ("unipath-68k", "high-quality-10k", "t2i-i2i-merged", "fine-grained"):
        with pytest.raises(UsageError, match="not published") as error:
            opened(name, tmp_path / name)
        assert "gemini" in error.value.message
        assert "columns={" in error.value.remedy
    with pytest.raises(UsageError, match="needs hemorrhage"):
        load_suite(
            "fine-grained",
            str(tmp_path / "fine-grained"),
            {"columns": {"image": "tile", "text": "gemini", "cytology_type": "cyto"}},
        )
    with pytest.raises(UsageError, match="no column for text: report"):
        load_suite("unipath-68k", str(tmp_path / "unipath-68k"), {"columns": {"image": "tile", "text": "report"}})
    with pytest.raises(UsageError, match="slide, x, y are to be named"):
        opened("unipath-1m", tmp_path / "slides", table="patches.csv")


def test_a_column_map_reads_a_table_beside_its_images(tmp_path: Path) -> None:
    save(tmp_path, [f"png/{i}.png" for i in range(4)])
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["f", "t", "s"], *([f"png/{i}.png", f"Text {i}", "dev"] for i in range(4))])
    columns = {"image": "f", "text": "t", "split": "s"}
    suite = load_suite(
        "unipath-68k", str(tmp_path), {"table": "labels.csv", "columns": columns, "renamed_splits": {"dev": "test"}}
    )
    assert [(s.id, s.prompt, s.split) for s in suite.samples()][1] == ("png/1.png", "Text 1", "test")
    assert np.array_equal(suite.load(suite.samples()[3]), image(3))


def test_labels_groups_and_splits_are_the_published_ones(tmp_path: Path) -> None:
    samples = {s.id: s for s in opened("pcam", tmp_path / "pcam").samples()}
    assert (samples["valid/3"].labels["label"], samples["valid/3"].group) == ("positive", "camelyon16_valid_001")
    assert samples["valid/3"].split == "heldout"
    breakhis = opened("breakhis", tmp_path / "breakhis", choose={"magnification": "100X"}).samples()
    assert {s.labels["malignancy"] for s in breakhis} == {"benign", "malignant"}
    assert {s.group for s in breakhis} == {f"14-22{i}AB" for i in range(5)}
    assert all("/100X/" in s.id for s in breakhis)
    kather = opened("kather-2016", tmp_path / "kather")
    assert kather.card.microns_per_pixel == 0.495
    assert {s.group for s in kather.samples()} == {f"CRC-Prim-HE-0{i}" for i in range(1, 6)}
    assert {s.group for s in opened("tcga-patches", tmp_path / "tcga").samples()} == {
        f"TCGA-0{i}-A1B{i}" for i in range(5)
    }
    arch = opened("arch", tmp_path / "arch").samples()
    assert {s.group for s in arch} >= {"books_set: 00", "pubmed_set: pubmed_set: figure 0."}


def test_pannuke_folds_turn_and_floats_become_pixels(tmp_path: Path) -> None:
    suite = opened("pannuke", tmp_path / "pannuke", order=[3, 1, 2])
    assert {s.id[:5]: s.split for s in suite.samples()} == {"fold3": "train", "fold1": "heldout", "fold2": "test"}
    fold2 = next(s for s in suite.samples() if s.id == "fold2/1")
    assert np.array_equal(suite.load(fold2), image(201))
    file = tmp_path / "pannuke/Fold 2/images/fold2/images.npy"
    np.save(file, np.load(file) + 0.25)
    fractional = load_suite("pannuke", str(tmp_path / "pannuke"))
    with pytest.raises(DataError, match="no whole numbers"):
        fractional.load(next(s for s in fractional.samples() if s.id == "fold2/0"))


def test_one_split_alone_can_be_read(tmp_path: Path) -> None:
    opened("nct-crc", tmp_path)
    shutil.rmtree(tmp_path / "NCT-CRC-HE-100K")
    with pytest.raises(MissingError, match="no folder NCT-CRC-HE-100K"):
        load_suite("nct-crc", str(tmp_path))
    assert {s.split for s in load_suite("nct-crc", str(tmp_path), {"splits": ["test"]}).samples()} == {"test"}


def test_meta_files_of_two_splits_mixed_up_are_noticed(tmp_path: Path) -> None:
    opened("pcam", tmp_path)
    meta = tmp_path / "camelyonpatch_level_2_split_test_meta.csv"
    lines = meta.read_text(encoding="utf-8").splitlines(keepends=True)
    meta.write_text("".join([lines[0], *reversed(lines[1:])]), encoding="utf-8")
    with pytest.raises(DataError, match="contradict the labels of the split test"):
        load_suite("pcam", str(tmp_path))
    meta.unlink()
    with pytest.raises(DataError, match="slides are not known"):
        load_suite("pcam", str(tmp_path))
    assert {s.group for s in load_suite("pcam", str(tmp_path), {"groups": False}).samples()} == {None}


def test_labels_that_are_no_classes_and_packed_files_are_refused(tmp_path: Path) -> None:
    opened("pcam", tmp_path)
    labels = tmp_path / "camelyonpatch_level_2_split_test_y.h5"
    with h5py.File(labels, "r+") as file:
        file["y"][0] = 7
    with pytest.raises(DataError, match="other than 0 and 1"):
        load_suite("pcam", str(tmp_path))
    labels.rename(labels.with_name(labels.name + ".gz"))
    with pytest.raises(MissingError, match="still packed"):
        load_suite("pcam", str(tmp_path))


def test_a_class_or_a_place_that_is_not_published_is_an_error(tmp_path: Path) -> None:
    opened("nct-crc", tmp_path)
    save(tmp_path, ["CRC-VAL-HE-7K/TUMOUR/a.tif", "CRC-VAL-HE-7K/stray.tif"])
    with pytest.raises(DataError) as error:
        load_suite("nct-crc", str(tmp_path))
    assert "1 images are of no published class of nct-crc:\n  - CRC-VAL-HE-7K/TUMOUR/a.tif" in error.value.message
    assert "1 images lie where the published layout has none:\n  - CRC-VAL-HE-7K/stray.tif" in error.value.message


def test_arch_leaves_out_no_more_captions_than_its_files_lack(tmp_path: Path) -> None:
    suite = opened("arch", tmp_path)
    assert "2 captions without an image" in suite.card.notes
    document = {str(i): {"caption": "Lost.", "uuid": f"lost-{i}"} for i in range(36)}
    (tmp_path / "books_set/captions.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DataError, match="37 captions have no image"):
        load_suite("arch", str(tmp_path))


def test_an_image_with_several_rows_is_one_sample(tmp_path: Path) -> None:
    quilt = opened("quilt-1m", tmp_path / "quilt")
    assert len(quilt.samples()) == 10
    assert "1 further captions" in quilt.card.notes
    vqa = opened("path-vqa", tmp_path / "vqa")
    assert [s.split for s in vqa.samples()].count("train") == 4
    assert "9 further rows" in vqa.card.notes
    last = next(s for s in vqa.samples() if s.id == "data/test-00000-of-00001/4")
    assert np.array_equal(vqa.load(last), image(202))


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_region_of_a_slide_is_the_same_as_cut_from_the_whole(tmp_path: Path, compression: str | None) -> None:
    slide = np.random.default_rng(0).integers(0, 256, (150, 210, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", slide, tile=(32, 64), photometric="rgb", compression=compression)
    reader = open_slide(tmp_path / "a.tif")
    for x, y, side in ((0, 0, 32), (5, 7, 100), (110, 50, 100), (64, 32, 1)):
        assert np.array_equal(reader.region(x, y, side), slide[y : y + side, x : x + side])


def test_a_patch_that_leaves_its_slide_is_an_error(tmp_path: Path) -> None:
    arguments = {
        "table": "patches.csv",
        "columns": {"slide": "wsi", "x": "left", "y": "top"},
        "slides": "slides",
        "side": 120,
    }
    suite = opened("unipath-1m", tmp_path, **arguments)
    with pytest.raises(DataError, match="leaves the slide"):
        suite.load(suite.samples()[2])


def test_folds_keep_groups_whole_and_classes_even() -> None:
    rows = [Row("", f"{g}-{i}", {"group": f"g{g}", "label": "ab"[g % 2]}) for g in range(20) for i in range(1 + g % 3)]
    seen: dict[str, int] = {}
    for fold in range(5):
        dealt = deal(rows, 5, fold)
        test = {row.cells["group"] for row in dealt if row.split == "test"}
        assert test.isdisjoint({row.cells["group"] for row in dealt if row.split == "train"})
        assert sum(int(g[1:]) % 2 for g in map(str, test)) == 2
        for group in test:
            seen[str(group)] = seen.get(str(group), 0) + 1
    assert seen == {f"g{g}": 1 for g in range(20)}
    with pytest.raises(DataError, match="20 groups"):
        deal(rows, 21)
    with pytest.raises(UsageError, match="fold=5"):
        deal(rows, 5, 5)


def test_arguments_that_are_not_there_are_suggested(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no argument 'varient'") as error:
        opened("nct-crc", tmp_path, varient="nonorm")
    assert "variant" in error.value.remedy
    for arguments in ({"variant": "x"}, {"splits": ["heldout"]}, {"size": "small"}):
        with pytest.raises(UsageError):
            load_suite("nct-crc", str(tmp_path), arguments)
    with pytest.raises(UsageError, match="choose"):
        opened("breakhis", tmp_path / "b", choose={"magnification": "40"})


@pytest.mark.integration
def test_list_and_show_give_the_licence_and_the_page(capsys: Output) -> None:
    assert invoke(["list", "suites", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["suites"]}
    assert rows["pcam"]["licence"] == "CC0-1.0"
    assert rows["nct-crc"]["get_it_from"] == "https://zenodo.org/records/1214456"
    assert invoke(["show", "lc25000", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["suite"]
    assert shown["published_images"] == {"all": 25_000}
    assert "not the UniPath paper's" in shown["prompts"]


@pytest.mark.integration
def test_a_hub_id_is_not_reached_for_offline(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    arguments = ["plan", "--model", "memoriser", "--suite", "path-vqa", "--data", "flaviagiammarino/path-vqa"]
    assert invoke(arguments) == 2
    assert "revision" in capsys.readouterr().err
    assert invoke([*arguments, "--offline", "--suite-arg", "revision=" + "a" * 40]) == 3
    assert "hf download flaviagiammarino/path-vqa" in capsys.readouterr().err


def test_the_documentation_names_every_set_with_its_page() -> None:
    text = (Path(__file__).parents[2] / "docs/suites.md").read_text(encoding="utf-8")
    for name, entry in SETS.items():
        assert f"`{name}`" in text
        assert entry.page in text
