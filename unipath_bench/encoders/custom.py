"""An encoder from a user's own YAML file: a specification, or the changes to one of the panel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from unipath_bench.core.errors import UsageError
from unipath_bench.core.registries import ENCODERS
from unipath_bench.core.registry import suggest
from unipath_bench.encoders.panel import open_encoder, panel
from unipath_bench.encoders.pretrained import Pretrained
from unipath_bench.encoders.spec import EncoderSpec
from unipath_bench.schema.base import read_yaml, validate

_OF_THE_WEIGHTS = ("hub_id", "revision", "url", "path", "weights", "sha256", "asked_on_main", "parameters")
"""Facts that are not inherited where a file says that its weights lie elsewhere."""


def from_file(path: Path) -> Callable[[], Pretrained]:
    """A factory of the encoder that a YAML file specifies (see :class:`EncoderSpec`).

    ``like: NAME`` takes all that the file does not state from an encoder of the panel; where the file names other
    weights (``path``, ``hub_id`` or ``url``), nothing of the panel's is kept of theirs. A relative ``path`` is relative
    to the file. Raises :class:`UsageError` for a file that is no specification, and for a registered name.
    """
    spec = read_spec(path)
    return lambda: open_encoder(spec)


def read_spec(path: Path) -> EncoderSpec:
    """Read and check a user's specification, as :func:`from_file` does."""
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise UsageError(f"{path} is not a mapping of keys to values.", "docs/encoders.md shows such a file.")
    given = dict(content)
    base = given.pop("like", None)
    if base is not None:
        given = {**_inherited(str(base), given, path), **given}
    own = given.get("path")
    if isinstance(own, str):
        given["path"] = path.parent / Path(own).expanduser()
    spec = validate(EncoderSpec, given, str(path))
    if spec.name in ENCODERS:
        raise UsageError(
            f"{path} calls its encoder {spec.name!r}, which is a registered encoder.", "Give it a name of its own."
        )
    return spec


def _inherited(base: str, given: dict[str, Any], path: Path) -> dict[str, Any]:
    if base not in panel():
        raise UsageError(f"{path}: like: {base!r} is no encoder of the panel.", suggest(base, list(panel()), "encoder"))
    facts = panel()[base].model_dump(exclude_unset=True)
    elsewhere = any(key in given for key in ("path", "hub_id", "url"))
    return {key: value for key, value in facts.items() if not (elsewhere and key in _OF_THE_WEIGHTS)}
