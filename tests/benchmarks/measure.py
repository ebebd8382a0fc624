"""Peak memory of one call, on Linux."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"


def _kilobytes(field: str) -> int:
    for line in STATUS.read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise LookupError(field)


def peak_megabytes(call: Callable[[], object]) -> float | None:
    """Largest resident memory during ``call`` above that before it, in MB; None where the kernel does not
    tell.
    """
    if not CLEAR.exists():
        return None
    gc.collect()
    # Memory that was freed but kept by the allocator would hide what the call asks for.
    ctypes.CDLL(None).malloc_trim(0)
    CLEAR.write_text(RESET_PEAK)
    before = _kilobytes("VmRSS")
    call()
    return (_kilobytes("VmHWM") - before) / 1024
