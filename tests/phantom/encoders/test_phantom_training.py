"""Training: the command from end to end in miniature, and the pieces that it is made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from unipath_bench.cli.training import train_encoders
from unipath_bench.contracts import Context
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.core.progress import Silent
from unipath_bench.phantom import CLASSES, PHRASES
from unipath_bench.phantom.encoders import NAMES, PhantomBank, read_card, separation_problems
from unipath_bench.phantom.encoders.captioning import CaptionBook, captions
from unipath_bench.phantom.encoders.cards import weights_path
from unipath_bench.phantom.encoders.data import EVALUATION_SEED, SIDE, Tiles, training_tiles
from unipath_bench.phantom.encoders.degrading import (
    DEGREES,
    Mixture,
    PatchCode,
    blurred,
    degrade,
    recompressed,
    restained,
    to_float,
    turned,
    zoomed,
)
from unipath_bench.phantom.encoders.models import ImageTower
from unipath_bench.phantom.encoders.objectives import ImageObjective, PairObjective, spread_loss
from unipath_bench.phantom.encoders.text import pieces, words
from unipath_bench.phantom.encoders.training import RECIPES, adjusted, make


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiles")


@pytest.fixture(scope="module")
def tiles(cache: Path) -> Tiles:
    return training_tiles(7, 96, cache, lambda count: None)


def _app() -> typer.Typer:
    app = typer.Typer()
    app.command()(train_encoders)
    return app


@pytest.mark.integration
def test_the_command_trains_writes_and_compares(tmp_path: Path, cache: Path) -> None:
    names = ["phantom-judge", "phantom-bank"]
    arguments = ["--out", str(tmp_path), "--cache", str(cache), "--steps", "2", "--tiles", "96", "--test-tiles", "64"]
    result = CliRunner().invoke(_app(), [*names, *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    cards = [read_card(tmp_path, name) for name in names]
    assert separation_problems(cards) == []
    for card in cards:
        assert (card.steps, card.tiles, card.scores.test_tiles, card.scores.probe_tiles) == (2, 96, 64, 128)
        assert card.data_seed == RECIPES[card.name].data_seed
        assert set(card.scores.weighted_f1["plain"]) == set(CLASSES)
        assert f"{card.name}: 2 steps" in result.output
    assert cards[1].scores.retrieval
    assert not cards[0].scores.retrieval
    encoder = PhantomBank(tmp_path)
    encoder.setup(Context())
    assert encoder.embed_texts(["no necrosis"]).shape == (1, cards[1].dimension)


@pytest.mark.integration
def test_the_same_recipe_gives_the_same_bytes(tmp_path: Path, cache: Path) -> None:
    recipe = adjusted("phantom-image", tiles=96, steps=2)
    made = []
    for folder in ("first", "second"):
        torch.rand(3)  # the state of the global generator is nothing to it
        make(recipe, tmp_path / folder, cache, "cpu", Silent())
        made.append(weights_path(tmp_path / folder, recipe.name).read_bytes())
    assert made[0] == made[1]
    other = adjusted("phantom-image", tiles=96, steps=2, seed=recipe.training_seed + 1)
    make(other, tmp_path / "other", cache, "cpu", Silent())
    assert weights_path(tmp_path / "other", recipe.name).read_bytes() != made[0]


@pytest.mark.parametrize(("seed", "message"), [(0, "what the benchmark scores on"), (EVALUATION_SEED, "evaluated on")])
def test_tiles_of_the_benchmark_are_never_trained_on(seed: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        make(replace(RECIPES["phantom-judge"], data_seed=seed), tmp_path, tmp_path, "cpu", Silent())


def test_recipes_are_separate() -> None:
    assert tuple(RECIPES) == NAMES
    for field in ("data_seed", "training_seed"):
        assert len({getattr(recipe, field) for recipe in RECIPES.values()}) == len(NAMES)


@pytest.mark.parametrize("numbers", [{"steps": 1}, {"tiles": 95}])
def test_too_few_steps_or_tiles_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="too few"):
        adjusted("phantom-judge", **numbers)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(UsageError, match="phantom-image, phantom-clip, phantom-judge, phantom-bank"):
        adjusted("phantom-jury")


@pytest.mark.integration
def test_tiles_are_read_back_as_rendered_and_a_cut_file_is_refused(cache: Path, tiles: Tiles) -> None:
    again = training_tiles(7, 96, cache, lambda count: None)
    np.testing.assert_array_equal(again.images, tiles.images)
    np.testing.assert_array_equal(again.labels, tiles.labels)
    path = next(cache.glob("phantom-7-*.npz"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be read"):
        training_tiles(7, 96, cache, lambda count: None)
    path.write_bytes(whole)


def test_captions_are_of_every_register_and_of_the_wordings_asked_for(tiles: Tiles) -> None:
    attributes = tiles.attributes(0)
    both, seen = captions(attributes, 3, ("seen", "heldout")), captions(attributes, 3, ("seen",))
    assert (len(both), len(seen)) == (10, 6)
    heldout = [
        phrase.removeprefix("a ").removeprefix("an ").lower()
        for name, value in attributes.labels().items()
        for phrase in PHRASES[name][value].heldout
    ]
    assert any(phrase in text.lower() for text in both for phrase in heldout)
    assert not any(phrase in text.lower() for text in seen for phrase in heldout)


def test_a_caption_book_is_the_captions_word_by_word(tiles: Tiles) -> None:
    some = Tiles(tiles.images[:3], tiles.labels[:3], tiles.appearance[:3])
    book = CaptionBook(some, 1, ("seen",))
    codes = book.codes(np.array([2, 0]), np.array([5, 4]))  # the attribute bundle of tile 2, the terse prompt of tile 0
    expected = words(captions(some.attributes(2), 0, ("seen",))[5])
    row = codes[0][codes[0] > 0]
    assert [tuple(book.pieces[code][book.pieces[code] > 0]) for code in row] == [pieces(word) for word in expected]


def test_turning_gives_the_eight_orientations_and_no_other(tiles: Tiles) -> None:
    pixels = to_float(tiles.images[:1]).repeat(64, 1, 1, 1)
    out = turned(pixels, torch.Generator().manual_seed(0))
    tile = tiles.images[0]
    expected = {np.rot90(base, k).tobytes() for base in (tile, tile[:, ::-1]) for k in range(4)}
    found = {t.permute(1, 2, 0).numpy().astype(np.uint8).tobytes() for t in out}
    assert found == expected


def test_clean_tiles_are_left_and_degrees_say_what_happened(tiles: Tiles) -> None:
    pixels = to_float(tiles.images)
    code = PatchCode(tiles.images)
    random = torch.Generator().manual_seed(1)
    out, degree = degrade(pixels, Mixture(clean=0.5, each=0.5, scale=0.2), code, random)
    assert degree.shape == (96, len(DEGREES))
    untouched = ~degree.any(dim=1)
    assert 0.35 < untouched.float().mean() < 0.7
    torch.testing.assert_close(out[untouched], pixels[untouched], rtol=0, atol=0)
    assert (out[~untouched] != pixels[~untouched]).flatten(1).any(1).all()
    assert torch.equal(out, out.round())
    assert out.min() >= 0
    assert out.max() <= 255


def test_blur_is_scipys_gaussian(tiles: Tiles) -> None:
    from scipy.ndimage import gaussian_filter

    sigma = 0.9
    expected = gaussian_filter(tiles.images[0].astype(float), (sigma, sigma, 0), mode="mirror", radius=4)
    found = blurred(to_float(tiles.images[:1]), torch.tensor([sigma]))[0].permute(1, 2, 0)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_stain_factors_of_one_change_nothing_and_less_stain_is_brighter(tiles: Tiles) -> None:
    pixels = to_float(tiles.images[:4])
    torch.testing.assert_close(restained(pixels, torch.ones(4, 2)), pixels.clamp(min=1.0), rtol=0, atol=0.01)
    assert (restained(pixels, torch.full((4, 2), 0.7)).mean((1, 2, 3)) > pixels.mean((1, 2, 3))).all()


def test_all_components_reconstruct_the_patches_and_fewer_cost_more(tiles: Tiles) -> None:
    code = PatchCode(tiles.images)
    pixels = to_float(tiles.images[:8])
    torch.testing.assert_close(code.reconstruct(pixels, torch.full((8,), 48)), pixels, rtol=0, atol=0.01)
    errors = [float((code.reconstruct(pixels, torch.full((8,), k)) - pixels).square().mean()) for k in (32, 16, 8)]
    assert errors == sorted(errors)


def test_magnifying_twice_doubles_a_disc() -> None:
    ys, xs = torch.meshgrid(*[torch.arange(SIDE) - 31.5] * 2, indexing="ij")
    disc = ((ys**2 + xs**2) < 64.0).float().expand(1, 3, -1, -1) * 255
    # A disc of radius 8 has the area 64 pi = 201 px; at twice the size 804 px.
    area = float((zoomed(disc, torch.tensor([2.0]))[0, 0] > 127).sum())
    assert area == pytest.approx(4 * float((disc[0, 0] > 127).sum()), rel=0.05)


def test_a_recompressed_tile_differs_little_at_high_quality(tiles: Tiles) -> None:
    tile = to_float(tiles.images[:1])[0]
    errors = [float((recompressed(tile, quality, 0) - tile).abs().mean()) for quality in (95, 60, 20)]
    assert 0 < errors[0] < errors[1] < errors[2]
    assert errors[0] < 3


def test_spread_loss_by_hand() -> None:
    # Columns (1, -1, 1, -1) and (1, 1, -1, -1) times 2: variance 16/3 each, above 1; covariance 0.
    apart = 2 * torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    assert float(spread_loss(apart)) == pytest.approx(0.0, abs=1e-6)
    # Both columns alike: each off-diagonal covariance 16/3, so 0.1 * 2 * (16/3)^2 / 2.
    alike = apart[:, [0, 0]]
    assert float(spread_loss(alike)) == pytest.approx(0.1 * (16 / 3) ** 2, rel=1e-5)
    # No variance at all: the hinge 1 - sqrt(1e-4).
    assert float(spread_loss(torch.zeros(4, 2))) == pytest.approx(0.99, rel=1e-5)
    assert float(spread_loss(apart[:1])) == 0.0


def test_finishing_whitens_the_training_tiles(tiles: Tiles) -> None:
    torch.manual_seed(0)
    objective = ImageObjective(tiles, torch.Generator().manual_seed(0))
    objective.finish()
    tower = objective.networks["image"]
    assert isinstance(tower, ImageTower)
    with torch.no_grad():
        features = tower((to_float(tiles.images) - 178.5) / 51.0).double()
    torch.testing.assert_close(features.mean(0), torch.zeros(32).double(), rtol=0, atol=1e-3)
    torch.testing.assert_close(torch.cov(features.T), torch.eye(32).double(), rtol=0, atol=2e-2)


@pytest.mark.integration
def test_a_step_lowers_a_pairs_loss(tiles: Tiles) -> None:
    torch.manual_seed(0)
    objective = PairObjective(tiles, torch.Generator().manual_seed(0), CaptionBook(tiles, 1, ("seen",)))
    rows = torch.arange(32)
    optimiser = torch.optim.Adam(objective.networks.parameters(), 1e-3)
    losses = []
    for _ in range(6):
        optimiser.zero_grad()
        loss = objective.loss(rows)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
