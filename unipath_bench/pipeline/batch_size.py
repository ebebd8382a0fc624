"""How many images one call of the generator is asked for: backs off where memory runs out, and remembers.

The batch size never changes an image, so it is no part of a record.
"""

from __future__ import annotations

import gc
import json
import sys

from unipath_bench.core.errors import BenchError, UsageError
from unipath_bench.core.files import write_text
from unipath_bench.core.parsing import parse_json
from unipath_bench.pipeline.plan import Plan
from unipath_bench.pipeline.store import Store

DEFAULT = 8


class BatchSize:
    """The user's choice, else what this store remembers for the generator and kind of device, else 8."""

    def __init__(self, store: Store, plan: Plan, chosen: int | None = None) -> None:
        kind = plan.options.device.partition(":")[0]
        self._memory = store.root / "batch-sizes" / f"{plan.model_digest[:16]}-{kind}.json"
        self.size = chosen or self._remembered()

    def back_off(self, asked: int, error: BenchError) -> bool:
        """Halve the size where ``error`` says that memory ran out; returns whether it is worth another try.

        It is not where ``asked``, the number of images asked for, is one.
        """
        if asked < 2 or not _out_of_memory(error.__cause__):
            return False
        self.size = asked // 2
        write_text(self._memory, json.dumps({"size": self.size}) + "\n")
        _release()
        return True

    def _remembered(self) -> int:
        if not self._memory.exists():
            return DEFAULT
        try:
            size = parse_json(self._memory.read_bytes())["size"]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{self._memory} is not a batch size: {error}", "Delete this file.") from error
        if not isinstance(size, int) or size < 1:
            raise UsageError(f"{self._memory} holds the batch size {size!r}.", "Delete this file.")
        return size


def _out_of_memory(cause: BaseException | None) -> bool:
    """Python's, CUDA's and ROCm's (``torch.OutOfMemoryError``) or, as Apple's says it, a ``RuntimeError``."""
    if isinstance(cause, MemoryError) or type(cause).__name__ == "OutOfMemoryError":
        return True
    return isinstance(cause, RuntimeError) and "out of memory" in str(cause).lower()


def _release() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
