"""The package as a whole: faults of the released one that belong to no single module."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import reference_model


@pytest.mark.parametrize("name", reference_model.__all__)
def test_everything_exported_is_there(name: str) -> None:
    """The released package's exports refer to a module that does not exist."""
    assert getattr(reference_model, name) is not None


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Pipeline'"):
        reference_model.Pipeline  # noqa: B018


def test_no_path_of_a_machine_is_written_down() -> None:
    sources = sorted(Path(reference_model.__file__).parent.rglob("*.py"))
    roots = r"/(?:home|root|data|mnt|media|work|scratch|opt|srv|tmp|Users)/|[A-Z]:\\"
    found = [f"{source.name}: {match}" for source in sources for match in re.findall(roots, source.read_text("utf-8"))]
    assert sources
    assert found == []
