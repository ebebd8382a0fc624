"""The stage of the prototype bank: building it, and finding the prototypes of every training caption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from reference_model.bank import BuildOptions, PrototypeBank, build_bank, load_bank
from reference_model.bank.directions import unit_rows
from reference_model.bank.encoders import Encoder, open_encoder
from reference_model.training.config import BankConfig
from reference_model.training.contexts import NOTHING, Rows
from unipath_bench import Context, Sample, Suite
from unipath_bench.core.arrays import Features
from unipath_bench.core.progress import Progress
from unipath_bench.core.registries import SUITES

_AT_ONCE = 256


def make_bank(config: BankConfig, folder: Path, seed: int, progress: Progress) -> PrototypeBank:
    """The bank in ``folder``, built there unless it was before."""
    if not (folder / "bank.json").is_file():
        options = BuildOptions(
            encoder=config.encoder,
            retrieval=config.retrieval,
            size=config.size,
            seed=seed,
            thumbnail=config.thumbnail,
            least_count=config.least_count,
            most_share=config.most_share,
            rule=config.rule,
        )
        suite = SUITES.get(config.suite.name)(**config.suite.arguments)
        build_bank(suite, folder, options, context=Context(), progress=progress)
    payload = open_encoder(config.encoder, Context())
    retrieval: Encoder | None = payload
    if config.retrieval is not None:
        retrieval = None if config.retrieval == "none" else open_encoder(config.retrieval, Context())
    return load_bank(folder, retrieval=retrieval, payload=payload)


def image_features(
    bank: PrototypeBank, suite: Suite, samples: Sequence[Sample], advance: Callable[[int], None]
) -> Features:
    """What the bank's encoder makes of each sample's image as the suite has it, float32 (N, width)."""
    parts = []
    for start in range(0, len(samples), _AT_ONCE):
        part = samples[start : start + _AT_ONCE]
        parts.append(bank.embed_images([suite.load(sample) for sample in part]))
        advance(len(part))
    return np.concatenate(parts)


def near_prototypes(bank: Features, own: Features, most: int) -> Rows:
    """Of each tile its own row and those of the nearest prototypes by cosine, (N, ``most``), the nearest first.

    Rows count the prototypes ``bank`` (P, width) first and then the tiles ``own`` (N, width).
    """
    cosines = unit_rows(own, "the tiles") @ unit_rows(bank, "the bank").T
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, : most - 1]
    near: Rows = np.column_stack([len(bank) + np.arange(len(own)), nearest]).astype(np.int64)
    return near


def find_prototypes(bank: PrototypeBank, texts: Sequence[str], most: int, advance: Callable[[int], None]) -> Rows:
    """Rows of the bank that it retrieves for each text, (texts, ``most``), :data:`NOTHING` where there are fewer."""
    numbers = {name: row for row, name in enumerate(bank.content.ids)}
    found = np.full((len(texts), most), NOTHING, np.int64)
    for start in range(0, len(texts), _AT_ONCE):
        part = texts[start : start + _AT_ONCE]
        for place, answer in enumerate(bank.retrieve_all(part, limit=most), start=start):
            found[place, : len(answer)] = [numbers[name] for name in answer.ids]
        advance(len(part))
    return found
