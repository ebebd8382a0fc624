"""Strict reading, lossless writing, resizing exact to Pillow, and the check of what adapters return."""

from __future__ import annotations

import contextlib
import io
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageFile

from unipath_bench.contracts import Request
from unipath_bench.core.errors import DataError, GeneratorError
from unipath_bench.core.images import (
    decode_png,
    encode_png,
    image_size,
    read_image,
    resize,
    resize_float,
)
from unipath_bench.generators.validation import validate_generated

settings = hypothesis_settings(max_examples=60, deadline=None)
images = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(lambda s: arrays(np.uint8, (*s, 3)))


def pixels(seed: int = 0, height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=kind, **options)
    return stream.getvalue()


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def raw_png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG written by hand, for what Pillow cannot write (16-bit RGB) or would not (a bomb)."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


RGB = Image.fromarray(pixels())

LOSSLESS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "TIFF": {},
    "TIFF-lzw": {"compression": "tiff_lzw"},
    "WEBP": {"lossless": True},
    "BMP": {},
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_give_the_pixels_that_were_saved(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "tile"
    path.write_bytes(saved(RGB, kind.partition("-")[0], **LOSSLESS[kind]))
    image = read_image(path)
    np.testing.assert_array_equal(image, pixels())
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image_size(path) == (20, 30)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_is_decoded_as_pillow_does(options: dict[str, Any]) -> None:
    data = saved(RGB, "JPEG", **options)
    np.testing.assert_array_equal(read_image(data), np.asarray(Image.open(io.BytesIO(data))))


def animation() -> bytes:
    return saved(RGB, "WEBP", save_all=True, append_images=[Image.fromarray(pixels(1))], duration=50, lossless=True)


def with_orientation(kind: str, value: int) -> bytes:
    exif = Image.Exif()
    exif[274] = value
    return saved(RGB, kind, exif=exif)


def sixteen_bit_tiff() -> bytes:
    """An uncompressed 2 x 1 RGB TIFF with 16 bits a channel, written tag by tag."""
    tags = [
        (256, 3, 1, 2),
        (257, 3, 1, 1),
        (258, 3, 3, 8 + 2 + 12 * 9 + 4),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 8 + 2 + 12 * 9 + 4 + 6),
        (277, 3, 1, 3),
        (278, 3, 1, 1),
        (279, 4, 1, 12),
    ]
    body = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    return struct.pack("<2sHI", b"II", 42, 8) + body + struct.pack("<3H", 16, 16, 16) + bytes(range(12))


REFUSED: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "16-bit greyscale PNG": (
        lambda: saved(Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30)), "PNG"),
        "is a 16-bit greyscale PNG; 8-bit RGB is needed",
        "Scale it to 8 bits",
    ),
    "16-bit RGB PNG": (lambda: raw_png(2, 1, 16, 2, b"\0" + bytes(12)), "is a 16-bit RGB PNG", "Scale it to 8 bits"),
    "16-bit RGB TIFF": (sixteen_bit_tiff, "is a 16-bit RGB TIFF", "Scale it to 8 bits"),
    "16-bit greyscale TIFF": (
        lambda: saved(Image.fromarray(np.zeros((4, 4), np.uint16)), "TIFF"),
        "16-bit greyscale TIFF",
        "Scale it",
    ),
    "float TIFF": (
        lambda: saved(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"),
        "32-bit float greyscale TIFF",
        "Scale it",
    ),
    "greyscale PNG": (lambda: saved(RGB.convert("L"), "PNG"), "is an 8-bit greyscale PNG", 'convert("RGB")'),
    "greyscale JPEG": (lambda: saved(RGB.convert("L"), "JPEG"), "is an 8-bit greyscale JPEG", 'convert("RGB")'),
    "bilevel PNG": (lambda: saved(RGB.convert("1"), "PNG"), "is a 1-bit greyscale PNG", 'convert("RGB")'),
    "palette PNG": (lambda: saved(RGB.convert("P"), "PNG"), "is a palette PNG", 'convert("RGB")'),
    "palette GIF": (lambda: saved(RGB.convert("P"), "GIF"), "is a palette GIF", 'convert("RGB")'),
    "RGBA PNG": (lambda: saved(RGB.convert("RGBA"), "PNG"), "is an 8-bit RGBA PNG", "background"),
    "RGBA WebP": (
        lambda: saved(Image.fromarray(np.dstack([pixels(), pixels()[..., :1]])), "WEBP"),
        "8-bit RGBA WEBP",
        "background",
    ),
    "greyscale with alpha": (
        lambda: saved(RGB.convert("LA"), "PNG"),
        "is an 8-bit greyscale with alpha PNG",
        "background",
    ),
    "transparent colour": (
        lambda: saved(RGB, "PNG", transparency=(1, 2, 3)),
        "8-bit RGB PNG with a transparent colour",
        "background",
    ),
    "CMYK JPEG": (lambda: saved(RGB.convert("CMYK"), "JPEG"), "is a CMYK JPEG", "colour profile"),
    "CMYK TIFF": (lambda: saved(RGB.convert("CMYK"), "TIFF"), "is a CMYK TIFF", "colour profile"),
    "animated WebP": (animation, "is a WEBP of 2 frames", "one frame"),
    "TIFF of two pages": (
        lambda: saved(RGB, "TIFF", save_all=True, append_images=[RGB]),
        "is a TIFF of 2 pages",
        "one frame or page",
    ),
    "turned JPEG": (
        lambda: with_orientation("JPEG", 6),
        "orientation 6: viewers show it turned by 90",
        "exif_transpose",
    ),
    "mirrored PNG": (lambda: with_orientation("PNG", 2), "orientation 2: viewers show it mirrored", "exif_transpose"),
    "turned TIFF": (lambda: with_orientation("TIFF", 3), "orientation 3", "exif_transpose"),
    "nothing": (lambda: b"", "is empty (0 bytes)", "again"),
    "text": (lambda: b"not an image at all", "is not an image that can be read", "PNG, JPEG, TIFF, WEBP, BMP"),
    "PostScript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image that can", "PNG"),
    "first half of a PNG": (lambda: (d := saved(RGB, "PNG"))[: len(d) // 2], "is cut short or damaged", "again"),
    "wrong checksum": (
        lambda: (d := saved(RGB, "PNG"))[:-13] + bytes([d[-13] ^ 1]) + d[-12:],
        "IDAT chunk is wrong",
        "again",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_eight_bit_rgb_is_refused_by_name(case: str, tmp_path: Path) -> None:
    make, message, remedy = REFUSED[case]
    path = tmp_path / "slide_7.png"
    path.write_bytes(make())
    with pytest.raises(DataError) as caught:
        read_image(path)
    assert str(path) in caught.value.message
    assert message in caught.value.message
    assert remedy in caught.value.remedy
    with pytest.raises(DataError, match=r"^tile A"):
        read_image(path, "tile A")


def test_orientation_one_is_read() -> None:
    np.testing.assert_array_equal(read_image(with_orientation("PNG", 1)), pixels())


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.png cannot be read: No such file"):
        read_image(tmp_path / "absent.png")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_image(tmp_path)


def test_a_decompression_bomb_is_refused_from_its_header() -> None:
    header_only = raw_png(9000, 9000, 8, 2, b"")
    with pytest.raises(DataError, match="9000 x 9000 pixels, more than the limit of 64 million"):
        read_image(header_only, "bomb.png")
    with pytest.raises(DataError, match=r"bomb\.png is refused: .*decompression bomb"):
        read_image(raw_png(60000, 60000, 8, 2, b""), "bomb.png")


def test_the_pixel_limit_is_inclusive(tmp_path: Path) -> None:
    data = saved(RGB, "PNG")
    assert read_image(data, max_pixels=600).shape == (20, 30, 3)
    with pytest.raises(DataError, match="30 x 20 pixels"):
        read_image(data, max_pixels=599)
    path = tmp_path / "huge.tif"
    path.write_bytes(bytes(2401))
    with pytest.raises(DataError, match="more than an 8-bit RGB image"):
        read_image(path, max_pixels=600)


FILES = {
    kind: saved(RGB, kind.partition("-")[0], **options)
    for kind, options in {**LOSSLESS, "JPEG": {}, "JPEG-progressive": {"progressive": True}, "WEBP-lossy": {}}.items()
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("lenient", [False, True])
def test_a_file_that_lacks_any_of_its_end_is_refused(kind: str, lenient: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    data = FILES[kind]
    for cut in [1, 2, 3, 4, 8, 11, 12, 13, 16, 40, 100, len(data) // 2, len(data) - 30, len(data) - 1]:
        with pytest.raises(DataError, match="tile"):
            read_image(data[:-cut], "tile")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is lenient


def test_the_lenient_switch_survives_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data, accepted = FILES["PNG"], []

    def work() -> None:
        for _ in range(100):
            try:
                accepted.append(read_image(data[:-40]))
            except DataError:
                read_image(data)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not accepted
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings
@given(kind=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "TIFF"]), flips=st.lists(st.integers(0, 2**20), max_size=4))
def test_damage_gives_an_image_or_a_data_error(kind: str, flips: list[int]) -> None:
    data = bytearray(FILES[kind])
    for flip in flips:
        data[(flip >> 8) % len(data)] = flip & 255
    with contextlib.suppress(DataError):
        image = read_image(bytes(data), "tile")
        assert image.dtype == np.uint8
        assert image.shape[2:] == (3,)


@settings
@given(image=images)
def test_png_round_trip_is_exact(image: np.ndarray) -> None:
    data = encode_png(image)
    np.testing.assert_array_equal(decode_png(data), image)
    assert data == encode_png(np.asfortranarray(image))


@pytest.mark.parametrize("bad", [np.zeros((2, 2, 3)), np.zeros((2, 2), np.uint8), np.zeros((2, 2, 4), np.uint8)])
def test_encode_png_refuses_other_arrays(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not a uint8"):
        encode_png(bad)


def test_decode_png_takes_png_only() -> None:
    with pytest.raises(DataError, match="sample 3 is not a PNG"):
        decode_png(saved(RGB, "BMP"), "sample 3")


@pytest.mark.parametrize("resample", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", [7, (9, 41), (20, 30)])
def test_resize_is_pillows_own(resample: Any, size: Any) -> None:
    batch = np.stack([pixels(1), pixels(2)])
    height, width = size if isinstance(size, tuple) else (size, size)
    expected = [
        np.asarray(Image.fromarray(i).resize((width, height), Image.Resampling[resample.upper()])) for i in batch
    ]
    np.testing.assert_array_equal(resize(batch, size, resample), np.stack(expected))


def test_resize_float_averages_without_rounding() -> None:
    """Bilinear from 4 to 2 pixels: a triangle of half-width 2 around 1 covers 0.5, 1.5, 2.5 (distances 0.5, 0.5, 1.5)
    with weights 0.75, 0.75, 0.25, so 0, 100, 200, 0 gives (75 + 50) / 1.75 = 500 / 7 on the left and
    (0.25 * 100 + 0.75 * 200 + 0) / 1.75 = 100 on the right."""
    row = np.array([0, 100, 200, 0], np.uint8)
    batch = np.broadcast_to(row[None, None, :, None], (1, 1, 4, 3)).copy()
    result = resize_float(batch, (1, 2), "bilinear")
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[0, 0, :, 1], [500 / 7, 100], rtol=1e-5)


@settings
@given(image=images, resample=st.sampled_from(["bilinear", "bicubic", "lanczos"]), size=st.integers(1, 15))
def test_rounded_float_resize_agrees_with_uint8_resize(image: np.ndarray, resample: Any, size: int) -> None:
    """Pillow rounds after each of two passes. Bilinear weights are not negative and sum to one, so the first half level
    arrives as at most half a level and the second adds another: one in all. Any filter keeps a constant image."""
    exact = resize_float(image[None], size, resample).clip(0, 255)
    if resample == "bilinear":
        assert np.abs(resize(image[None], size, resample) - exact).max() <= 1.01
    constant = np.full_like(image, image[0, 0])
    expected = np.broadcast_to(image[0, 0], (1, size, size, 3))
    np.testing.assert_array_equal(resize(constant[None], size, resample), expected)
    np.testing.assert_allclose(resize_float(constant[None], size, resample), expected, atol=1e-3)


def test_resize_refuses_other_arrays() -> None:
    others: tuple[Any, ...] = (np.zeros((1, 4, 4, 3)), np.zeros((4, 4, 3), np.uint8))
    for bad in others:
        with pytest.raises(ValueError, match="not a uint8"):
            resize(bad, 2, "bilinear")
        with pytest.raises(ValueError, match="not a uint8"):
            resize_float(bad, 2, "bilinear")


def requests(count: int, height: int = 20, width: int = 30) -> list[Request]:
    return [Request(f"tile-{i}", "a prompt", i, i % 2, height, width) for i in range(count)]


BATCH = np.stack([pixels(i) for i in range(3)])


@pytest.mark.parametrize(
    "answer",
    [
        BATCH,
        list(BATCH),
        tuple(BATCH),
        [Image.fromarray(i) for i in BATCH],
        [BATCH[0], Image.fromarray(BATCH[1]), BATCH[2]],
    ],
    ids=["array", "list", "tuple", "pillow", "mixed"],
)
def test_every_form_of_the_contract_is_accepted(answer: object) -> None:
    result = validate_generated(answer, requests(3))
    np.testing.assert_array_equal(np.stack(result), BATCH)
    assert all(image.flags.c_contiguous for image in result)


class Tensor:
    """Stands for a tensor: what counts is the module of its class."""

    shape = (3, 3, 20, 30)


Tensor.__module__ = "torch"

BAD_ANSWERS: dict[str, tuple[object, str, str]] = {
    "too few": (
        BATCH[:2],
        "2 images for 3 requests: there is none for\n  - tile-2 (replicate 0)",
        "one image a request",
    ),
    "none": ([], "tile-0 (replicate 0)", "one image a request"),
    "too many": (
        np.concatenate([BATCH, BATCH[:1]]),
        "4 images for 3 requests, of which the last is tile-2",
        "one image",
    ),
    "floats 0..1": (
        BATCH / 255.0,
        "tile-1 (replicate 1): float64 of shape (20, 30, 3) in the range 0 to 1",
        "Multiply by 255",
    ),
    "floats -1..1": (list(BATCH.astype(np.float32) / 127.5 - 1), "float32", "Map -1..1"),
    "floats 0..255": (BATCH.astype(np.float32), "in the range 0 to 255", "Round: "),
    "floats beyond": (BATCH * 3.0 - 9, "in the range -9 to 756", "Clip to 0..1"),
    "NaN": (
        [BATCH[0], np.full((20, 30, 3), np.nan), BATCH[2]],
        "tile-1 (replicate 1): float64 of shape (20, 30, 3) with 1800",
        "wrong",
    ),
    "int64": (BATCH.astype(np.int64), "int64 of shape (20, 30, 3) in the range 0 to 255", "astype(np.uint8)"),
    "bool": (BATCH > 9, "bool of shape", "astype(np.uint8)"),
    "wrong size": (
        [BATCH[0], BATCH[1, :19], BATCH[2]],
        "tile-1 (replicate 1): 19 x 30 pixels (height x width), not the 20 x 30",
        "request.height",
    ),
    "sides swapped": (BATCH.transpose(0, 2, 1, 3), "30 x 20 pixels", "request.height"),
    "channels first": (BATCH.transpose(0, 3, 1, 2), "channels first", "transpose(1, 2, 0)"),
    "four channels": (np.concatenate([BATCH, BATCH[..., :1]], 3), "four channels", "image[..., :3]"),
    "two channels": (BATCH[..., :2], "2 channels, not 3", "(B, H, W, 3)"),
    "greyscale": (list(BATCH[..., 0]), "(20, 30), not (H, W, 3)", "repeat"),
    "one image for many": (BATCH[0], "one array of shape (20, 30, 3)", "(B, H, W, 3)"),
    "pillow RGBA": (
        [Image.fromarray(i).convert("RGBA") for i in BATCH],
        "tile-0 (replicate 0): a PIL image in mode RGBA",
        "background",
    ),
    "pillow L": ([Image.fromarray(i).convert("L") for i in BATCH], "mode L, not RGB", 'convert("RGB")'),
    "None": (None, "None, not images", "return"),
    "a generator": ((i for i in BATCH), "a generator, not an array", "(B, H, W, 3)"),
    "a path": (["a.png", "b.png", "c.png"], "tile-0 (replicate 0): a str, not an array", "(B, H, W, 3)"),
    "nested lists": ([i.tolist() for i in BATCH], "a list, not an array", "(B, H, W, 3)"),
    "a tensor": (Tensor(), "a torch.Tensor of shape (3, 3, 20, 30)", "permute(0, 2, 3, 1)"),
    "tensors": ([Tensor()] * 3, "a torch.Tensor of shape", "permute"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_bad_answers_name_the_request_and_the_remedy(case: str) -> None:
    answer, message, remedy = BAD_ANSWERS[case]
    with pytest.raises(GeneratorError) as caught:
        validate_generated(answer, requests(3))
    assert message in caught.value.message
    assert remedy in caught.value.remedy
    assert "tile-" in caught.value.message


def test_all_bad_images_of_a_batch_are_listed_and_the_good_are_not() -> None:
    with pytest.raises(GeneratorError) as caught:
        validate_generated([BATCH[0] / 2.0, BATCH[1], BATCH[2, 1:]], requests(3))
    assert "2 of 3 images" in caught.value.message
    assert "tile-0" in caught.value.message
    assert "tile-1" not in caught.value.message
    assert "tile-2" in caught.value.message


def test_one_image_without_the_batch_axis_gets_the_hint() -> None:
    with pytest.raises(GeneratorError) as caught:
        validate_generated(BATCH[0], requests(1))
    assert "np.newaxis" in caught.value.remedy
