"""Forged submissions: each is refused, for the reason that it is false."""

from __future__ import annotations

import base64
import json
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.leaderboard import forging
from tests.leaderboard.forging import Arena, Members
from unipath_bench.cli.app import invoke
from unipath_bench.core.digest import pixel_digest
from unipath_bench.core.images import decode_png
from unipath_bench.leaderboard.entries import add_entry
from unipath_bench.leaderboard.submission.layout import MANIFEST, RECORD, SAMPLES, Samples
from unipath_bench.leaderboard.submission.reading import read_members
from unipath_bench.leaderboard.submission.writing import write_members
from unipath_bench.leaderboard.validation import Outcome

pytestmark = pytest.mark.integration


def reasons(outcome: Outcome) -> dict[str, str]:
    """Failed checks with their reasons."""
    return {check.name: check.detail for check in outcome.report.checks if check.status == "failed"}


def test_an_honest_submission_passes_every_check(arena: Arena) -> None:
    report = arena.check(arena.submit("Honest")).report
    assert (reasons(arena.check(arena.submit("Honest"))), report.verdict, report.exit_code) == ({}, "accepted", 0)
    assert {check.name for check in report.checks if check.status == "passed"} >= {
        "manifest",
        "identities",
        "sample digests",
        "feature digests",
        "prompts and seeds",
        "features of the images",
        "scores recomputed",
        "memorisation",
        "earlier entries",
    }


def test_an_edited_score(arena: Arena) -> None:
    """Every number that belongs to the score is moved along, so that nothing in the record contradicts it."""

    def better(record: dict[str, Any]) -> None:
        value = forging.score_of(record, "clip-score")["values"]["cosine"]
        value["value"] += 0.05
        for part in ("low", "high", "estimate"):
            value["interval"][part] += 0.05
        value["contributions"]["estimate"] += 0.05
        value["position"] = 100 * (value["value"] - value["bad_end"]) / (value["good_end"] - value["bad_end"])

    found = arena.check(arena.forged("score", lambda m: forging.edit_record(m, better)))
    assert found.report.exit_code == 4
    assert set(reasons(found)) == {"scores recomputed"}
    assert "clip-score[phantom-clip]: cosine: value" in reasons(found)["scores recomputed"]


def test_an_edited_score_that_contradicts_its_own_interval(arena: Arena) -> None:
    def better(record: dict[str, Any]) -> None:
        forging.score_of(record, "clip-score")["values"]["cosine"]["value"] += 0.05

    found = reasons(arena.check(arena.forged("contradiction", lambda m: forging.edit_record(m, better))))
    assert "its interval is of" in found["identities"]


def test_edited_contributions(arena: Arena) -> None:
    """Contributions decide ranks: a model whose noise is made small would be told apart from all others."""

    def shrink(record: dict[str, Any]) -> None:
        value = forging.score_of(record, "clip-score")["values"]["cosine"]
        parts = np.frombuffer(base64.b64decode(value["contributions"]["parts"]), "<f4") * np.float32(0.1)
        value["contributions"]["parts"] = base64.b64encode(parts.tobytes()).decode()

    found = reasons(arena.check(arena.forged("parts", lambda m: forging.edit_record(m, shrink))))
    assert "its contributions give" in found["identities"]
    assert "its contributions differ" in found["scores recomputed"]


def edited(features: np.ndarray) -> np.ndarray:
    """Nearer to their mean, as a better model's might be."""
    return (features.mean(0) + 0.5 * (features - features.mean(0))).astype(np.float32)


def test_edited_features(arena: Arena) -> None:
    """The manifest fits, and the record's shard digests give it away."""

    def edit(members: Members) -> None:
        for name, matrix in forging.features_of(members).items():
            members[name] = forging.save({"features": edited(matrix)})
        forging.draw_images(members, Samples.model_validate_json(members[SAMPLES]), forging.images_of(members))
        forging.seal(members)

    found = reasons(arena.check(arena.forged("features", edit)))
    assert "differs from the digests of the record's shards" in found["feature digests"]


def test_edited_features_with_digests_to_match(arena: Arena) -> None:
    """All digests fit, and the enclosed images have other features."""

    def edit(members: Members) -> None:
        features = {name: edited(matrix) for name, matrix in forging.features_of(members).items()}
        forging.put_features(members, features, forging.images_of(members))

    found = reasons(arena.check(arena.forged("features-sealed", edit)))
    assert "away from its features in phantom-" in found["features of the images"]
    assert "feature digests" not in found


def test_images_that_do_not_belong_to_the_features(arena: Arena) -> None:
    """Another model's images, with sample digests and shards to match."""

    def swap(members: Members) -> None:
        pngs = forging.images_of(read_members(arena.submit("Other")))
        samples = Samples.model_validate_json(members[SAMPLES])
        family = samples.families["seed-0"]
        pixels = tuple(pixel_digest(decode_png(pngs["seed-0", row])) for row in range(len(family)))
        changed = Samples(families={"seed-0": family.model_copy(update={"pixels": pixels})})
        forging.put_pixels(members, changed, pngs)

    found = reasons(arena.check(arena.forged("images", swap)))
    assert set(found) == {"features of the images"}


def test_images_that_were_not_drawn(arena: Arena) -> None:
    def leave_out(members: Members) -> None:
        del members[next(name for name in members if name.startswith("images/"))]
        forging.seal(members)

    found = reasons(arena.check(arena.forged("left-out", leave_out)))
    assert "was drawn and is missing" in found["image digests"]


def test_a_zip_bomb(arena: Arena, tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features/0123456789abcdef/seed-0.safetensors", bytes(50_000_000))
    found = reasons(arena.check(path))
    assert list(found) == ["archive"]
    assert "is compressed (50,000,000 bytes from" in found["archive"]


def test_an_archive_that_lists_more_members_than_it_may(arena: Arena, tmp_path: Path) -> None:
    """The count is read from the last 22 bytes, before the table of contents is."""
    content = bytearray(arena.submit("Honest").read_bytes())
    struct.pack_into("<2H", content, len(content) - 14, 60_000, 60_000)
    path = tmp_path / "many.zip"
    path.write_bytes(content)
    assert "60,000 members" in reasons(arena.check(path))["archive"]


def with_member(name: str, content: bytes = b"x", **info: Any) -> Callable[[Path], None]:
    """Writes an archive of one member."""

    def write(path: Path) -> None:
        member = zipfile.ZipInfo(name)
        for what, value in info.items():
            setattr(member, what, value)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, content)

    return write


def twice(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("record.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("record.json", "[]")


def with_comment(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("record.json", "{}")
        archive.comment = b"hidden"


def in_front(path: Path) -> None:
    with_member("record.json")(path)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (with_member("../../evil.py"), "leads out of the archive"),
        (with_member("images/../../evil.png"), "leads out of the archive"),
        (with_member("images\\..\\..\\evil.png"), "leads out of the archive"),
        (with_member("/etc/passwd"), "is an absolute path"),
        (with_member("C:evil.png"), "is an absolute path"),
        (with_member("record.json", b"/etc/passwd", external_attr=0o120777 << 16), "is a symbolic link"),
        (with_member("images/", b""), "is not a file"),
        (with_member("features.pkl", pickle.dumps([1])), "may hold a pickle, which is code"),
        (with_member("setup.py"), "is no member of a submission"),
        (with_member("record.json", extra=b"\x99\x99\x02\x00hi"), "carries more than its content"),
        (twice, "holds 'record.json' twice"),
        (with_comment, "or something lies before or behind them"),
        (in_front, "or something lies before or behind them"),
        (lambda path: path.write_bytes(pickle.dumps(list(range(50)))), "is a pickle, which is code"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100)), "is not a zip file"),
        (lambda path: path.write_bytes(b""), "is not a zip file"),
    ],
)
def test_a_file_that_is_no_submission(arena: Arena, tmp_path: Path, write: Callable[[Path], None], reason: str) -> None:
    """Path traversal, absolute paths, links, pickles, foreign and hidden content: none is read any further."""
    path = tmp_path / "forged.zip"
    write(path)
    found = arena.check(path)
    assert reason in reasons(found)["archive"]
    assert found.report.exit_code == 4
    assert list(tmp_path.iterdir()) == [path]


def test_members_that_overlap(arena: Arena, tmp_path: Path) -> None:
    """Two entries of the table of contents that share one member's bytes."""
    path = tmp_path / "overlap.zip"
    write_members(path, {"card.json": b"{}", "record.json": b"{}"})
    content = bytearray(path.read_bytes())
    second = content.rindex(b"PK\x01\x02")
    struct.pack_into("<L", content, second + 42, 0)
    path.write_bytes(content)
    assert "archive" in reasons(arena.check(path))


def test_features_that_are_a_pickle(arena: Arena) -> None:
    class Code:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("the pickle was read",))

    def put(members: Members) -> None:
        name = next(iter(forging.features_of(members)))
        members[name] = pickle.dumps(Code())
        forging.seal(members)

    assert "is a pickle, which is code" in reasons(arena.check(arena.forged("pickle", put)))["features"]


def test_features_that_are_not_a_number(arena: Arena) -> None:
    def put(members: Members) -> None:
        features = forging.features_of(members)
        next(iter(features.values()))[3, 1] = np.nan
        forging.put_features(members, features, forging.images_of(members))

    assert "features of 1 images are NaN or infinite" in reasons(arena.check(arena.forged("nan", put)))["features"]


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_score_that_is_not_a_number(arena: Arena, number: str) -> None:
    def put(members: Members) -> None:
        record = json.loads(members[RECORD])
        forging.score_of(record, "clip-score")["details"]["quantiles"][0] = "HERE"
        members[RECORD] = json.dumps(record).replace('"HERE"', number).encode()
        forging.seal(members)

    assert "record.json" in reasons(arena.check(arena.forged(f"number{len(number)}", put)))["documents"]


def test_json_without_end(arena: Arena) -> None:
    def put(members: Members) -> None:
        members[RECORD] = b"[" * 200_000
        forging.seal(members)

    assert "record.json is not plain JSON" in reasons(arena.check(arena.forged("deep", put)))["documents"]


def test_a_member_that_differs_from_the_manifest(arena: Arena) -> None:
    def edit(members: Members) -> None:
        members[MANIFEST] = members[MANIFEST].replace(b"MIT; images CC0", b"anything goes")
        members[SAMPLES] += b" "

    assert reasons(arena.check(arena.forged("manifest", edit)))["manifest"] == "samples.json differs from its digest"


def test_a_wrong_n(arena: Arena) -> None:
    """As if half of the prompts had been asked."""

    def halve(record: dict[str, Any]) -> None:
        record["plan"]["n"] = 16
        record["plan"]["counts"]["generated"] = 16
        for score in record["scores"]:
            score["n_images"] = 16

    found = reasons(arena.check(arena.forged("n", lambda m: forging.edit_record(m, halve))))
    assert found["suite and n"] == "n = 16 prompts; the board asks for 32"
    assert "seed-0 has 32 images, and the record has n = 16" in found["sample digests"]


def test_an_older_task_version(arena: Arena, tmp_path: Path) -> None:
    """The board has gone on to version 2 of one of its tasks."""
    board = tmp_path / "tiny"
    shutil.copytree(arena.board, board)
    rules = yaml.safe_load((board / "board.yaml").read_text())
    next(metric for metric in rules["metrics"] if metric["key"].startswith("clip-score"))["task_version"] = 2
    (board / "board.yaml").write_text(yaml.safe_dump(rules))
    found = arena.check(arena.submit("Honest"), board=board)
    assert reasons(found) == {"task versions": "clip-score[phantom-clip] is of version 1; the board asks for version 2"}


def test_memorised_images(arena: Arena) -> None:
    found = reasons(arena.check(arena.submit("Thief")))
    assert "memorised: 100.0% of its images are copies of training images" in found["memorisation"]
    assert "32 of its 32 images are, pixel for pixel, training images" in found["suite's own images"]


def test_memorised_images_whose_audit_is_edited_away(arena: Arena) -> None:
    """The gate goes by the scores that are computed here."""

    def whitewash(record: dict[str, Any]) -> None:
        audit = forging.score_of(record, "memorisation")
        audit["values"]["copied_fraction"] |= {"value": 0.0, "position": 100.0}
        audit["details"] |= {"flagged": False, "copied_fraction_lower_bound": 0.0}

    path = arena.forged("whitewash", lambda m: forging.edit_record(m, whitewash), "Thief")
    found = reasons(arena.check(path))
    assert "memorised: 100.0%" in found["memorisation"]
    assert "copied_fraction: value 0, computed here 1" in found["scores recomputed"]


def test_an_audit_under_another_kind(arena: Arena) -> None:
    """Neither the identities nor the board's gate look for an audit in details of another kind."""

    def hide(record: dict[str, Any]) -> None:
        audit = forging.score_of(record, "memorisation")
        audit["details"] = {"kind": "other", "content": audit["details"]}

    found = reasons(arena.check(arena.forged("hidden", lambda m: forging.edit_record(m, hide))))
    assert "details of the kind other, computed here memorisation" in found["scores recomputed"]


@pytest.mark.parametrize(
    ("entrant", "reason"),
    [
        ("Copyist", "100% of its images are those of honest (honest), pixel for pixel"),
        ("Retoucher", "100% of its images are nearly those of honest (honest)"),
        ("Other", ""),
    ],
)
def test_another_models_images_under_a_new_name(arena: Arena, tmp_path: Path, entrant: str, reason: str) -> None:
    board = tmp_path / "tiny"
    shutil.copytree(arena.board, board)
    add_entry(
        board, arena.check(arena.submit("Honest")), name="honest", title=None, submitter="A", archive="honest.zip"
    )
    found = reasons(arena.check(arena.submit(entrant), board=board))
    assert found == ({"earlier entries": reason} if reason else {})
    assert reasons(arena.check(arena.submit("Honest"), board=board)) == {}


def test_images_that_the_adapter_does_not_make(arena: Arena) -> None:
    honest = arena.submit("Honest")
    assert reasons(arena.check(honest, regenerate=3, model="entrants:Honest")) == {}
    other = reasons(arena.check(honest, regenerate=3, model="entrants:Other"))
    assert (
        "another fingerprint than the model of the run" in other["regenerated"] or "grey levels" in other["regenerated"]
    )
    last = arena.check(honest, regenerate=3).report.checks[-1]
    assert (last.name, last.status) == ("regenerated", "could not check")


def test_the_command_exits_4_with_the_table(arena: Arena, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["leaderboard", "validate", "--board", str(arena.board), "--cache", str(arena.root / "cache")]
    assert invoke([*command, str(arena.submit("Thief"))]) == 4
    shown = " ".join(capsys.readouterr().out.split())
    assert "memorisation failed" in shown
    assert "Refused." in shown
    assert invoke([*command, str(arena.submit("Honest")), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "accepted"
    assert invoke([*command, "nowhere.zip"]) == 2
    add = ["leaderboard", "add", str(arena.submit("Thief")), "--board", str(arena.board), "--submitter", "A"]
    assert invoke([*add, "--cache", str(arena.root / "cache")]) == 4
    assert list((arena.board / "entries").iterdir()) == []
