"""Finding weights on this machine, and refusing those that are not the pinned ones.

Encoders never download. A run uses what is on the machine already, online and offline alike; where something
is not there, :meth:`missing` of the encoder prints the one command that fetches it. Two places are searched:
the folder named by the environment variable ``UNIPATH_BENCH_WEIGHTS``, then the usual cache (torch hub's or
Hugging Face's). The weights file is hashed when it is loaded and must be the pinned one, so an encoder's card
names the numbers that were used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unipath_bench.contracts import Context
from unipath_bench.digest import digest_file
from unipath_bench.errors import DataError, MissingError

if TYPE_CHECKING:
    import torch

WEIGHTS_VARIABLE = "UNIPATH_BENCH_WEIGHTS"
"""Environment variable: a folder of weights that users placed themselves."""


@dataclass(frozen=True)
class WeightsFile:
    """One file published at a URL."""

    filename: str
    sha256: str
    url: str


@dataclass(frozen=True)
class HubFiles:
    """Files of a Hugging Face repository at a pinned commit."""

    hub_id: str
    revision: str
    """Full commit hash."""
    weights: str
    """Name of the weights file: ``*.safetensors``, or a pickle that loads with ``weights_only``."""
    sha256: str
    """Of the weights file."""
    others: tuple[str, ...] = ()
    """Configuration and tokenizer files that are read too."""
    gated: bool = False


def weights_folder() -> Path | None:
    """The folder named by ``UNIPATH_BENCH_WEIGHTS``; None where it is not set."""
    value = os.environ.get(WEIGHTS_VARIABLE)
    return Path(value).expanduser() if value else None


def find_weights(file: WeightsFile) -> Path | None:
    """The file in ``$UNIPATH_BENCH_WEIGHTS`` or torch hub's ``checkpoints``; None where it is in neither."""
    for folder in (weights_folder(), _torch_checkpoints()):
        if folder is not None and (folder / file.filename).is_file():
            return folder / file.filename
    return None


def weights_remedy(file: WeightsFile) -> str:
    """How to get a file that :func:`find_weights` did not find."""
    folder = weights_folder() or _torch_checkpoints()
    return (
        f"Download it (on any machine) and place it as {_shown(folder / file.filename)}:\n"
        f"  curl -L --create-dirs -o {_shown(folder / file.filename)} {file.url}\n"
        f"Or set {WEIGHTS_VARIABLE} to the folder that holds {file.filename}."
    )


def find_hub_files(files: HubFiles, name: str, cache_dir: Path | None = None) -> Path | None:
    """The folder with every file: ``$UNIPATH_BENCH_WEIGHTS/<name>``, or the Hugging Face cache at the
    revision.

    None where a file is lacking in both. Reaches for no network.
    """
    from huggingface_hub import try_to_load_from_cache

    wanted = (files.weights, *files.others)
    own = weights_folder()
    if own is not None and all((own / name / f).is_file() for f in wanted):
        return own / name
    cached = [try_to_load_from_cache(files.hub_id, f, cache_dir=cache_dir, revision=files.revision) for f in wanted]
    paths = [Path(path) for path in cached if isinstance(path, str)]
    return paths[0].parent if len(paths) == len(wanted) else None


def hub_remedy(files: HubFiles, name: str) -> str:
    """How to get files that are not there; for a gated model with its licence page and token."""
    names = " ".join((files.weights, *files.others))
    command = f"hf download {files.hub_id} {names} --revision {files.revision}"
    steps = ["Fetch it once; runs never download by themselves:"]
    if files.gated:
        steps = [
            f"This model is gated. Accept its licence at https://huggingface.co/{files.hub_id}, make an "
            "access token with read permission at https://huggingface.co/settings/tokens, and set it as "
            "HF_TOKEN (or use `hf auth login`). Then:"
        ]
    folder = weights_folder()
    place = _shown(folder / name) if folder is not None else f"${WEIGHTS_VARIABLE}/{name}"
    return "\n".join([*steps, f"  {command}", f"For a machine without network, copy these files to {place}."])


def check_digest(path: Path, sha256: str) -> None:
    """Raise :class:`DataError` where a weights file is not the pinned one."""
    found = digest_file(path)
    if found != sha256:
        raise DataError(
            f"{path} is not the pinned weights file: its SHA-256 is {found}, expected {sha256}.",
            "Delete it and fetch it again: it is another version, or a broken download.",
        )


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name from a safetensors file, or from a pickle read with ``weights_only=True``; on the CPU."""
    import torch

    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path, device="cpu")
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
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


def _torch_checkpoints() -> Path:
    """Where ``torch.hub`` keeps checkpoints, by its documented rule, without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", str(Path(cache) / "torch"))
    return Path(home).expanduser() / "hub" / "checkpoints"


def _shown(path: Path) -> str:
    """A path under the home folder with ``~``: remedies go into records, which should not depend on who ran them."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
