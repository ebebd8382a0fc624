"""Runs drawn from a pool, and the contributions of every headline value to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.studies.gate.pool import DAMAGED, DAMAGES, RENDERINGS, TEXT_ENCODER, WORDINGS, Pool
from unipath_bench.contracts import FeatureSet, Metric, ScoreInputs
from unipath_bench.core.registries import METRICS
from unipath_bench.gate.margins import default_margin
from unipath_bench.schema.record import Contributions
from unipath_bench.schema.task import TaskSpec
from unipath_bench.scoring.catalogue import load_tasks
from unipath_bench.scoring.classifiers.interface import Labels
from unipath_bench.scoring.classifiers.linear import LinearProbe, choose_regularisation
from unipath_bench.scoring.control import attribute_control, control_contributions
from unipath_bench.scoring.evaluate import evaluate
from unipath_bench.scoring.features import image_features, one_label
from unipath_bench.scoring.utility import synthetic_training

Rows = npt.NDArray[np.int64]
ROLES = {"@image": "phantom-image", "@judge": "phantom-judge", "@alignment": TEXT_ENCODER}
SHUFFLED = "captions shuffled, 25%"
COPIED = "training images copied, 10%"
DEFECTS = (*DAMAGES, SHUFFLED, COPIED)
CHEAP = {"budgets": [], "draws": 1}
"""Parameters of training on synthetic images that leave out figures which no headline or contribution depends on."""


@dataclass(frozen=True)
class Task:
    """A headline value of the family."""

    spec: TaskSpec
    metric: Metric
    encoder: str
    name: str
    parameters: Mapping[str, Any]


def tasks() -> list[Task]:
    """The headline values of the phantom's tasks; for the Frechet distance in ``texture`` that in its basis."""
    found = []
    for spec in load_tasks().values():
        if spec.suites == "tissue" or spec.encoder is None:
            continue
        encoder = ROLES.get(spec.encoder, spec.encoder)
        name = "basis_distance" if encoder == "texture" and "basis_distance" in spec.values else spec.headline
        metric = METRICS.get(spec.metric)
        found.append(
            Task(spec, metric, encoder, name, {**spec.parameters, **(CHEAP if metric is synthetic_training else {})})
        )
    return found


@dataclass(frozen=True)
class Draw:
    """One run: for each row the image of the pool that answers it, and those that answer its other wordings."""

    rows: Rows
    answer: Sequence[str]
    """Set of the pool that each image is taken from: the prompt's, then a set for each wording; images are picked by
    ``picks``."""
    picks: npt.NDArray[np.int64]
    """(1 + WORDINGS, n): which rendering each image is."""
    source_row: Rows
    """(n,): row of the pool that each answer is taken from; another where captions are shuffled."""
    copies: npt.NDArray[np.int64]
    """(n,): training row that is handed out instead, or -1."""


class Bench:
    """Scores runs that are drawn from a pool."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.tasks = tasks()
        self._train = {name: replace(pool.train, images=pool.features(name, "train")) for name in _encoders(self.tasks)}
        self._penalty = self._choose_penalty()
        self._answers = self._train_judges()

    def contributions(self, draw: Draw) -> list[Contributions | str]:
        """Of each task's value."""
        found: list[Contributions | str] = []
        for task in self.tasks:
            if task.metric is attribute_control:
                found.append(self._control(draw))
                continue
            parameters = dict(task.parameters)
            if task.metric is synthetic_training:
                parameters["regularisation"] = [self._penalty]
            found.append(task.metric(self.inputs(task.encoder, draw), **parameters).paired()[task.name])
        return found

    def margins(self, draw: Draw) -> list[float]:
        """The gate's default margins, from the values' scales in one run."""
        result = []
        for task in self.tasks:
            spec = task.spec.model_copy(update={"parameters": dict(task.parameters), "values": dict(task.spec.values)})
            outcome = evaluate(_without_gain(spec), task.metric, self.inputs(task.encoder, draw))
            result.append(default_margin(outcome.values[task.name]))
        return result

    def inputs(self, encoder: str, draw: Draw) -> ScoreInputs:
        """What a metric sees of a run."""
        pool, cases = self.pool, self.pool.cases.take(draw.rows)
        texts = pool.features(TEXT_ENCODER, "texts")[draw.rows] if encoder == TEXT_ENCODER else None
        wordings = [self._images(encoder, draw, w) for w in range(1 + WORDINGS)]
        variants = replace(
            _repeated(cases, WORDINGS),
            images=np.concatenate(wordings[1:]),
            replicates=tuple(w for w in range(WORDINGS) for _ in cases.ids),
        )
        return ScoreInputs(
            {
                "generated": replace(cases, images=wordings[0], texts=texts),
                "reference": replace(cases, images=pool.features(encoder, "reference")[draw.rows]),
                "heldout": replace(
                    cases,
                    images=pool.features(encoder, "heldout")[draw.rows],
                    pixel_digests=tuple(pool.heldout.ids[i] for i in draw.rows.tolist()),
                ),
                "train": self._train[encoder],
                "variants": variants,
            }
        )

    def _images(self, encoder: str, draw: Draw, wording: int) -> npt.NDArray[np.float32]:
        stack = [self.pool.features(encoder, f"{draw.answer[wording]}-{r}") for r in range(self._count(draw, wording))]
        images: npt.NDArray[np.float32] = np.stack(stack)[draw.picks[wording], draw.source_row]
        struck = draw.copies >= 0
        if struck.any():
            images[struck] = self.pool.features(encoder, "train")[draw.copies[struck]]
        return images

    def _count(self, draw: Draw, wording: int) -> int:
        return RENDERINGS if draw.answer[wording] == "honest" else DAMAGED

    def _choose_penalty(self) -> float:
        spec = next(task for task in self.tasks if task.metric is synthetic_training)
        train = self._train[spec.encoder]
        name = next(iter(train.labels))
        features = np.asarray(train.images, np.float64)
        return choose_regularisation(
            features, one_label(train, name), train.groups, spec.parameters["regularisation"], 0
        )

    def _train_judges(self) -> dict[str, dict[str, Labels]]:
        """Return, for each attribute and each set, the classes that the attribute's classifier reads in it.

        The classifiers of attribute control see real training images alone, so they are trained once.
        """
        task = next(task for task in self.tasks if task.metric is attribute_control)
        train = self._train[task.encoder]
        features = image_features(ScoreInputs({"train": train}), "train")
        sets = [n.partition("/")[2] for n in self.pool.arrays if n.startswith(f"{task.encoder}/")]
        answers = {}
        for attribute in train.labels:
            taught = one_label(train, attribute)
            chosen = choose_regularisation(features, taught, train.groups, task.parameters["regularisation"], 0)
            probe = LinearProbe(features, taught, chosen)
            answers[attribute] = {
                name: probe.predict(np.asarray(self.pool.features(task.encoder, name), np.float64))
                for name in sets
                if name != "texts"
            }
        return answers

    def _control(self, draw: Draw) -> Contributions | str:
        cases = self.pool.cases.take(draw.rows)
        pairs = []
        for attribute, read in self._answers.items():
            stack = np.stack([read[f"{draw.answer[0]}-{r}"] for r in range(self._count(draw, 0))])
            found = stack[draw.picks[0], draw.source_row]
            struck = draw.copies >= 0
            found[struck] = read["train"][draw.copies[struck]]
            pairs.append((one_label(cases, attribute), found))
        return control_contributions(cases, pairs)


def _without_gain(spec: TaskSpec) -> TaskSpec:
    """The task without the gain at label budgets, which is not computed here."""
    values = {name: value for name, value in spec.values.items() if name != "augmentation_gain"}
    return spec.model_copy(update={"values": values})


def _encoders(of: Sequence[Task]) -> list[str]:
    return list(dict.fromkeys(task.encoder for task in of))


def _repeated(cases: FeatureSet, times: int) -> FeatureSet:
    return cases.take(np.tile(np.arange(len(cases)), times))


def draw_pair(pool: Pool, patients: int, seed: int, defect: str = "") -> tuple[Draw, Draw]:
    """A baseline run and another run of the same prompts, on the cases of ``patients`` random patients.

    Without a ``defect`` both are honest and take different images; with one, the second run has it.
    """
    rng = np.random.default_rng([seed, sum(defect.encode())])
    groups = np.asarray(pool.cases.groups)
    chosen = rng.permutation(np.unique(groups))[:patients]
    rows = np.flatnonzero(np.isin(groups, chosen))
    order = rng.permuted(np.tile(np.arange(RENDERINGS), (len(rows), 1)), axis=1).T
    none, asked = np.full(len(rows), -1), 1 + WORDINGS
    first = Draw(rows, ("honest",) * asked, order[:asked], rows, none)
    second = Draw(rows, ("honest",) * asked, order[asked:], rows, none)
    if not defect:
        return first, second
    if defect in DAMAGES:
        # The baseline takes none of the renderings that the damaged images were made of.
        later = DAMAGED + rng.permuted(np.tile(np.arange(RENDERINGS - DAMAGED), (len(rows), 1)), axis=1).T
        damaged = rng.permuted(np.tile(np.arange(DAMAGED), (len(rows), 1)), axis=1).T
        return replace(first, picks=later), Draw(rows, (defect,) * asked, damaged, rows, none)
    if defect == SHUFFLED:
        struck = rng.permutation(len(rows))[: len(rows) // 4]
        moved = rows.copy()
        moved[struck] = rows[np.roll(struck, 1)]
        return first, replace(second, source_row=moved)
    copied = none.copy()
    struck = rng.permutation(len(rows))[: len(rows) // 10]
    copied[struck] = rng.integers(0, len(pool.train), len(struck))
    return first, replace(second, copies=copied)
