"""The tables that the built-in metrics put into a score's ``details``, recognised by their form.

A score whose details have another form, as a third party's may, is not one of these: the functions return None for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unipath_bench.schema.record import TaskScore


class _Table(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Attribute(_Table):
    """One attribute as a classifier trained on real images sees it in the generated ones."""

    classes: tuple[str, ...]
    weighted_f1: float
    real_weighted_f1: float | None = None
    chance: float | None = None
    percent_of_real: float | None = None
    ece: float | None = Field(default=None, description="Expected calibration error of the classifier on real images.")
    support: Mapping[str, int] = Field(default_factory=dict)
    confusion: tuple[tuple[float, ...], ...] = Field(
        default=(), description="Rows prompted, columns predicted; counts."
    )

    @model_validator(mode="after")
    def _confusion_is_square(self) -> Self:
        size = len(self.classes)
        if self.confusion and (len(self.confusion) != size or any(len(row) != size for row in self.confusion)):
            raise ValueError("the confusion matrix has not one row and one column a class")
        return self


class AttributeControl(_Table):
    """Fine-grained control, attribute by attribute."""

    attributes: Mapping[str, Attribute] = Field(min_length=1)
    not_computed: Mapping[str, str] = Field(default_factory=dict, description="Attribute to the reason.")


class Budget(_Table):
    """Scores on real test images after training with so many real labels a class."""

    labels_per_class: int
    real: float
    real_plus_synthetic: float
    gain: float


class SyntheticTraining(_Table):
    """Training with generated images, tested on real ones."""

    budgets: tuple[Budget, ...]
    budgets_left_out: Mapping[str, str] = Field(default_factory=dict, description="Labels a class to the reason.")
    synthetic_only: float | None = None
    real_only_same_size: float | None = None


class Pair(_Table):
    """A generated image with its nearest training image."""

    generated: str
    replicate: int
    train: str
    distance: float
    copied: bool


class Quantiles(_Table):
    """Nearest-training distances at the quantiles 0, 1/(k-1) .. 1, of generated and of unseen real images."""

    generated: tuple[float, ...] = Field(min_length=2)
    real: tuple[float, ...] = Field(min_length=2)


class Memorisation(_Table):
    """The audit: are generated images nearer to training images than unseen real images are?"""

    threshold: float
    quantile: float | None = None
    flagged: bool
    flag_share: float | None = Field(default=None, description="Flagged where the share's lower bound is above this.")
    copied_fraction_lower_bound: float | None = None
    exact_copies: int = 0
    copied_groups: int | None = None
    train_groups: int | None = None
    pairs: tuple[Pair, ...] = ()
    distances: Quantiles | None = None


class _LeftOut(_Table):
    not_reported: Mapping[str, str]


TableT = TypeVar("TableT", bound=_Table)


def attribute_control(score: TaskScore) -> AttributeControl | None:
    """The per-attribute table of a score that has one."""
    return _table(AttributeControl, score.details)


def synthetic_training(score: TaskScore) -> SyntheticTraining | None:
    """The label budgets of a score that has them."""
    return _table(SyntheticTraining, score.details)


def memorisation(score: TaskScore) -> Memorisation | None:
    """The audit's verdict and pairs, of a score that has them."""
    return _table(Memorisation, score.details)


def not_reported(score: TaskScore) -> dict[str, str]:
    """Values that a computed task could not give, by name, with the reason."""
    table = _table(_LeftOut, score.details)
    return dict(table.not_reported) if table else {}


def _table(kind: type[TableT], details: Mapping[str, Any]) -> TableT | None:
    try:
        return kind.model_validate(details)
    except ValidationError:
        return None
