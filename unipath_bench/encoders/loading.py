"""Finding weights on this machine, and refusing those that are not the pinned ones.

Encoders never download. A run uses what is on the machine already, online and offline alike; where something is not
there, :meth:`missing` of the encoder prints the one command that fetches it. Searched are, in this order: the path that
a specification names; the folder ``$UNIPATH_BENCH_WEIGHTS``; the usual cache (Hugging Face's or torch hub's). A pinned
weights file is hashed when it is loaded and must be the pinned one, so an encoder's card names the numbers that were
used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unipath_bench.contracts import Context
from unipath_bench.core.digest import digest_file
from unipath_bench.core.errors import DataError, MissingError
from unipath_bench.encoders.spec import EncoderSpec

if TYPE_CHECKING:
    import torch

WEIGHTS_VARIABLE = "UNIPATH_BENCH_WEIGHTS"
"""Environment variable: a folder of weights that users placed themselves."""


@dataclass(frozen=True)
class Found:
    """Where an encoder's files lie on this machine."""

    folder: Path
    weights: Path
    place: str
    """In words: which of the places that are searched."""


def weights_folder() -> Path | None:
    """The folder named by ``UNIPATH_BENCH_WEIGHTS``; None where it is not set."""
    value = os.environ.get(WEIGHTS_VARIABLE)
    return Path(value).expanduser() if value else None


def find(spec: EncoderSpec, cache_dir: Path | None = None) -> Found | None:
    """Where the weights and every other file of ``spec`` lie; None where one is lacking. Reaches for no network.

    A specification's own ``path`` is the only place where it is given. Otherwise: ``$UNIPATH_BENCH_WEIGHTS/NAME/``, the
    file ``$UNIPATH_BENCH_WEIGHTS/NAME.SUFFIX`` (or under its published name) where no other file is needed, then the
    cache of the hub at the pinned revision, or torch hub's for a file that is published at a URL.
    """
    if spec.path is not None:
        path = spec.path.expanduser()
        return _in_file(spec, path, "path") if path.is_file() else _in_folder(spec, path, "path")
    own = weights_folder()
    if own is not None:
        for found in (
            _in_folder(spec, own / spec.name, WEIGHTS_VARIABLE),
            _in_file(spec, own / f"{spec.name}{Path(spec.weights).suffix}", WEIGHTS_VARIABLE),
            _in_file(spec, own / spec.weights, WEIGHTS_VARIABLE) if spec.url else None,
        ):
            if found is not None:
                return found
    if spec.url:
        return _in_file(spec, _torch_checkpoints() / spec.weights, "torch hub cache")
    return _in_hub_cache(spec, cache_dir) if spec.hub_id and spec.revision else None


def remedy(spec: EncoderSpec) -> str:
    """How to get files that :func:`find` did not find; for a gated model with its licence page and token."""
    if spec.path is not None:
        needed = ", ".join(file for file in (spec.weights, *spec.files) if file) or "the weights file"
        return f"{spec.path} must be the weights file, or a folder with {needed}. Correct the path."
    own = weights_folder()
    if spec.url:
        place = (own or _torch_checkpoints()) / spec.weights
        return (
            f"Download it (on any machine) and place it as {_shown(place)}:\n"
            f"  curl -L --create-dirs -o {_shown(place)} {spec.url}\n"
            f"Or set {WEIGHTS_VARIABLE} to the folder that holds {spec.weights}."
        )
    steps = ["Fetch it once; runs never download by themselves:"]
    if spec.gated:
        steps = [
            f"This model is gated. Accept its licence at https://huggingface.co/{spec.hub_id}, make an "
            "access token with read permission at https://huggingface.co/settings/tokens, and set it as "
            "HF_TOKEN (or use `hf auth login`). Then:"
        ]
    place_shown = _shown(own / spec.name) if own is not None else f"${WEIGHTS_VARIABLE}/{spec.name}"
    steps += [f"  {command}" for command in _fetching(spec, place_shown)]
    if spec.revision is None:
        return "\n".join([*steps, "Or state the full commit as `revision`: the cache is then searched at that commit."])
    return "\n".join([*steps, f"For a machine without network, copy these files to {place_shown}."])


def check_digest(path: Path, sha256: str) -> None:
    """Raise :class:`DataError` where a weights file is not the pinned one."""
    found = digest_file(path)
    if found != sha256:
        raise DataError(
            f"{path} is not the pinned weights file: its SHA-256 is {found}, expected {sha256}.",
            "Delete it and fetch it again: it is another version, or a broken download.",
        )


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name from a safetensors file, or from a pickle read with ``weights_only=True``; on the CPU.

    A training checkpoint's ``state_dict`` is taken out of it, and the prefix that data-parallel training leaves on
    every name (``module.``) is dropped.
    """
    import torch

    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path, device="cpu")
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    inner = state.get("state_dict")
    state = inner if isinstance(inner, dict) else state
    if state and all(key.startswith("module.") for key in state):
        return {key.removeprefix("module."): value for key, value in state.items()}
    return state


def torch_device(context: Context) -> torch.device:
    """The device that the run asks for; raises :class:`MissingError` where this machine has none such."""
    import torch

    device = torch.device(context.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MissingError(f"The device {context.device!r} is not there: torch finds no GPU.", "Use --device cpu.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise MissingError("The device 'mps' is not there.", "Use --device cpu.")
    return device


@contextmanager
def exact_inference() -> Iterator[None]:
    """No gradients, no TF32 and no benchmarked convolution algorithms, inside this block only."""
    import torch

    with (
        torch.inference_mode(),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        yield


def _in_folder(spec: EncoderSpec, folder: Path, place: str) -> Found | None:
    if spec.weights and all((folder / file).is_file() for file in (spec.weights, *spec.files)):
        return Found(folder, folder / spec.weights, place)
    return None


def _in_file(spec: EncoderSpec, path: Path, place: str) -> Found | None:
    return Found(path.parent, path, place) if path.is_file() and not spec.files else None


def _in_hub_cache(spec: EncoderSpec, cache_dir: Path | None) -> Found | None:
    from huggingface_hub import try_to_load_from_cache

    def cached(file: str, revision: str | None) -> Path | None:
        path = try_to_load_from_cache(spec.hub_id, file, cache_dir=cache_dir, revision=revision)
        return Path(path) if isinstance(path, str) else None

    paths = [cached(file, spec.revision) for file in (spec.weights, *spec.files)]
    paths += [cached(file, "main") for file in spec.asked_on_main]
    if paths[0] is None or any(path is None for path in paths):
        return None
    return Found(paths[0].parent, paths[0], "hub cache")


def _fetching(spec: EncoderSpec, place: str) -> list[str]:
    files = " ".join((spec.weights, *spec.files))
    if spec.revision is None:
        commands = [f"hf download {spec.hub_id} {files} --local-dir {place}"]
    else:
        commands = [f"hf download {spec.hub_id} {files} --revision {spec.revision}"]
    if spec.asked_on_main:
        commands.append(f"hf download {spec.hub_id} {' '.join(spec.asked_on_main)}")
    return commands


def _torch_checkpoints() -> Path:
    """Where ``torch.hub`` keeps checkpoints, by its documented rule, without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", str(Path(cache) / "torch"))
    return Path(home).expanduser() / "hub" / "checkpoints"


def _shown(path: Path) -> str:
    """A path under the home folder with ``~``: remedies go into records, which should not depend on who ran them."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
