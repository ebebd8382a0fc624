"""Checking every image of a suite: all bad ones at once, progress, and foreign suites."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from unipath_bench.contracts import Sample, Suite
from unipath_bench.core.errors import DataError
from unipath_bench.schema.cards import SuiteCard
from unipath_bench.suites.verify import verify_by_loading


class Stub(Suite):
    """Samples by name, each with what ``load`` returns or raises."""

    revision = "0"

    def __init__(self, answers: dict[str, object], height: int | None = 4, width: int | None = 5) -> None:
        self.card = SuiteCard(name="stub", title="", kind="tissue", licence="CC0-1.0", height=height, width=width)
        self.answers = answers

    def samples(self) -> Sequence[Sample]:
        return [Sample(name, "test") for name in self.answers]

    def load(self, sample: Sample) -> np.ndarray:
        answer = self.answers[sample.id]
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]


GOOD = np.zeros((4, 5, 3), np.uint8)


def test_good_suites_pass_and_progress_counts_in_order() -> None:
    seen: list[tuple[int, int]] = []
    verify_by_loading(Stub({str(i): GOOD for i in range(600)}), lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, 600) for i in range(600)]


def test_all_bad_images_are_listed_with_each_remedy_once() -> None:
    answers: dict[str, object] = {
        "good": GOOD,
        "broken": DataError("broken.png is cut short.", "Copy it again."),
        "nameless": DataError("a bad thing.", "Copy it again."),
        "unreadable": OSError(5, "Input/output error"),
        "floats": GOOD / 2.0,
        "not-finite": np.full((4, 5, 3), np.inf),
        "grey": GOOD[..., 0],
        "none": np.zeros((0, 5, 3), np.uint8),
        "a list": GOOD.tolist(),
        "turned": np.zeros((5, 4, 3), np.uint8),
    }
    with pytest.raises(DataError) as caught:
        verify_by_loading(Stub(answers))
    message = caught.value.message
    assert "9 of 10 images of the suite 'stub'" in message
    for part in (
        "- broken.png is cut short",
        "- nameless: a bad thing",
        "unreadable cannot be read: [Errno 5]",
        "floats: the suite returned float64 of shape (4, 5, 3)\n",
        "not-finite: the suite returned float64 of shape (4, 5, 3) with NaN or infinite values",
        "grey: the suite returned uint8 of shape (4, 5)",
        "none: ",
        "a list: the suite returned a list",
        "turned has 5 x 4 pixels (height x width), the suite 4 x 5",
    ):
        assert part in message
    assert "good" not in message
    assert caught.value.remedy.count("Copy it again.") == 1
    assert "size=any" in caught.value.remedy


def test_a_card_without_a_size_allows_any() -> None:
    verify_by_loading(Stub({"a": GOOD, "b": np.zeros((7, 1, 3), np.uint8)}, height=None, width=None))


def test_a_suite_without_images_is_an_error() -> None:
    with pytest.raises(DataError, match="has no images"):
        verify_by_loading(Stub({}))


def test_a_bug_in_a_suite_is_not_taken_for_bad_data() -> None:
    with pytest.raises(ZeroDivisionError):
        verify_by_loading(Stub({"a": ZeroDivisionError()}))
