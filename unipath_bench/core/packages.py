"""Versions of the packages that numbers are computed with."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

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


def package_versions() -> dict[str, str]:
    """Version of each package that can move a number; 'absent' where it is not installed."""
    return {name: _version(name) for name in _PACKAGES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
