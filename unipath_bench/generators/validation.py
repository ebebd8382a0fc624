"""Checking what a generator adapter returned, before anything of it is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from unipath_bench.contracts import Request
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import GeneratorError, listed

_CONTRACT = (
    "generate() returns uint8 RGB: an array (B, H, W, 3), or a list of (H, W, 3) arrays or of PIL images in mode RGB"
)


def validate_generated(images: object, requests: Sequence[Request]) -> list[RGBImage]:
    """The images of one call of ``generate(requests)`` as uint8 (H, W, 3) arrays, in the order of ``requests``.

    Accepts what the contract allows: a uint8 array (B, H, W, 3), or a list or tuple of (H, W, 3) arrays or of PIL
    images in mode RGB. Raises :class:`~unipath_bench.GeneratorError` that names the request (sample id and
    replicate) and the remedy for too few or too many images, and every image of the wrong dtype, shape, size or mode.
    Nothing is converted: how floats map to 0..255 is for the adapter to say.
    """
    _check_container(images, requests)
    items: list[Any] = list(images)  # type: ignore[call-overload]
    if len(items) != len(requests):
        raise GeneratorError(_miscounted(len(items), requests), f"{_CONTRACT}, one image a request, in their order.")
    checked: list[RGBImage] = []
    problems: list[str] = []
    remedies: list[str] = []
    for item, request in zip(items, requests, strict=True):
        problem = _problem(item, request)
        if problem is None:
            checked.append(np.ascontiguousarray(np.asarray(item)))
        else:
            problems.append(f"{_name(request)}: {problem[0]}")
            remedies.append(problem[1])
    if problems:
        raise GeneratorError(
            f"The generator returned {len(problems)} of {len(items)} images that cannot be used:\n{listed(problems)}",
            "\n".join(dict.fromkeys(remedies)),
        )
    return checked


def _check_container(images: object, requests: Sequence[Request]) -> None:
    first = _name(requests[0]) if requests else "no request"
    if isinstance(images, np.ndarray):
        if images.ndim == 4:
            return
        hint = " Add the batch axis: images[np.newaxis]." if images.ndim == 3 and len(requests) == 1 else ""
        raise GeneratorError(
            f"For {len(requests)} requests ({first}, ...) the generator returned one array of shape {images.shape}, "
            "not (B, H, W, 3).",
            f"{_CONTRACT}.{hint}",
        )
    if not isinstance(images, (list, tuple)):
        what, remedy = _describe_foreign(images)
        raise GeneratorError(f"For {len(requests)} requests ({first}, ...) the generator returned {what}.", remedy)


def _miscounted(count: int, requests: Sequence[Request]) -> str:
    text = f"The generator returned {count} images for {len(requests)} requests"
    if count < len(requests):
        return f"{text}: there is none for\n" + listed([_name(r) for r in requests[count:]])
    return f"{text}, of which the last is {_name(requests[-1])}." if requests else f"{text}."


def _problem(item: object, request: Request) -> tuple[str, str] | None:
    if isinstance(item, Image.Image):
        if item.mode != "RGB":
            return f"a PIL image in mode {item.mode}, not RGB", _PIL_REMEDIES.get(item.mode, _TO_RGB)
        height, width = item.height, item.width
    elif isinstance(item, np.ndarray):
        wrong = _array_problem(item)
        if wrong is not None:
            return wrong
        height, width = item.shape[:2]
    else:
        return _describe_foreign(item)
    if (height, width) != (request.height, request.width):
        return (
            f"{height} x {width} pixels (height x width), not the {request.height} x {request.width} asked for",
            "Honour request.height and request.width, or state the native height and width on the generator's card.",
        )
    return None


_TO_RGB = 'Call image.convert("RGB") in the adapter.'
_PIL_REMEDIES = {
    "RGBA": 'Paste the image on the background that you mean, or call image.convert("RGB") in the adapter.',
    "LA": 'Paste the image on the background that you mean, or call image.convert("RGB") in the adapter.',
    "I;16": "Scale to 8 bits in the adapter, then convert to RGB.",
    "F": "Scale to 0..255 in the adapter, round, and convert to RGB.",
}


def _array_problem(array: np.ndarray[Any, Any]) -> tuple[str, str] | None:
    if array.dtype.kind == "f":
        return _float_problem(array)
    if array.dtype != np.uint8:
        remedy = f"{_CONTRACT}; the values must be 0..255: image.astype(np.uint8) in the adapter."
        return f"{array.dtype} of shape {array.shape}{_range(array)}, not uint8", remedy
    if array.ndim != 3:
        remedy = "For greyscale repeat the channel: np.repeat(image[..., np.newaxis], 3, axis=-1)."
        return f"an array of shape {array.shape}, not (H, W, 3)", remedy if array.ndim == 2 else f"{_CONTRACT}."
    if array.shape[2] == 3:
        return None
    if array.shape[0] == 3:
        return f"an array of shape {array.shape}: channels first", "Move the channels last: image.transpose(1, 2, 0)."
    if array.shape[2] == 4:
        return f"an array of shape {array.shape}: four channels", "Drop the alpha channel: image[..., :3]."
    return f"an array of shape {array.shape}: {array.shape[2]} channels, not 3", f"{_CONTRACT}."


def _float_problem(array: np.ndarray[Any, Any]) -> tuple[str, str]:
    what = f"{array.dtype} of shape {array.shape}"
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        return f"{what} with {bad} values NaN or infinite, not uint8", "Find out where the adapter's model goes wrong."
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if low >= 0 and high <= 1:
        remedy = "Multiply by 255 and round: (255 * image).round().astype(np.uint8)."
    elif low >= -1 and high <= 1:
        remedy = "Map -1..1 to 0..255 and round: (127.5 * (image + 1)).round().astype(np.uint8)."
    elif low >= 0 and high <= 255:
        remedy = "Round: image.round().astype(np.uint8)."
    else:
        remedy = "Clip to 0..1, multiply by 255 and round: (255 * image.clip(0, 1)).round().astype(np.uint8)."
    return f"{what}{_range(array)}, not uint8", remedy


def _range(array: np.ndarray[Any, Any]) -> str:
    if array.dtype.kind not in "iuf" or not array.size:
        return ""
    show: Callable[[Any], str] = (lambda v: f"{v:.4g}") if array.dtype.kind == "f" else str
    return f" in the range {show(array.min())} to {show(array.max())}"


def _describe_foreign(value: object) -> tuple[str, str]:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if kind.__module__.partition(".")[0] == "torch" and hasattr(value, "shape"):
        return (
            f"a {name} of shape {tuple(value.shape)}, not an array",
            "For a (B, 3, H, W) tensor in 0..1: "
            "images.permute(0, 2, 3, 1).mul(255).round().to(torch.uint8).cpu().numpy() in the adapter.",
        )
    if value is None:
        return "None, not images", f"Let generate() return its images. {_CONTRACT}."
    if hasattr(value, "images"):
        return f"a {name}, not images", f"Return its .images. {_CONTRACT}."
    return f"a {name}, not an array or an image", f"{_CONTRACT}."


def _name(request: Request) -> str:
    return f"{request.sample_id} (replicate {request.replicate})"
