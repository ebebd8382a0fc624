"""The tables behind a score, of the kinds that the built-in metrics give; a table says which kind it is.

A metric builds one of these, the record holds it, and a view asks for the kinds that it can show. What another
package's metric gives as a plain mapping is kept as :class:`Other`. A change of any of them is a change of the record's
form: see :mod:`unipath_bench.schema.migrations`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, NonNegativeInt, model_validator

from unipath_bench.schema.base import Document


class _Table(Document):
    not_reported: dict[str, str] = Field(
        default_factory=dict, description="Values that a computed task could not give, by name, with the reason."
    )


class Basis(Document):
    """The principal directions of the real training images that a distance is taken in."""

    dimensions: int
    captured: float = Field(description="Share of the training images' variance.")


class SetDistance(_Table):
    """A distance between two sets of images."""

    kind: Literal["set distance"] = "set distance"
    reference_images: int
    generated_images: int
    basis: Basis | None = None
    subset_size: int | None = Field(default=None, description="Of random subsets; None where all pairs are taken.")
    subsets: int | None = None


class Manifold(_Table):
    """Balls around images, each to its k-th nearest neighbour."""

    kind: Literal["manifold"] = "manifold"
    k: int


class PromptCosine(Document):
    """A generated image and its cosine with its prompt."""

    generated: str
    replicate: int
    cosine: float


class PromptCosines(_Table):
    """Cosines between generated images and their prompts."""

    kind: Literal["prompt cosines"] = "prompt cosines"
    quantiles: tuple[float, ...] = Field(description="At 0, 0.1 .. 1.")
    lowest: tuple[PromptCosine, ...]
    highest: tuple[PromptCosine, ...]


class Retrieval(_Table):
    """A gallery that queries are answered from."""

    kind: Literal["retrieval"] = "retrieval"
    queries: int
    gallery: int
    relevant_per_query: float
    chance: dict[str, float] = Field(description="By value.")
    attainable: dict[str, float] = Field(description="By value: all places filled with relevant images.")
    replicates: int | None = Field(default=None, description="Galleries, where each replicate is one.")


class Rewording(_Table):
    """The mean score of images that answer the prompts in other words."""

    kind: Literal["rewording"] = "rewording"
    wordings: tuple[float, ...] = Field(description="One a wording.")
    canonical: float = Field(description="Of the prompts as they stand.")


class ReliabilityBin(Document):
    """Images whose class was read with a confidence above one limit and up to another."""

    above: float
    up_to: float
    images: int
    confidence: float = Field(description="Mean.")
    accuracy: float


class AttributeCalibration(Document):
    """How far the confidence of a classifier can be believed, on real images."""

    reliability: tuple[ReliabilityBin, ...]
    not_scaled: str = Field(default="", description="Why there is no temperature.")
    temperature: float | None = None
    temperature_fitted_on: int | None = Field(default=None, description="Training images.")
    ece_with_temperature: float | None = None


class Attribute(Document):
    """One attribute as a classifier trained on real images sees it in the generated ones."""

    classes: tuple[str, ...]
    weighted_f1: float
    real_weighted_f1: float
    real_accuracy: float
    ece: float = Field(description="Expected calibration error of the classifier on real images.")
    chance: float
    percent_of_real: float | None = Field(default=None, description="None where no real image is read right.")
    support: dict[str, NonNegativeInt]
    confusion: tuple[tuple[NonNegativeInt, ...], ...] = Field(description="Rows prompted, columns predicted; counts.")
    classifier: dict[str, JsonValue] = Field(description="The recipe, with the hyperparameters that were chosen.")
    calibration: AttributeCalibration
    regularisation: float | None = Field(default=None, description="Of a linear probe.")

    @model_validator(mode="after")
    def _confusion_is_square(self) -> Self:
        size = len(self.classes)
        if len(self.confusion) != size or any(len(row) != size for row in self.confusion):
            raise ValueError("the confusion matrix has not one row and one column a class")
        return self


class AttributeControl(_Table):
    """Fine-grained control, attribute by attribute."""

    kind: Literal["attribute control"] = "attribute control"
    attributes: dict[str, Attribute] = Field(min_length=1)
    not_computed: dict[str, str] = Field(default_factory=dict, description="Attribute to the reason.")


class Budget(Document):
    """Scores on real test images after training with so many real labels a class."""

    labels_per_class: int
    real: float
    real_plus_synthetic: float
    gain: float
    synthetic: float | None = Field(default=None, description="Of as many generated images a class, alone.")


class SameSize(Document):
    """Real training images of one class: as many as there are generated ones, and how many there are."""

    wanted: int
    have: int


class SyntheticTraining(_Table):
    """Training with generated images, tested on real ones."""

    kind: Literal["synthetic training"] = "synthetic training"
    attribute: str
    classes: tuple[str, ...]
    classifier: dict[str, JsonValue] = Field(description="The recipe, with the hyperparameters that were chosen.")
    regularisation: float | None = Field(default=None, description="Of a linear probe.")
    folds: int
    draws: int
    synthetic_only: float
    real_only_same_size: float
    chance: float
    same_size: dict[str, SameSize] = Field(description="By class.")
    budgets: tuple[Budget, ...]
    budgets_left_out: dict[str, str] = Field(default_factory=dict, description="Labels a class to the reason.")


class Pair(Document):
    """A generated image with its nearest training image."""

    generated: str
    replicate: int
    train: str
    distance: float
    copied: bool


class Quantiles(Document):
    """Nearest-training distances at the quantiles 0, 1/(k-1) .. 1, of generated and of unseen real images."""

    generated: tuple[float, ...] = Field(min_length=2)
    real: tuple[float, ...] = Field(min_length=2)


class Memorisation(_Table):
    """The audit: are generated images nearer to training images than unseen real images are?"""

    kind: Literal["memorisation"] = "memorisation"
    threshold: float
    quantile: float
    flagged: bool
    flag_share: float = Field(description="Flagged where the share's lower bound is above this.")
    copied_fraction_lower_bound: float
    exact_copies: int | None = Field(default=None, description="None where the pixels are not known.")
    copied_groups: int
    train_groups: int
    pairs: tuple[Pair, ...] = Field(description="The nearest.")
    distances: Quantiles


class Other(_Table):
    """Whatever else a metric gives."""

    kind: Literal["other"] = "other"
    content: dict[str, JsonValue] = Field(default_factory=dict)


Details = Annotated[
    SetDistance
    | Manifold
    | PromptCosines
    | Retrieval
    | Rewording
    | AttributeControl
    | SyntheticTraining
    | Memorisation
    | Other,
    Field(discriminator="kind"),
]
