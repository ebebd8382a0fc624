"""``--fuzz-seconds N``: fuzz for N seconds in all instead of the few examples of a test run."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-seconds",
        type=float,
        default=None,
        metavar="N",
        help="tests/fuzz: try new inputs for N seconds, shared among the targets.",
    )
