"""How many threads the libraries below use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def thread_pools() -> ThreadpoolController:
    """Return the thread pools of the libraries loaded by the first call, numpy's and scipy's BLAS among them.

    Finding them takes milliseconds.

    Examples:
        They are looked for once.

        >>> thread_pools() is thread_pools()
        True
    """
    return ThreadpoolController()


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let torch work on one thread inside the block.

    Sums that are split over threads differ in the last bit. And where torch's small steps take turns with products of
    BLAS, its threads wait by spinning, in the way of those of BLAS: on two cores they cost half of the time.

    Examples:
        The number of threads is as before afterwards.

        >>> import torch
        >>> before = torch.get_num_threads()
        >>> with one_torch_thread():
        ...     torch.get_num_threads()
        1
        >>> torch.get_num_threads() == before
        True
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
