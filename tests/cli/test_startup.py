"""What is typed often starts at once: no heavy package is loaded for a help page or a list."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

HEAVY = "torch transformers diffusers mlflow sklearn scipy ray matplotlib"


@pytest.mark.parametrize("arguments", [("--help",), ("list", "models"), ("list", "tasks")], ids=" ".join)
def test_help_and_lists_load_no_heavy_package(arguments: tuple[str, ...]) -> None:
    code = (
        "import sys; from unipath_bench.cli.app import invoke; assert invoke(sys.argv[1:]) == 0;"
        f"heavy = set('{HEAVY}'.split()) & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL)
