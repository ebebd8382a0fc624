"""What every metric asks of its inputs: two-dimensional, floating, finite, enough rows; else a ``ValueError``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

FloatArray: TypeAlias = npt.NDArray[np.floating]
Float64Array: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.integer]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
Features: TypeAlias = "FloatArray | torch.Tensor"
Keys: TypeAlias = "IntArray | torch.Tensor | Sequence[int]"

FINITE_CHECK_ROWS = 1024


def as_tensor(x: Features, name: str) -> torch.Tensor:
    """View of ``x`` as a floating tensor on its own device, without a copy where the type allows it.

    float32 and float64 stay as they are; float16 and bfloat16 become float32.
    """
    if isinstance(x, torch.Tensor):
        tensor = x.detach()
    elif isinstance(x, np.ndarray):
        if x.dtype.kind != "f":
            raise ValueError(f"{name}: dtype {x.dtype} is not floating")
        if x.dtype == np.float16:
            x = x.astype(np.float32)
        if x.dtype not in (np.float32, np.float64):
            raise ValueError(f"{name}: dtype {x.dtype} is not float32 or float64")
        if not x.dtype.isnative or any(stride < 0 for stride in x.strides):
            x = np.ascontiguousarray(x, dtype=x.dtype.newbyteorder("="))
        with warnings.catch_warnings():
            # Inputs are never written to, so a read-only array (a memory map) needs no copy.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            tensor = torch.from_numpy(x)
    else:
        raise ValueError(f"{name}: a numpy array or a torch tensor is needed, not {type(x).__name__}")
    if not tensor.dtype.is_floating_point:
        raise ValueError(f"{name}: dtype {tensor.dtype} is not floating")
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def check_finite(tensor: torch.Tensor, name: str) -> None:
    """Raise ``ValueError`` naming the first row that holds NaN or infinity."""
    for start, block in row_blocks(tensor, FINITE_CHECK_ROWS):
        # A finite sum proves finite terms; a sum that overflowed is looked at term by term.
        if not bool(torch.isfinite(block.sum())):
            finite = torch.isfinite(block).reshape(len(block), -1).all(1)
            if not bool(finite.all()):
                row = start + int(torch.nonzero(~finite)[0])
                raise ValueError(f"{name}: row {row} holds NaN or infinity")


def as_matrix(x: Features, name: str, *, minimum_rows: int = 1) -> torch.Tensor:
    """``x`` as a finite floating tensor of shape (n, D), n >= ``minimum_rows``, D >= 1."""
    tensor = as_tensor(x, name)
    if tensor.ndim != 2:
        raise ValueError(f"{name}: shape {tuple(tensor.shape)}, but (samples, dimensions) is needed")
    if tensor.shape[1] < 1:
        raise ValueError(f"{name}: features have no dimension")
    if len(tensor) < minimum_rows:
        raise ValueError(f"{name}: {len(tensor)} rows, but at least {minimum_rows} are needed")
    check_finite(tensor, name)
    return tensor


def as_matrix_pair(
    x: Features, y: Features, names: tuple[str, str] = ("x", "y"), *, minimum_rows: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Two matrices of equal width on one device; the wider dtype of the two for both is left to the caller."""
    a = as_matrix(x, names[0], minimum_rows=minimum_rows)
    b = as_matrix(y, names[1], minimum_rows=minimum_rows)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{names[0]} has {a.shape[1]} dimensions, {names[1]} has {b.shape[1]}")
    if a.device != b.device:
        raise ValueError(f"{names[0]} lies on {a.device}, {names[1]} on {b.device}")
    return a, b


def as_codes(x: Keys, name: str, length: int | None = None) -> npt.NDArray[np.int64]:
    """One-dimensional integer codes as int64; ``length`` is checked where given."""
    array = x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
    if array.ndim != 1:
        raise ValueError(f"{name}: shape {array.shape}, but one dimension is needed")
    if array.size and array.dtype.kind not in "iub":
        raise ValueError(f"{name}: dtype {array.dtype} is not an integer type")
    if length is not None and len(array) != length:
        raise ValueError(f"{name}: {len(array)} entries, but {length} are needed")
    return array.astype(np.int64)


def as_values(x: FloatArray | torch.Tensor | Sequence[float], name: str, *, minimum: int = 1) -> Float64Array:
    """One-dimensional finite numbers as float64."""
    array = x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
    if array.ndim != 1:
        raise ValueError(f"{name}: shape {array.shape}, but one dimension is needed")
    if array.size and array.dtype.kind not in "fiub":
        raise ValueError(f"{name}: dtype {array.dtype} is not numeric")
    values = array.astype(np.float64)
    if len(values) < minimum:
        raise ValueError(f"{name}: {len(values)} values, but at least {minimum} are needed")
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: entry {int(np.flatnonzero(~np.isfinite(values))[0])} is NaN or infinite")
    return values


def check_count(value: int, name: str, *, minimum: int = 1) -> int:
    """An integer of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name}: {value!r} is not an integer")
    if value < minimum:
        raise ValueError(f"{name}: {value} is below {minimum}")
    return int(value)


def row_blocks(tensor: torch.Tensor, rows: int) -> Iterator[tuple[int, torch.Tensor]]:
    """(first row, block) over consecutive blocks of at most ``rows`` rows."""
    for start in range(0, len(tensor), rows):
        yield start, tensor[start : start + rows]


def unit_rows(tensor: torch.Tensor, name: str) -> torch.Tensor:
    """Rows divided by their Euclidean norms, in float64; a zero row is a ``ValueError``."""
    rows = tensor.double()
    scale = rows.abs().amax(1, keepdim=True)
    if bool((scale == 0).any()):
        raise ValueError(f"{name}: row {int(torch.nonzero(scale[:, 0] == 0)[0])} is zero and has no direction")
    rows = rows / scale
    return rows.div_(rows.square().sum(1, keepdim=True).sqrt_())
