"""What the numbers were computed with."""

from __future__ import annotations

import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version

from unipath_bench.schema.record import Environment

_PACKAGES = (
    "unipath-bench",
    "diffusers",
    "numpy",
    "open_clip_torch",
    "pillow",
    "pyarrow",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "timm",
    "torch",
    "torch-fidelity",
    "torchmetrics",
    "torchvision",
    "transformers",
)


def describe_environment(device: str) -> Environment:
    """Versions and machine; the same on every call on one machine."""
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        machine=platform.machine(),
        device=device,
        packages=package_versions(),
    )


def package_versions() -> dict[str, str]:
    """Version of each package that can move a number; 'absent' where it is not installed."""
    return {name: _version(name) for name in _PACKAGES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def peak_memory_mib() -> float:
    """Largest resident set of this process so far, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform != "darwin" else 1024**2)
