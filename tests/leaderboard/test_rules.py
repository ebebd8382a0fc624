"""What a validator says of a submission that breaks a board's rules, or does not agree with itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from tests.leaderboard.made_up_entries import board_for, submitted, with_score
from unipath_bench.core.errors import DataError
from unipath_bench.leaderboard.boards import Submitted
from unipath_bench.leaderboard.submission.contents import Documents, read_features
from unipath_bench.leaderboard.submission.layout import Adapter, Manifest, Member, SampleFamily, Samples
from unipath_bench.leaderboard.validation import rules
from unipath_bench.leaderboard.validation.digests import check_manifest, check_samples
from unipath_bench.leaderboard.validation.images import check_requests
from unipath_bench.options import Options
from unipath_bench.pipeline.plan import make_plan
from unipath_bench.pipeline.requests import request_key
from unipath_bench.schema.board import Board
from unipath_bench.schema.record import RunRecord

PIXELS = [f"{i:064x}" for i in range(200)]


@pytest.fixture
def honest() -> Submitted:
    return submitted("honest", {"alignment": np.linspace(0.2, 0.8, 40), "copying": np.linspace(0.1, 0.3, 40)})


@pytest.fixture
def board(honest: Submitted) -> Board:
    return board_for(honest.record)


def manifest(statement: str = "MIT", members: Mapping[str, bytes] | None = None) -> Manifest:
    digests = {n: Member(sha256=hashlib.sha256(c).hexdigest(), bytes=len(c)) for n, c in (members or {}).items()}
    return Manifest(licence_statement=statement, adapter=Adapter(target="a:B"), members=digests)


def with_model(record: RunRecord, **changes: Any) -> RunRecord:
    model = record.plan.model.model_copy(update=changes)
    return record.model_copy(update={"plan": record.plan.model_copy(update={"model": model})})


def test_a_record_that_keeps_the_rules_passes(honest: Submitted, board: Board) -> None:
    record = honest.record
    checks = [rules.check_run(board, record), rules.check_tasks(board, record), rules.check_encoders(board, record)]
    assert [check.status for check in [*checks, rules.check_coupling(record)]] == ["passed"] * 4


def test_another_version_of_a_task_and_a_missing_one_are_named(honest: Submitted, board: Board) -> None:
    ours, theirs = honest.record.scores
    record = with_score(honest, version=7).record
    found = rules.check_tasks(board, record.model_copy(update={"scores": record.scores[:1]}))
    assert found.detail == (f"{ours.key} is of version 7; the board asks for version 1; {theirs.key} is missing")


def test_another_encoder_under_the_same_name_is_found_by_its_digest(honest: Submitted, board: Board) -> None:
    found = rules.check_encoders(board, with_score(honest, encoder_digest="f" * 64).record)
    assert found.status == "failed"
    assert "is in texture ffffffffffff, not " in found.detail


def test_a_score_in_an_encoder_that_the_generator_uses_must_be_marked(honest: Submitted) -> None:
    inside = with_model(honest.record, internal_encoders=("texture",))
    unmarked = rules.check_coupling(inside)
    assert unmarked.status == "failed"
    assert "in texture, which the generator uses, and is not marked" in unmarked.detail
    needless = rules.check_coupling(with_score(honest, coupled=True).record)
    assert "is marked, and the generator's card names no texture" in needless.detail


def test_a_licence_is_asked_for_unless_the_board_does_without(honest: Submitted, board: Board) -> None:
    assert rules.check_licence(board, manifest("CC0-1.0\nAll of it.")).detail == "CC0-1.0"
    assert rules.check_licence(board, manifest(" \n")).status == "failed"
    assert rules.check_licence(None, manifest(" \n")).status == "failed"
    open_board = board_for(honest.record, licence_required=False)
    assert rules.check_licence(open_board, manifest(" \n")).status == "passed"


@pytest.mark.parametrize(("copies", "status"), [(2, "passed"), (3, "failed")])
def test_one_image_in_a_hundred_may_equal_a_real_one(honest: Submitted, copies: int, status: str) -> None:
    real = {"train": frozenset(PIXELS[:copies]), "reference": frozenset[str]()}
    found = rules.check_originals(honest.record, PIXELS, real)
    assert found.status == status
    assert status == "passed" or found.detail == "3 of its 200 images are, pixel for pixel, training images"
    assert rules.check_originals(with_model(honest.record, oracle=True), PIXELS, real).status == "passed"


def test_memorised_images_refuse_a_model_but_not_a_baseline_that_is_shown_them(honest: Submitted) -> None:
    gated = board_for(honest.record, max_memorised=0.05)
    reason = "the memorisation audit was not computed"
    found = rules.check_memorisation(gated, honest.record, recomputed=False)
    assert found.status == "failed"
    assert reason in found.detail
    shown = rules.check_memorisation(gated, with_model(honest.record, oracle=True), recomputed=False)
    assert shown.status == "passed"
    assert reason in shown.detail
    assert rules.check_memorisation(None, honest.record, recomputed=False).status == "could not check"
    assert rules.check_memorisation(board_for(honest.record), honest.record, recomputed=False).status == "passed"


def test_members_must_be_those_of_the_manifest() -> None:
    members = {"manifest.json": b"", "card.json": b"card", "more.json": b"more", "record.json": b"edited"}
    found = check_manifest(
        manifest(members={"card.json": b"card", "record.json": b"record", "gone.json": b""}), members
    )
    assert found.detail == (
        "more.json is not in the manifest; record.json differs from its digest; gone.json is in the manifest alone"
    )


@pytest.mark.parametrize(
    ("families", "reason"),
    [
        ({"seed-0": {"ids": ("a", "b", "c")}}, "seed-0: its columns are of different lengths"),
        ({"seed-0": {"count": 2}}, "seed-0 has 2 images, and the record has n = 4"),
        ({"seed-0": {"ids": ("a", "b", "c", "a")}}, "seed-0 answers a prompt twice"),
        ({"seed-0": {"replicates": (1,) * 4}}, "seed-0: its replicates are not those of its name"),
        ({"seed-0": {}, "seed-1": {"replicates": (1,) * 4}}, "2 families of answers, and the record has 1 seeds"),
        ({"seed-0": {}, "wording-0": {}}, "1 families of paraphrases, and the record counts 0"),
        ({"seed-0": {}}, "/seed-0 differs from the digests of the record's shards"),
    ],
)
def test_sample_digests_must_be_of_the_images_that_the_record_counts(
    honest: Submitted, families: dict[str, dict[str, Any]], reason: str
) -> None:
    def family(count: int = 4, **columns: tuple[Any, ...]) -> SampleFamily:
        names = tuple("abcd"[:count])
        given: dict[str, Any] = {"keys": names, "ids": names, "replicates": (0,) * count, "pixels": names, **columns}
        return SampleFamily(**given)

    plan = honest.record.plan.model_copy(update={"n": 4, "seeds": 1, "counts": {}})
    record = honest.record.model_copy(update={"plan": plan, "shards": ()})
    samples = Samples(families={name: family(**columns) for name, columns in families.items()})
    found = check_samples(Documents(manifest(), record, plan.model, samples))
    assert found.status == "failed"
    assert found.detail.endswith(reason)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({}, ""),
        ({"ids": ("test/9", "test/8")}, "answers other prompts than the suite's first 2"),
        ({"seed": 7}, "was asked for with other words, seeds, sizes or another model"),
        ({"prompt": "A prettier gland."}, "was asked for with other words, seeds, sizes or another model"),
        ({"height": 96}, "was asked for with other words, seeds, sizes or another model"),
    ],
)
def test_images_must_answer_the_prompts_and_seeds_of_the_suite(
    small_tiles: Path, honest: Submitted, asked: dict[str, Any], problem: str
) -> None:
    """Whoever picks the best of several seeds, or words a prompt better, has images with other keys."""
    options = Options(model="tests.adapters:Painter", suite="folder", data=str(small_tiles), n=2)
    plan = make_plan(replace(options, tasks=("frechet-distance",)))
    [family] = plan.generated
    requests = plan.generated[family]
    changes = {name: value for name, value in asked.items() if name != "ids"}
    keys = tuple(request_key(honest.record.plan.model_digest, replace(request, **changes)) for request in requests)
    ids = asked.get("ids", tuple(request.sample_id for request in requests))
    rows = SampleFamily(keys=keys, ids=ids, replicates=(0, 0), pixels=("a", "b"))
    found = check_requests(plan, honest.record, Samples(families={family.name: rows}))
    assert found.status == ("failed" if problem else "passed")
    assert found.detail == (f"{family} {problem}" if problem else "2 requests")
    assert check_requests(plan, honest.record, Samples(families={})).detail == f"{family} is missing"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not a safetensors file"),
        (b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ", "does not hold one float32 matrix"),
        (save({"features": np.zeros((2, 2))}), "does not hold one float32 matrix"),
        (save({"features": np.zeros(2, np.float32)}), "does not hold one float32 matrix"),
        (save({"numbers": np.zeros((2, 2), np.float32)}), "does not hold one float32 matrix"),
    ],
)
def test_features_must_be_one_matrix_of_float32(content: bytes, problem: str) -> None:
    name = f"features/{'e' * 16}/seed-0.safetensors"
    with pytest.raises(DataError, match=problem) as caught:
        read_features({name: content})
    assert name in caught.value.message
