"""UniPath as a generator of the benchmark."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reference_model.bank import prototype_bank
from reference_model.generator import UniPathGenerator
from tests.reference_model.made_up_models import PROMPTS, MemoryBank, tiny_pipeline
from unipath_bench import Context, DataError, Generator, MissingError, Request, UsageError


class FakePackage:
    """Stands in for ``reference_model.bank``."""

    @staticmethod
    def load_bank(folder: Path) -> MemoryBank:
        return MemoryBank()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "small"
    tiny_pipeline(internal_encoders=["phantom-bank"], licence="Apache-2.0").save_pretrained(folder)
    return folder


@pytest.fixture
def generator(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator:
    monkeypatch.setattr(prototype_bank, "load_bank", FakePackage.load_bank)
    generator = UniPathGenerator(pipeline=folder, steps=2)
    generator.setup(Context())
    return generator


def request(index: int, **changes: Any) -> Request:
    plain: dict[str, Any] = {
        "sample_id": f"s{index}",
        "prompt": PROMPTS[index % 3],
        "seed": 2**62 + index,
        "replicate": 0,
        "height": 32,
        "width": 32,
    }
    return Request(**{**plain, **changes})


@pytest.mark.integration
def test_requests_of_any_mix_are_answered_in_order_and_alone(generator: Generator) -> None:
    reference = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    requests = [request(0), request(1, height=24, width=40), request(2, image=reference), request(3), request(4)]
    together = generator.generate(requests)
    assert [image.shape for image in together] == [(32, 32, 3), (24, 40, 3), *[(32, 32, 3)] * 3]
    assert all(image.dtype == np.uint8 for image in together)
    for wanted, one in zip(together, requests, strict=True):
        assert np.array_equal(generator.generate([one])[0], wanted)
    assert len({image.tobytes() for image in together}) == 5


def test_prompts_past_the_limit_are_found_before_the_run(folder: Path) -> None:
    long = request(1, prompt=" ".join(["necrosis"] * 25))
    with pytest.raises(DataError, match=r"1 prompts are longer than the 24 tokens[^:]*:\n  - 25 tokens: necrosis"):
        UniPathGenerator(pipeline=folder).check([request(0), long, long])
    UniPathGenerator(pipeline=folder).check([request(0)])
    UniPathGenerator(pipeline=folder, truncate=True).check([long])


def test_the_card_names_what_is_inside(folder: Path) -> None:
    card = UniPathGenerator(pipeline=folder, streams="text, semantic").card
    assert card.name == "unipath-small"
    assert card.internal_encoders == ("phantom-bank",)
    assert card.licence == "Apache-2.0"
    assert card.conditions_on == ("prompt", "image")
    assert card.arguments["streams"] == ["text", "semantic"]


def test_the_fingerprint_is_of_the_bytes_and_not_of_the_place(folder: Path, tmp_path: Path) -> None:
    import shutil

    here = UniPathGenerator(pipeline=folder).fingerprint()
    copy = Path(shutil.copytree(folder, tmp_path / "elsewhere"))
    (copy / "README.md").write_text("a model card", encoding="utf-8")
    assert UniPathGenerator(pipeline=copy).fingerprint() == here
    path = copy / "model_index.json"
    path.write_text(path.read_text().replace('"micro_batch": 4', '"micro_batch": 2'))
    assert UniPathGenerator(pipeline=copy).fingerprint() != here


def test_what_is_missing_is_named_before_anything_is_loaded(folder: Path, tmp_path: Path) -> None:
    nowhere = UniPathGenerator(pipeline=tmp_path)
    assert "holds no pipeline" in str(nowhere.missing(Context()))
    with pytest.raises(MissingError, match="cannot be loaded"):
        nowhere.setup(Context())
    index = json.loads((folder / "model_index.json").read_text())
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    assert "no prototype bank" in str(nowhere.missing(Context()))
    assert "transformer" in str(UniPathGenerator(pipeline=tmp_path, streams="text").missing(Context()))
    assert UniPathGenerator(pipeline=folder).missing(Context()) is None
    (tmp_path / "model_index.json").write_text("{")
    with pytest.raises(DataError, match="is no JSON"):
        UniPathGenerator(pipeline=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps=0"),
        ({"steps": 2.5}, "steps=2.5"),
        ({"guidance": -1}, "guidance=-1"),
        ({"guidance": float("nan")}, "guidance=nan"),
        ({"strength": 2}, "strength=2"),
        ({"streams": "text,words"}, "streams='words'"),
        ({"dtype": "int8"}, "dtype='int8'"),
        ({"expand": "yes"}, "expand='yes'"),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        UniPathGenerator(**arguments)


@pytest.mark.integration
def test_listing_it_imports_no_model_code() -> None:
    code = "import reference_model.generator as g, sys; g.UniPathGenerator; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
