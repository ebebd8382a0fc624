"""What the shipped encoders are worth, on tiles that they have never seen.

The quick tests use few fresh tiles and so wide margins; the slow ones are the acceptance test on the benchmark's own
suite: ``pytest tests/phantom/encoders -m slow -s`` prints the figures of docs/phantom-encoders.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest

from tests.phantom.encoders.phantom_tiles import FreshTiles, fresh_tiles
from tests.tables import table
from unipath_bench.contracts import Context, FeatureSet, ImageEncoder, ScoreInputs
from unipath_bench.core.arrays import RGBBatch
from unipath_bench.metrics.alignment import cosine_per_pair
from unipath_bench.metrics.frechet import frechet_distance
from unipath_bench.metrics.retrieval import recall_at_k
from unipath_bench.phantom import CLASSES, PhantomSuite
from unipath_bench.phantom.encoders import PhantomBank, PhantomClip, PhantomImage, PhantomJudge
from unipath_bench.phantom.encoders.degrading import PatchCode
from unipath_bench.phantom.encoders.evaluation import blur, code_of, jpeg, noise, stain
from unipath_bench.schema.details import AttributeControl
from unipath_bench.scoring.answers import weighted_f1
from unipath_bench.scoring.classifiers.linear import LinearProbe
from unipath_bench.scoring.control import attribute_control

pytestmark = pytest.mark.integration

Encoder = TypeVar("Encoder", bound=ImageEncoder)


@pytest.fixture(scope="module")
def known() -> FreshTiles:
    return fresh_tiles("train", 512)


@pytest.fixture(scope="module")
def test() -> FreshTiles:
    return fresh_tiles("test", 256)


def _ready(encoder: Encoder) -> Encoder:
    encoder.setup(Context())
    return encoder


@pytest.fixture(scope="module")
def image() -> PhantomImage:
    return _ready(PhantomImage())


@pytest.fixture(scope="module")
def reference(image: PhantomImage, known: FreshTiles) -> np.ndarray:
    return image.embed_images(known.images)


@pytest.fixture(scope="module")
def clip() -> PhantomClip:
    return _ready(PhantomClip())


def test_the_judge_reads_every_attribute_also_when_blurred_or_recompressed(known: FreshTiles, test: FreshTiles) -> None:
    judge = _ready(PhantomJudge())
    features = judge.embed_images(known.images).astype(np.float64)
    changed = {"plain": test.images, "blur": blur(test.images, 0.7), "jpeg": jpeg(test.images, 75)}
    seen = {name: judge.embed_images(images).astype(np.float64) for name, images in changed.items()}
    for attribute in CLASSES:
        probe = LinearProbe(features, known.labels(attribute), 0.1)
        for name, floor in (("plain", 0.87), ("blur", 0.83), ("jpeg", 0.83)):
            # Standard error at 0.93 and n = 256: 0.016.
            assert weighted_f1(test.labels(attribute), probe.predict(seen[name])) >= floor, (attribute, name)


def test_the_image_encoder_is_white_on_fresh_tiles(reference: np.ndarray) -> None:
    spread = np.linalg.eigvalsh(np.cov(reference.T))
    # Marchenko-Pastur for identity covariance, n = 512, D = 32: (1 -+ sqrt(32 / 512))^2 = 0.56 to 1.56; tiles of a
    # patient are alike, so somewhat wider.
    assert spread[0] > 0.35
    assert spread[-1] < 2.5
    assert np.abs(reference.mean(0)).max() < 0.35


@pytest.mark.parametrize(
    ("change", "grades"),
    [
        (blur, (0.7, 1.0, 1.5)),
        (noise, (4, 8, 16)),
        (lambda i, s: jpeg(i, round(100 - s)), (25, 50, 80)),
        (stain, (0.1, 0.2, 0.4)),
    ],
    ids=["blur", "noise", "jpeg", "stain"],
)
def test_the_image_encoder_answers_to_each_grade_of_a_defect(
    image: PhantomImage,
    reference: np.ndarray,
    test: FreshTiles,
    change: Callable[[RGBBatch, float], RGBBatch],
    grades: tuple[float, ...],
) -> None:
    distances = [frechet_distance(image.embed_images(test.images), reference)]
    distances += [frechet_distance(image.embed_images(change(test.images, grade)), reference) for grade in grades]
    assert distances == sorted(distances)
    assert distances[-1] > 2 * distances[0]


@pytest.mark.parametrize(("cls", "heldout_floor"), [(PhantomClip, 0.85), (PhantomBank, None)])
def test_a_pair_finds_images_by_their_captions(
    cls: type[PhantomClip | PhantomBank], heldout_floor: float | None, test: FreshTiles
) -> None:
    pair = _ready(cls())
    images = pair.embed_images(test.images)
    seen = [sample.prompt for sample in test.samples]
    keys = np.unique(seen, return_inverse=True)[1]
    assert recall_at_k(pair.embed_texts(seen), images, keys, keys, (10,))[10] >= 0.85
    if heldout_floor is not None:
        heldout = pair.embed_texts([sample.paraphrases[0] for sample in test.samples])
        assert recall_at_k(heldout, images, keys, keys, (10,))[10] >= heldout_floor


def test_a_mild_stain_shift_hardly_moves_the_alignment(clip: PhantomClip, test: FreshTiles) -> None:
    texts = clip.embed_texts([sample.prompt for sample in test.samples])
    own = cosine_per_pair(clip.embed_images(test.images), texts).mean()
    others = cosine_per_pair(clip.embed_images(np.roll(test.images, 4, axis=0)), texts).mean()
    shifted = cosine_per_pair(clip.embed_images(stain(test.images, 0.1)), texts).mean()
    assert own - others > 0.3
    assert abs(shifted - own) < 0.05 * (own - others)


def _set(features: np.ndarray, tiles: FreshTiles) -> FeatureSet:
    return FeatureSet(
        ids=tuple(sample.id for sample in tiles.samples),
        images=features,
        labels={name: tuple(tiles.labels(name)) for name in CLASSES},
        groups=tuple(sample.group or "" for sample in tiles.samples),
    )


@pytest.mark.slow
def test_acceptance_on_the_benchmarks_suite() -> None:
    suite = PhantomSuite()
    splits = {}
    for split in ("train", "test", "heldout"):
        samples = [sample for sample in suite.samples() if sample.split == split]
        splits[split] = FreshTiles(np.stack([suite.load(sample) for sample in samples]), samples)
    judge = _ready(PhantomJudge())
    train, reference = (_set(judge.embed_images(splits[s].images), splits[s]) for s in ("train", "test"))
    code = PatchCode(splits["train"].images)
    images = splits["heldout"].images
    changed = {
        "plain": (images, 0.90),
        "blur 0.7 px": (blur(images, 0.7), 0.85),
        "JPEG 75": (jpeg(images, 75), 0.85),
        "code of 16": (code_of(images, code, 16), 0.85),
    }
    for name, (tiles, floor) in changed.items():
        # The `real` model: held-out tiles that answer to the prompts of the test tiles of the same place and labels.
        answer = FeatureSet(
            ids=reference.ids, images=judge.embed_images(tiles), labels=reference.labels, groups=reference.groups
        )
        found = attribute_control(ScoreInputs({"train": train, "reference": reference, "generated": answer}))
        scores = {a: round(t.weighted_f1, 3) for a, t in table(found, AttributeControl).attributes.items()}
        print(f"{name}: mean {found.values['weighted_f1']:.3f}, {scores}")
        assert set(scores) == set(CLASSES)
        assert min(scores.values()) >= floor
