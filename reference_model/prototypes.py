"""The prototype stream: features of real tissue, brought to the width of the language model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from unipath_bench import DataError


class PrototypeProjector(ModelMixin, ConfigMixin):
    """Linear, GELU, Linear, position by position; masked positions give zeros.

    ``feature_size``: width of the bank's payload (UNI2-h: 1536); ``hidden_size``: width of the language model.
    """

    @register_to_config
    def __init__(self, feature_size: int = 1536, hidden_size: int = 3584) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(feature_size, hidden_size), nn.GELU(), nn.Linear(hidden_size, hidden_size)
        )

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """``features`` (B, K, feature_size) and ``mask`` (B, K), true where there is one, to (B, K, hidden_size)."""
        projected: Tensor = self.layers(features)
        return projected * mask.unsqueeze(-1).to(projected.dtype)


def pad_prototypes(sets: Sequence[Tensor], places: int, feature_size: int) -> tuple[Tensor, Tensor]:
    """B sets of features, each (k, feature_size), to zero-padded (B, places, feature_size) and a boolean (B, places).

    Raises :class:`~unipath_bench.DataError` where a set has more than ``places`` prototypes or another width.
    """
    features = sets[0].new_zeros(len(sets), places, feature_size)
    mask = torch.zeros(len(sets), places, dtype=torch.bool, device=features.device)
    for row, values in enumerate(sets):
        if values.ndim != 2 or values.shape[1] != feature_size:
            raise DataError(
                f"Prototypes of shape {tuple(values.shape)} do not fit: the model reads width {feature_size}.",
                "Use the bank that the model was trained with, or give arrays of shape (k, width).",
            )
        if len(values) > places:
            raise DataError(
                f"There are {len(values)} prototypes for one prompt; the model has places for {places}.",
                "Choose the most relevant ones beforehand.",
            )
        features[row, : len(values)] = values
        mask[row, : len(values)] = True
    return features, mask
