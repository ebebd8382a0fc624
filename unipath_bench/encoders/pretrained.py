"""What every pretrained encoder shares: finding, checking and loading its weights, and feeding its network."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from unipath_bench.contracts import Context, ImageEncoder, TextEncoder
from unipath_bench.core.arrays import Features, RGBBatch
from unipath_bench.core.digest import digest_file
from unipath_bench.core.errors import DataError, MissingError
from unipath_bench.encoders.loading import (
    Found,
    check_digest,
    exact_inference,
    find,
    remedy,
    torch_device,
)
from unipath_bench.encoders.resizing import network_input
from unipath_bench.encoders.spec import EncoderSpec

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class EncoderLoader:
    """Who builds encoders of one kind from their specifications.

    Reading any specification of that kind imports the module that holds it, so that module imports no heavy package
    before an encoder is loaded.
    """

    open: Callable[[EncoderSpec], Pretrained]
    """The encoder of a specification, not loaded."""
    poolings: tuple[str, ...]
    """What :attr:`EncoderSpec.pooling` may be."""
    joint: tuple[str, ...] = ()
    """The poolings whose features lie in a space shared with texts."""
    runs_code: bool = False
    """Whether it runs code of the repository, which it may at a full commit only."""


class Pretrained(ImageEncoder):
    """An image encoder made of an :class:`EncoderSpec`; subclasses know one loader each, and no model by name."""

    package: ClassVar[tuple[str, str] | None] = None
    """(module, how to install it) of an optional package that the loader needs."""
    rounded: ClassVar[bool] = True
    """Whether pixels are rounded to whole numbers after resizing."""

    def __init__(self, spec: EncoderSpec) -> None:
        self.spec = spec
        # Weights that the specification does not pin are hashed for the card, where they are at hand.
        found = find(spec) if spec.sha256 is None else None
        self.card = spec.card(None if found is None else digest_at_hand(found.weights))

    def missing(self, context: Context) -> str | None:
        """Return what to install or fetch before the network can load; None where nothing is missing.

        The package and the local files are looked at in this order.
        """
        if self.package is not None and find_spec(self.package[0]) is None:
            module, command = self.package
            who = self.spec.title or self.spec.name
            return f"{who} needs the package {module}, which is not installed:\n  {command}"
        return None if find(self.spec, context.cache_dir) is not None else remedy(self.spec)

    def setup(self, context: Context) -> None:
        """Load the network from local files.

        Raises :class:`MissingError` where they are not there, ``DataError`` where the weights are not the
        pinned ones or do not fit the network.
        """
        lacking = self.missing(context)
        found = find(self.spec, context.cache_dir)
        if lacking is not None or found is None:
            what = self.spec.hub_id or self.spec.title or self.spec.name
            raise MissingError(f"{what} is not on this machine, or may not be used yet.", lacking or remedy(self.spec))
        if self.spec.sha256 is not None:
            check_digest(found.weights, self.spec.sha256)
        elif self.card.revision != f"sha256:{digest_file(found.weights)}":
            raise DataError(
                f"{found.weights} is not the file that was there when {self.spec.name} was opened.",
                "Run the command again, and leave the file alone while it runs.",
            )
        self.device = torch_device(context)
        self._load(found)

    def embed_images(self, images: RGBBatch) -> Features:
        """Resize and normalise images by the card and embed them: uint8 (B, H, W, 3) to float32 (B, D)."""
        import torch

        with exact_inference():
            pixels = torch.from_numpy(self._prepared(images)).to(self.device)
            return _numpy(self._images(pixels))

    def _prepared(self, images: RGBBatch) -> Any:
        return network_input(images, self.card, self.spec.resize_to, rounded=self.rounded)

    def _ready(self, network: torch.nn.Module) -> Any:
        """The network on the run's device, in float32 and in evaluation mode."""
        import torch

        return network.to(self.device, torch.float32).eval()

    def _fill(
        self, network: torch.nn.Module, state: Mapping[str, torch.Tensor], ignored: Collection[str] = ()
    ) -> torch.nn.Module:
        """Put ``state`` into ``network``; every name must match, ``ignored`` ones of the file excepted."""
        kept = {key: value for key, value in state.items() if key not in ignored}
        try:
            network.load_state_dict(kept, strict=True)
        except RuntimeError as error:
            raise DataError(
                f"The weights of {self.spec.name} do not fit its network: {_briefly(error)}",
                "Compare architecture and options with the model's own card; "
                f"`unipath-bench encoders show {self.spec.name}` prints them.",
            ) from error
        return network

    @abstractmethod
    def _load(self, found: Found) -> None:
        """Build the network, fill it and keep it; ``self.device`` is set."""

    @abstractmethod
    def _images(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32 (B, 3, S, S) to features (B, D)."""


class PretrainedJoint(Pretrained, TextEncoder):
    """A joint encoder of images and texts.

    Texts longer than the network's context are cut there, as the published models do, with a warning that counts them.
    """

    context_length: int

    def embed_texts(self, texts: Sequence[str]) -> Features:
        """Embed B texts to float32 (B, D), with a warning where texts are cut at ``context_length`` tokens."""
        lengths = self._lengths(texts)
        cut = sum(length > self.context_length for length in lengths)
        if cut:
            warnings.warn(
                f"{self.card.name}: {cut} of {len(texts)} texts are longer than {self.context_length} tokens "
                f"and are cut there; the longest has {max(lengths)}.",
                stacklevel=2,
            )
        with exact_inference():
            return _numpy(self._texts(texts))

    @abstractmethod
    def _lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text before cutting, start and end included."""

    @abstractmethod
    def _texts(self, texts: Sequence[str]) -> torch.Tensor:
        """B strings to features (B, D)."""


def digest_at_hand(path: Path) -> str:
    """SHA-256 of a file, computed once a process for each size and time of change."""
    status = path.stat()
    return _digest(path.resolve(), status.st_size, status.st_mtime_ns)


@cache
def _digest(path: Path, _size: int, _changed: int) -> str:
    return digest_file(path)


def pool_tokens(tokens: torch.Tensor, prefix: int, pooling: str) -> torch.Tensor:
    """Pool tokens (B, T, C), of which the first ``prefix`` are the class token and registers.

    The result is (B, C) for ``class``, and (B, 2C) for ``class+patch-mean``.
    """
    import torch

    if pooling == "class":
        return tokens[:, 0]
    return torch.cat([tokens[:, 0], tokens[:, prefix:].mean(1)], dim=1)


def _numpy(features: torch.Tensor) -> Features:
    result: Features = features.float().cpu().numpy()
    return result


def _briefly(error: RuntimeError) -> str:
    return " ".join(str(error).split())[:400]
