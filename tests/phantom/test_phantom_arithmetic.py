"""Elementary functions against the mathematical library in double precision, to the errors that they state."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unipath_bench.phantom as phantom
from unipath_bench.phantom import arithmetic as a

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def test_exp_neg_keeps_its_error() -> None:
    x = np.linspace(0.0, 20.0, 40001, dtype=np.float32)
    truth = np.exp(-x.astype(np.float64))
    found = a.exp_neg(x)
    assert found.dtype == np.float32
    assert float(np.abs(found / truth - 1.0).max()) < 3e-6
    assert found[0] == 1.0


def test_exp_neg_caps_at_eighty() -> None:
    assert a.exp_neg(np.array([80.0], dtype=np.float32))[0] == a.exp_neg(np.array([1e6], dtype=np.float32))[0] > 0


def test_cosine_and_sine_keep_their_error() -> None:
    t = np.linspace(-8.0, 8.0, 64001, dtype=np.float32)
    turns = t.astype(np.float64)
    assert float(np.abs(a.cos_turns(t) - np.cos(2 * np.pi * turns)).max()) < 1e-6
    cos, sin = a.directions(t[(t >= -2) & (t <= 2)])
    inner = turns[(t >= -2) & (t <= 2)]
    assert float(np.abs(cos - np.cos(2 * np.pi * inner)).max()) < 1e-6
    # t - 1/4 is rounded to float32 once more, which moves the angle by up to 2 pi 2^-24 near |t| = 2.
    assert float(np.abs(sin - np.sin(2 * np.pi * inner)).max()) < 2e-6


def test_quarter_turns() -> None:
    assert a.direction(0.0) == (1.0, pytest.approx(0.0, abs=1e-6))
    assert a.direction(0.25) == (pytest.approx(0.0, abs=1e-6), 1.0)


@given(FLOATS)
@settings(max_examples=50, deadline=None)
def test_steps_stay_in_range_and_meet_their_ends(value: float) -> None:
    x = np.array([value], dtype=np.float32)
    for step in (a.clip01, a.smooth01):
        assert 0.0 <= step(x)[0] <= 1.0
        assert step(x)[0] == (0.0 if value <= 0 else step(x)[0])
        assert step(x)[0] == (1.0 if value >= 1 else step(x)[0])


def test_soft_mask_is_linear_between_its_ends() -> None:
    d = np.array([-9.0, -2.0, 0.0, 1.0, 2.0, 9.0], dtype=np.float32)
    # (d + softness) / (2 softness), limited: softness 2.
    assert a.soft_mask(d, 2.0).tolist() == [0.0, 0.0, 0.5, 0.75, 1.0, 1.0]


def test_mix_is_the_convex_combination() -> None:
    below, alpha = np.array([2.0, 2.0, 2.0], dtype=np.float32), np.array([0.0, 0.25, 1.0], dtype=np.float32)
    assert a.mix(below, 6.0, alpha).tolist() == [2.0, 3.0, 6.0]


ELEMENTARY = frozenset(
    (
        "abs",
        "arange",
        "argmin",
        "argsort",
        "array",
        "asarray",
        "array_split",
        "ascontiguousarray",
        "bool_",
        "broadcast_shapes",
        "broadcast_to",
        "concatenate",
        "count_nonzero",
        "empty",
        "empty_like",
        "flatnonzero",
        "float32",
        "floor",
        "frombuffer",
        "full",
        "full_like",
        "int64",
        "intp",
        "ldexp",
        "maximum",
        "minimum",
        "ndarray",
        "newaxis",
        "ones",
        "ones_like",
        "pad",
        "sqrt",
        "stack",
        "uint64",
        "uint8",
        "where",
        "zeros",
        "zeros_like",
        "random",
        "int32",
    )
)
"""numpy names that round correctly, or do not round at all."""

RENDERING = (
    "arithmetic",
    "attributes",
    "captions",
    "fields",
    "findings",
    "layout",
    "neighbours",
    "nuclei",
    "optics",
    "patterns",
    "rendering",
    "streams",
    "stroma",
    "tumour",
)


@pytest.mark.parametrize("module", RENDERING)
def test_rendering_uses_only_operations_that_are_the_same_everywhere(module: str) -> None:
    """No exp, cos or power of the platform, no sum or product whose order depends on the processor's vector width."""
    tree = ast.parse((Path(phantom.__file__).parent / f"{module}.py").read_text(encoding="utf-8"))
    used = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("np", "math"):
            used.add(node.attr)
        if isinstance(node, ast.Attribute) and node.attr in ("sum", "mean", "dot", "std", "var", "prod"):
            used.add(f".{node.attr}")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            used.add("@")
    assert used <= ELEMENTARY
