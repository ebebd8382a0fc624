"""The configuration of a training: one YAML document, every stage a part of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from reference_model.bank.card import RetrievalRule
from unipath_bench.phantom import Wording
from unipath_bench.schema.base import Document, read_yaml, validate

BENCHMARK_SEED = 0
"""Seed of the phantom that scores are computed on: nothing is trained on it."""


class ScheduleConfig(Document):
    """Optimiser and length of one stage: AdamW; the rate rises linearly, stays, and falls linearly to zero."""

    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1, description="Over all processes together.")
    rate: float = Field(gt=0)
    warmup: int = Field(default=60, ge=0, description="Steps of the rise.")
    decay: float = Field(default=0.35, ge=0, le=1, description="Share of the steps over which the rate falls.")
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0, description="Greatest norm of the gradient.")
    ema: float = Field(default=0.0, ge=0, lt=1, description="Decay of the moving average of the weights; 0: none.")
    report_every: int = Field(default=20, ge=1, description="Steps between reports of the loss.")
    save_every: int = Field(default=250, ge=1, description="Steps between checkpoints.")
    evaluate_every: int = Field(default=0, ge=0, description="Steps between evaluations; 0: at the end alone.")


class SuiteConfig(Document):
    """A suite of images, by its registered name."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _not_the_benchmark(self) -> SuiteConfig:
        if self.name == "phantom" and self.arguments.get("seed", BENCHMARK_SEED) == BENCHMARK_SEED:
            raise ValueError("seed 0 of the phantom is what the benchmark scores on; choose another")
        return self


class DataConfig(Document):
    """What is trained on."""

    suite: SuiteConfig
    tiles: int | None = Field(default=None, ge=1, description="Images of the train split; null: all.")
    side: int = Field(default=64, ge=8, description="Pixels a side.")
    captions: int = Field(default=2, ge=1, description="Captions a tile that the image transformer is trained with.")
    wordings: tuple[Wording, ...] = Field(default=("seen",), description="Of the image transformer's captions.")
    hidden: dict[str, float] = Field(
        default_factory=dict,
        description="Attribute to the share of captions whose clause is cut out; only prototypes then tell of it.",
    )
    unread: dict[str, float] = Field(
        default_factory=dict,
        description="Attribute to the share of captions whose clause the language model does not get to read; only raw "
        "text then tells of it.",
    )


class PatchCodeConfig(Document):
    """A linear code of patches with a convolutional decoder."""

    kind: Literal["patch"]
    patch_size: int = Field(default=4, ge=1)
    latent_channels: int = Field(default=16, ge=1)
    width: int = Field(default=64, ge=1)
    pixel_width: int = Field(default=24, ge=1)
    blocks: int = Field(default=2, ge=0)
    whitening: float = Field(default=0.6, ge=0, le=1)
    fitted_to: int = Field(default=2048, ge=1, description="Tiles of the principal components.")
    latent_noise: float = Field(default=0.1, ge=0, description="Noise on the codes that the decoder is trained with.")
    schedule: ScheduleConfig


class KLCodeConfig(Document):
    """diffusers' ``AutoencoderKL``, trained from scratch."""

    kind: Literal["kl"]
    arguments: dict[str, Any] = Field(default_factory=dict, description="Of AutoencoderKL.")
    kl_weight: float = Field(default=1e-4, ge=0)
    schedule: ScheduleConfig


class PretrainedCodeConfig(Document):
    """An ``AutoencoderKL`` from a folder, used as it is."""

    kind: Literal["pretrained"]
    path: Path
    latent_channels: int = Field(ge=1)
    pixels_per_latent: int = Field(ge=1)


class PretrainedLanguageConfig(Document):
    """A Qwen2.5-VL, or another causal model of the transformers library, from a folder, used as it is."""

    kind: Literal["pretrained"]
    path: Path
    hidden_size: int = Field(ge=1)
    query_token_id: int = Field(ge=0, description="The vocabulary entry that stands before the queries.")


class TinyLanguageConfig(Document):
    """A word-level language model trained to read the captions."""

    kind: Literal["tiny"]
    hidden_size: int = Field(default=128, ge=8)
    layers: int = Field(default=3, ge=1)
    heads: int = Field(default=4, ge=1)
    positions: int = Field(default=512, ge=32)
    wordings: tuple[Wording, ...] = Field(default=("seen", "heldout"), description="Phrasings that it has read.")
    hidden: float = Field(default=0.8, ge=0, le=1, description="Share of its captions that leave attributes out.")
    target: float = Field(default=0.97, ge=0, le=1, description="Training ends once every attribute is read so often.")
    vocabulary_captions: int = Field(default=4000, ge=1)
    schedule: ScheduleConfig


class VisionConfig(Document):
    """A vision tower that shows images to the text-only language model."""

    width: int = Field(default=32, ge=8, multiple_of=8, description="Channels of the first stage.")
    schedule: ScheduleConfig


class BankConfig(Document):
    """The prototype bank, of tiles that the image transformer is not trained on."""

    suite: SuiteConfig
    encoder: str = Field(description="Of the features: a registered name or module:attribute.")
    retrieval: str | None = Field(default=None, description="As encoder; null: the same; none: keywords alone.")
    size: int = Field(ge=1)
    thumbnail: int = Field(default=32, ge=0)
    least_count: int = Field(default=3, ge=1)
    most_share: float = Field(default=0.6, ge=0, le=1)
    rule: RetrievalRule = Field(default=RetrievalRule(), description="How many prototypes each route finds.")


class TransformerConfig(Document):
    """Shape of the image transformer and of its context."""

    heads: int = Field(ge=1)
    head_width: int = Field(ge=1)
    layers: int = Field(ge=1)
    patch_size: int = Field(default=2, ge=1)
    interpolation_scale: float = Field(default=1.0, gt=0)
    n_query: int = Field(ge=1, description="Semantic tokens.")
    max_text_tokens: int = Field(default=128, ge=1)
    max_prototypes: int = Field(default=16, ge=1)
    gate: float = Field(default=0.3, description="What every residual gate starts from.")


Share = Annotated[float, Field(ge=0, le=1)]
Rate = Share | dict[int, Share]
"""A share, or by the step from which on it holds, e.g. ``{0: 0.05, 8000: 0.3}``."""


def rate_from(rate: Rate, step: int) -> float:
    """The share that holds at ``step``."""
    if not isinstance(rate, dict):
        return rate
    return rate[max(start for start in rate if start <= step)]


class AlignConfig(Document):
    """Alignment of the transformer's inner representation with an encoder's, for the first part of the training."""

    encoder: str = Field(description="With embed_patches, on the transformer's grid: a registered name.")
    block: int = Field(ge=1, description="Whose output is aligned, counted from 1.")
    weight: float = Field(default=0.5, gt=0, description="Of 1 - cosine, beside the error of the velocity.")
    until: float = Field(
        default=1.0, gt=0, le=1, description="Share of the steps, from the first, in which it holds; it helps early on."
    )


class FlowConfig(Document):
    """Flow matching: what is dropped, and how noise levels are drawn."""

    condition_dropout: float = Field(default=0.1, ge=0, le=1, description="Samples without any condition.")
    text_dropout: Rate = Field(default=0.5, description="Batches without raw text.")
    semantic_dropout: Rate = Field(default=0.3, description="Batches without semantic tokens.")
    prototype_dropout: Rate = Field(default=0.2, description="Batches without prototypes.")
    neighbours: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Batches whose prototypes are a tile's own features and the bank's nearest to them, not what its "
        "caption finds. They show surely what is in the tile, so that the transformer learns to read prototypes: "
        "Blattmann et al., 2022, Semi-parametric neural image synthesis, train by the nearest images alone.",
    )
    balanced: dict[str, float] = Field(
        default_factory=dict,
        description="Attribute to an exponent: a tile is drawn in proportion to its class's frequency to the power of "
        "minus that. 0: tiles as they are; 1: classes evenly.",
    )
    uniform: float = Field(default=0.1, ge=0, le=1, description="Share of uniform noise levels; others logit-normal.")
    align: AlignConfig | None = Field(default=None, description="Representation alignment; null: none.")
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="Of matrix products; weights, sums and attention are float32."
    )
    train_queries: bool = Field(
        default=False,
        description="Whether the queries learn with the transformer. Otherwise they stay as the language stage made "
        "them, and their tokens are computed once.",
    )
    schedule: ScheduleConfig

    @field_validator("text_dropout", "semantic_dropout", "prototype_dropout")
    @classmethod
    def _from_the_first_step(cls, rate: Rate) -> Rate:
        if isinstance(rate, dict) and min(rate, default=1) != 0:
            raise ValueError("shares by step begin at step 0")
        return rate


class TrackingConfig(Document):
    """Where MLflow logs; null uri: nowhere."""

    uri: str | None = None
    experiment: str = "unipath-training"


Code = Annotated[PatchCodeConfig | KLCodeConfig | PretrainedCodeConfig, Field(discriminator="kind")]
Language = Annotated[TinyLanguageConfig | PretrainedLanguageConfig, Field(discriminator="kind")]


class TrainingConfig(Document):
    """A training from tiles to a pipeline."""

    explained_by: ClassVar[str] = (
        "reference_model/configs has whole ones, and reference_model/training/config.py tells of each field."
    )

    name: str
    seed: int = Field(ge=0)
    licence: str = "Apache-2.0"
    stored_as: Literal["float32", "float16"] = Field(
        default="float32", description="Of the pipeline's weights; those of the latent code stay as they are."
    )
    micro_batch: int = Field(
        default=4, ge=1, description="Latents in one call of the pipeline, on which the last bits of images depend."
    )
    data: DataConfig
    code: Code
    language: Language
    vision: VisionConfig | None = Field(default=None, description="For a text-only language model that is to see.")
    bank: BankConfig | None = None
    transformer: TransformerConfig
    flow: FlowConfig
    tracking: TrackingConfig = TrackingConfig()

    @model_validator(mode="after")
    def _aligned_block_is_there(self) -> TrainingConfig:
        align, layers = self.flow.align, self.transformer.layers
        if align is not None and align.block > layers:
            raise ValueError(f"flow.align.block is {align.block}, and the transformer has {layers} blocks")
        return self

    @model_validator(mode="after")
    def _neighbours_are_in_a_bank(self) -> TrainingConfig:
        if self.flow.neighbours and self.bank is None:
            raise ValueError(f"flow.neighbours is {self.flow.neighbours}, and there is no bank to find them in")
        return self

    @model_validator(mode="after")
    def _sees_tiles(self) -> TrainingConfig:
        if self.vision is not None and self.language.kind != "tiny":
            raise ValueError("vision is for language.kind tiny; a pretrained Qwen2.5-VL sees by itself")
        if self.vision is not None and self.data.side % 16:
            raise ValueError(f"vision needs tiles of a multiple of 16 pixels a side, and data.side is {self.data.side}")
        return self


def read_config(path: Path) -> TrainingConfig:
    """Read a YAML configuration; raises :class:`~unipath_bench.UsageError` naming every field that is wrong."""
    return validate(TrainingConfig, read_yaml(path), str(path))
