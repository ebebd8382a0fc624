"""Building a bank from a suite."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_model.bank import BuildOptions, build_bank, load_bank
from reference_model.bank.selection import choose
from tests.reference_model.test_bank_made_up import Bookkeeper
from unipath_bench import DataError, MissingError, UsageError
from unipath_bench.core.digest import digest_file
from unipath_bench.suites.folder import FolderSuite

JOINT = "tests.reference_model.test_bank_made_up:Bookkeeper"


@pytest.fixture(scope="module")
def suite(small_tiles: Path) -> FolderSuite:
    return FolderSuite(small_tiles, licence="MIT")


@pytest.fixture(scope="module")
def built(suite: FolderSuite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build_bank(suite, folder, BuildOptions(JOINT, size=20, seed=3, most_share=1.0))
    return folder


def test_building_twice_gives_the_same_bytes(suite: FolderSuite, built: Path, tmp_path: Path) -> None:
    build_bank(suite, tmp_path, BuildOptions(JOINT, size=20, seed=3, most_share=1.0))
    names = sorted(p.name for p in built.iterdir())
    assert names == ["bank.json", "bank.parquet", "features.safetensors", "keywords.json"]
    for name in names:
        assert (built / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_prototypes_are_real_training_tiles_with_their_own_features(suite: FolderSuite, built: Path) -> None:
    bank = load_bank(built, retrieval=Bookkeeper(), payload=Bookkeeper())
    samples = {s.id: s for s in suite.samples()}
    assert len(bank) == 20
    for row, name in enumerate(bank.content.ids):
        sample = samples[name]
        assert (sample.split, sample.prompt, sample.group) == (
            "train",
            bank.content.captions[row],
            bank.content.groups[row],
        )
        image = suite.load(sample)
        np.testing.assert_array_equal(bank.image(row), image)  # 48 px: smaller than the thumbnails' bound
        np.testing.assert_array_equal(bank.content.payload[row], Bookkeeper().embed_images(image[None])[0])
        np.testing.assert_array_equal(bank.embed_image(image), bank.content.payload[row])
        assert bank.content.text is not None
        np.testing.assert_array_equal(bank.content.text[row], Bookkeeper().embed_texts([sample.prompt])[0])


def test_the_card_says_what_was_done(suite: FolderSuite, built: Path) -> None:
    bank = load_bank(built)
    card = bank.card
    assert card.source.revision == suite.revision
    assert card.payload == card.retrieval
    assert card.payload.name == JOINT
    assert card.routes == ("keyword", "text-image", "text-text")
    assert (card.counts.prototypes, card.counts.candidates) == (20, 80)
    assert card.counts.groups == len(set(bank.content.groups))
    # Ten groups of eight for 20 prototypes: the even share is two, its double four.
    assert card.counts.per_group == 4
    assert card.licence == "MIT"
    assert card.seed == card.rule.seed + 3 == 3
    assert card.files["bank.parquet"] == digest_file(built / "bank.parquet")


def test_keywords_are_the_captions_phrases_without_function_words(built: Path) -> None:
    # Captions are "Tissue with few nuclei" and "Tissue with many nuclei". No phrase has "with" in it, and none ends
    # with "few" or "many".
    content = load_bank(built).content
    assert set(content.keywords) == {"tissue", "nuclei", "few nuclei", "many nuclei"}
    assert content.keywords["nuclei"].tolist() == list(range(20))


def test_what_a_prompt_asks_for_is_what_it_gets(built: Path) -> None:
    bank = load_bank(built, retrieval=Bookkeeper())
    captions = dict(zip(bank.content.ids, bank.content.captions, strict=True))
    for word in ("few", "many"):
        got = bank.retrieve(f"Tissue with {word} nuclei")
        first = {n for n, routes in zip(got.ids, got.routes, strict=True) if any(r.score is not None for r in routes)}
        assert {captions[name] for name in first} == {f"Tissue with {word} nuclei"}


def test_keywords_alone_make_a_bank_where_no_encoder_reads_text(suite: FolderSuite, tmp_path: Path) -> None:
    vocabulary = tmp_path / "filter.txt"
    vocabulary.write_text("nuclei\nstroma\n")
    options = BuildOptions("texture", retrieval="none", size=4, most_share=1.0, vocabulary=vocabulary, thumbnail=16)
    card = build_bank(suite, tmp_path / "bank", options)
    bank = load_bank(tmp_path / "bank")
    assert (card.retrieval, card.routes) == (None, ("keyword",))
    assert list(bank.content.keywords) == ["nuclei"]
    assert len(bank.retrieve("nuclei")) == 2
    assert len(bank.retrieve("no such finding")) == 0
    assert bank.image(0).shape == (16, 16, 3)
    assert bank.feature_size == bank.embed_image(np.zeros((32, 32, 3), np.uint8)).shape[0]


def test_payload_and_retrieval_may_be_two_encoders(suite: FolderSuite, tmp_path: Path) -> None:
    card = build_bank(suite, tmp_path, BuildOptions("texture", retrieval=JOINT, size=4))
    bank = load_bank(tmp_path, retrieval=Bookkeeper())
    assert (card.payload.name, bank.feature_size) == ("texture", card.payload.dimension)
    assert card.retrieval is not None
    assert card.retrieval.dimension == 3
    assert bank.content.image is not None
    sample = next(s for s in suite.samples() if s.id == bank.content.ids[1])
    expected = Bookkeeper().embed_images(suite.load(sample)[None])[0]
    np.testing.assert_array_equal(bank.content.image[1], expected)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (BuildOptions("texture", size=4), UsageError, "reads no text"),
        (BuildOptions("texture", retrieval="texture", size=4), UsageError, "reads no text"),
        (BuildOptions("conhc", size=4), UsageError, "conhc"),
        (
            BuildOptions("tests.reference_model.test_bank_made_up:Absent", size=4),
            MissingError,
            "tests.reference_model.test_bank_made_up:Absent",
        ),
        (
            BuildOptions("texture", retrieval="tests.reference_model.test_bank_made_up:Absent", size=4),
            MissingError,
            "Absent",
        ),
        (BuildOptions(JOINT, size=81), UsageError, "80 tiles"),
        (BuildOptions(JOINT, size=20, per_group=1), UsageError, "at most 10"),
        (BuildOptions("tests.reference_model.test_bank_made_up:IDS", size=4), UsageError, "not an encoder"),
    ],
)
def test_what_cannot_be_built_is_refused(
    suite: FolderSuite, tmp_path: Path, options: BuildOptions, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        build_bank(suite, tmp_path / "bank", options)
    assert not (tmp_path / "bank").exists()


def test_a_suite_without_captions_or_training_images_is_refused(small_tiles: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no train split"):
        build_bank(FolderSuite(small_tiles / "train" / "dense"), tmp_path, BuildOptions(JOINT, size=4))
    bare = tmp_path / "bare"
    (bare / "train").mkdir(parents=True)
    (bare / "train" / "a.png").write_bytes((small_tiles / "train" / "dense" / "train001.png").read_bytes())
    with pytest.raises(DataError, match=r"1 of 1 training images .* no caption"):
        build_bank(FolderSuite(bare), tmp_path, BuildOptions(JOINT, size=1))


def test_the_tile_nearest_to_each_centroid_is_chosen() -> None:
    # Two bundles of directions: around 0 degrees (-10, 0, 12) and around 90 (88, 90, 95). K-means with two clusters
    # parts them; the mean of the unit vectors lies near 0.7 and near 91 degrees, so 0 and 90 degrees are nearest.
    angles = np.radians([-10, 0, 12, 88, 90, 95])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32) * 5
    assert choose(features, [None] * 6, 2, 0).rows == (1, 4)
    # The two are of one group, which may give one: row 1 is the nearer to its centroid (0.7 degrees, not 1) and stays;
    # the other cluster gives its next nearest, 88 degrees (3 off, where 95 is 4 off).
    assert choose(features, ["x", "same", "y", "z", "same", "z"], 2, 0, per_group=1).rows == (1, 3)


@pytest.mark.integration
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_group_gives_more_than_its_bound(data: st.DataObject) -> None:
    groups = data.draw(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=2, max_size=20))
    size = data.draw(st.integers(1, len(groups)))
    features = np.random.default_rng(len(groups)).normal(size=(len(groups), 3)).astype(np.float32)
    features[::3] = features[0]  # duplicates leave clusters empty
    chosen = choose(features, groups, size, 0)
    assert len(set(chosen.rows)) == size
    used = Counter(groups[row] for row in chosen.rows if groups[row] is not None)
    assert max(used.values(), default=0) <= chosen.per_group
    own = [groups.count(g) if g is not None else 1 for g in dict.fromkeys(groups)]
    even = -(-2 * size // (len({g for g in groups if g is not None}) + groups.count(None)))
    assert chosen.per_group >= even
    assert chosen.per_group <= max(even, *own)
