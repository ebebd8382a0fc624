"""What curation asks of whoever writes the captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from unipath_bench import DataError, Sample
from unipath_bench.core.arrays import RGBImage


class CaptionError(DataError):
    """This image got no usable caption (refused, empty, cut short): it is dropped with this reason."""


@runtime_checkable
class Captioner(Protocol):
    """Writes a caption for an image. Called from several threads where more than one worker is asked for."""

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """JSON-able: all that decides the captions (model, revision, instruction, sampling)."""

    def caption(self, image: RGBImage, sample: Sample) -> str:
        """The caption of ``image``, uint8 (H, W, 3).

        Raises :class:`CaptionError` where this image cannot be captioned; any other
        :class:`~unipath_bench.BenchError` stops the run, which resumes from there.
        """
