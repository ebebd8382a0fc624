"""The panel's table: whole, consistent, registered, documented; and the preprocessing of every entry, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unipath_bench.cli.encoders import markdown_table, row_of
from unipath_bench.core.errors import UsageError
from unipath_bench.core.registries import ENCODERS
from unipath_bench.encoders.panel import open_encoder, panel
from unipath_bench.encoders.spec import EncoderSpec
from unipath_bench.schema.base import validate

NAMES = [
    "uni",
    "uni2-h",
    "virchow",
    "virchow2",
    "h-optimus-0",
    "h-optimus-1",
    "prov-gigapath",
    "phikon-v2",
    "conch",
    "conch-v1.5",
    "musk",
    "plip",
    "pathgen-clip",
    "quiltnet",
    "keep",
    "biomedclip",
    "dinov2",
    "inception-v3",
    "clip",
]
BICUBIC, BILINEAR = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
OPTIMUS = ((0.707223, 0.578729, 0.703617), (0.211883, 0.230117, 0.177517))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

RECIPES = {
    # shorter side, input size, filter, (mean, std): the authors' own transforms, as their cards and code print them
    "uni": (224, 224, BILINEAR, IMAGENET),  # transforms.Resize(224), torchvision's default filter
    "uni2-h": (224, 224, BILINEAR, IMAGENET),
    "virchow": (224, 224, BICUBIC, IMAGENET),
    "virchow2": (224, 224, BICUBIC, IMAGENET),
    "h-optimus-0": (224, 224, BICUBIC, OPTIMUS),
    "h-optimus-1": (224, 224, BICUBIC, OPTIMUS),
    "prov-gigapath": (256, 224, BICUBIC, IMAGENET),  # Resize(256, BICUBIC), CenterCrop(224)
    "phikon-v2": (224, 224, BICUBIC, IMAGENET),  # preprocessor_config.json: resample 3
    "conch": (448, 448, BICUBIC, OPENAI),
    "conch-v1.5": (448, 448, BILINEAR, IMAGENET),
    "musk": (384, 384, BICUBIC, HALF),  # Resize(384, interpolation=3), timm's Inception mean and std
    "plip": (224, 224, BICUBIC, OPENAI),
    "pathgen-clip": (224, 224, BICUBIC, OPENAI),
    "quiltnet": (224, 224, BICUBIC, OPENAI),
    "keep": (224, 224, BICUBIC, IMAGENET),
    "biomedclip": (224, 224, BICUBIC, OPENAI),
    "dinov2": (256, 224, BICUBIC, IMAGENET),  # preprocessor_config.json: shortest_edge 256, crop 224
    "clip": (224, 224, BICUBIC, OPENAI),
}


def _image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _prepared(spec: EncoderSpec, image: np.ndarray) -> np.ndarray:
    return np.asarray(open_encoder(spec)._prepared(image[None]))[0]


def test_the_panel_is_the_one_that_was_asked_for() -> None:
    assert list(panel()) == NAMES
    assert set(NAMES) <= set(ENCODERS.names())
    for name in NAMES:
        assert ENCODERS.get(name)().card.name == name


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_states_what_a_reader_needs(name: str) -> None:
    spec = panel()[name]
    assert spec.title
    assert spec.source
    assert spec.licence
    if spec.hub_id:
        assert spec.revision is not None
        assert len(spec.revision) == 40
    assert spec.sha256 is not None or "digest" in spec.notes  # what is not pinned is said
    card = open_encoder(spec).card
    assert card.revision == (spec.revision or spec.sha256)
    assert card.recipe == spec.recipe


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(("height", "width"), [(256, 256), (320, 480), (512, 512)])
def test_preprocessing_is_the_authors_by_hand(name: str, height: int, width: int) -> None:
    side, size, resample, (mean, std) = RECIPES[name]
    image = _image(height, width)
    # Shorter side to `side`, the longer in proportion, rounded down; the cut is even at these sizes.
    short = min(height, width)
    shape = (width * side // short, height * side // short)
    resized = np.asarray(Image.fromarray(image).resize(shape, resample)) if short != side else image
    top, left = (resized.shape[0] - size) // 2, (resized.shape[1] - size) // 2
    assert (resized.shape[0] - size) % 2 == (resized.shape[1] - size) % 2 == 0
    expected = (resized[top : top + size, left : left + size] / 255.0 - np.array(mean)) / np.array(std)
    found = _prepared(panel()[name], image)
    assert found.shape == (3, size, size)
    np.testing.assert_allclose(found, expected.transpose(2, 0, 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["uni", "virchow2", "h-optimus-1", "prov-gigapath", "conch", "keep", "quiltnet"])
@pytest.mark.parametrize(("height", "width"), [(260, 301), (333, 257)])
def test_preprocessing_agrees_with_torchvision(name: str, height: int, width: int) -> None:
    from torchvision import transforms

    side, size, resample, (mean, std) = RECIPES[name]
    modes = {BICUBIC: transforms.InterpolationMode.BICUBIC, BILINEAR: transforms.InterpolationMode.BILINEAR}
    peer = transforms.Compose(
        [
            transforms.Resize(side, interpolation=modes[resample]),
            transforms.CenterCrop(size),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
    )
    image = _image(height, width)
    np.testing.assert_allclose(_prepared(panel()[name], image), peer(Image.fromarray(image)).numpy(), atol=2e-5)


@pytest.mark.parametrize(
    ("name", "processor"),
    [("plip", "CLIPImageProcessorPil"), ("clip", "CLIPImageProcessorPil"), ("dinov2", "BitImageProcessorPil")],
)
@pytest.mark.parametrize(("height", "width"), [(260, 301), (333, 257)])
def test_preprocessing_agrees_with_transformers(name: str, processor: str, height: int, width: int) -> None:
    import transformers

    side, size, _, (mean, std) = RECIPES[name]
    peer = getattr(transformers, processor)(
        size={"shortest_edge": side},
        crop_size={"height": size, "width": size},
        resample=3,
        do_center_crop=True,
        do_resize=True,
        do_normalize=True,
        image_mean=mean,
        image_std=std,
    )
    image = _image(height, width)
    expected = peer(Image.fromarray(image), return_tensors="np")["pixel_values"][0]
    np.testing.assert_allclose(_prepared(panel()[name], image), expected, atol=2e-5)


def test_the_headline_encoder_is_not_one_that_unipath_uses_inside() -> None:
    from reference_model.full_size import INTERNAL_ENCODERS
    from unipath_bench.scoring.catalogue import load_tasks

    headline = load_tasks()["patho-fid"].encoder
    assert headline in panel()
    internal = {panel()[name].hub_id for name in INTERNAL_ENCODERS}
    assert internal == {"MahmoodLab/CONCH", "MahmoodLab/UNI2-h"}
    assert panel()[str(headline)].hub_id not in internal


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"pooling": "projected"}, "the loader timm offers"),
        ({"revision": "main"}, "no full commit"),
        ({"sha256": "abc"}, "64 hex digits"),
        ({"hub_id": ""}, "say where the weights are"),
        ({"weights": ""}, "name of the weights file"),
        ({"modalities": ("image", "text")}, "reads no text"),
        ({"dimensions": 5}, "did you mean 'dimension'"),
        ({"loader": "remote", "pooling": "pooled", "revision": None}, "at a pinned revision only"),
    ],
)
def test_inconsistent_specifications_are_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        validate(EncoderSpec, {**panel()["uni"].model_dump(exclude_unset=True), **changes}, "a file")


def test_a_change_of_the_recipe_changes_the_digest_of_the_features() -> None:

    spec = panel()["uni"]
    changes = (
        {"resize_to": 256},
        {"options": {**spec.options, "depth": 12}},
        {"resize": "bicubic"},
        {"sha256": "0" * 64},
    )
    digests = {spec.model_copy(update=change).card().digest() for change in changes}
    assert len(digests | {spec.card().digest()}) == 5
    assert spec.model_copy(update={"notes": "", "title": "x"}).card().digest() == spec.card().digest()


def test_the_table_in_the_documentation_is_the_panel() -> None:
    page = Path(__file__).parents[2] / "docs" / "encoders.md"
    table = markdown_table([row_of(spec) for spec in panel().values()])
    assert table in page.read_text(encoding="utf-8"), "replace it by `unipath-bench encoders list --markdown`"
