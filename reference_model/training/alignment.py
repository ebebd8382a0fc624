"""Representation alignment (Yu et al., 2025, "Representation alignment for generation", REPA, arXiv 2410.06940).

A block of the image transformer, which sees noised latents, is drawn towards what a frozen encoder makes of the clean
tile at the same place. The transformer then need not find the tissue's structures by itself, and trains faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from reference_model.bank.encoders import open_encoder
from reference_model.training.tiles import ORIENTATIONS, Tiles
from unipath_bench import Context, UsageError
from unipath_bench.core.arrays import RGBBatch
from unipath_bench.schema.cards import EncoderCard

Targets = npt.NDArray[np.float16]
"""Features of every place of every tile in every orientation, (8, N, places, D)."""

_AT_ONCE = 128


@runtime_checkable
class PatchEncoder(Protocol):
    """An encoder that also tells what is at each place of an image."""

    @property
    def card(self) -> EncoderCard:
        """Facts that decide the features."""

    def embed_patches(self, images: RGBBatch) -> npt.NDArray[np.float32]:
        """uint8 (B, H, W, 3) to float32 (B, rows, columns, D)."""


def open_patch_encoder(name: str, context: Context) -> PatchEncoder:
    """The registered encoder of that name, set up.

    Raises :class:`~unipath_bench.UsageError` where it does not tell places apart.
    """
    encoder: object = open_encoder(name, context)
    if not isinstance(encoder, PatchEncoder):
        raise UsageError(
            f"flow.align.encoder {name!r} has no embed_patches.", "Name one that has, or leave flow.align out."
        )
    return encoder


def alignment_targets(encoder: PatchEncoder, tiles: Tiles, side: int, advance: Callable[[int], None]) -> Targets:
    """The targets of every tile, with mean 0 and variance 1 in each of the D features.

    ``side`` is the number of tokens along a side of the transformer's grid. Raises :class:`~unipath_bench.UsageError`
    where the encoder's grid is of another size.
    """
    parts: list[list[npt.NDArray[np.float32]]] = [[] for _ in range(ORIENTATIONS)]
    for start in range(0, len(tiles), _AT_ONCE):
        images = tiles.images[start : start + _AT_ONCE]
        for turn in range(ORIENTATIONS):
            turned = np.rot90(images, turn % 4, (1, 2))
            found = encoder.embed_patches(np.ascontiguousarray(turned[:, :, ::-1] if turn >= 4 else turned))
            if found.shape[1:3] != (side, side):
                raise UsageError(
                    f"flow.align.encoder has {found.shape[1]} x {found.shape[2]} places, not {side} x {side}.",
                    "Name another encoder, or leave flow.align out.",
                )
            parts[turn].append(found.reshape(len(images), side * side, -1))
        advance(len(images))
    features = np.stack([np.concatenate(part) for part in parts])
    axes = (0, 1, 2)
    mean, deviation = features.mean(axes, np.float64), features.std(axes, dtype=np.float64)
    targets: Targets = ((features - mean) / np.maximum(deviation, 1e-6)).astype(np.float16)
    return targets


class Alignment:
    """What one block of a transformer shows, beside the targets.

    ``block``: which, from 1; ``seed``: of the head's weights, which are trained and then thrown away.
    """

    def __init__(self, transformer: Any, targets: Targets, block: int, seed: int, device: torch.device) -> None:
        self.targets, self.device = targets, device
        self.block = transformer.transformer_blocks[block - 1]
        width = int(transformer.inner_dim)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, targets.shape[-1])).to(
                device
            )

    @contextmanager
    def shown(self) -> Iterator[list[Tensor]]:
        """Within it, each call of the transformer appends what the block shows, (B, places, width)."""
        seen: list[Tensor] = []
        handle = self.block.register_forward_hook(lambda _, __, output: seen.append(output))
        try:
            yield seen
        finally:
            handle.remove()

    def loss(self, seen: Tensor, turns: Any, rows: Any) -> Tensor:
        """1 - the mean cosine of what the head makes of ``seen`` and of the targets of those tiles, a scalar."""
        wanted = torch.from_numpy(self.targets[turns, rows]).to(self.device, torch.float32)
        return 1.0 - functional.cosine_similarity(self.head(seen).float(), wanted, dim=-1).mean()
