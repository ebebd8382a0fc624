"""What a run hands in: the same bytes every time, complete, and nothing in it that runs."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load

from tests.leaderboard import forging
from tests.leaderboard.forging import Arena
from unipath_bench.core.digest import pixel_digest
from unipath_bench.core.errors import BenchError, DataError, UsageError
from unipath_bench.core.images import decode_png, read_image
from unipath_bench.leaderboard import load_entries, rank_board
from unipath_bench.leaderboard.entries import add_entry, card_text, draw_samples, hold_entry, read_card
from unipath_bench.leaderboard.fetching import fetch_archive
from unipath_bench.leaderboard.fingerprints import compare_fingerprints
from unipath_bench.leaderboard.submission.contents import read_manifest
from unipath_bench.leaderboard.submission.layout import (
    ENCLOSED_IMAGES,
    Manifest,
    SampleFamily,
    Samples,
    choose_enclosed,
    features_name,
    image_name,
)
from unipath_bench.leaderboard.submission.provenance import describe_adapter, source_digest, source_files
from unipath_bench.leaderboard.submission.reading import read_members
from unipath_bench.leaderboard.submission.writing import build_archive
from unipath_bench.leaderboard.validation.digests import check_manifest
from unipath_bench.schema.cards import GeneratorCard


@pytest.mark.integration
def test_the_same_run_gives_the_same_bytes(arena: Arena, tmp_path: Path) -> None:
    again = build_archive(arena.compete("Honest").path, tmp_path / "again.zip", "MIT; images CC0")
    assert (tmp_path / "again.zip").read_bytes() == arena.submit("Honest").read_bytes()
    assert again.images == 32


def test_it_holds_what_the_run_computed(arena: Arena) -> None:
    """Features and digests are those of the store, read here by other means than the archive was written with."""
    members = read_members(arena.submit("Honest"))
    record = arena.compete("Honest").load_record()
    samples = Samples.model_validate_json(members["samples.json"])
    assert json.loads(members["record.json"]) == record.model_dump(mode="json")
    assert len(samples.families["seed-0"]) == record.plan.n == 32
    for score in record.scores:
        assert score.encoder_digest is not None
        matrix = load(members[features_name(score.encoder_digest, "seed-0")])["features"]
        assert matrix.shape == (32, score.dimension)
    for row in range(32):
        image = decode_png(members[image_name("seed-0", row)])
        assert pixel_digest(image) == samples.families["seed-0"].pixels[row]


def test_the_adapter_is_named_with_its_source_and_none_of_it_is_inside(arena: Arena) -> None:
    manifest = Manifest.model_validate_json(read_members(arena.submit("Honest"))["manifest.json"])
    assert manifest.adapter.target == "entrants:Honest"
    assert manifest.adapter.files == 1
    assert manifest.adapter.source_sha256 == source_digest({"entrants.py": Path(__file__).parent / "entrants.py"})
    with zipfile.ZipFile(arena.submit("Honest")) as archive:
        assert {Path(name).suffix for name in archive.namelist()} == {".json", ".png", ".safetensors"}


def test_a_registered_adapter_is_traced_to_its_package(arena: Arena) -> None:
    plan = arena.compete("Honest").load_record().plan
    plan = plan.model_copy(update={"model": plan.model.model_copy(update={"adapter": "noise"})})
    found = describe_adapter(plan)
    assert (found.target, found.package) == ("unipath_bench.generators.noise:NoiseGenerator", "unipath-bench")
    assert found.files == len(source_files("unipath_bench")) > 100


def test_other_sources_give_another_digest(tmp_path: Path) -> None:
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("x = 1\n")
    two.write_text("x = 2\n")
    same = tmp_path / "elsewhere.py"
    same.write_text("x = 1\n")
    assert source_digest({"a.py": one}) == source_digest({"a.py": same})
    assert len({source_digest({"a.py": one}), source_digest({"a.py": two}), source_digest({"b.py": one})}) == 3


def test_the_enclosed_images_are_drawn_by_what_they_must_agree_with() -> None:
    rows = range(400)
    family = SampleFamily(
        keys=tuple(f"k{i}" for i in rows),
        ids=tuple(f"s{i}" for i in rows),
        replicates=(0,) * 400,
        pixels=tuple(f"p{i}" for i in rows),
    )
    samples = Samples(families={"seed-0": family})
    first = choose_enclosed(samples, {"features": "a"})
    assert len(first) == len(set(first)) == ENCLOSED_IMAGES
    assert first == choose_enclosed(samples, {"features": "a"})
    assert first != choose_enclosed(samples, {"features": "b"})
    other = family.model_copy(update={"pixels": ("q0", *family.pixels[1:])})
    assert first != choose_enclosed(Samples(families={"seed-0": other}), {"features": "a"})


def test_a_store_that_is_not_there_or_differs_is_named(arena: Arena, tmp_path: Path) -> None:
    run = arena.compete("Honest").path
    with pytest.raises(UsageError, match="is not at"):
        build_archive(run, tmp_path / "x.zip", "", tmp_path / "nowhere")
    copy = tmp_path / "store"
    shutil.copytree(run.parents[1] / "store", copy)
    record = arena.compete("Honest").load_record()
    name = next(shard.name for shard in record.shards if shard.kind == "features" and "seed-0" in shard.name)
    (copy / name).unlink()
    with pytest.raises(DataError, match="is not there"):
        build_archive(run, tmp_path / "x.zip", "", copy)


@pytest.mark.integration
def test_an_entry_is_held_to_its_archive(arena: Arena, tmp_path: Path) -> None:
    board = tmp_path / "tiny"
    shutil.copytree(arena.board, board)
    outcome = arena.check(arena.submit("Honest"), board)
    folder = add_entry(
        board, outcome, name=None, title=None, submitter="A. Stranger", archive=str(arena.submit("Honest"))
    )
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.yaml",
        "entry.json",
        "fingerprints.json",
        "record.json",
        "samples.png",
    ]
    (entry,) = load_entries(board)
    assert outcome.documents is not None
    assert (entry.entry.name, entry.record) == ("honest-1", outcome.documents.record)
    assert hold_entry(folder, outcome).report.checks[0].status == "passed"
    np.testing.assert_array_equal(read_image(folder / "samples.png"), draw_samples(outcome.images))
    with pytest.raises(UsageError, match="has an entry 'honest-1' already"):
        add_entry(board, outcome, name=None, title=None, submitter="B", archive="x")

    text = (folder / "record.json").read_text()
    (folder / "record.json").write_text(text.replace('"device": "cpu"', '"device": "cuda"'))
    (folder / "card.yaml").write_text((folder / "card.yaml").read_text() + "title: Better\n")
    (folder / "run.sh").write_text("rm -rf /")
    detail = hold_entry(folder, outcome).report.checks[0].detail
    assert detail == "record.json is not the archive's; card.yaml is not the archive's; run.sh is no file of an entry"


@pytest.mark.integration
def test_a_refused_archive_becomes_no_entry(arena: Arena) -> None:
    outcome = arena.check(arena.submit("Thief"))
    with pytest.raises(DataError, match="was refused"):
        add_entry(arena.board, outcome, name=None, title=None, submitter="A", archive="x")


@pytest.mark.integration
def test_an_archive_is_fetched_by_its_hash(arena: Arena, tmp_path: Path) -> None:
    archive = arena.submit("Honest")
    outcome = arena.check(archive)
    board = tmp_path / "tiny"
    shutil.copytree(arena.board, board)
    folder = add_entry(board, outcome, name=None, title=None, submitter="A", archive=str(archive))
    (submitted,) = load_entries(board)
    assert fetch_archive(submitted.entry, folder, tmp_path) == archive
    other = submitted.entry.model_copy(update={"archive": str(arena.submit("Other"))})
    with pytest.raises(DataError, match="its size or SHA-256 differs"):
        fetch_archive(other, folder, tmp_path)
    for place in ("http://example.org/a.zip", "file:///etc/passwd", "hf://datasets/a/b@main/a.zip"):
        with pytest.raises(UsageError, match="no place that archives are fetched from"):
            fetch_archive(submitted.entry.model_copy(update={"archive": place}), folder, tmp_path)


def test_cards_survive_yaml_and_aliases_are_refused(tmp_path: Path) -> None:
    card = GeneratorCard(name="x", revision="1: a", licence="MIT", arguments={"steps": 3, "names": ["ä", "b"]})
    path = tmp_path / "card.yaml"
    path.write_text(card_text(card), encoding="utf-8")
    assert read_card(path) == card
    path.write_text("name: &a x\ntitle: *a\nrevision: '1'\nlicence: MIT\n")
    with pytest.raises(UsageError, match="aliases"):
        read_card(path)
    path.write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(UsageError, match="not valid YAML"):
        read_card(path)


@pytest.mark.integration
def test_fingerprints_tell_models_apart(arena: Arena) -> None:
    """Different images are not alike; the same are, in any order; the corners that were touched are nearly the same."""
    honest, other, retouched = (
        arena.check(arena.submit(name)).fingerprints for name in ("Honest", "Other", "Retoucher")
    )
    assert honest is not None
    assert other is not None
    assert retouched is not None
    apart = compare_fingerprints(honest, other)
    assert (apart.equal, apart.near) == (0.0, 0.0)
    order = np.random.default_rng(0).permutation(32)
    shuffled = honest.model_copy(
        update={
            "pixels": tuple(honest.pixels[i] for i in order),
            "sketches": forging.base64_of(honest.matrix()[order]),
        }
    )
    assert compare_fingerprints(shuffled, honest).equal == 1.0
    touched = compare_fingerprints(retouched, honest)
    assert (touched.equal, touched.near) == (0.0, 1.0)


def test_without_a_board_nothing_fails_and_the_rest_is_said_to_be_unchecked(arena: Arena, tmp_path: Path) -> None:
    """No board of the installation has the tiny suite."""
    from unipath_bench.leaderboard.validation import Request, validate_archive

    report = validate_archive(Request(arena.submit("Honest"))).report
    assert (report.verdict, report.exit_code) == ("incomplete", 3)
    assert {check.name for check in report.checks if check.status == "could not check"} >= {
        "suite and n",
        "task versions",
        "scores recomputed",
        "memorisation",
        "earlier entries",
    }


@pytest.mark.integration
def test_a_suite_that_is_not_at_hand_leaves_scores_unchecked(arena: Arena, tmp_path: Path) -> None:
    board = tmp_path / "tiny"
    shutil.copytree(arena.board, board)
    rules = yaml.safe_load((board / "board.yaml").read_text()) | {"suite": "folder", "suite_arguments": {}}
    (board / "board.yaml").write_text(yaml.safe_dump(rules))
    report = arena.check(arena.submit("Honest"), board).report
    assert report.verdict == "incomplete"
    unchecked = {check.name: check.detail for check in report.checks if check.status == "could not check"}
    assert "the suite is not at hand" in unchecked["scores recomputed"]


@pytest.mark.integration
def test_a_baseline_that_is_shown_the_real_images_is_taken_and_not_ranked(arena: Arena, tmp_path: Path) -> None:
    """The memoriser hands out training images; it says so, and no board ranks it."""
    board = tmp_path / "tiny"
    shutil.copytree(arena.board, board)
    for name in ("Honest", "memoriser"):
        outcome = arena.check(arena.submit(name), board)
        assert [check for check in outcome.report.checks if check.status != "passed"] == []
        add_entry(board, outcome, name=name.lower(), title=None, submitter="A", archive=f"{name}.zip")
    rows = rank_board(board).rows
    assert [(row.name, row.rank) for row in rows] == [("honest", 1), ("memoriser", None)]
    assert rows[1].reasons == ("an oracle: it is shown the suite's real images",)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_or_lost_byte_goes_unnoticed(arena: Arena, tmp_path: Path, data: st.DataObject) -> None:
    """What is read either equals what was written, or is refused by the container, the manifest or the documents."""
    whole = arena.submit("Honest").read_bytes()
    names = [b"PK\x01\x02", b"PK\x05\x06", b"PK\x03\x04", b'"sha256"']
    near = data.draw(st.sampled_from([0, *(whole.rindex(name) for name in names), len(whole) // 2]))
    place = min(len(whole) - 1, near + data.draw(st.integers(0, 80)))
    changed = bytearray(whole)
    if data.draw(st.booleans()):
        changed[place] ^= data.draw(st.integers(1, 255))
    else:
        del changed[place : place + data.draw(st.integers(1, 40))]
    path = tmp_path / "changed.zip"
    path.write_bytes(changed)
    try:
        members = read_members(path)
        manifest = read_manifest(members)
    except BenchError:
        return
    assert members == read_members(arena.submit("Honest")) or check_manifest(manifest, members).status == "failed"


@pytest.mark.parametrize("name", ["seed-x", "../seed-0", "seed-0\n", "wording", "seed-00"])
def test_a_family_of_another_name_is_refused(arena: Arena, name: str) -> None:
    def rename(members: forging.Members) -> None:
        samples = json.loads(members["samples.json"])
        samples["families"][name] = samples["families"].pop("seed-0")
        members["samples.json"] = json.dumps(samples).encode()
        forging.seal(members)

    report = arena.check(arena.forged("family", rename)).report
    assert next(check for check in report.checks if check.name == "documents").status == "failed"
