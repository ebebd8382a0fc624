"""The contracts that everybody implements: suites, generators, encoders and metrics.

Third parties subclass these from their own package and name them by an entry point or ``module:attribute``; nothing
here is edited. Everything that crosses a contract is plain data: uint8 RGB arrays in, uint8 RGB arrays or float32
features out.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from unipath_bench.core.arrays import Features, RGBBatch, RGBImage
from unipath_bench.core.artifact_cache import ArtifactCache
from unipath_bench.core.digest import digest_strings
from unipath_bench.schema.cards import EncoderCard, GeneratorCard, SuiteCard
from unipath_bench.schema.details import Details
from unipath_bench.schema.record import Contributions, Interval

Progress = Callable[[int, int], None]
"""Called as ``progress(done, total)``."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One real image and what is known of it. Pixels are read by :meth:`Suite.load`, never held here.

    Examples:
        >>> sample = Sample("test/a.png", "test", "A gland.", labels={"grade": "high"}, group="patient-7")
        >>> sample.labels["grade"], sample.paraphrases
        ('high', ())
    """

    id: str
    """Unique in its suite and stable across runs, e.g. the path relative to the data folder."""
    split: str
    prompt: str = ""
    """Description that a generator is prompted with; empty where the suite has none."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Attribute name to class name; the same attributes for every sample of a suite."""
    group: str | None = None
    """Patient, slide or block: images of one group are not independent."""
    paraphrases: tuple[str, ...] = ()
    """Other wordings of the prompt that mean the same."""
    microns_per_pixel: float | None = None


class Suite(ABC):
    """A set of real images with prompts, labels and groups, in named splits.

    Splits are called ``train``, ``test`` and, optionally, ``heldout``. ``test`` gives the prompts and the reference
    images; ``train`` is for classifiers, the memorisation audit and baselines; ``heldout`` is real tissue that is in
    neither, for the real-against-real figures (:mod:`unipath_bench.suites.roles` sets groups aside where it is absent).

    Examples:
        Two plain tiles; the samples of the test split give the prompts.

        >>> import numpy as np
        >>> class Plain(Suite):
        ...     card = SuiteCard(name="plain", title="Plain tiles", kind="phantom", licence="CC0-1.0")
        ...     revision = "1"
        ...
        ...     def samples(self):
        ...         return [Sample("pink", "test", "A pink tile."), Sample("blue", "train", "A blue tile.")]
        ...
        ...     def load(self, sample):
        ...         return np.full((8, 8, 3), (230, 190, 215) if sample.id == "pink" else (95, 60, 140), np.uint8)
        >>> suite = Plain()
        >>> [suite.load(sample)[0, 0].tolist() for sample in suite.samples()]
        [[230, 190, 215], [95, 60, 140]]
    """

    card: SuiteCard
    computed: bool = False
    """Whether images are computed rather than read, so that no file of theirs can be damaged and none is checked
    before a run."""

    @property
    @abstractmethod
    def revision(self) -> str:
        """Digest of all that decides the content: every image's bytes, every prompt, label and group."""

    @abstractmethod
    def samples(self) -> Sequence[Sample]:
        """Every sample of every split, without pixels, in a fixed order with unique ids."""

    @abstractmethod
    def load(self, sample: Sample) -> RGBImage:
        """Decode one image: uint8, shape (H, W, 3). Raises :class:`~unipath_bench.DataError` naming the file."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a generator is asked for. The image must depend on this alone, never on the batch it came in.

    Examples:
        >>> request = Request("test/a.png", "A gland.", seed=7, replicate=0, height=64, width=64)
        >>> request.image is None
        True
    """

    sample_id: str
    prompt: str
    seed: int
    """63-bit seed, a function of the sample id and the replicate: feed it to the model's random generator."""
    replicate: int
    """0 .. seeds-1: which of the images of this prompt."""
    height: int
    width: int
    labels: Mapping[str, str] = field(default_factory=dict)
    """Attributes that the prompt asks for."""
    image: RGBImage | None = None
    """Reference image (image-to-image track), uint8 (H, W, 3)."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a run lends to a generator or an encoder before first use.

    Examples:
        >>> context = Context(device="cuda:0", offline=True)
        >>> context.suite is None, context.trust_remote_code
        (True, False)
    """

    device: str = "cpu"
    offline: bool = False
    cache_dir: Path | None = None
    suite: Suite | None = None
    """Only given to generators whose card says ``oracle: true``."""
    trust_remote_code: bool = False
    """The user read the Python code in the repositories that this run uses, and lets it run."""


class Generator(ABC):
    """An image generator. Subclass, set ``card``, implement :meth:`generate`; that is all an adapter needs.

    Examples:
        One colour, whatever the prompt; a class like this is named on the command line as ``module:Pink``.

        >>> import numpy as np
        >>> class Pink(Generator):
        ...     card = GeneratorCard(name="pink", revision="1", licence="MIT", conditions_on=())
        ...
        ...     def generate(self, requests):
        ...         return [np.full((r.height, r.width, 3), (230, 190, 215), np.uint8) for r in requests]
        >>> [image] = Pink().generate([Request("a", "A gland.", seed=7, replicate=0, height=4, width=6)])
        >>> image.shape, image[0, 0].tolist()
        ((4, 6, 3), [230, 190, 215])
    """

    card: GeneratorCard
    incidental: ClassVar[frozenset[str]] = frozenset()
    """Constructor arguments that do not decide the images (where files lie, time limits): left out of digests."""
    answers_paraphrases: ClassVar[bool] = True
    """False where one prompt in other words cannot be asked for, e.g. images that were generated beforehand."""

    def setup(self, context: Context) -> None:  # noqa: B027  (optional hook)
        """Load weights onto ``context.device``. Called once, before the first :meth:`generate`."""

    def fingerprint(self) -> Mapping[str, Any]:
        """JSON-able facts beyond the card that decide the images (e.g. a digest of a folder). Default: none."""
        return {}

    def missing(self, context: Context) -> str | None:
        """What the user must supply before :meth:`setup` can work, as a remedy; None when all is at hand.

        Must be cheap: no weights are loaded.
        """
        return None

    def check(self, requests: Sequence[Request]) -> None:  # noqa: B027  (optional hook)
        """Raise :class:`~unipath_bench.DataError` where this run's requests cannot be answered.

        Called once with all requests, before the first :meth:`generate` and before :meth:`setup`.
        """

    @abstractmethod
    def generate(self, requests: Sequence[Request]) -> Sequence[RGBImage] | RGBBatch:
        """Return one image per request, in the order of ``requests``.

        The images are uint8 RGB of the size asked for, as (B, H, W, 3), a list of (H, W, 3) arrays, or a list of
        ``PIL.Image.Image`` in mode RGB.
        """


class _Encoder(ABC):
    card: EncoderCard

    def setup(self, context: Context) -> None:  # noqa: B027  (optional hook)
        """Load weights onto ``context.device``. Called once, before the first embedding."""

    def missing(self, context: Context) -> str | None:
        """The remedy where weights, a licence or a package are not at hand; None when it would load. Loads nothing."""
        return None


class ImageEncoder(_Encoder):
    """Images to feature vectors.

    Examples:
        The mean of each colour as three features.

        >>> import numpy as np
        >>> class MeanColour(ImageEncoder):
        ...     card = EncoderCard(name="mean-colour", revision="1", dimension=3)
        ...
        ...     def embed_images(self, images):
        ...         return images.mean(axis=(1, 2), dtype=np.float32)
        >>> MeanColour().embed_images(np.full((1, 4, 4, 3), (230, 190, 215), np.uint8)).tolist()
        [[230.0, 190.0, 215.0]]
    """

    @abstractmethod
    def embed_images(self, images: RGBBatch) -> Features:
        """uint8 (B, H, W, 3) at native size to float32 (B, D). Resizing is the encoder's own, pinned in its card.

        The pipeline always passes batches of exactly ``card.micro_batch`` images (the last one padded), so the shapes
        that the model sees never depend on the run.
        """


class TextEncoder(_Encoder):
    """Texts to feature vectors; a joint image-text encoder implements :class:`ImageEncoder` too, in one space.

    Examples:
        The numbers of words and of characters as two features.

        >>> import numpy as np
        >>> class Lengths(TextEncoder):
        ...     card = EncoderCard(name="lengths", revision="1", dimension=2, modalities=("text",))
        ...
        ...     def embed_texts(self, texts):
        ...         return np.array([[len(text.split()), len(text)] for text in texts], np.float32)
        >>> Lengths().embed_texts(["pink tile"]).tolist()
        [[2.0, 9.0]]
    """

    @abstractmethod
    def embed_texts(self, texts: Sequence[str]) -> Features:
        """B strings to float32 (B, D)."""


@dataclass(frozen=True)
class FeatureSet:
    """Features of one set of images with what is known of each, all of length N and in one order.

    Examples:
        >>> import numpy as np
        >>> features = np.array([[0.0], [1.0], [2.0]], np.float32)
        >>> found = FeatureSet(("a", "b", "c"), images=features, groups=("p", "p", "q")).take([2, 0])
        >>> found.ids, found.images.tolist(), found.groups, found.texts is None
        (('c', 'a'), [[2.0], [0.0]], ('q', 'p'), True)
    """

    ids: tuple[str, ...]
    """Sample ids; a generated image carries the id of the sample whose prompt it answers."""
    images: Features | None = None
    """Image features, float32 (N, D)."""
    texts: Features | None = None
    """Features of the prompts in the same space, float32 (N, D)."""
    prompts: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    replicates: tuple[int, ...] = ()
    pixel_digests: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: Sequence[int] | np.ndarray[Any, Any]) -> FeatureSet:
        """The rows ``index``, in that order (repeats allowed)."""
        rows = [int(i) for i in index]

        def pick(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(values[i] for i in rows) if values else ()

        return FeatureSet(
            ids=pick(self.ids),
            images=None if self.images is None else self.images[rows],
            texts=None if self.texts is None else self.texts[rows],
            prompts=pick(self.prompts),
            labels={name: pick(values) for name, values in self.labels.items()},
            groups=pick(self.groups),
            replicates=pick(self.replicates),
            pixel_digests=pick(self.pixel_digests),
        )


SetName = Literal["reference", "generated", "heldout", "train", "variants"]
"""``reference``: the real test images whose prompts were asked, one a prompt. ``generated``: the answers, prompts times
seeds. ``heldout``: for each prompt a real image of the same labels that is in neither ``reference`` nor ``train``.
``train``: real training images. ``variants``: images generated from the prompts' paraphrases."""

Need = Literal[
    "reference.images",
    "generated.images",
    "generated.texts",
    "heldout.images",
    "train.images",
    "variants.images",
    "variants.texts",
    "labels",
    "prompts",
]


Welcome = Literal["train.images", "heldout.images"]
"""Real sets that a metric reads where the suite has them."""

Purpose = Literal[
    "distance",
    "realism",
    "diversity",
    "coverage",
    "alignment",
    "rewording",
    "rewording spread",
    "control",
    "utility",
    "copying",
    "authenticity",
]
"""What a value is for."""


@dataclass(frozen=True)
class ScoreInputs:
    """All that a metric may see: arrays, never a model, a file or a device.

    Examples:
        >>> inputs = ScoreInputs({"generated": FeatureSet(("a", "b"))})
        >>> len(inputs["generated"]), len(inputs.replaced(generated=FeatureSet(("a",)))["generated"])
        (2, 1)
    """

    sets: Mapping[str, FeatureSet]
    seed: int = 0
    artifacts: ArtifactCache | None = field(default=None, compare=False, repr=False)
    """Where a metric may keep what it trained on real images, to have it again with the next generator: it changes no
    number."""

    def __getitem__(self, name: str) -> FeatureSet:
        return self.sets[name]

    def replaced(self, **sets: FeatureSet) -> ScoreInputs:
        """A copy in which some sets are others; how the ends of a scale are computed."""
        return replace(self, sets={**self.sets, **sets})

    @property
    def key(self) -> str:
        """Digest of the ids in every set; names the inputs in logs."""
        return digest_strings(f"{name}:{i}" for name, s in sorted(self.sets.items()) for i in s.ids)


@dataclass(frozen=True)
class Measurement:
    """What a metric found.

    Examples:
        >>> found = Measurement({"accuracy": 0.75}, n_images=4)
        >>> found.values["accuracy"], found.anchors
        (0.75, {})
    """

    values: Mapping[str, float]
    """Finite numbers, by name; the task says which of them is the headline."""
    n_images: int
    """Generated images that went in."""
    dimension: int | None = None
    anchors: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    """Closed-form (bad end, good end) of a value's scale, where the metric knows them, e.g. a recall by chance."""
    details: Details | Mapping[str, Any] = field(default_factory=dict)
    """Tables for the report: one of :mod:`unipath_bench.schema.details`, or plain JSON, in which ``not_reported`` maps
    the values that could not be given to the reasons."""
    uncertainty: Callable[[], Mapping[str, Interval | str]] = field(default=dict, compare=False, repr=False)
    """Called once for the generator's own images (never for the ends of a scale, which would pay for nothing): the
    interval of each value by name, or why there is none."""
    paired: Callable[[], Mapping[str, Contributions | str]] = field(default=dict, compare=False, repr=False)
    """Called as ``uncertainty`` is: what a paired difference to another run needs of each value by name, or why there
    can be none. :mod:`unipath_bench.scoring.paired` makes it from values without each patient."""


@dataclass(frozen=True)
class Metric:
    """A pure function of :class:`ScoreInputs` and the task's parameters.

    Examples:
        Most are made by :func:`metric`; one may be called like the function that it holds.

        >>> def count(inputs):
        ...     return Measurement({}, len(inputs["generated"]))
        >>> counting = Metric("count", frozenset({"generated.images"}), count)
        >>> counting(ScoreInputs({"generated": FeatureSet(("a", "b"))})).n_images
        2
    """

    name: str
    needs: frozenset[str]
    function: Callable[..., Measurement]
    summary: str = ""
    welcome: frozenset[str] = frozenset()
    """What it reads too where the suite has it; without it some values are not reported."""
    purposes: Mapping[str, Purpose] = field(default_factory=dict, hash=False)
    """What each value is for, by name: `unipath-bench audit` declares by it what a defect should make of the value, and
    nothing of a value without a purpose."""

    requirement: Callable[..., None] | None = None
    """See :func:`metric`."""

    def require(self, inputs: ScoreInputs, **parameters: Any) -> None:
        """Raise ``NotComputable`` where what is known of the images shows that there will be no value.

        ``inputs`` need no features. A plan asks this before anything is generated.
        """
        if self.requirement is None:
            return
        bound = inspect.signature(self.function).bind(inputs, **parameters)
        bound.apply_defaults()
        wanted = list(inspect.signature(self.requirement).parameters)[1:]
        self.requirement(inputs, **{name: bound.arguments[name] for name in wanted})

    def __call__(self, inputs: ScoreInputs, **parameters: Any) -> Measurement:
        """Compute the metric from ``inputs`` with the task's ``parameters``."""
        self.require(inputs, **parameters)
        return self.function(inputs, **parameters)


def metric(
    *needs: Need,
    welcome: Sequence[Welcome] = (),
    purposes: Mapping[str, Purpose] | None = None,
    requires: Callable[..., None] | None = None,
) -> Callable[[Callable[..., Measurement]], Metric]:
    """Turn a function ``f(inputs: ScoreInputs, **parameters) -> Measurement`` into a :class:`Metric`.

    ``needs`` names what the plan must provide, e.g. ``@metric("reference.images", "generated.images")``; ``welcome``
    what it should provide where the suite has it; ``purposes`` what each value is for. The function's name is the
    metric's, and the key of its entry point.

    ``requires(inputs, ...)`` raises :class:`NotComputable` where ids, prompts, labels, groups or the number of images
    leave nothing to compute; the parameters that it names are those of ``f``. It is asked when a run is planned, with
    inputs without features, and again before ``f`` is called.

    Examples:
        How far two means lie apart: that of 0 and 2 is 1, which is 3 from 4.

        >>> import numpy as np
        >>> @metric("reference.images", "generated.images", purposes={"distance": "distance"})
        ... def mean_distance(inputs, scale=1.0):
        ...     "Distance of the mean features."
        ...     real, generated = inputs["reference"].images, inputs["generated"].images
        ...     distance = scale * float(np.linalg.norm(real.mean(0) - generated.mean(0)))
        ...     return Measurement({"distance": distance}, n_images=len(generated))
        >>> real, generated = np.array([[0.0], [2.0]]), np.array([[4.0]])
        >>> sets = {"reference": FeatureSet(("a", "b"), images=real), "generated": FeatureSet(("a",), images=generated)}
        >>> mean_distance(ScoreInputs(sets)).values, mean_distance(ScoreInputs(sets), scale=2.0).values
        ({'distance': 3.0}, {'distance': 6.0})
        >>> mean_distance.name, mean_distance.summary
        ('mean_distance', 'Distance of the mean features.')
    """

    def wrap(function: Callable[..., Measurement]) -> Metric:
        summary = (function.__doc__ or "").strip().splitlines()[0:1]
        name = function.__name__
        first = summary[0] if summary else ""
        return Metric(name, frozenset(needs), function, first, frozenset(welcome), dict(purposes or {}), requires)

    return wrap
