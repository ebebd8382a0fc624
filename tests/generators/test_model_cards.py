"""The cards of real models: each resolves, builds without loading, names its encoders and says what is lacking."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from unipath_bench.cli.app import invoke
from unipath_bench.contracts import Context
from unipath_bench.core.errors import UsageError
from unipath_bench.core.registries import ENCODERS, GENERATORS
from unipath_bench.core.resources import data_folder
from unipath_bench.generators.cards import AS_GIVEN, find_card, load_generator, model_digest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODELS = {
    "flux.1-dev": "diffusers",
    "flux.1-schnell": "diffusers",
    "mupad-256": "diffusers",
    "pathdiff": "ldm",
    "pathldm": "ldm",
    "pixart-sigma": "diffusers",
    "pixcell-1024": "pixcell",
    "pixcell-256": "pixcell",
    "sana": "diffusers",
    "stable-diffusion-1.5": "diffusers",
    "stable-diffusion-3.5-large": "diffusers",
    "stable-diffusion-3.5-medium": "diffusers",
    "unipath-7b": "unipath",
}
PIXCELL = {"revision": COMMIT, "pipeline_code": f"owner/code@{COMMIT}"}
ABLATIONS = {
    "unipath-tiny-no-prototype": ["text", "semantic"],
    "unipath-tiny-no-semantic": ["text", "prototype"],
    "unipath-tiny-no-text": ["semantic", "prototype"],
}
"""Of the shipped reference model, with the streams that are on."""
USER_GIVES = {"mupad-256": {"revision": COMMIT}, "pixcell-256": PIXCELL, "pixcell-1024": PIXCELL}
"""What the user has to look up, since no public source states it."""


def test_every_card_of_a_model_is_tested_here() -> None:
    cards = (find_card(path.stem) for path in data_folder("baselines").glob("*.yaml"))
    assert {card.name for card in cards if not card.oracle} == set(MODELS) | set(ABLATIONS)


@pytest.mark.parametrize("name", sorted(ABLATIONS))
def test_an_ablation_is_the_shipped_model_less_one_stream(name: str) -> None:
    whole, part = load_generator("unipath"), load_generator(name)
    assert part.missing(Context(offline=True)) is None
    assert part.fingerprint() == whole.fingerprint()
    assert {**whole.card.arguments, "streams": ABLATIONS[name]} == part.card.arguments
    assert len(whole.card.arguments["streams"]) == 3
    for field in ("licence", "conditions_on", "internal_encoders", "height", "width"):
        assert getattr(part.card, field) == getattr(whole.card, field), field
    assert model_digest(part) != model_digest(whole)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_card_builds_what_it_says_and_loads_nothing(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    written = find_card(name)
    generator = load_generator(name, USER_GIVES.get(name))
    card = generator.card
    assert type(generator) is GENERATORS.get(MODELS[name])
    assert (card.name, card.adapter, card.title) == (name, MODELS[name], written.title)
    assert written.arguments.items() <= card.arguments.items()
    size = written.arguments.get("height", written.height), written.arguments.get("width", written.width)
    assert (card.height, card.width) == size
    assert None not in size
    assert card.revision == (COMMIT if written.revision == AS_GIVEN else written.revision)
    remedy = generator.missing(Context(offline=True, cache_dir=tmp_path, trust_remote_code=True))
    assert re.search(r"hf download|There is no file|holds no pipeline", str(remedy))


def test_another_size_of_a_card_s_model_is_what_is_asked_for() -> None:
    card = load_generator("flux.1-schnell", {"height": 512, "width": 256}).card
    assert (card.height, card.width) == (512, 256)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_card_states_where_it_comes_from(name: str) -> None:
    card = find_card(name)
    assert card.licence
    assert card.url.startswith("https://")
    assert card.citation
    assert card.notes
    assert set(card.internal_encoders) <= set(ENCODERS.names())
    assert all(figure.source for figure in card.published)
    for value in (card.arguments.get("revision"), *re.findall(r"@(\S+)", str(card.arguments))):
        assert value is None or re.match(r"[0-9a-f]{40}\b", value)
    if card.arguments.get("revision"):
        assert card.revision == card.arguments["revision"]


def test_the_couplings_are_those_of_the_published_architectures() -> None:
    """CLIP ViT-L/14 reads the text of Stable Diffusion and FLUX.1, PLIP that of PathLDM and PathDiff, T5 or Gemma that
    of PixArt-Sigma and Sana; PixCell reads UNI2-h; UniPath retrieves by CONCH and UNI2-h (PROTOCOL, rule 7)."""
    coupled = {name: set(find_card(name).internal_encoders) for name in MODELS}
    general = {"flux.1-dev", "flux.1-schnell", "stable-diffusion-1.5"}
    general |= {"stable-diffusion-3.5-large", "stable-diffusion-3.5-medium"}
    assert all(coupled[name] == {"clip"} for name in general)
    assert coupled["pixart-sigma"] == coupled["sana"] == set()
    assert coupled["pathldm"] == coupled["pathdiff"] == {"plip"}
    assert coupled["pixcell-256"] == coupled["pixcell-1024"] == {"uni2-h"}
    assert coupled["mupad-256"] == {"musk"}
    assert coupled["unipath-7b"] == {"conch", "uni2-h"}


@pytest.mark.parametrize("name", sorted(USER_GIVES))
def test_what_no_source_states_is_asked_for(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_generator(name)
    assert "has no revision" in str(caught.value) or "pipeline_code" in str(caught.value)
    assert "COMMIT" in find_card(name).notes


@pytest.mark.integration
@pytest.mark.parametrize("name", sorted(MODELS))
def test_show_prints_a_card(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["show", name]) == 0
    printed = capsys.readouterr().out
    assert name in printed
    assert MODELS[name] in printed


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pathldm", "https://github.com/cvlab-stonybrook/PathLDM"),
        ("unipath-7b", "UniPath-7B-pipeline holds no pipeline"),
        ("stable-diffusion-1.5", "hf download stable-diffusion-v1-5/stable-diffusion-v1-5"),
        ("mupad-256", "--trust-remote-code"),
    ],
)
def test_a_run_of_what_is_not_at_hand_ends_with_code_3_and_the_remedy(
    name: str, said: str, small_tiles: Path, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    given = [f"--model-arg={key}={value}" for key, value in USER_GIVES.get(name, {}).items()]
    arguments = ["--suite", "folder", "--data", str(small_tiles), "--tasks", "precision-recall", "--offline"]
    assert invoke(["run", "--model", name, *given, *arguments, "--out", str(tmp_path / "out")]) == 3
    printed = " ".join(capsys.readouterr().err.split())
    assert "What to do:" in printed
    assert said in printed
