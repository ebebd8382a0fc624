"""``--tiny``: the same rows at a size that takes seconds, to see that they run."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tiny", action="store_true", help="tests/benchmarks: tiny sizes, to see that every row runs.")


@pytest.fixture(scope="session")
def tiny(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--tiny"))
