"""Tier 2 on hand-made similarities."""

from __future__ import annotations

import numpy as np
import pytest

from tests.scoring.scoring_worlds import feature_set
from tests.tables import table
from unipath_bench.contracts import ScoreInputs
from unipath_bench.core.errors import DataError, NotComputable
from unipath_bench.schema.details import PromptCosines, Retrieval
from unipath_bench.scoring.alignment import (
    clip_score,
    image_to_image_recall,
    terminology_robustness,
    text_to_image_recall,
)

LABELS = ["a", "b", "c"] * 4
ONE_HOT = np.eye(3)[[0, 1, 2] * 4]


def test_clip_score_is_the_mean_raw_cosine() -> None:
    # Angles 0, 90 and 180 degrees and 3-4-5: cosines 1, 0, -1 and 0.6.
    images = [[2, 0], [0, 5], [-1, 0], [3, 4]]
    found = clip_score(ScoreInputs({"generated": feature_set(images, texts=[[1, 0], [1, 0], [7, 0], [9, 0]])}))
    assert found.values["cosine"] == pytest.approx((1 + 0 - 1 + 0.6) / 4, abs=1e-7)
    lowest = table(found, PromptCosines).lowest[0]
    assert (lowest.generated, lowest.replicate, lowest.cosine) == ("s2", 0, pytest.approx(-1))


def test_clip_score_of_a_zero_vector_names_it() -> None:
    with pytest.raises(DataError, match=r"(?s)all zero.*s1"):
        clip_score(ScoreInputs({"generated": feature_set([[1, 0], [0, 0]], texts=[[1, 0], [1, 0]])}))


def test_image_recall_of_a_perfect_generator_is_what_is_attainable() -> None:
    found = image_to_image_recall(
        ScoreInputs({"reference": feature_set(ONE_HOT, LABELS), "generated": feature_set(5 * ONE_HOT, LABELS)})
    )
    # Each query has R = 4 relevant images of N = 12, tied at cosine 1: recall@1 = 1/4, recall@5 = recall@10 = 1.
    assert found.values == pytest.approx({"recall@1": 0.25, "recall@5": 1.0, "recall@10": 1.0})
    assert found.anchors["recall@1"] == pytest.approx((1 / 12, 0.25))
    assert found.anchors["recall@5"] == pytest.approx((5 / 12, 1.0))
    reasons = table(found, Retrieval).not_reported
    assert list(reasons) == ["recall@50"]
    assert "gallery has 12 images" in reasons["recall@50"]


def test_image_recall_of_a_constant_generator_is_chance_exactly() -> None:
    found = image_to_image_recall(
        ScoreInputs(
            {"reference": feature_set(np.ones((12, 3)), LABELS), "generated": feature_set(np.ones((12, 3)), LABELS)}
        )
    )
    for k in (1, 5, 10):
        assert found.values[f"recall@{k}"] == pytest.approx(k / 12)


def test_image_recall_with_unique_prompts_is_instance_retrieval() -> None:
    angles = np.array([0.0, 0.1, 0.3, 0.6, 1.0, 1.5])
    reference = np.stack([np.cos(angles), np.sin(angles)], 1)
    answers = reference[[0, 1, 2, 4, 3, 5]]  # the fourth and the fifth are exchanged
    inputs = ScoreInputs({"reference": feature_set(reference), "generated": feature_set(answers)})
    found = image_to_image_recall(inputs, ks=(1, 2, 3)).values
    # From 1.0, the nearest after itself is 0.6 (the one asked for), from 0.6 it is 0.3 and only then 1.0.
    assert found == pytest.approx({"recall@1": 4 / 6, "recall@2": 5 / 6, "recall@3": 1.0})


def test_text_recall_averages_the_replicates() -> None:
    generated = feature_set(
        np.vstack([ONE_HOT, np.ones((12, 3))]),
        LABELS * 2,
        ids=[f"s{i}" for i in range(12)] * 2,
        texts=np.vstack([ONE_HOT, ONE_HOT]),
        replicates=[0] * 12 + [1] * 12,
    )
    found = text_to_image_recall(ScoreInputs({"generated": generated}))
    # Replicate 0 is perfect (1/4, 1, 1), replicate 1 constant (chance): the mean of both.
    assert found.values == pytest.approx(
        {"recall@1": (1 / 4 + 1 / 12) / 2, "recall@5": (1 + 5 / 12) / 2, "recall@10": (1 + 10 / 12) / 2}
    )
    assert found.n_images == 24
    assert table(found, Retrieval).gallery == 12


def test_a_gallery_smaller_than_every_k_is_not_computable() -> None:
    pair = feature_set(np.eye(2), texts=np.eye(2))
    with pytest.raises(NotComputable, match="gallery has 2 images"):
        text_to_image_recall(ScoreInputs({"generated": pair}), ks=(5, 10))


def _robustness(plain: np.ndarray, wordings: list[np.ndarray]) -> dict[str, float]:
    ids = [f"s{i}" for i in range(12)]
    found = terminology_robustness(
        ScoreInputs(
            {
                "reference": feature_set(ONE_HOT, LABELS),
                "heldout": feature_set(ONE_HOT, LABELS),
                "generated": feature_set(plain, LABELS),
                "variants": feature_set(
                    np.vstack(wordings),
                    LABELS * len(wordings),
                    ids=ids * len(wordings),
                    prompts=["other words"] * 12 * len(wordings),
                    replicates=[w for w in range(len(wordings)) for _ in ids],
                ),
            }
        )
    )
    # Held-out images at the very place of their own class: never nearer to another.
    assert found.anchors["paraphrased"] == found.anchors["canonical"] == (0.5, 1.0)
    return dict(found.values)


def test_robustness_of_a_generator_that_understands_one_of_two_wordings() -> None:
    wrong = -ONE_HOT  # farther from its own class than from any other: score 0
    found = _robustness(ONE_HOT, [ONE_HOT, wrong])
    # Scores of each sample: 1 (canonical), 1, 0; their standard deviation is sqrt(2)/3.
    assert found == pytest.approx({"paraphrased": 0.5, "canonical": 1.0, "spread": 2**0.5 / 3})


def test_a_generator_that_ignores_its_prompt_is_at_chance_and_not_robust() -> None:
    same = np.ones((12, 3))
    assert _robustness(same, [same, same]) == pytest.approx({"paraphrased": 0.5, "canonical": 0.5, "spread": 0.0})


def test_robustness_without_paraphrases_or_with_one_prompt_is_not_computable() -> None:
    reference, generated = feature_set(ONE_HOT, LABELS), feature_set(ONE_HOT, LABELS)
    nothing = feature_set(np.zeros((0, 3)), [])
    with pytest.raises(NotComputable, match="no paraphrases"):
        terminology_robustness(ScoreInputs({"reference": reference, "generated": generated, "variants": nothing}))
    alike = feature_set(ONE_HOT, LABELS, prompts=["H&E"] * 12)
    with pytest.raises(NotComputable, match="same text"):
        terminology_robustness(ScoreInputs({"reference": alike, "generated": alike, "variants": alike}))
