"""Reading, writing, resizing and checking 8-bit RGB images: the only place where pixels are decoded.

Reading is strict. What is not plain 8-bit RGB is refused with its name, never converted: how to window 16 bits, what
lies behind transparent pixels or which profile turns CMYK into RGB is the data owner's decision. Pixel values are taken
as stored; embedded colour profiles are not applied.
"""

from __future__ import annotations

import io
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, UnidentifiedImageError

from unipath_bench.core.arrays import RGBBatch, RGBImage
from unipath_bench.core.errors import DataError

MAX_PIXELS = 64_000_000
"""Largest image that is decoded, in pixels (8000 x 8000): a few kilobytes of PNG can claim far more."""

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
_RECOGNISED = (*FORMATS, "GIF")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_COLOURS = {0: "greyscale", 2: "RGB", 3: "palette", 4: "greyscale with alpha", 6: "RGBA"}
_MODES = {
    "1": "1-bit black-and-white",
    "L": "8-bit greyscale",
    "LA": "8-bit greyscale with alpha",
    "P": "palette",
    "PA": "palette with alpha",
    "RGB": "8-bit RGB",
    "RGBA": "8-bit RGBA",
    "RGBa": "8-bit RGBA",
    "RGBX": "8-bit RGBX",
    "CMYK": "CMYK",
    "YCbCr": "YCbCr",
    "LAB": "L*a*b*",
    "F": "32-bit float greyscale",
    "I": "32-bit greyscale",
    "I;16": "16-bit greyscale",
    "I;16B": "16-bit greyscale",
    "I;16L": "16-bit greyscale",
    "I;16N": "16-bit greyscale",
}
_DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""What Pillow's readers raise on damaged files."""

_AGAIN = "Copy or export the file again from its source."
_TO_RGB = 'Convert it to 8-bit RGB: Image.open(path).convert("RGB").save(path) with Pillow.'
_TO_8_BIT = "Scale it to 8 bits a channel yourself (which range of values to keep is your decision) and save it as RGB."
_FLATTEN = "Paste it on the background that you mean (white for brightfield slides) and save it as 8-bit RGB."
_PROFILE = "Convert it to sRGB with its own colour profile and save it as 8-bit RGB."
_SPLIT = "Save the one frame or page that you mean as an 8-bit RGB image of its own."

_ORIENTATION, _TILE_WIDTH, _TILE_LENGTH = 274, 322, 323
_ORIENTATIONS = {
    2: "mirrored left to right",
    3: "turned by 180 degrees",
    4: "mirrored top to bottom",
    5: "transposed",
    6: "turned by 90 degrees clockwise",
    7: "transposed across the other diagonal",
    8: "turned by 90 degrees anticlockwise",
}


def read_image(source: Path | bytes, name: str = "", *, max_pixels: int = MAX_PIXELS) -> RGBImage:
    """Decode one image file (PNG, JPEG, TIFF, WebP or BMP) completely: uint8, shape (H, W, 3), C-contiguous.

    ``source`` is a path or the file's bytes; ``name`` is what messages call it (default: the path). Raises
    :class:`~unipath_bench.DataError` that names the file, says what it is and what to do, for everything that
    is not one whole 8-bit RGB image: 16 bits, greyscale, palette, alpha, CMYK, several frames or pages, an EXIF
    orientation that asks viewers to turn the pixels (tools disagree on whether they do), more than ``max_pixels``
    pixels, cut or damaged files. Pillow's ``LOAD_TRUNCATED_IMAGES`` makes no difference.
    """
    data = _bytes_of(source, name or str(source), max_pixels) if isinstance(source, Path) else source
    name = name or (str(source) if isinstance(source, Path) else "the image")
    with _opened(data, name) as image:
        _refuse_what_is_not_rgb(image, data, name, max_pixels)
        with _strict_decoding():
            try:
                image.load()
                _check_structure(image.format or "", data)
                return np.array(image, dtype=np.uint8)
            except _DECODING_ERRORS as error:
                raise DataError(f"{name} is cut short or damaged: {_sentence(error)}.", _AGAIN) from error


def image_size(source: Path | bytes) -> tuple[int, int] | None:
    """(height, width) from the file's header, without decoding; None where the header cannot be read."""
    try:
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=_RECOGNISED) as image:
            return image.height, image.width
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, *_DECODING_ERRORS):
        return None


def refuse_bomb(height: int, width: int, name: str, max_pixels: int = MAX_PIXELS) -> None:
    """Raise :class:`DataError` where an image of this size is beyond the limit: to be asked before it is decoded."""
    if height * width > max_pixels:
        raise DataError(
            f"{name} has {width} x {height} pixels, more than the limit of {max_pixels / 1e6:g} million.",
            "Cut it into tiles.",
        )


def encode_png(image: RGBImage) -> bytes:
    """Lossless PNG of a uint8 (H, W, 3) image at zlib level 1. Equal pixels give equal bytes with one version of zlib.

    Raises ``ValueError`` for any other dtype or shape.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"not a uint8 (H, W, 3) image: {image.dtype} {image.shape}")
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(stream, format="PNG", compress_level=1)
    return stream.getvalue()


def decode_png(data: bytes, name: str = "the stored PNG") -> RGBImage:
    """The uint8 (H, W, 3) image in PNG bytes; raises :class:`DataError` for all that :func:`read_image` refuses."""
    if not data.startswith(_PNG_SIGNATURE):
        raise DataError(f"{name} is not a PNG file.", _AGAIN)
    return read_image(data, name)


ResizeFilter = Literal["bilinear", "bicubic", "lanczos"]
_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def resize(images: RGBBatch, size: int | tuple[int, int], resample: ResizeFilter) -> RGBBatch:
    """Resize uint8 (B, H, W, 3) to uint8 (B, h, w, 3) with Pillow itself, image by image: exact to ``Image.resize``.

    ``size`` is (h, w) or one number for both. Pillow widens the filter when it shrinks (antialiasing) and rounds to
    uint8 after each of its two passes. Raises ``ValueError`` for other dtypes and shapes.
    """
    height, width = _check_batch(images, size)
    result = np.empty((len(images), height, width, 3), np.uint8)
    for i, image in enumerate(images):
        result[i] = np.asarray(Image.fromarray(image).resize((width, height), _FILTERS[resample]))
    return result


def resize_float(images: RGBBatch, size: int | tuple[int, int], resample: ResizeFilter) -> npt.NDArray[np.float32]:
    """As :func:`resize`, without rounding or clipping: float32 (B, h, w, 3) on the scale 0..255.

    Each channel goes through Pillow's float mode ``F``, the "clean" resize of Parmar et al., "On Aliased Resizing and
    Surprising Subtleties in GAN Evaluation" (CVPR 2022). Bicubic and Lanczos overshoot the range at edges.
    """
    height, width = _check_batch(images, size)
    result = np.empty((len(images), height, width, 3), np.float32)
    for i, image in enumerate(images):
        for channel in range(3):
            plane = Image.fromarray(image[:, :, channel].astype(np.float32))
            result[i, :, :, channel] = np.asarray(plane.resize((width, height), _FILTERS[resample]))
    return result


def middle_square(image: RGBImage, side: int) -> RGBImage:
    """The middle square of a uint8 (H, W, 3) image at ``side`` pixels, by Pillow's Lanczos where it is larger.

    Raises :class:`~unipath_bench.DataError` where the image is smaller: nothing is magnified.
    """
    height, width, _ = image.shape
    edge = min(height, width)
    if edge < side:
        raise DataError(f"An image of {height} x {width} pixels is too small.", f"Give at least {side} pixels a side.")
    top, left = (height - edge) // 2, (width - edge) // 2
    middle = image[top : top + edge, left : left + edge]
    return middle if edge == side else resize(middle[None], side, "lanczos")[0]


def _check_batch(images: RGBBatch, size: int | tuple[int, int]) -> tuple[int, int]:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"not a uint8 (B, H, W, 3) batch: {images.dtype} {images.shape}")
    return (size, size) if isinstance(size, int) else size


def _bytes_of(path: Path, name: str, max_pixels: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > 4 * max_pixels:
            raise DataError(
                f"{name} has {size / 1e6:.0f} MB, more than an 8-bit RGB image of {max_pixels / 1e6:g} million pixels.",
                "Cut it into tiles.",
            )
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{name} cannot be read: {error.strerror or error}.", "Check the path and its permissions."
        ) from error


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    if not data:
        raise DataError(f"{name} is empty (0 bytes).", _AGAIN)
    try:
        image = Image.open(io.BytesIO(data), formats=_RECOGNISED)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{name} is refused: {_sentence(error)}.", "Cut it into tiles.") from error
    except UnidentifiedImageError as error:
        raise DataError(
            f"{name} is not an image that can be read, or its first bytes are damaged.",
            f"Formats read are {', '.join(FORMATS)}. {_AGAIN}",
        ) from error
    except _DECODING_ERRORS as error:
        raise DataError(f"{name} is cut short or damaged: {_sentence(error)}.", _AGAIN) from error
    with image:
        yield image


def _refuse_what_is_not_rgb(image: Image.Image, data: bytes, name: str, max_pixels: int) -> None:
    kind = image.format or "image"
    refuse_bomb(image.height, image.width, name, max_pixels)
    try:
        depth, colours = _depth_and_colours(image, data)
        frames = getattr(image, "n_frames", 1)
        orientation = image.getexif().get(_ORIENTATION, 1)
    except _DECODING_ERRORS as error:
        raise DataError(f"{name} is cut short or damaged: {_sentence(error)}.", _AGAIN) from error
    if frames > 1:
        what = "pages" if kind in ("TIFF", "MPO") else "frames (an animation)"
        raise DataError(f"{name} is a {kind} of {frames} {what}; one 8-bit RGB image is needed.", _SPLIT)
    description = f"{depth}-bit {colours} {kind}" if depth else f"{colours} {kind}"
    if (depth, colours) != (8, "RGB"):
        article = "an" if description.startswith("8") else "a"
        raise DataError(f"{name} is {article} {description}; 8-bit RGB is needed.", _remedy(depth, colours))
    tile = _largest_tile(image)
    if tile > max_pixels:
        raise DataError(
            f"{name} is stored in tiles of {tile / 1e6:g} million pixels, more than the limit of {max_pixels / 1e6:g}.",
            "Save it anew as a plain 8-bit RGB file.",
        )
    if "transparency" in image.info:
        raise DataError(f"{name} is an {description} with a transparent colour; plain 8-bit RGB is needed.", _FLATTEN)
    if kind not in FORMATS:
        raise DataError(f"{name} is a {kind} file; formats read are {', '.join(FORMATS)}.", _TO_RGB)
    if orientation in _ORIENTATIONS:
        raise DataError(
            f"{name} has the EXIF orientation {orientation}: viewers show it {_ORIENTATIONS[orientation]}, "
            "other tools do not.",
            "Turn the pixels and drop the tag: ImageOps.exif_transpose(Image.open(path)).save(path) with Pillow.",
        )


def _depth_and_colours(image: Image.Image, data: bytes) -> tuple[int, str]:
    """Bits a channel and colour model as stored: Pillow reads 16-bit RGB as 8-bit RGB without a word."""
    if image.format == "PNG" and data[12:16] == b"IHDR" and len(data) > 25:
        colours = _PNG_COLOURS.get(data[25], "unknown")
        return (0 if colours == "palette" else data[24]), colours
    if image.format == "BMP" and image.mode == "RGB":
        bits = int.from_bytes(data[28:30], "little")
        return (8, "RGB") if bits in (24, 32) else (bits // 3, "RGB")
    name = _MODES.get(image.mode, image.mode)
    depth, separator, colours = name.partition("-bit ")
    bits, colours = (int(depth), colours) if separator else (0, name)
    if image.format == "TIFF":
        stored: tuple[int, ...] = image.tag_v2.get(258, (1,))  # type: ignore[attr-defined]
        bits = max(stored) if colours in ("RGB", "greyscale") else bits
    return bits, colours


def _largest_tile(image: Image.Image) -> int:
    """Pixels in one tile or strip of a TIFF file, which are decoded at once however small the image is."""
    if image.format != "TIFF":
        return 0
    tags = image.tag_v2  # type: ignore[attr-defined]
    sides = [tags.get(tag, 0) for tag in (_TILE_WIDTH, _TILE_LENGTH)]
    return int(sides[0]) * int(sides[1]) if all(isinstance(side, int) for side in sides) else 0


def _remedy(depth: int, colours: str) -> str:
    if "alpha" in colours or colours in ("RGBA", "RGBX"):
        return _FLATTEN
    if depth > 8:
        return _TO_8_BIT
    return _PROFILE if colours in ("CMYK", "YCbCr", "L*a*b*", "HSV") else _TO_RGB


def _check_structure(kind: str, data: bytes) -> None:
    """Raise ``ValueError`` where a file ends before its end marker, or a PNG chunk does not match its checksum."""
    if kind == "PNG":
        _check_png_chunks(data)
    elif kind == "JPEG" and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        raise ValueError("the end-of-image marker is missing")
    elif len(data) < _stated_length(kind, data):
        raise ValueError("the file is shorter than its header says")


def _stated_length(kind: str, data: bytes) -> int:
    if kind == "BMP":
        return int.from_bytes(data[2:6], "little")
    return 8 + int.from_bytes(data[4:8], "little") if kind == "WEBP" else 0


def _check_png_chunks(data: bytes) -> None:
    start = len(_PNG_SIGNATURE)
    view = memoryview(data)
    while start + 12 <= len(data):
        length = int.from_bytes(data[start : start + 4], "big")
        end = start + 8 + length
        if end + 4 > len(data):
            break
        name = data[start + 4 : start + 8]
        if zlib.crc32(view[start + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise ValueError(f"the checksum of its {name.decode('latin-1')} chunk is wrong")
        if name == b"IEND":
            return
        start = end + 4
    raise ValueError("the file ends before its IEND chunk")


_strict_lock = threading.Lock()
_strict_depth = 0
_lenient_before = False


@contextmanager
def _strict_decoding() -> Iterator[None]:
    """Switch Pillow's process-wide ``LOAD_TRUNCATED_IMAGES`` off while anybody here decodes, and restore it after."""
    global _strict_depth, _lenient_before
    with _strict_lock:
        if _strict_depth == 0:
            _lenient_before = ImageFile.LOAD_TRUNCATED_IMAGES
            ImageFile.LOAD_TRUNCATED_IMAGES = False
        _strict_depth += 1
    try:
        yield
    finally:
        with _strict_lock:
            _strict_depth -= 1
            if _strict_depth == 0:
                ImageFile.LOAD_TRUNCATED_IMAGES = _lenient_before


def _sentence(error: BaseException) -> str:
    text = str(error).strip().rstrip(".")
    return text.splitlines()[0] if text else type(error).__name__
