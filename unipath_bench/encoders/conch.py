"""CONCH, whose network comes with the package of its authors."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from unipath_bench.core.errors import DataError, listed
from unipath_bench.encoders.loading import Found, read_state
from unipath_bench.encoders.pretrained import EncoderLoader, PretrainedJoint

if TYPE_CHECKING:
    import torch

_CONTEXT = 128
"""Tokens of a text; CONCH keeps the last place for its class token."""


class ConchEncoder(PretrainedJoint):
    """CONCH, loaded by the package ``conch``.

    Its features are the ``projected`` ones in the space shared with texts, or the image tower's own ``pooled`` ones.
    """

    package = ("conch", "pip install git+https://github.com/Mahmoodlab/CONCH.git")

    def _load(self, found: Found) -> None:
        conch = import_module("conch.open_clip_custom")
        model = conch.create_model_from_pretrained(
            self.spec.architecture, checkpoint_path=str(found.weights), return_transform=False
        )
        # The package fills what fits and says nothing of the rest.
        absent = [
            key
            for key in model.load_state_dict(read_state(found.weights), strict=False).missing_keys
            if key.startswith(("visual.", "text."))
        ]
        if absent:
            raise DataError(
                f"The weights of {self.spec.name} lack:\n{listed(absent, 5)}", "Fetch the pinned file again."
            )
        self.model = self._ready(model)
        self.tokenizer: Any = conch.get_tokenizer()
        self.context_length = _CONTEXT

    def _images(self, pixels: torch.Tensor) -> torch.Tensor:
        projected = self.spec.pooling == "projected"
        features: torch.Tensor = self.model.encode_image(pixels, proj_contrast=projected, normalize=False)
        return features

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) + 1 for ids in self.tokenizer(list(texts))["input_ids"]]

    def _texts(self, texts: Sequence[str]) -> torch.Tensor:
        import torch

        tokens = self.tokenizer(
            list(texts),
            max_length=_CONTEXT - 1,
            padding="max_length",
            truncation=True,
            return_token_type_ids=False,
            return_tensors="pt",
        )["input_ids"]
        padded = torch.nn.functional.pad(tokens, (0, 1), value=self.tokenizer.pad_token_id)
        features: torch.Tensor = self.model.encode_text(padded.to(self.device), normalize=False)
        return features


LOADER = EncoderLoader(ConchEncoder, poolings=("projected", "pooled"), joint=("projected",))
