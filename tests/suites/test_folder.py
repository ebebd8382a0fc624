"""The folder suite: layouts, metadata, and everything that can be wrong with a folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.suites.made_up import pixels, png, put, write_csv, write_jsonl
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.suites.folder import FolderSuite
from unipath_bench.suites.roles import assign_roles
from unipath_bench.suites.verify import verify_by_loading


def labels(suite: FolderSuite) -> dict[str, dict[str, str]]:
    return {s.id: dict(s.labels) for s in suite.samples()}


def splits(suite: FolderSuite) -> dict[str, str]:
    return {s.id: s.split for s in suite.samples()}


def test_a_flat_folder_is_all_test_and_has_no_labels(tmp_path: Path) -> None:
    suite = FolderSuite(put(tmp_path / "tiles", "b.png", "a.PNG"))
    assert [s.id for s in suite.samples()] == ["a.PNG", "b.png"]
    assert splits(suite) == {"a.PNG": "test", "b.png": "test"}
    assert suite.card.attributes == ()
    assert (suite.card.name, suite.card.height, suite.card.width) == ("tiles", 8, 8)
    np.testing.assert_array_equal(suite.load(suite.samples()[0]), pixels(1))


def test_class_folders_are_labels(tmp_path: Path) -> None:
    suite = FolderSuite(put(tmp_path, "tumour/a.png", "stroma/b.png"))
    assert labels(suite) == {"stroma/b.png": {"label": "stroma"}, "tumour/a.png": {"label": "tumour"}}
    assert suite.card.attributes == ("label",)


def test_one_class_folder_tells_nothing(tmp_path: Path) -> None:
    assert FolderSuite(put(tmp_path, "images/a.png", "images/b.png")).card.attributes == ()


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("train", "train"),
        ("Test", "test"),
        ("val", "heldout"),
        ("validation", "heldout"),
        ("valid", "heldout"),
        ("heldout", "heldout"),
    ],
)
def test_split_folders(tmp_path: Path, folder: str, split: str) -> None:
    suite = FolderSuite(put(tmp_path, f"{folder}/x/a.png", f"{folder}/y/b.png"))
    assert set(splits(suite).values()) == {split}
    assert suite.card.attributes == ("label",)


def test_a_split_folder_without_classes(tmp_path: Path) -> None:
    suite = FolderSuite(put(tmp_path, "train/a.png", "test/b.png"))
    assert splits(suite) == {"test/b.png": "test", "train/a.png": "train"}
    assert suite.card.attributes == ()


def test_metadata_in_the_root(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png")
    write_csv(
        tmp_path / "metadata.csv",
        [
            {
                "file_name": "b.png",
                "text": "gland, with lumen",
                "id": "two",
                "split": "train",
                "grade": "3",
                "label": "x",
                "patient": "p1",
                "mpp": "0.5",
                "paraphrases": "acinus | tubule",
            },
            {
                "file_name": "./a.png",
                "text": "stroma",
                "id": "one",
                "split": "val",
                "grade": "2",
                "label": "y",
                "patient": "p2",
                "mpp": "0.25",
                "paraphrases": '["desmoplasia", "fibrosis|scar"]',
            },
        ],
    )
    one, two = FolderSuite(tmp_path).samples()
    assert (one.id, one.split, one.prompt, one.group, one.microns_per_pixel) == ("one", "heldout", "stroma", "p2", 0.25)
    assert one.paraphrases == ("desmoplasia", "fibrosis|scar")
    assert (two.id, two.split, two.prompt) == ("two", "train", "gland, with lumen")
    assert two.paraphrases == ("acinus", "tubule")
    assert list(two.labels.items()) == [("label", "x"), ("grade", "3")]
    suite = FolderSuite(tmp_path)
    assert suite.card.microns_per_pixel is None
    np.testing.assert_array_equal(suite.load(one), pixels(0))
    np.testing.assert_array_equal(suite.load(two), pixels(1))


def test_metadata_in_each_split_with_both_forms(tmp_path: Path) -> None:
    put(tmp_path, "train/x/a.png", "test/y/b.png")
    write_csv(tmp_path / "train/metadata.csv", [{"file_name": "x/a.png", "caption": "one", "mpp": 0.5}])
    write_jsonl(tmp_path / "test/metadata.jsonl", [{"file_name": "y/b.png", "caption": "two", "mpp": 0.5}])
    suite = FolderSuite(tmp_path)
    assert [(s.id, s.prompt, s.split, s.labels["label"]) for s in suite.samples()] == [
        ("test/y/b.png", "two", "test", "y"),
        ("train/x/a.png", "one", "train", "x"),
    ]
    assert suite.card.microns_per_pixel == 0.5


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    (tmp_path / "metadata.csv").write_bytes("\ufefffile_name,text\r\na.png,“Ki-67” über 20 %\r\n".encode())
    assert FolderSuite(tmp_path).samples()[0].prompt == "“Ki-67” über 20 %"


def test_metadata_label_goes_before_class_folders_and_explains_deep_folders(tmp_path: Path) -> None:
    put(tmp_path, "p1/x/a.png", "p2/y/deep/b.png")
    write_csv(
        tmp_path / "metadata.csv",
        [{"file_name": "p1/x/a.png", "label": "m"}, {"file_name": "p2/y/deep/b.png", "label": "n"}],
    )
    assert [s.labels["label"] for s in FolderSuite(tmp_path).samples()] == ["m", "n"]


def test_description_goes_to_the_card(tmp_path: Path) -> None:
    suite = FolderSuite(put(tmp_path, "a.png"), name="my-tiles", licence="CC0-1.0", microns_per_pixel=0.25)
    assert (suite.card.name, suite.card.licence, suite.card.microns_per_pixel) == ("my-tiles", "CC0-1.0", 0.25)
    assert suite.card.kind == "tissue"


def test_other_files_and_hidden_ones_are_left_alone(tmp_path: Path) -> None:
    put(tmp_path, "a.png", ".thumb.png", "__MACOSX/b.png", ".cache/c.png")
    (tmp_path / "LICENSE").write_text("CC0")
    (tmp_path / "notes.md").write_text("notes")
    assert [s.id for s in FolderSuite(tmp_path).samples()] == ["a.png"]


def test_a_link_inside_the_folder_is_read(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    suite = FolderSuite(tmp_path)
    np.testing.assert_array_equal(suite.load(suite.samples()[1]), pixels(0))


def test_a_linked_data_folder_is_read(tmp_path: Path) -> None:
    put(tmp_path / "real", "a.png")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert len(FolderSuite(tmp_path / "link").samples()) == 1


def metadata(text: str | bytes, *names: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        put(root, *(names or ("a.png", "b.png")))
        (root / "metadata.csv").write_bytes(text if isinstance(text, bytes) else text.encode())

    return make


def jsonl(text: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        put(root, "a.png", "b.png")
        (root / "metadata.jsonl").write_text(text)

    return make


def files(*names: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        put(root, *names)

    return make


def nothing(root: Path) -> None:
    assert root.is_dir()


def only_notes(root: Path) -> None:
    (root / "notes.txt").write_text("x")


def escaping_link(root: Path) -> None:
    put(root.parent / "elsewhere", "secret.png")
    put(root, "a.png")
    (root / "b.png").symlink_to(root.parent / "elsewhere" / "secret.png")


def hidden_escaping_link(root: Path) -> None:
    put(root.parent / "elsewhere", "secret.png")
    put(root, "a.png")
    (root / ".b.png").symlink_to(root.parent / "elsewhere" / "secret.png")
    (root / "metadata.csv").write_text("file_name\na.png\n.b.png\n")


def linked_folder(root: Path) -> None:
    put(root.parent / "elsewhere", "secret.png")
    put(root, "test/a.png")
    (root / "train").symlink_to(root.parent / "elsewhere")


def foreign_metadata(root: Path) -> None:
    put(root, "a.png", "deep/b.png")
    (root / "metadata.json").write_text("{}")
    (root / "deep" / "metadata.csv").write_text("file_name\nb.png\n")


def both_forms(root: Path) -> None:
    put(root, "a.png")
    write_csv(root / "metadata.csv", [{"file_name": "a.png"}])
    write_jsonl(root / "metadata.jsonl", [{"file_name": "a.png"}])


def twice_by_two_files(root: Path) -> None:
    put(root, "train/a.png", "test/b.png")
    write_csv(root / "metadata.csv", [{"file_name": "train/a.png"}, {"file_name": "test/b.png"}])
    write_csv(root / "train/metadata.csv", [{"file_name": "a.png"}])


def row_contradicts_folder(root: Path) -> None:
    put(root, "train/a.png", "test/b.png")
    write_csv(
        root / "metadata.csv",
        [{"file_name": "train/a.png", "split": "test"}, {"file_name": "test/b.png", "split": "test"}],
    )


WRONG: dict[str, tuple[Callable[[Path], None], list[str], str]] = {
    "empty folder": (nothing, ["there are no images in the folder"], "FOLDER/test/CLASS/IMAGE.png"),
    "no images": (only_notes, ["there are no images"], "Images end in"),
    "missing images": (
        metadata("file_name\na.png\nb.png\nc.png\nsub/d.png\n"),
        ["names 2 images that are not there", "metadata.csv line 4: c.png", "line 5: sub/d.png"],
        "forward slashes",
    ),
    "images without a row": (
        metadata("file_name\na.png\n", "a.png", "b.png", "c.png"),
        ["2 images have no row in metadata.csv", "- b.png", "- c.png"],
        "Add their rows",
    ),
    "Latin-1": (
        metadata("file_name,text\na.png,Karzinom\nb.png,Drüse\n".encode("latin-1")),
        ["metadata.csv is not UTF-8 text (1 lines; probably Latin-1", "line 3: b.png,Drüse"],
        "iconv -f WINDOWS-1252 -t UTF-8",
    ),
    "UTF-16": (metadata("file_name\na.png\nb.png\n".encode("utf-16")), ["is UTF-16 text"], "iconv -f UTF-16"),
    "one id twice": (
        metadata("file_name,id\na.png,x\nb.png,x\n"),
        ["1 ids belong to more than one sample", "x: metadata.csv line 2, metadata.csv line 3"],
        "an id of its own",
    ),
    "a file listed twice": (
        metadata("file_name\na.png\nb.png\n./a.png\n"),
        ["a.png: metadata.csv line 2, metadata.csv line 4"],
        "each file once",
    ),
    "a file listed in two metadata files": (
        twice_by_two_files,
        ["train/a.png: metadata.csv line 2, train/metadata.csv line 2"],
        "each file once",
    ),
    "no file_name": (
        metadata("path,text\na.png,one\nb.png,two\n"),
        ["has no file_name column (it has path, text)"],
        "file_name",
    ),
    "empty file_name": (
        metadata("file_name,t\n,x\na.png,y\nb.png,z\n"),
        ["1 rows of metadata.csv have no file_name"],
        "Fill",
    ),
    "empty metadata": (metadata(""), ["metadata.csv is empty"], "header line"),
    "header only": (metadata("file_name,text\n"), ["2 images have no row"], "Add their rows"),
    "ragged": (
        metadata("file_name,text\na.png,one,two\nb.png\n"),
        ["2 rows of metadata.csv do not fit", "line 2: 3 cells, 2 columns", "line 3: 1 cells, 2 columns"],
        "double quotes",
    ),
    "ragged after a row of three lines": (
        metadata('file_name,text\na.png,"one\ntwo\nthree"\nb.png\n'),
        ["line 5: 1 cells"],
        "double quotes",
    ),
    "open quote": (metadata('file_name,text\na.png,"one\nb.png,two\n'), ["is not valid CSV from line 2 on"], "quote"),
    "semicolons": (metadata("file_name;text\na.png;one\nb.png;two\n"), ["is not separated by commas"], "commas"),
    "columns with one name": (metadata("file_name,x,x\na.png,1,2\nb.png,1,2\n"), ["with one name (x)"], "of its own"),
    "a column without a name": (metadata("file_name,,x\na.png,1,2\nb.png,1,2\n"), ["without a name"], "of its own"),
    "bad JSON lines": (
        jsonl('{"file_name": "a.png"}\n{"file_name": b.png}\n["b.png"]\n{"file_name": "b.png", "x": NaN}\n'),
        ["3 lines of metadata.jsonl", "line 2: ", "line 3: a list, not an object", "line 4: NaN"],
        "one JSON object a line",
    ),
    "outside by path": (
        metadata("file_name\na.png\nb.png\n../c.png\n/etc/passwd\n"),
        ["2 rows of metadata.csv name files outside", "line 4: ../c.png", "line 5: /etc/passwd"],
        "into it",
    ),
    "outside by link": (escaping_link, ["1 links lead out of the folder", "- b.png"], "cp -rL"),
    "outside by hidden link": (hidden_escaping_link, ["name files outside the folder", ".b.png"], "into it"),
    "linked folder": (linked_folder, ["1 folders are links", "- train"], "cp -rL"),
    "images beside the splits": (
        files("train/a.png", "test/b.png", "c.png", "extra/d.png"),
        ["2 images are in none of the split folders", "- c.png", "- extra/d.png"],
        "Move them",
    ),
    "deep folders": (
        files("p1/x/a.png", "p2/y/b.png"),
        ["2 images lie deeper than in class folders"],
        "FOLDER/SPLIT/CLASS",
    ),
    "some without class": (files("x/a.png", "b.png"), ["1 images are in no class folder", "- b.png"], "class folders"),
    "formats that are not read": (
        files("a.png", "b.gif", "slide.svs"),
        ["2 images are in formats that are not read", "b.gif", "slide.svs"],
        "8-bit RGB",
    ),
    "metadata elsewhere": (
        foreign_metadata,
        ["2 metadata files are not read", "metadata.json", "deep/metadata.csv"],
        "metadata.csv or",
    ),
    "both forms": (both_forms, ["both metadata.csv and metadata.jsonl"], "Keep one"),
    "empty label": (
        metadata("file_name,label\na.png,x\nb.png, \n"),
        ["1 rows have an empty 'label'", "metadata.csv line 3"],
        "Fill the cells",
    ),
    "empty text": (metadata("file_name,text\na.png,x\nb.png,\n"), ["1 rows have an empty 'text'", "line 3"], "Fill"),
    "empty group": (metadata("file_name,slide\na.png,x\nb.png,\n"), ["1 rows have an empty 'slide'", "line 3"], "Fill"),
    "unknown split": (
        metadata("file_name,split\na.png,tset\nb.png,test\n"),
        ["1 rows have a split that is not known", "'tset'"],
        "heldout",
    ),
    "split against folder": (
        row_contradicts_folder,
        ["line 2: 'test', but the image lies in 'train'"],
        "Drop the split",
    ),
    "bad scale": (
        metadata("file_name,mpp\na.png,half\nb.png,-1\n"),
        ["2 rows have a mpp", "line 2: 'half'", "line 3: '-1'"],
        "0.5",
    ),
    "bad paraphrases": (
        metadata('file_name,paraphrases\na.png,"[""x"", 3]"\nb.png,"[""x"""\n'),
        ["2 rows have paraphrases", "line 2: not a list of texts", "line 3: "],
        "one|two",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_remedy(case: str, tmp_path: Path) -> None:
    make, messages, remedy = WRONG[case]
    root = tmp_path / "tiles"
    root.mkdir()
    make(root)
    with pytest.raises(DataError) as caught:
        FolderSuite(root)
    for message in messages:
        assert message in caught.value.message
    assert str(root) in caught.value.message
    assert remedy in caught.value.remedy


def test_several_kinds_of_trouble_are_reported_at_once(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png", "c.gif")
    (tmp_path / "metadata.csv").write_text("file_name,label,split\na.png,,test\nd.png,x,test\n../e.png,x,test\n")
    with pytest.raises(DataError) as caught:
        FolderSuite(tmp_path)
    for part in ("formats that are not read", "b.png", "d.png", "../e.png", "empty 'label'"):
        assert part in caught.value.message


def test_what_follows_from_an_unreadable_metadata_file_is_not_reported(tmp_path: Path) -> None:
    metadata("file_name,text\na.png,Drüse\n".encode("latin-1"), "a.png", "b.png")(tmp_path)
    with pytest.raises(DataError) as caught:
        FolderSuite(tmp_path)
    assert "have no row" not in caught.value.message


def test_the_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="tiles does not exist"):
        FolderSuite(tmp_path / "tiles")
    put(tmp_path, "a.png")
    with pytest.raises(UsageError, match="is not a folder"):
        FolderSuite(tmp_path / "a.png")


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "x/a.png")
    real = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "x":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="x cannot be read: Permission denied"):
        FolderSuite(tmp_path)


def many(root: Path, count: int) -> Path:
    put(root, *(f"t{i:03d}.png" for i in range(count)))
    rows = [{"file_name": f"t{i:03d}.png", "tile_no": i, "label": "xy"[i % 2], "organ": "z"} for i in range(count)]
    write_csv(root / "metadata.csv", rows)
    return root


def test_a_column_with_many_values_asks_for_a_choice(tmp_path: Path) -> None:
    assert FolderSuite(many(tmp_path / "fifty", 50)).card.attributes == ("label", "tile_no", "organ")
    with pytest.raises(DataError, match="tile_no: 51 different values") as caught:
        FolderSuite(many(tmp_path / "more", 51))
    assert caught.value.remedy.endswith("--suite-arg attributes=[label,organ]")
    for choice in ("label", ["label"]):
        assert FolderSuite(tmp_path / "more", attributes=choice).card.attributes == ("label",)
    assert FolderSuite(tmp_path / "more", attributes="organ, tile_no").card.attributes == ("organ", "tile_no")
    assert FolderSuite(tmp_path / "more", attributes=[]).samples()[0].labels == {}


def test_arguments_that_name_no_column(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    write_csv(tmp_path / "metadata.csv", [{"file_name": "a.png", "label": "x", "report": "r", "slide": "s"}])
    with pytest.raises(UsageError, match="attributes=lable") as caught:
        FolderSuite(tmp_path, attributes="lable")
    assert "'label'" in caught.value.remedy
    with pytest.raises(UsageError, match="text_column=reprot"):
        FolderSuite(tmp_path, text_column="reprot")
    with pytest.raises(UsageError, match="attributes=slide: a column of this name"):
        FolderSuite(tmp_path, attributes="slide")
    with pytest.raises(UsageError, match="no suite argument 'licens'") as caught:
        FolderSuite(tmp_path, licens="MIT")  # type: ignore[call-arg]
    assert "'licence'" in caught.value.remedy
    with pytest.raises(UsageError, match="size='big'"):
        FolderSuite(tmp_path, size="big")  # type: ignore[arg-type]
    suite = FolderSuite(tmp_path, text_column="report", group_column="label")
    assert (suite.samples()[0].prompt, suite.samples()[0].group, suite.card.attributes) == ("r", "x", ())


def test_sizes_that_differ(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "d.png").write_bytes(png(0, 9, 8))
    uniform = FolderSuite(tmp_path)
    assert (uniform.card.height, uniform.card.width) == (8, 8)
    with pytest.raises(DataError, match=r"d\.png has 9 x 8 pixels .* the suite 8 x 8") as caught:
        verify_by_loading(uniform)
    assert "size=any" in caught.value.remedy
    anything = FolderSuite(tmp_path, size="any")
    assert (anything.card.height, anything.card.width) == (None, None)
    verify_by_loading(anything)


@pytest.mark.integration
def test_one_damaged_image_among_a_thousand_is_named(tmp_path: Path) -> None:
    tile = png(0)
    for i in range(1000):
        (tmp_path / f"t{i:04d}.png").write_bytes(tile[:-20] if i == 617 else tile)
    suite = FolderSuite(tmp_path)
    with pytest.raises(DataError) as caught:
        verify_by_loading(suite)
    assert caught.value.message.splitlines()[0].startswith("1 of 1000 images")
    assert "t0617.png" in caught.value.message
    with pytest.raises(DataError, match=r"t0617\.png"):
        suite.load(suite.samples()[617])


def test_the_revision_changes_with_content_and_with_nothing_else(tmp_path: Path) -> None:
    def build(root: Path, text: str = "one", seed: int = 0) -> str:
        put(root, "a.png", first_seed=seed)
        write_csv(root / "metadata.csv", [{"file_name": "a.png", "text": text, "label": "x"}])
        return FolderSuite(root).revision

    base = build(tmp_path / "base")
    assert build(tmp_path / "elsewhere") == base
    (tmp_path / "base" / "notes.txt").write_text("unrelated")
    assert FolderSuite(tmp_path / "base", name="other", size="any").revision == base
    changed = {
        build(tmp_path / "text", text="two"),
        build(tmp_path / "pixels", seed=5),
        FolderSuite(tmp_path / "base", attributes=[]).revision,
    }
    assert len(changed | {base}) == 4


@pytest.mark.integration
def test_real_tiles(real_tiles: Path) -> None:
    suite = FolderSuite(real_tiles)
    assert suite.card.attributes == ("label", "organ")
    assert (suite.card.height, suite.card.width) == (256, 256)
    assert {s.split for s in suite.samples()} == {"train", "test"}
    assert all(s.group is not None and s.prompt for s in suite.samples())
    begin = time.process_time()
    assert len(suite.revision) == 64
    assert time.process_time() - begin < 2
    roles = assign_roles(suite)
    assert len(roles.test) == 572
    assert len(roles.train) + len(roles.heldout) == 1624
    verify_by_loading(suite)
