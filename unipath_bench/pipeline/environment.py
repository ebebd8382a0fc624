"""What the numbers were computed with."""

from __future__ import annotations

import platform
import resource
import sys

from unipath_bench.core.packages import package_versions
from unipath_bench.schema.record import Environment


def describe_environment(device: str) -> Environment:
    """Versions and machine; the same on every call on one machine."""
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        machine=platform.machine(),
        device=device,
        packages=package_versions(),
    )


def peak_memory_mib() -> float:
    """Largest resident set of this process so far, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform != "darwin" else 1024**2)
