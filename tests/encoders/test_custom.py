"""An encoder from a user's own YAML file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.encoders.small_saves import save, small_timm
from unipath_bench.contracts import Context
from unipath_bench.core.errors import DataError, UsageError
from unipath_bench.core.registries import ENCODERS
from unipath_bench.encoders.custom import from_file, read_spec
from unipath_bench.encoders.panel import panel


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A specification with weights beside it, relative to the file."""
    spec = small_timm("uni")
    save(spec, tmp_path / "weights")
    facts = spec.model_dump(
        mode="json",
        include={
            "loader",
            "weights",
            "architecture",
            "options",
            "pooling",
            "dimension",
            "input_size",
            "resize",
            "mean",
            "std",
        },
    )
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**facts, "name": "mine", "path": "weights", "licence": "ours"}))
    return path


def test_a_file_is_an_encoder(file: Path) -> None:
    encoder = from_file(file)()
    assert encoder.card.name == "mine"
    assert encoder.card.revision.startswith("sha256:")
    encoder.setup(Context())
    assert encoder.embed_images(np.zeros((4, 40, 40, 3), np.uint8)).shape == (4, 24)


def test_the_registry_takes_a_files_path_for_a_name(file: Path) -> None:
    assert ENCODERS.get(str(file))().card.name == "mine"
    with pytest.raises(UsageError, match="no such file"):
        ENCODERS.get("absent.yaml")


def test_other_weights_or_another_recipe_are_another_encoder(file: Path, tmp_path: Path) -> None:
    digests = {from_file(file)().card.digest()}
    content = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**content, "resize_to": 40}))
    digests.add(from_file(file)().card.digest())
    weights = tmp_path / "weights" / content["weights"]
    weights.write_bytes(weights.read_bytes() + b" ")
    digests.add(from_file(file)().card.digest())
    assert len(digests) == 3


def test_weights_that_change_after_the_card_was_made_are_refused(file: Path) -> None:
    encoder = from_file(file)()
    weights = file.parent / "weights" / encoder.spec.weights
    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(DataError, match="not the file that was there"):
        encoder.setup(Context())


def test_like_takes_the_rest_from_the_panel(tmp_path: Path) -> None:
    path = tmp_path / "fine-tuned.yaml"
    path.write_text("name: fine-tuned\nlike: uni\npath: here.bin\n")
    spec, base = read_spec(path), panel()["uni"]
    assert (spec.architecture, spec.options, spec.mean) == (base.architecture, base.options, base.mean)
    assert spec.path == tmp_path / "here.bin"
    assert spec.sha256 is None  # the panel's digest is that of the panel's weights
    assert spec.revision is None
    remedy = from_file(path)().missing(Context())
    assert "here.bin must be the weights file" in str(remedy)


def test_like_without_other_weights_keeps_the_panels(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text("name: conch-plain\nlike: conch\npooling: pooled\nmodalities: [image]\n")
    spec = read_spec(path)
    assert (spec.hub_id, spec.sha256, spec.pooling) == ("MahmoodLab/CONCH", panel()["conch"].sha256, "pooled")
    assert spec.recipe != panel()["conch"].recipe


def test_an_unpinned_repository_is_fetched_to_a_folder_or_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNIPATH_BENCH_WEIGHTS", str(tmp_path))
    path = tmp_path / "moving.yaml"
    path.write_text("name: moving\nlike: uni\nhub_id: someone/uni-again\nweights: model.safetensors\n")
    encoder = from_file(path)()
    assert encoder.card.revision == "not pinned"
    remedy = str(encoder.missing(Context(cache_dir=tmp_path)))
    assert f"hf download someone/uni-again model.safetensors --local-dir {tmp_path / 'moving'}" in remedy
    assert "state the full commit as `revision`" in remedy


def test_the_files_in_the_documentation_are_valid(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "encoders.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    assert len(examples) == 2
    for text in examples:
        path = tmp_path / "example.yaml"
        path.write_text(text)
        assert read_spec(path).path is not None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a list", "not a mapping"),
        ("name: x\nlike: unni\n", "no encoder of the panel"),
        ("name: uni\nlike: uni\n", "is a registered encoder"),
        ("name: x\nlike: uni\npoling: class\n", "did you mean 'pooling'"),
        ("name: X Y\nlike: uni\n", "name"),
        ("name: x\nlike: uni\nloader: tim\n", "no encoder loader of that name. Did you mean 'timm'"),
        ("name: x\nlike: uni\nloader: tests.adapters:Painter\n", "loader: there is no encoder loader of that name"),
    ],
)
def test_a_wrong_file_is_refused_by_its_name(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=problem) as caught:
        from_file(path)
    assert "wrong.yaml" in str(caught.value)
