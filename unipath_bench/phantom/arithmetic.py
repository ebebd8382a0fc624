"""Elementary functions from correctly rounded operations alone.

``exp``, ``cos`` and ``pow`` of the platform's mathematical library differ in their last digit between machines. Here
they are polynomials made of IEEE-754 additions and multiplications, each an operation of its own, so that results are
the same bit for bit. The coefficients are Taylor's; the errors stated are of the truncated series plus float32
rounding.
"""

from __future__ import annotations

import numpy as np

from unipath_bench.phantom.streams import Array

_F = np.float32
_LOG2_E = _F(1.4426950408889634)
_EXP2 = tuple(
    _F(c)
    for c in (
        1.0,
        0.6931471805599453,
        0.2402265069591007,
        0.05550410866482158,
        0.009618129107628477,
        0.0013333558146428443,
        0.00015403530393381608,
    )
)
_COS = tuple(
    _F(c)
    for c in (
        1.0,
        -4.934802200544679,
        4.0587121264167682,
        -1.3352627688545895,
        0.2353306303588935,
        -0.02580689139001406,
        0.0019295743094039231,
    )
)


def exp_neg(x: Array) -> Array:
    """e^-x for x >= 0, float32, relative error below 3e-6 for x up to 20; x is capped at 80."""
    t = np.minimum(x, _F(80.0)) * _LOG2_E
    whole = np.floor(t + _F(0.5))
    rest = whole - t
    value = np.full_like(t, _EXP2[-1])
    for coefficient in _EXP2[-2::-1]:
        value = value * rest + coefficient
    power: Array = np.ldexp(value, -whole.astype(np.int32))
    return power


def cos_turns(t: Array) -> Array:
    """cos(2 pi t), float32, absolute error below 1e-6 for |t| up to 8."""
    # Fold to half a turn around zero, then to a quarter: cos(pi s), s in [0, 1]; cos(pi (1 - s)) = -cos(pi s).
    s = np.abs(t - np.floor(t + _F(0.5))) * _F(2.0)
    flip = s > _F(0.5)
    s = np.where(flip, _F(1.0) - s, s)
    square = s * s
    value = np.full_like(square, _COS[-1])
    for coefficient in _COS[-2::-1]:
        value = value * square + coefficient
    signed: Array = np.where(flip, -value, value)
    return signed


def directions(t: Array) -> tuple[Array, Array]:
    """cos(2 pi t) and sin(2 pi t) of an array of shape (K,), with the error of :func:`cos_turns`."""
    both = cos_turns(np.concatenate([t, t - _F(0.25)]))
    return both[: len(t)], both[len(t) :]


def direction(turn: float) -> tuple[float, float]:
    """cos(2 pi turn) and sin(2 pi turn) of one number, as Python floats."""
    ux, uy = directions(np.asarray([turn], dtype=np.float32))
    return float(ux[0]), float(uy[0])


def clip01(x: Array) -> Array:
    """Limit to [0, 1]."""
    return np.minimum(np.maximum(x, _F(0.0)), _F(1.0))


def smooth01(x: Array) -> Array:
    """Cubic step: 0 at x <= 0, 1 at x >= 1, with level ends."""
    t = clip01(x)
    return t * t * (_F(3.0) - _F(2.0) * t)


def soft_mask(distance: Array, softness: float) -> Array:
    """Map a signed distance (micrometres, positive inside) to 0..1.

    The result is 1 where the distance is above ``softness``, 0 below minus that, and linear between.
    """
    return clip01(distance * _F(0.5 / softness) + _F(0.5))


def mix(below: Array, above: Array | float, alpha: Array) -> Array:
    """``below`` where alpha is 0, ``above`` where it is 1."""
    return below + (above - below) * alpha
