"""The registries of the track, one an entry-point group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unipath_bench.core.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from unipath_bench.understanding.contracts import Answerer, QuestionSet

QUESTION_SETS: Registry[Callable[..., QuestionSet]] = Registry("question set", "unipath_bench.question_sets")
"""Question sets or factories; called with ``--data`` as ``data`` and ``--set-arg`` as keyword arguments."""

ANSWERERS: Registry[Callable[..., Answerer]] = Registry("answerer", "unipath_bench.answerers")
"""Answerer classes or factories; called with ``--model-arg`` as keyword arguments."""
