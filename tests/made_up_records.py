"""Run records, tasks and exhibits with made-up numbers, for the tests of every view. Nothing here was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from unipath_bench.core.digest import digest
from unipath_bench.results.gallery import Exhibits, NeighbourPair, ShownSample
from unipath_bench.schema.cards import EncoderCard, GeneratorCard, PublishedFigure, SuiteCard
from unipath_bench.schema.details import (
    Attribute,
    AttributeCalibration,
    AttributeControl,
    Budget,
    Memorisation,
    Other,
    Pair,
    Quantiles,
    SameSize,
    SyntheticTraining,
)
from unipath_bench.schema.record import (
    Environment,
    Interval,
    PlanRecord,
    RunRecord,
    Shard,
    TaskScore,
    Timing,
    Value,
)
from unipath_bench.schema.task import TaskSpec, Tier, ValueSpec
from unipath_bench.scoring.anchors import position

Direction = Literal["lower", "higher"]
SuiteKind = Literal["tissue", "phantom"]

CLASSES = ("breast_lobular_carcinoma", "colon_normal", "lung_adenocarcinoma", "prostate_benign")
REAL = "held-out real images in the generator's place"
CONSTANT = "one held-out real image for every prompt"
SHUFFLED = "held-out real images under the wrong prompts"


def value(
    number: float,
    title: str,
    direction: Direction,
    ends: tuple[float, float] | None = None,
    *,
    headline: bool = True,
    unit: str = "",
    interval: Interval | None = None,
) -> Value:
    """A value in its place between its ends (low, high)."""
    low, high = ends if ends else (None, None)
    bad, good = (low, high) if direction == "higher" else (high, low)
    note = "" if interval else "Intervals are not computed for this task yet."
    return Value(
        value=number,
        title=title,
        direction=direction,
        headline=headline,
        unit=unit,
        bad_end=bad,
        bad_end_source="" if bad is None else CONSTANT if direction == "lower" else SHUFFLED,
        good_end=good,
        good_end_source="" if good is None else REAL,
        position=position(number, bad, good),
        interval=interval,
        interval_note=note,
    )


def score(
    task: str, tier: Tier, title: str, values: dict[str, Value], encoder: str | None = "texture", **more: Any
) -> TaskScore:
    """A computed task in one encoder."""
    return TaskScore(
        key=f"{task}[{encoder}]" if encoder else task,
        task=task,
        tier=tier,
        version=more.pop("version", 1),
        title=title,
        status="computed",
        encoder=encoder,
        encoder_digest=digest(encoder) if encoder else None,
        n_images=more.pop("n_images", 572),
        dimension=86,
        values=values,
        **more,
    )


def memorisation_details(*, flagged: bool) -> Memorisation:
    """A memoriser's distances fall to nought at half of the images; another model's lie where real ones lie."""
    grid = np.linspace(0, 1, 101)
    real = 2.0 + 3.0 * grid**1.4
    generated = np.where(grid < 0.5, 0.0, real - 0.4) if flagged else real + 0.3
    return Memorisation(
        threshold=2.05,
        quantile=0.01,
        flagged=flagged,
        flag_share=0.05,
        copied_fraction_lower_bound=0.47 if flagged else 0.002,
        not_reported={"authenticity": "all of one group"},
        exact_copies=212 if flagged else 0,
        copied_groups=61 if flagged else 0,
        train_groups=240,
        pairs=tuple(
            Pair(
                generated=f"test/{CLASSES[i % 4]}/{i}.png",
                replicate=0,
                train=f"train/{CLASSES[i % 4]}/{i + 7}.png",
                distance=0.0 if flagged and i < 4 else 1.7 + i / 10,
                copied=flagged and i < 4,
            )
            for i in range(6)
        ),
        distances=Quantiles(generated=tuple(map(float, generated)), real=tuple(map(float, real))),
    )


def attribute(classes: Sequence[str], confusion: Sequence[Sequence[int]], **figures: Any) -> Attribute:
    """One attribute with this table of counts."""
    given: dict[str, Any] = {
        "real_accuracy": 0.9,
        "ece": 0.031,
        "classifier": {"kind": "linear", "regularisation": [1.0]},
        "calibration": AttributeCalibration(reliability=(), not_scaled="made up"),
        "regularisation": 1.0,
        **figures,
    }
    support = {name: sum(row) for name, row in zip(classes, confusion, strict=True)}
    return Attribute(classes=tuple(classes), confusion=tuple(map(tuple, confusion)), support=support, **given)


def control_details() -> AttributeControl:
    """One attribute with four classes, one with two."""
    matrix = [[130, 5, 3, 2], [4, 136, 2, 4], [6, 3, 129, 5], [1, 4, 2, 136]]
    of_label = {"weighted_f1": 0.928, "real_weighted_f1": 0.951, "chance": 0.249, "percent_of_real": 97.6}
    of_haemorrhage = {
        "ece": 0.052,
        "weighted_f1": 0.77,
        "real_weighted_f1": 0.86,
        "chance": 0.52,
        "percent_of_real": 89.5,
    }
    return AttributeControl(
        attributes={
            "label": attribute(CLASSES, matrix, **of_label),
            "haemorrhage": attribute(("absent", "present"), [[360, 42], [88, 82]], **of_haemorrhage),
        }
    )


def training_details() -> SyntheticTraining:
    """Four label budgets."""
    budgets = [(5, 0.61, 0.70), (10, 0.71, 0.77), (25, 0.82, 0.84), (100, 0.91, 0.905)]
    return SyntheticTraining(
        attribute="label",
        classes=CLASSES,
        classifier={"kind": "linear", "regularisation": [1.0]},
        regularisation=1.0,
        folds=5,
        draws=3,
        chance=0.25,
        same_size={name: SameSize(wanted=110, have=143) for name in CLASSES},
        budgets=tuple(
            Budget(labels_per_class=k, real=real, real_plus_synthetic=both, gain=both - real)
            for k, real, both in budgets
        ),
        budgets_left_out={"200": "the training split has 143 images of its rarest class"},
        synthetic_only=0.83,
        real_only_same_size=0.93,
    )


def scores(*, flagged: bool = True, shift: float = 0.0) -> tuple[TaskScore, ...]:
    """All four tiers; ``shift`` makes every score a little worse."""
    far = 1 + shift
    interval = Interval(low=30.1 * far, high=52.4 * far, method="grouped jackknife")
    return (
        score(
            "frechet-distance",
            1,
            "Fréchet distance",
            {
                "frechet_distance": value(41.2 * far, "Fréchet distance", "lower", (22.5, 484.0), interval=interval),
            },
        ),
        score(
            "kernel-distance",
            1,
            "Kernel distance",
            {
                "kid": value(0.0829 * far, "KID (cubic polynomial)", "lower", (-0.0004, 1.204)),
            },
        ),
        score(
            "manifold",
            1,
            "Precision, recall, density, coverage",
            {
                "precision": value(0.912, "Precision", "higher", (0.0, 0.934), unit="fraction"),
                "recall": value(0.421 / far, "Recall", "higher", (0.0, 0.902), headline=False, unit="fraction"),
                "density": value(1.03, "Density", "higher", (0.0, 0.985), headline=False),
                "coverage": value(0.688 / far, "Coverage", "higher", (0.004, 0.962), headline=False, unit="fraction"),
            },
        ),
        TaskScore(
            key="frechet-distance[virchow2]",
            task="frechet-distance",
            tier=1,
            version=1,
            title="Fréchet distance",
            status="not computed",
            encoder="virchow2",
            reason="The weights of virchow2 are not on this machine.",
            remedy="Accept the licence at https://huggingface.co/paige-ai/Virchow2 and set HF_TOKEN.",
        ),
        score(
            "image-to-image-recall",
            2,
            "Image-to-image recall",
            {
                "recall_at_10": value(0.214 / far, "Recall@10", "higher", (0.0175, 1.0), unit="fraction"),
                "recall_at_1": value(
                    0.061 / far, "Recall@1", "higher", (0.00175, 1.0), headline=False, unit="fraction"
                ),
            },
        ),
        score(
            "image-to-image-recall",
            2,
            "Image-to-image recall",
            {
                "recall_at_10": value(0.301 / far, "Recall@10", "higher", (0.0175, 1.0), unit="fraction"),
            },
            encoder="conch",
            coupled=True,
        ),
        TaskScore(
            key="clip-score[plip]",
            task="clip-score",
            tier=2,
            version=1,
            title="CLIP score",
            status="not computed",
            encoder="plip",
            reason="No image-text encoder is at hand.",
            remedy="Run once without --offline to fetch vinid/plip, or name another with --encoder alignment=NAME.",
        ),
        score(
            "attribute-control",
            3,
            "Attribute control",
            {
                "weighted_f1": value(0.849 / far, "Mean weighted F1", "higher", (0.385, 0.906), unit="fraction"),
                "percent_of_real": value(
                    93.6 / far, "Of the real images' score", "higher", headline=False, unit="percent"
                ),
            },
            details=control_details(),
        ),
        score(
            "synthetic-training",
            4,
            "Train on synthetic, test on real",
            {
                "gain": value(0.06 - shift / 10, "Gain at 10 labels a class", "higher"),
                "synthetic_only": value(
                    0.83 / far, "Synthetic only", "higher", (0.25, 0.93), headline=False, unit="fraction"
                ),
            },
            details=training_details(),
        ),
        score(
            "memorisation",
            4,
            "Memorisation audit",
            {
                "copied_share": value(
                    0.52 if flagged else 0.009,
                    "Images nearer than the threshold",
                    "lower",
                    (0.01, 1.0),
                    unit="fraction",
                ),
            },
            details=memorisation_details(flagged=flagged),
        ),
        score(
            "third-party-colour",
            4,
            "Colour gap (another package's task)",
            {
                "gap": value(3.1, "Mean colour gap", "lower"),
            },
            encoder=None,
            details=Other(content={"rows": [[1, 2], [3, 4]], "attributes": "none"}),
        ),
    )


def record(
    model: str = "memoriser",
    *,
    kind: SuiteKind = "tissue",
    flagged: bool = True,
    shift: float = 0.0,
    oracle: bool = True,
    suite_notes: str = "",
    prompts: int = 572,
    some: Sequence[TaskScore] | None = None,
    revision: str = "tiles",
) -> RunRecord:
    """One evaluation with made-up numbers."""
    plan = PlanRecord(
        suite=SuiteCard(
            name="folder",
            title="572 H&E tiles of four tissues",
            kind=kind,
            licence="CC-BY-4.0",
            height=224,
            width=224,
            microns_per_pixel=0.5,
            attributes=("label",),
            citation="A made-up atlas, 2025.",
            notes=suite_notes,
        ),
        suite_revision=digest(revision),
        suite_data="tiles",
        model=GeneratorCard(
            name=model,
            title=f"The {model}",
            adapter="replay",
            revision="1",
            licence="Apache-2.0",
            oracle=oracle,
            conditions_on=("attributes",),
            internal_encoders=("conch",),
            published=(
                PublishedFigure(
                    metric="Patho-FID", value=80.9, dataset="the paper's test set", source="arXiv 2512.21058"
                ),
            ),
        ),
        model_digest=digest(model),
        tiers=(1, 2, 3, 4),
        tasks=("frechet-distance[texture]@1",),
        n=prompts,
        seeds=1,
        encoders={
            "texture": EncoderCard(
                name="texture",
                title="Training-free H&E texture",
                revision="1",
                dimension=86,
                source="scikit-image",
                notes="Stain, nuclear morphology and texture statistics.",
            ),
            "conch": EncoderCard(name="conch", revision="main", dimension=512, input_size=448, resize="bicubic"),
        },
        roles={"image": ("texture",), "judge": ("texture",)},
        counts={"reference": prompts, "heldout": prompts, "train": 1624, "generated": prompts},
    )
    run_id = digest(plan.model_dump(mode="json"))
    return RunRecord(
        framework_version="0.1.0",
        run_id=run_id,
        name=f"{model}-folder-n{prompts}x1-{run_id[:8]}",
        plan=plan,
        scores=tuple(
            s.model_copy(update={"n_images": prompts} if s.status == "computed" else {})
            for s in (some if some is not None else scores(flagged=flagged, shift=shift))
        ),
        shards=(
            Shard(kind="samples", name="samples/abc/0000.parquet", rows=256, digest=digest("a")),
            Shard(kind="samples", name="samples/abc/0001.parquet", rows=316, digest=digest("b")),
            Shard(kind="features", name="features/def/0000.npz", rows=572, digest=digest("c")),
        ),
        environment=Environment(
            python="3.11.7",
            platform="Linux-6.1-x86_64",
            machine="x86_64",
            device="cpu",
            packages={"numpy": "2.3.1", "torch": "2.14.0", "scikit-learn": "1.9.0"},
        ),
        timing=Timing(
            started_at="2026-01-05T10:00:00+00:00",
            finished_at="2026-01-05T10:03:20+00:00",
            seconds={"verify": 4.2, "generate": 21.5, "embed": 160.8, "score": 12.3},
            images_generated=572,
            images_embedded=3340,
            peak_memory_mib=812.4,
        ),
    )


def task(name: str, tier: Tier, title: str, summary: str, **more: Any) -> TaskSpec:
    """A task as its YAML would give it."""
    return TaskSpec(
        name=name,
        tier=tier,
        version=1,
        title=title,
        summary=summary,
        metric=more.pop("metric", name),
        headline="value",
        values={"value": ValueSpec(title="Value", direction="higher")},
        **more,
    )


def tasks() -> dict[str, TaskSpec]:
    """Specifications of most of the tasks; the third party's is missing, as when its package is not installed."""
    quoted = PublishedFigure(
        metric="Patho-FID", value=80.9, dataset="the paper's test set", source="UniPath, arXiv 2512.21058"
    )
    found = [
        task(
            "frechet-distance",
            1,
            "Fréchet distance",
            "Distance between Gaussians fitted to real and generated features.",
            published=(quoted,),
            citation="Heusel et al. 2017",
            rationale="The encoder is this project's choice.",
        ),
        task("kernel-distance", 1, "Kernel distance", "Unbiased squared maximum mean discrepancy."),
        task("manifold", 1, "Precision, recall, density, coverage", "Overlap of nearest-neighbour manifolds."),
        task("image-to-image-recall", 2, "Image-to-image recall", "Does a generated image find its real counterpart?"),
        task("clip-score", 2, "CLIP score", "Cosine between image and prompt."),
        task("attribute-control", 3, "Attribute control", "A classifier trained on real images judges generated ones."),
        task("synthetic-training", 4, "Train on synthetic, test on real", "Do generated images teach a classifier?"),
        task("memorisation", 4, "Memorisation audit", "Nearest-training distance, calibrated on real images."),
    ]
    return {t.name: t for t in found}


def tile(seed: int, size: int = 64) -> np.ndarray:
    """A pink tile with dark discs, uint8 (size, size, 3)."""
    rng = np.random.default_rng(seed)
    image = np.full((size, size, 3), (231, 190, 214), float) + rng.normal(0, 5, (size, size, 3))
    ys, xs = np.mgrid[:size, :size]
    for _ in range(14):
        y, x, r = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(2, size / 16)
        image[(ys - y) ** 2 + (xs - x) ** 2 < r**2] = (94, 58, 141)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def exhibits(samples: int = 4, replicates: int = 2, pairs: int = 3, size: int = 64) -> Exhibits:
    """Made-up tiles as samples and as pairs; the first pair is a copy."""
    return Exhibits(
        samples=[
            ShownSample(
                sample_id=f"{CLASSES[i % 4]}/{i}.png",
                prompt=f"H&E tile of {CLASSES[i % 4].replace('_', ' ')}, about 0.5 µm/px",
                labels={"label": CLASSES[i % 4]},
                real=tile(i, size),
                generated=[tile(100 * i + r + 50, size) for r in range(replicates)],
            )
            for i in range(samples)
        ],
        neighbours=[
            NeighbourPair(
                generated=tile(7 + i, size),
                train=tile(7 + i if i == 0 else 900 + i, size),
                sample_id=f"{CLASSES[i % 4]}/{i}.png",
                replicate=0,
                train_id=f"train/{i}.png",
                distance=0.0 if i == 0 else 1.7 + i / 10,
                copied=i == 0,
            )
            for i in range(pairs)
        ],
    )
