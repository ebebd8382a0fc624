"""An entry's picture of sample images, drawn anew: of the file that was handed in, pixels alone reach the site."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from unipath_bench.core.errors import DataError
from unipath_bench.core.images import refuse_bomb

FORMATS = ("PNG", "JPEG", "WEBP")
LARGEST_FILE = 8 * 2**20
LARGEST_EDGE = 12_000
WIDEST = 1200


@dataclass(frozen=True, slots=True)
class SamplePicture:
    """A WebP file of the site."""

    content: bytes
    width: int
    height: int


def sample_picture(path: Path) -> SamplePicture:
    """Decode a PNG, JPEG or WebP file, reduce it to :data:`WIDEST` pixels' width and encode it as WebP.

    Raises :class:`~unipath_bench.DataError` where the file is larger than :data:`LARGEST_FILE` bytes, an edge is
    longer than :data:`LARGEST_EDGE` pixels, it has more pixels than any image may have, or it is no picture of these
    formats.
    """
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise DataError(
            f"{path} has {size:,} bytes; a picture of samples may have {LARGEST_FILE:,}.", "Make it smaller."
        )
    try:
        with Image.open(path, formats=FORMATS) as image:
            if max(image.size) > LARGEST_EDGE:
                raise DataError(
                    f"{path} is {image.width} x {image.height} pixels; an edge may have {LARGEST_EDGE:,}.",
                    "Make it smaller.",
                )
            refuse_bomb(image.height, image.width, str(path))
            drawn = image.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path} is not a picture that can be read: {error}", "Give a PNG, JPEG or WebP file."
        ) from error
    if drawn.width > WIDEST:
        drawn = drawn.resize((WIDEST, round(drawn.height * WIDEST / drawn.width)), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    drawn.save(stream, format="WEBP", quality=82, method=4)
    return SamplePicture(stream.getvalue(), drawn.width, drawn.height)
