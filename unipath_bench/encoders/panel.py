"""The encoder panel: a table of specifications (``panel.yaml``), and from any specification to an encoder."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from unipath_bench.core.registries import ENCODER_LOADERS
from unipath_bench.encoders.spec import EncoderSpec
from unipath_bench.schema.base import read_yaml, validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unipath_bench.encoders.pretrained import Pretrained

TABLE = Path(__file__).with_name("panel.yaml")


@cache
def panel() -> Mapping[str, EncoderSpec]:
    """Every specification of the panel by name, in the table's order."""
    specs = [validate(EncoderSpec, row, f"{TABLE.name}, {row.get('name')}") for row in read_yaml(TABLE)]
    return MappingProxyType({spec.name: spec for spec in specs})


def open_encoder(spec: EncoderSpec) -> Pretrained:
    """The encoder of a specification, not loaded."""
    return ENCODER_LOADERS.get(spec.loader).open(spec)


def __getattr__(attribute: str) -> Callable[[], Pretrained]:
    """What the entry points name: the factory of an encoder of the panel, under its name as an identifier."""
    if not attribute.startswith("_"):
        for name, spec in panel().items():
            if re.sub(r"[-.]", "_", name) == attribute:
                return lambda: open_encoder(spec)
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
