"""What an archive says, as typed data: documents, feature matrices and PNG bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load

from unipath_bench.core.errors import DataError
from unipath_bench.leaderboard.submission.documents import parse_document
from unipath_bench.leaderboard.submission.layout import (
    CARD,
    FEATURES_NAME,
    IMAGE_NAME,
    MANIFEST,
    RECORD,
    SAMPLES,
    Manifest,
    Samples,
)
from unipath_bench.schema.cards import GeneratorCard
from unipath_bench.schema.record import RunRecord

_REMEDY = "Only what `unipath-bench submit` writes is taken."
_PICKLE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True, slots=True)
class Documents:
    """The four JSON members."""

    manifest: Manifest
    record: RunRecord
    card: GeneratorCard
    samples: Samples


def read_manifest(members: Mapping[str, bytes]) -> Manifest:
    """The table of contents; raises :class:`DataError` where there is none."""
    return parse_document(Manifest, _member(members, MANIFEST), MANIFEST)


def read_documents(members: Mapping[str, bytes]) -> Documents:
    """All documents; raises :class:`DataError` or :class:`UsageError` naming the first that is not valid."""
    return Documents(
        read_manifest(members),
        parse_document(RunRecord, _member(members, RECORD), RECORD),
        parse_document(GeneratorCard, _member(members, CARD), CARD),
        parse_document(Samples, _member(members, SAMPLES), SAMPLES),
    )


def read_features(members: Mapping[str, bytes]) -> dict[tuple[str, str], npt.NDArray[np.float32]]:
    """Features float32 (N, D) by (16 digits of the encoder's digest, family).

    Raises :class:`DataError` naming the member that is a pickle, no safetensors, of another kind, or not finite.
    """
    found = {}
    for name, content in members.items():
        match = FEATURES_NAME.fullmatch(name)
        if match is not None:
            found[match["encoder"], match["family"]] = _matrix(name, content)
    return found


def read_images(members: Mapping[str, bytes]) -> dict[tuple[str, int], bytes]:
    """PNG bytes by (family, row); nothing is decoded."""
    found = {}
    for name, content in members.items():
        match = IMAGE_NAME.fullmatch(name)
        if match is not None:
            found[match["family"], int(match["row"])] = content
    return found


def _member(members: Mapping[str, bytes], name: str) -> bytes:
    if name not in members:
        raise DataError(f"The archive has no {name}.", _REMEDY)
    return members[name]


def _matrix(name: str, content: bytes) -> npt.NDArray[np.float32]:
    if content.startswith(_PICKLE):
        raise DataError(f"{name} is a pickle, which is code; it is not read.", _REMEDY)
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{name} is not a safetensors file: {error}.", _REMEDY) from error
    matrix = tensors.get("features")
    if len(tensors) != 1 or matrix is None or matrix.ndim != 2 or matrix.dtype != np.float32:
        raise DataError(f"{name} does not hold one float32 matrix called 'features'.", _REMEDY)
    bad = int((~np.isfinite(matrix)).any(axis=1).sum())
    if bad:
        raise DataError(f"{name}: the features of {bad} images are NaN or infinite.", _REMEDY)
    return matrix
