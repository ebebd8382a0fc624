"""The encoder panel: a table of specifications (``panel.yaml``), and from any specification to an encoder."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

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
    """The encoder of a specification, not loaded; imports its loader's module only."""
    if spec.loader == "timm":
        from unipath_bench.encoders.timm import TimmEncoder

        return TimmEncoder(spec)
    if spec.loader == "transformers":
        from unipath_bench.encoders.transformers import ClipEncoder, VisionEncoder

        return ClipEncoder(spec) if spec.pooling == "projected" else VisionEncoder(spec)
    if spec.loader == "open_clip":
        from unipath_bench.encoders.open_clip import OpenClipEncoder

        return OpenClipEncoder(spec)
    if spec.loader == "keep":
        from unipath_bench.encoders.keep import KeepEncoder

        return KeepEncoder(spec)
    if spec.loader == "torch-fidelity":
        from unipath_bench.encoders.inception import InceptionEncoder

        return InceptionEncoder(spec)
    if spec.loader == "remote":
        from unipath_bench.encoders.remote import RemoteCodeEncoder

        return RemoteCodeEncoder(spec)
    from unipath_bench.encoders.packages import ConchEncoder, MuskEncoder

    return ConchEncoder(spec) if spec.loader == "conch" else MuskEncoder(spec)


def _named(name: str) -> Callable[[], Pretrained]:
    return lambda: open_encoder(panel()[name])


uni = _named("uni")
uni2_h = _named("uni2-h")
virchow = _named("virchow")
virchow2 = _named("virchow2")
h_optimus_0 = _named("h-optimus-0")
h_optimus_1 = _named("h-optimus-1")
prov_gigapath = _named("prov-gigapath")
phikon_v2 = _named("phikon-v2")
conch = _named("conch")
conch_v1_5 = _named("conch-v1.5")
musk = _named("musk")
plip = _named("plip")
pathgen_clip = _named("pathgen-clip")
quiltnet = _named("quiltnet")
keep = _named("keep")
biomedclip = _named("biomedclip")
dinov2 = _named("dinov2")
inception_v3 = _named("inception-v3")
clip = _named("clip")
