"""Suites for the generators' tests."""

from __future__ import annotations

import pytest

from tests.generators.memory_suite import MemorySuite


@pytest.fixture
def suite() -> MemorySuite:
    """24 prompts in three classes, none of which holds more than half; more training than held-out images."""
    return MemorySuite(
        {
            "train": {"colon": 15, "lung": 12, "skin": 9},
            "heldout": {"colon": 10, "lung": 8, "skin": 6},
            "test": {"colon": 10, "lung": 8, "skin": 6},
        }
    )
