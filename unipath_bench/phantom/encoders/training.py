"""Training an encoder from scratch: a recipe, its loop, and the two files that come out."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from unipath_bench.contracts import Context, ImageEncoder
from unipath_bench.core.digest import digest_file
from unipath_bench.core.errors import UsageError
from unipath_bench.core.files import write_bytes, write_text
from unipath_bench.encoders.loading import torch_device
from unipath_bench.phantom import RENDERER, Wording
from unipath_bench.phantom.captions import CAPTIONS
from unipath_bench.phantom.encoders.captioning import CaptionBook
from unipath_bench.phantom.encoders.cards import NAMES, Scores, TrainingCard, card_path, weights_path
from unipath_bench.phantom.encoders.data import EVALUATION_SEED, Tiles, training_tiles
from unipath_bench.phantom.encoders.encoders import PhantomBank, PhantomClip, PhantomImage, PhantomJudge
from unipath_bench.phantom.encoders.evaluation import TEST_TILES, evaluate
from unipath_bench.phantom.encoders.models import parameter_count
from unipath_bench.phantom.encoders.objectives import ImageObjective, JudgeObjective, Objective, PairObjective

SHIPPED_NETWORKS = ("image", "text")


class Progress(Protocol):
    """Receives the stages of a training."""

    def start(self, stage: str, total: int, done: int = 0) -> None:
        """A stage of ``total`` items begins, of which ``done`` are there already."""

    def advance(self, count: int) -> None:
        """``count`` more items are finished."""

    def finish(self) -> None:
        """The stage is over."""


@dataclass(frozen=True)
class Recipe:
    """All that decides an encoder's weights on one machine."""

    name: str
    supervision: str
    data_seed: int
    training_seed: int
    objective: Callable[[Tiles, torch.Generator, Recipe], Objective]
    wordings: tuple[Wording, ...] = ()
    tiles: int = 12288
    steps: int = 1500
    batch_size: int = 96
    rate: float = 4e-3
    decay: float = 0.02

    @property
    def optimiser(self) -> str:
        """In words."""
        return (
            f"AdamW, weight decay {self.decay:g}, one cycle to a learning rate of {self.rate:g} and down to 0 "
            "(rising for the first tenth of the steps)"
        )


def _judge(tiles: Tiles, random: torch.Generator, recipe: Recipe) -> Objective:
    return JudgeObjective(tiles, random)


def _image(tiles: Tiles, random: torch.Generator, recipe: Recipe) -> Objective:
    return ImageObjective(tiles, random)


def _pair(tiles: Tiles, random: torch.Generator, recipe: Recipe) -> Objective:
    return PairObjective(tiles, random, CaptionBook(tiles, recipe.training_seed, recipe.wordings))


_PAIR = (
    "Contrastive (CLIP) with attribute classification on both towers; images turned, and degraded by blur, noise, "
    "JPEG, stain shift and patch codes."
)
RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "phantom-image",
            "Attributes, stain, scanner, degradation and pixel statistics by linear heads; VICReg's variance and "
            "covariance terms; output whitened on undegraded training tiles.",
            data_seed=101,
            training_seed=11,
            objective=_image,
        ),
        Recipe("phantom-clip", _PAIR, data_seed=102, training_seed=12, objective=_pair, wordings=("seen", "heldout")),
        Recipe(
            "phantom-judge",
            "The ten attributes by linear heads; images turned, and degraded by blur, noise, JPEG, stain shift and "
            "patch codes.",
            data_seed=103,
            training_seed=103,
            objective=_judge,
        ),
        Recipe("phantom-bank", _PAIR, data_seed=104, training_seed=14, objective=_pair, wordings=("seen",), steps=800),
    )
}
"""How the shipped encoders were made, by name."""

_CLASSES: dict[str, Callable[[Path], ImageEncoder]] = {
    cls.name: cls for cls in (PhantomImage, PhantomClip, PhantomJudge, PhantomBank)
}


def adjusted(name: str, *, tiles: int | None = None, steps: int | None = None, seed: int | None = None) -> Recipe:
    """The recipe of an encoder with some numbers replaced; ``seed`` is the training seed.

    Raises:
        UsageError: no such encoder, or a number out of range.
    """
    if name not in RECIPES:
        raise UsageError(f"There is no phantom encoder {name!r}.", f"They are {', '.join(NAMES)}.")
    recipe = RECIPES[name]
    recipe = replace(
        recipe,
        tiles=recipe.tiles if tiles is None else tiles,
        steps=recipe.steps if steps is None else steps,
        training_seed=recipe.training_seed if seed is None else seed,
    )
    if recipe.steps < 2 or recipe.tiles < recipe.batch_size:
        raise UsageError(
            f"{recipe.steps} steps on {recipe.tiles} tiles are too few.",
            f"Give at least 2 steps and {recipe.batch_size} tiles.",
        )
    return recipe


def train(
    recipe: Recipe, out: Path, cache: Path, device: str, progress: Progress, test_tiles: int = TEST_TILES
) -> TrainingCard:
    """Make an encoder and measure it: :func:`make`, then :func:`score` on ``test_tiles`` tiles."""
    return score(make(recipe, out, cache, device, progress), out, cache, progress, test_tiles)


def make(recipe: Recipe, out: Path, cache: Path, device: str, progress: Progress) -> TrainingCard:
    """Render the tiles (or read them from ``cache``), train, write ``out/NAME.safetensors`` and ``out/NAME.json``.

    On the CPU one thread is used, and the same recipe gives the same bytes on one machine.

    Args:
        recipe: what is trained, and how.
        out: folder of the two files.
        cache: folder of rendered tiles.
        device: for the networks; degradations are computed on the CPU.
        progress: is told of each stage.

    Returns:
        The card that was written, without scores.

    Raises:
        UsageError: the data seed is the benchmark's or the evaluation suite's.
        MissingError: no such device.
        DataError: a file in the cache cannot be read.
    """
    if recipe.data_seed == EVALUATION_SEED:
        raise UsageError(
            f"Phantom seed {EVALUATION_SEED} is what encoders are evaluated on.", "Choose another data seed."
        )
    target = torch_device(Context(device=device))
    progress.start(f"Tiles {recipe.data_seed}", recipe.tiles)
    tiles = training_tiles(recipe.data_seed, recipe.tiles, cache, progress.advance)
    progress.finish()
    with _reproducible(recipe.training_seed):
        random = torch.Generator().manual_seed(recipe.training_seed)
        objective = recipe.objective(tiles, random, recipe)
        wall, processor = time.perf_counter(), time.process_time()
        progress.start(recipe.name, recipe.steps)
        fit(objective, recipe, random, target, progress.advance)
        progress.finish()
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    networks = nn.ModuleDict({k: objective.networks[k] for k in SHIPPED_NETWORKS if k in objective.networks})
    out.mkdir(parents=True, exist_ok=True)
    save(networks, weights_path(out, recipe.name))
    card = TrainingCard(
        name=recipe.name,
        supervision=recipe.supervision,
        wordings=recipe.wordings,
        data_seed=recipe.data_seed,
        tiles=recipe.tiles,
        training_seed=recipe.training_seed,
        steps=recipe.steps,
        batch_size=recipe.batch_size,
        optimiser=recipe.optimiser,
        parameters=parameter_count(networks),
        dimension=objective.dimension,
        stored_as="float16",
        hardware=_hardware(target),
        seconds=round(wall, 1),
        processor_seconds=round(processor, 1),
        torch=torch.__version__,
        renderer=RENDERER,
        captions=CAPTIONS if recipe.wordings else "",
        sha256=digest_file(weights_path(out, recipe.name)),
        scores=Scores(suite_seed=EVALUATION_SEED, probe_tiles=0, test_tiles=0, weighted_f1={}),
    )
    _write(card, out)
    return card


def score(card: TrainingCard, out: Path, cache: Path, progress: Progress, test_tiles: int = TEST_TILES) -> TrainingCard:
    """Evaluate the encoder in ``out`` from its stored weights and write its card anew with the scores."""
    encoder = _CLASSES[card.name](out)
    encoder.setup(Context())
    progress.start("Evaluate", 3 * test_tiles)
    scores = evaluate(encoder, cache, progress.advance, test_tiles)
    progress.finish()
    card = card.model_copy(update={"scores": scores})
    _write(card, out)
    return card


def fit(
    objective: Objective,
    recipe: Recipe,
    random: torch.Generator,
    device: torch.device,
    advance: Callable[[int], None],
) -> None:
    """Take ``recipe.steps`` steps over shuffled tiles."""
    networks = objective.networks.to(memory_format=torch.channels_last)
    objective.to(device)
    networks.train()
    optimiser = torch.optim.AdamW(networks.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=recipe.steps, pct_start=0.1, final_div_factor=1e4
    )
    batches = _batches(len(objective.tiles), recipe.batch_size, random)
    for _ in range(recipe.steps):
        optimiser.zero_grad()
        objective.loss(next(batches)).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimiser.step()
        schedule.step()
        advance(1)
    objective.finish()
    networks.to("cpu").eval()


def save(networks: nn.Module, path: Path) -> None:
    """Write parameters and buffers as safetensors, floating-point ones in half precision."""
    state = {
        name: (tensor.detach().half() if tensor.is_floating_point() else tensor.detach()).contiguous()
        for name, tensor in networks.state_dict().items()
    }
    write_bytes(path, to_safetensors(state))


def _write(card: TrainingCard, out: Path) -> None:
    write_text(card_path(out, card.name), card.model_dump_json(indent=2) + "\n")


def _batches(n: int, size: int, random: torch.Generator) -> Iterator[Tensor]:
    """Row numbers of batches for ever, each tile once a round as far as whole batches go."""
    while True:
        order = torch.randperm(n, generator=random)
        for start in range(0, n - size + 1, size):
            yield order[start : start + size]


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Run the block on one thread and with a seeded global generator, and restore both afterwards.

    On one thread CPU operations add in a fixed order.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, 1 thread" if device.type == "cpu" else device.type
