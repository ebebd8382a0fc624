"""The images that a run shows, drawn as one picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from unipath_bench.core.arrays import RGBImage
from unipath_bench.results.gallery import Exhibits

_INK, _PAPER, _RULE = (32, 36, 42), (255, 255, 255), (0, 114, 178)


def sample_grid(exhibits: Exhibits, *, columns: int = 2, tile: int = 192, replicates: int = 3) -> RGBImage:
    """One picture of the shown samples: each block is a real image, framed, beside what was generated for its prompt.

    ``columns`` blocks stand side by side; each tile is fitted into ``tile`` pixels (never enlarged), and at most
    ``replicates`` answers are drawn. Returns uint8 (H, W, 3); raises ``ValueError`` where there is nothing to draw.
    """
    if not exhibits.samples:
        raise ValueError("there are no samples to draw")
    shown = min(replicates, max(len(sample.generated) for sample in exhibits.samples))
    edges = [max(im.shape[:2]) for s in exhibits.samples for im in (s.real, *s.generated) if im is not None]
    tile = min(tile, max(96, *edges))
    gap, head, caption = 6, 24, 36
    columns = min(columns, len(exhibits.samples))
    rows = -(-len(exhibits.samples) // columns)
    block_width, block_height = (1 + shown) * (tile + gap) - gap, caption + tile
    stride_x, stride_y = block_width + 4 * gap, block_height + 2 * gap
    page = Image.new("RGB", (columns * stride_x, head + rows * stride_y + gap), _PAPER)
    draw = ImageDraw.Draw(page)
    bold, plain = _font("DejaVuSans-Bold.ttf", 13), _font("DejaVuSans.ttf", 12)
    for column in range(columns):
        left = column * stride_x + 2 * gap
        draw.text((left, gap), "Real", fill=_RULE, font=bold)
        draw.text((left + tile + gap, gap), "Generated", fill=_INK, font=bold)
    for number, sample in enumerate(exhibits.samples):
        row, column = divmod(number, columns)
        left, top = column * stride_x + 2 * gap, head + row * stride_y + gap
        lines = _wrapped(sample.prompt or _labels(sample.labels) or sample.sample_id, plain, block_width, lines=2)
        draw.multiline_text((left, top), "\n".join(lines), fill=_INK, font=plain, spacing=2)
        top += caption
        if sample.real is not None:
            fitted = _fit(sample.real, tile)
            page.paste(fitted, (left, top))
            draw.rectangle(
                (left - 2, top - 2, left + fitted.width + 1, top + fitted.height + 1), outline=_RULE, width=2
            )
        for replicate, image in enumerate(sample.generated[:shown], start=1):
            page.paste(_fit(image, tile), (left + replicate * (tile + gap), top))
    return np.asarray(page, dtype=np.uint8)


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in labels.items())


def _fit(image: RGBImage, edge: int) -> Image.Image:
    picture = Image.fromarray(image)
    picture.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    return picture


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int, lines: int) -> list[str]:
    found = [""]
    for word in text.split():
        longer = f"{found[-1]} {word}".strip()
        if not found[-1] or font.getlength(longer) <= width:
            found[-1] = longer
        else:
            found.append(word)
    kept = found[:lines]
    if len(found) > lines:
        kept[-1] += "…"
    return [_clipped(line, font, width) for line in kept]


def _clipped(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(line) <= width:
        return line
    shorter = line.removesuffix("…")
    while shorter and font.getlength(shorter + "…") > width:
        shorter = shorter[:-1]
    return shorter.rstrip() + "…"


def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    from matplotlib import get_data_path

    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / name), size)
