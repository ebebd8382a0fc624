"""``python -m reference_model.convert SRC DST``: a released UniPath checkpoint to the pipeline's layout.

Every key is accounted for and every shape is checked against the configuration on the meta device before anything is
written. Then tensors are read one by one out of the shards and written where they belong: memory holds one tensor.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import AutoTokenizer

from reference_model import full_size
from reference_model.bank import import_rag
from reference_model.checkpoint_layout import Component, Plan, Shape, Shapes, plan
from reference_model.pipeline import BANK_FOLDER, UniPathPipeline
from reference_model.shard_writer import BYTES, Entry, ShardWriter
from unipath_bench import BenchError, DataError, MissingError, UsageError
from unipath_bench.core.console import Console, ConsoleHandler

log = logging.getLogger("reference_model")
SHARD_BYTES = 4 << 30
INDEX = "model.safetensors.index.json"
DTYPES = {"float32": ("F32", torch.float32), "float16": ("F16", torch.float16), "bfloat16": ("BF16", torch.bfloat16)}
_FLOATS = ("F64", "F32", "F16", "BF16")


def convert(
    source: Path,
    destination: Path,
    *,
    bank: Path | None = None,
    vae: Path | None = None,
    dtype: str | None = None,
    config: Mapping[str, Mapping[str, Any]] | None = None,
    upstream_compat: bool = True,
    shard_bytes: int = SHARD_BYTES,
) -> Plan:
    """Write the pipeline of the checkpoint in ``source`` to ``destination``, a new or empty folder.

    ``bank``: a prototype bank in the layout of ``RAG_8K``. ``vae``: the folder of Stable Diffusion 3.5's autoencoder,
    where the checkpoint holds none. ``dtype``: of the weights, the checkpoint's own where None. ``config``: changes
    to the full-size configuration by component, and to the settings of :class:`UniPathPipeline` under ``pipeline``.
    ``upstream_compat`` is recorded, and so is ``vae_shift: upstream``, which the released weights were trained with.

    Raises :class:`~unipath_bench.BenchError` where something is missing or does not fit.
    """
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise UsageError(f"{destination} is not empty.", "Name a new folder.")
    if dtype is not None and dtype not in DTYPES:
        raise UsageError(f"dtype={dtype!r} is unknown.", f"Choose one of {', '.join(DTYPES)}.")
    changes = _checked(config or {})
    headers = {path: read_header(path) for path in find_shards(source)}
    found = {key: shape for header in headers.values() for key, (_, shape) in header.items()}
    models = _shapes(changes, found).on_meta()
    planned = plan(found, models)
    if planned.has_vae == (vae is not None):
        raise _autoencoder_error(planned.has_vae)
    if vae is not None:
        models["vae"] = AutoencoderKL.from_pretrained(vae, torch_dtype=DTYPES[dtype][1] if dtype else None)
    settings = {"vae_shift": "upstream", "upstream_compat": upstream_compat, **changes.get("pipeline", {})}
    pipeline = _pipeline(source, models, settings)

    _write_configurations(pipeline, models, destination)
    if vae is not None:
        models["vae"].save_pretrained(destination / "vae")  # type: ignore[operator]
    _stream(headers, planned, destination, dtype, shard_bytes)
    if bank is not None:
        import_rag(bank, destination / BANK_FOLDER)
    # Last: a folder without it is no pipeline, so a conversion that was cut short cannot be loaded.
    pipeline.save_config(destination)
    log.info(
        "%d tensors written, %d dropped: %s", len(planned.targets), len(planned.dropped), ", ".join(planned.dropped)
    )
    return planned


def find_shards(source: Path) -> list[Path]:
    """The safetensors files of a checkpoint, by its index where it has one.

    Raises :class:`~unipath_bench.MissingError` for files that are not there, :class:`~unipath_bench.DataError` where
    the index and the files disagree.
    """
    index = source / INDEX
    if not index.is_file():
        single = source / "model.safetensors"
        if not single.is_file():
            raise MissingError(
                f"{source} holds neither {INDEX} nor model.safetensors.",
                "Name the folder of the downloaded checkpoint.",
            )
        return [single]
    where: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    shards = [source / name for name in sorted(set(where.values()))]
    absent = [path.name for path in shards if not path.is_file()]
    if absent:
        raise MissingError(f"{source} lacks {', '.join(absent)}.", "Download the checkpoint again; downloads resume.")
    held = {key: path.name for path in shards for key in read_header(path)}
    wrong = sorted(key for key in {*where, *held} if where.get(key) != held.get(key))
    if wrong:
        raise DataError(
            f"{INDEX} and the files disagree about {len(wrong)} tensors, e.g. {', '.join(wrong[:5])}.",
            "Download the checkpoint again.",
        )
    return shards


def read_header(path: Path) -> dict[str, tuple[str, Shape]]:
    """Type and shape of every tensor in a file, by key; reads no tensor."""
    try:
        with safe_open(path, framework="pt") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118  (no mapping)
            return {key: (str(s.get_dtype()), tuple(s.get_shape())) for key, s in slices.items()}
    except SafetensorError as error:
        raise DataError(f"{path} is no whole safetensors file: {error}", "Download it again.") from error


def _checked(config: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    known = {"pipeline", "scheduler", *(field.name for field in fields(Shapes))}
    unknown = sorted(set(config) - known)
    if unknown:
        raise UsageError(f"The configuration has {', '.join(unknown)}.", f"Its parts are {', '.join(sorted(known))}.")
    return {"scheduler": {}, **config}


def _shapes(changes: Mapping[str, Mapping[str, Any]], found: Mapping[str, Shape]) -> Shapes:
    """The full-size configuration with the changes; the number of queries is the checkpoint's."""
    full = Shapes()
    merged = {f.name: {**getattr(full, f.name), **changes.get(f.name, {})} for f in fields(Shapes)}
    queries = found.get("model.latent_queries", ())
    if len(queries) == 3 and "n_query" not in changes.get("semantic_tokens", {}):
        merged["semantic_tokens"]["n_query"] = queries[1]
    return Shapes(**merged)


def _autoencoder_error(in_checkpoint: bool) -> BenchError:
    if in_checkpoint:
        return UsageError("The checkpoint holds an autoencoder, and --vae names another.", "Leave --vae out.")
    return MissingError(
        "The checkpoint holds no autoencoder.",
        "Name the folder of Stable Diffusion 3.5's: --vae PATH/TO/stable-diffusion-3.5-medium/vae",
    )


def _pipeline(source: Path, models: Mapping[Component, nn.Module], settings: Mapping[str, Any]) -> UniPathPipeline:
    """The pipeline without weights; says whether the parts fit."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)  # nosec B615  # a local folder
    except (OSError, ValueError) as error:
        raise MissingError(f"{source} has no tokenizer that loads: {error}", "It comes with the checkpoint.") from error
    parts: dict[str, Any] = {str(name): model for name, model in models.items()}
    return UniPathPipeline(
        **parts,
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(**full_size.SCHEDULER),
        **{"internal_encoders": list(full_size.INTERNAL_ENCODERS), "licence": full_size.LICENCE, **settings},
    )


def _write_configurations(pipeline: UniPathPipeline, models: Mapping[Component, Any], destination: Path) -> None:
    for name in ("transformer", "semantic_tokens", "prototype_projector", "vae"):
        models[name].save_config(destination / name)
    language = models["language_model"]
    language.config.architectures = [type(language).__name__]
    language.config.save_pretrained(destination / "language_model")
    pipeline.tokenizer.save_pretrained(destination / "tokenizer")
    pipeline.scheduler.save_pretrained(destination / "scheduler")


def _stream(
    headers: Mapping[Path, Mapping[str, tuple[str, Shape]]],
    planned: Plan,
    destination: Path,
    dtype: str | None,
    shard_bytes: int,
) -> None:
    """Every tensor from its shard to its place."""
    entries: dict[Component, list[Entry]] = {}
    for header in headers.values():
        for key, (kind, shape) in header.items():
            if key in planned.targets:
                component, name = planned.targets[key]
                if kind not in BYTES:
                    raise DataError(f"{key} is of type {kind}.", f"The types known are {', '.join(BYTES)}.")
                cast = DTYPES[dtype][0] if dtype and kind in _FLOATS else kind
                entries.setdefault(component, []).append(Entry(name, cast, shape))
    writers = {
        component: ShardWriter(destination / component, _stem(component), listed, shard_bytes)
        for component, listed in entries.items()
    }
    for path, header in headers.items():
        log.info("Reading %s", path.name)
        with safe_open(path, framework="pt") as file:
            for key in header:
                if key in planned.targets:
                    component, name = planned.targets[key]
                    tensor = file.get_tensor(key)
                    if dtype and tensor.is_floating_point():
                        tensor = tensor.to(DTYPES[dtype][1])
                    writers[component].write(name, tensor)
    for writer in writers.values():
        writer.close()


def _stem(component: Component) -> str:
    return "model" if component == "language_model" else "diffusion_pytorch_model"


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m reference_model.convert", description=(__doc__ or "").split(":")[-1]
    )
    parser.add_argument("source", type=Path, metavar="SRC", help="folder of the released checkpoint")
    parser.add_argument("destination", type=Path, metavar="DST", help="new folder for the pipeline")
    parser.add_argument("--bank", type=Path, metavar="RAG_8K", help="prototype bank in the released layout")
    parser.add_argument(
        "--vae", type=Path, metavar="DIR", help="Stable Diffusion 3.5's autoencoder, where SRC has none"
    )
    parser.add_argument("--dtype", choices=DTYPES, help="type of the weights; the checkpoint's own by default")
    parser.add_argument("--config", type=Path, metavar="JSON", help="changes to the full-size configuration")
    parser.add_argument(
        "--upstream-compat",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="record that the pipeline is to do as the released code does where the two differ",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    console = Console(stderr=True)
    logging.basicConfig(level=logging.INFO, handlers=[ConsoleHandler(console)], format="%(message)s")
    given = _arguments(arguments)
    try:
        config = json.loads(given.config.read_text(encoding="utf-8")) if given.config else None
        convert(
            given.source,
            given.destination,
            bank=given.bank,
            vae=given.vae,
            dtype=given.dtype,
            config=config,
            upstream_compat=given.upstream_compat,
        )
    except BenchError as error:
        console.print_line(str(error))
        return error.exit_code
    except OSError as error:
        console.print_line(f"{error}\nCheck the paths and the space on the disk.")
        return MissingError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
