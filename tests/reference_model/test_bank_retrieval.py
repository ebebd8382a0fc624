"""What a prompt retrieves: hand-derived, and the same whatever the order, the process or the hash seed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_model.bank import PrototypeBank, load_bank
from reference_model.bank.card import RetrievalRule
from reference_model.bank.ordering import hash_ids, seeded_keys
from reference_model.bank.protocol import Bank
from reference_model.bank.retrieval import Hit, Retriever
from tests.reference_model.test_bank_made_up import Compass, OtherCompass, made_up_bank
from unipath_bench import DataError, MissingError

PROMPTS = ("east", "signet ring cell of the east", "north gland", "england south east", "west cell, ring and gland")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def bank(folder: Path) -> PrototypeBank:
    return load_bank(folder, retrieval=Compass())


def found(bank: PrototypeBank, prompt: str, limit: int = 16) -> dict[str, list[tuple[str, float | None, str]]]:
    hits = bank.retrieve(prompt, limit=limit)
    return {i: [(r.name, r.score, r.detail) for r in routes] for i, routes in zip(hits.ids, hits.routes, strict=True)}


def test_it_is_what_the_pipeline_asks_for(bank: PrototypeBank) -> None:
    assert isinstance(bank, Bank)
    assert bank.feature_size == 3
    assert len(bank) == 8


def test_the_text_routes_find_the_nearest_by_cosine(bank: PrototypeBank) -> None:
    # "east" is (1, 0). Text: a (1, 0) has cosine 1, f (1, 0.1) has 1 / sqrt(1.01) = 0.995037, b (1, 1) has 0.707.
    # Images: b (1, 0) has 1, c (1, 0.2) has 1 / sqrt(1.04) = 0.980581, h (1, -0.5) has 1 / sqrt(1.25) = 0.894.
    # "east" is no keyword. Best ranks: a and b 0, f and c 1.
    hits = found(bank, "east")
    assert hits == {
        "a": [("text-text", 1.0, "east")],
        "b": [("text-image", 1.0, "east north")],
        "c": [("text-image", 0.980581, "north")],
        "f": [("text-text", 0.995037, "east gland")],
    }
    assert set(list(hits)[:2]) == {"a", "b"}


def test_features_and_images_are_those_of_the_ids(bank: PrototypeBank) -> None:
    got = bank.retrieve("east", with_images=True)
    for place, name in enumerate(got.ids):
        i = "abcdefgh".index(name)
        np.testing.assert_array_equal(got.features[place], [i, i * i, 1])
        np.testing.assert_array_equal(got.images[place], np.full((4, 4, 3), 10 * i))
    assert bank.retrieve("east").images == ()


def test_keywords_are_longest_first_then_rarest(bank: PrototypeBank) -> None:
    # "signet ring cell" (1 row) covers "ring" and "cell"; "gland" (3 rows) comes after it, "north" (2) between.
    assert bank.keywords("North gland with a Signet  ring cell") == ["signet ring cell", "north", "gland"]
    assert bank.keywords("cell, ring") == ["cell", "ring"]  # one row each, as long: the alphabet
    assert bank.keywords("England; glandular") == []


def test_a_keyword_gives_two_of_its_rows(bank: PrototypeBank) -> None:
    hits = bank._retriever.hits("gland", None)
    assert [h.keyword for h in hits] == ["gland", "gland"]
    assert {h.row for h in hits} < {5, 6, 7}
    assert [h.rank for h in hits] == [0, 1]
    assert all(h.score is None for h in hits)


def test_at_most_four_keywords_are_used(tmp_path: Path) -> None:
    rule = RetrievalRule(keywords=2)
    bank = load_bank(made_up_bank(tmp_path, rule=rule), retrieval=Compass())
    assert bank.keywords("gland north ring cell") == ["cell", "ring"]
    assert RetrievalRule().model_dump() == {
        "text_text": 4,
        "text_image": 4,
        "keywords": 4,
        "per_keyword": 2,
        "limit": 16,
        "seed": 0,
    }


def test_the_union_is_cut_by_rank_then_by_the_number_of_routes(bank: PrototypeBank) -> None:
    hits = [
        Hit(0, "text-text", 0, 0.9),
        Hit(1, "text-text", 1, 0.8),
        Hit(1, "text-image", 1, 0.8),
        Hit(2, "keyword", 1, None, "gland"),
        Hit(3, "keyword", 0, None, "gland"),
        Hit(3, "text-image", 0, 0.9),
    ]
    # Row 3: best rank 0 by two hits; row 0: rank 0 by one; row 1: rank 1 by two; row 2: rank 1 by one.
    united = bank._retriever.unite("any", hits, 16)
    assert [row for row, _ in united] == [3, 0, 1, 2]
    assert [len(of_row) for _, of_row in united] == [2, 1, 2, 1]
    assert [row for row, _ in bank._retriever.unite("any", hits, 3)] == [3, 0, 1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_uniting_does_not_know_the_order_of_hits(bank: PrototypeBank, data: st.DataObject) -> None:
    hit = st.builds(Hit, st.integers(0, 7), st.sampled_from(["text-text", "keyword"]), st.integers(0, 2), st.none())
    hits = data.draw(st.lists(hit, max_size=12, unique=True))
    shuffled = data.draw(st.permutations(hits))
    limit = data.draw(st.integers(0, 12))
    assert bank._retriever.unite("p", hits, limit) == bank._retriever.unite("p", shuffled, limit)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(8)), st.sampled_from(PROMPTS))
def test_rows_in_another_order_give_the_same_prototypes(
    bank: PrototypeBank, tmp_path_factory: pytest.TempPathFactory, order: list[int], prompt: str
) -> None:
    other = load_bank(made_up_bank(tmp_path_factory.mktemp("shuffled"), order=order), retrieval=Compass())
    one, two = bank.retrieve(prompt), other.retrieve(prompt)
    assert one.ids == two.ids
    assert one.routes == two.routes
    np.testing.assert_array_equal(one.features, two.features)


def test_ties_do_not_go_to_the_first_rows(tmp_path: Path) -> None:
    # Rows of one caption tie in the text route: over prompts that point the same way, every one of them is drawn.
    content = load_bank(made_up_bank(tmp_path), retrieval=Compass()).content
    same = np.tile(np.asarray([[1.0, 0.0]], np.float32), (8, 1))
    retriever = Retriever(content.__class__(**{**vars(content), "text": same, "image": None}), RetrievalRule())
    query = np.asarray([1.0, 0.0], np.float32)
    drawn = [{h.row for h in retriever.hits(f"prompt {i}", query)} for i in range(40)]
    assert all(len(rows) == 4 for rows in drawn)
    assert set().union(*drawn) == set(range(8))


def test_a_prompt_is_answered_the_same_alone_and_among_others(bank: PrototypeBank, folder: Path) -> None:
    prompts = [*PROMPTS, "  ", PROMPTS[0]]
    random.Random(0).shuffle(prompts)
    together = load_bank(folder, retrieval=Compass()).retrieve_all(prompts, with_images=True)
    for prompt, got in zip(prompts, together, strict=True):
        alone = bank.retrieve(prompt)
        assert got.ids == alone.ids
        assert got.routes == alone.routes
    assert [len(together[i]) for i, p in enumerate(prompts) if not p.strip()] == [0]


def test_limits_are_kept(bank: PrototypeBank) -> None:
    everything = bank.retrieve(PROMPTS[1]).ids
    assert bank.retrieve(PROMPTS[1], limit=2).ids == everything[:2]
    assert bank.retrieve(PROMPTS[1], limit=0).features.shape == (0, 3)


@pytest.mark.integration
def test_the_process_and_its_hash_seed_make_no_difference(bank: PrototypeBank, folder: Path) -> None:
    code = (
        "import json, sys, pathlib; from tests.reference_model.test_bank_made_up import Compass\n"
        "from reference_model.bank import load_bank\n"
        "bank = load_bank(pathlib.Path(sys.argv[1]), retrieval=Compass())\n"
        "print(json.dumps([bank.retrieve(p).ids for p in sys.argv[2:]]))"
    )
    own = os.environ.get("PYTHONHASHSEED")
    seed = "1" if own != "1" else "2"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code, folder, *PROMPTS], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [list(bank.retrieve(p).ids) for p in PROMPTS]


def test_another_seed_draws_others(tmp_path: Path) -> None:
    # Three rows of "gland", two drawn: over 20 seeds more than one pair must come up.
    pairs = set()
    folder = made_up_bank(tmp_path)
    content = load_bank(folder).content
    for seed in range(20):
        hits = Retriever(content, RetrievalRule(seed=seed)).hits("gland", None)
        pairs.add(frozenset(h.row for h in hits))
    assert len(pairs) > 1


@settings(max_examples=50)
@given(st.sets(st.text(max_size=6), min_size=1, max_size=20))
def test_seeded_keys_are_distinct_and_follow_the_id(ids: set[str]) -> None:
    names = sorted(ids)
    keys = seeded_keys(hash_ids(names), 0, "draw")
    assert len(set(keys.tolist())) == len(names)
    assert seeded_keys(hash_ids(names[::-1]), 0, "draw").tolist() == keys.tolist()[::-1]


def test_an_encoder_that_is_not_there_is_an_error(folder: Path) -> None:
    # The card names a class of test_bank_made_up: a card is data, so it is not imported, although it could be here.
    with pytest.raises(MissingError, match=r"tests\.reference_model\.test_bank_made_up:Compass"):
        load_bank(folder).retrieve("east")
    with pytest.raises(MissingError, match="elsewhere"):
        load_bank(folder).embed_image(np.zeros((4, 4, 3), np.uint8))


def test_an_encoder_of_another_revision_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"tests\.reference_model\.test_bank_made_up:Compass"):
        load_bank(folder, retrieval=OtherCompass())
    with pytest.raises(DataError, match="elsewhere"):
        load_bank(folder, payload=Compass())


def test_a_prompt_without_direction_is_refused(bank: PrototypeBank) -> None:
    with pytest.raises(DataError, match="the prompt"):
        bank.retrieve("neither here nor there")
