"""The arguments of a call, checked and brought to one form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from reference_model.bank.protocol import Retrieved
from unipath_bench import UsageError

Features: TypeAlias = npt.NDArray[Any] | Tensor | Retrieved
ImageInput: TypeAlias = Image.Image | npt.NDArray[np.uint8]


def prompt_list(prompt: str | Sequence[str]) -> list[str]:
    """One prompt or several. Raises :class:`~unipath_bench.UsageError` for none, or for what is no text."""
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    if not prompts or not all(isinstance(p, str) for p in prompts):
        raise UsageError("The pipeline needs a prompt.", "Give a string, or a list of at least one string.")
    return prompts


def generator_list(
    generator: torch.Generator | Sequence[torch.Generator] | None, count: int
) -> list[torch.Generator | None]:
    """One generator an image. A single one is drawn from in turn, so an image then depends on those before it."""
    if generator is None or isinstance(generator, torch.Generator):
        return [generator] * count
    if len(generator) != count:
        raise UsageError(
            f"There are {len(generator)} generators for {count} images.",
            "Give one generator an image: prompts times num_images_per_prompt, prompt by prompt.",
        )
    return list(generator)


def feature_list(prototypes: Features | Sequence[Features], count: int) -> list[npt.NDArray[Any] | Tensor]:
    """Prototype features, one array (k, width) a prompt; a single array serves a single prompt."""
    single = isinstance(prototypes, Retrieved) or (isinstance(prototypes, np.ndarray | Tensor) and prototypes.ndim == 2)
    sets = [prototypes] if single else list(cast(Sequence[Features], prototypes))
    if len(sets) != count:
        raise UsageError(
            f"There are prototypes for {len(sets)} prompts, and {count} prompts.", "Give one array (k, width) a prompt."
        )
    return [s.features if isinstance(s, Retrieved) else cast("npt.NDArray[Any] | Tensor", s) for s in sets]


def image_list(image: ImageInput | Sequence[ImageInput], count: int) -> list[Image.Image]:
    """Reference images in RGB, one a prompt; a single one serves all."""
    single = isinstance(image, Image.Image) or (isinstance(image, np.ndarray) and image.ndim == 3)
    images = [cast(ImageInput, image)] * count if single else list(cast(Sequence[ImageInput], image))
    if len(images) != count:
        raise UsageError(f"There are {len(images)} images for {count} prompts.", "Give one, or one a prompt.")
    return [_rgb(i) for i in images]


def _rgb(image: ImageInput) -> Image.Image:
    if isinstance(image, Image.Image):
        return image.convert("RGB")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UsageError(
            f"An image of shape {image.shape} and type {image.dtype} cannot be read.",
            "Give a PIL image, or uint8 arrays of shape (height, width, 3).",
        )
    return Image.fromarray(image)


def size_of(height: int | None, width: int | None, native: int, multiple: int) -> tuple[int, int]:
    """Height and width in pixels, each the native size where None.

    Raises :class:`~unipath_bench.UsageError` unless both are positive multiples of ``multiple``, the pixels per side
    that one position of the transformer covers.
    """
    size = (native if height is None else height, native if width is None else width)
    if any(side < multiple or side % multiple for side in size):
        raise UsageError(
            f"The model cannot draw {size[0]} x {size[1]} pixels.", f"Height and width are multiples of {multiple}."
        )
    return size
