"""A tiny checkpoint in the released layout, and its conversion, made once.

Model code is imported in the fixtures: tests that need none do not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from tests.reference_model.transcription import Sizes, Weights


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclass(frozen=True)
class Released:
    """A checkpoint in the released layout, and the pipeline that it was converted to."""

    sizes: Sizes
    weights: Weights
    source: Path
    converted: Path


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    from reference_model.convert import convert
    from tests.reference_model.released_layout import (
        VAE_PREFIX,
        configuration,
        small_autoencoder,
        tokenizer_of,
        write_checkpoint,
    )
    from tests.reference_model.transcription import Sizes, random_weights

    sizes = Sizes()
    weights = random_weights(sizes)
    torch.manual_seed(5)
    autoencoder = small_autoencoder(sizes).state_dict()
    folder = tmp_path_factory.mktemp("released")
    tokenizer = tokenizer_of(("solid sheets of tumour cells , glands with necrosis and mitoses",))
    write_checkpoint(folder / "source", weights | {VAE_PREFIX + k: v for k, v in autoencoder.items()}, tokenizer)
    convert(folder / "source", folder / "converted", config=configuration(sizes), shard_bytes=20_000)
    return Released(sizes, weights, folder / "source", folder / "converted")
