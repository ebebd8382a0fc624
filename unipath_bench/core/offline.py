"""Keeping libraries from the network, for what a contract cannot reach."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

_VARIABLE = "HF_HUB_OFFLINE"


@contextmanager
def without_hub(offline: bool) -> Iterator[None]:
    """Within it, where ``offline``, the Hugging Face libraries of this process and of those it starts ask no server.

    Everything of this project asks :attr:`Context.offline <unipath_bench.Context>`; this is for the code of others.
    """
    if not offline:
        yield
        return
    from huggingface_hub import constants  # Reads the variable once, so it is imported before that is set.

    with patch.dict(os.environ, {_VARIABLE: "1"}), patch.object(constants, _VARIABLE, True):
        yield
