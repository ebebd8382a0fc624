"""From a task's parameter ``classifier`` to a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unipath_bench.core.errors import UsageError
from unipath_bench.core.registry import suggest
from unipath_bench.schema.base import validate
from unipath_bench.scoring.classifiers.head import Head
from unipath_bench.scoring.classifiers.interface import Recipe
from unipath_bench.scoring.classifiers.linear import Linear
from unipath_bench.scoring.classifiers.neighbours import Neighbours

RECIPES: dict[str, type[Recipe]] = {"linear": Linear, "knn": Neighbours, "head": Head}

Choice = str | Mapping[str, Any]
"""A kind, or a mapping with the key ``kind`` and the fields of its recipe."""


def recipe_of(choice: Choice, regularisation: Sequence[float]) -> Recipe:
    """The recipe that a task names: ``linear``, ``knn``, ``head``, or ``{kind: head, hidden: 128}``.

    ``regularisation`` is the linear probe's where the choice states none. Raises :class:`UsageError` for an unknown
    kind and for fields that it has not.
    """
    fields = {"kind": choice} if isinstance(choice, str) else dict(choice)
    kind = str(fields.get("kind", ""))
    if kind not in RECIPES:
        raise UsageError(
            f"The parameter `classifier` names the kind {kind!r}.", suggest(kind, list(RECIPES), "classifier")
        )
    if kind == "linear":
        fields = {"regularisation": tuple(regularisation), **fields}
    return validate(RECIPES[kind], fields, "The parameter `classifier`")
