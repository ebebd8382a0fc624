"""Whatever bytes a reader is given, it gives a sound object or an error with a message: soon, and in bounded memory.

A run of the tests tries the same few inputs every time. ``python -m pytest tests/fuzz --fuzz-seconds 3600 --timeout 0``
tries new ones for an hour; what fails is shrunk and printed as bytes, and belongs into a test of its reader beside the
mend.
"""

from __future__ import annotations

import resource
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.fuzz_inputs import inputs
from tests.fuzz.fuzz_targets import TARGETS, Target

pytestmark = pytest.mark.integration

LONGEST = 20
"""Seconds of this process's work for one input of some kilobytes."""
_AT_ONCE = 100
MORE_MEMORY = 3 * 2**30
"""Bytes of address space beyond what the process has before the first input."""


class TooLong(BaseException):
    """No error of ours, and none that a reader could swallow."""


@pytest.fixture(autouse=True, scope="module")
def bounded() -> Iterator[None]:
    """An input that hangs or asks for gigabytes fails instead of stopping the machine."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooLong

    size = Path("/proc/self/statm")
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGPROF, stop)
    if size.exists():
        used = int(size.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MORE_MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGPROF, handler)


def fuzz(target: Target, folder: Path, examples: int, seed: int) -> None:
    """Try ``examples`` inputs; raises what a reader let through, with the smallest input that shows it."""

    @hypothesis.seed(seed)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=inputs(target.seeds(folder)))
    def check(data: bytes) -> None:
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        try:
            target.check(data, folder)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    check()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_reader_reads_or_refuses(target: Target, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    seconds = request.config.getoption("--fuzz-seconds", default=None)
    if seconds is None:
        fuzz(target, tmp_path, target.examples, seed=1)
        return
    end = time.monotonic() + float(seconds) / len(TARGETS)
    tried = 0
    while time.monotonic() < end:
        fuzz(target, tmp_path, _AT_ONCE, seed=secrets.randbits(32))
        tried += _AT_ONCE
    print(f"{target.name}: {tried} inputs")


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_reader_takes_a_sound_document(target: Target, tmp_path: Path) -> None:
    """Else the fuzzers would knock at a closed door."""
    sound = 0
    for data in target.seeds(tmp_path):
        try:
            target.check(data, tmp_path)
            target.read(data, tmp_path)
        except Exception:
            continue
        sound += 1
    assert sound
