"""From ``--model`` to a generator: names, cards, arguments, digests."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.generators.memory_suite import MemorySuite, make_requests
from unipath_bench.contracts import Context, Generator, Request
from unipath_bench.core.errors import GeneratorError, MissingError, UsageError
from unipath_bench.core.registries import GENERATORS
from unipath_bench.core.resources import data_folder
from unipath_bench.generators.cards import find_card, list_models, load_generator, model_digest
from unipath_bench.generators.degraded import DegradedGenerator
from unipath_bench.generators.noise import NoiseGenerator
from unipath_bench.generators.replay import ReplayGenerator
from unipath_bench.schema.cards import GeneratorCard

BASELINES: dict[str, tuple[type[Generator], dict[str, object]]] = {
    "real": (ReplayGenerator, {"strategy": "heldout", "distinct": 8}),
    "memoriser": (ReplayGenerator, {"strategy": "train", "distinct": 8}),
    "shuffled": (ReplayGenerator, {"strategy": "mismatched", "distinct": 8}),
    "mode-collapse": (ReplayGenerator, {"strategy": "collapse", "distinct": 8}),
    "blur": (DegradedGenerator, {"defect": "blur", "strength": 2.0}),
    "stain-shift": (DegradedGenerator, {"defect": "stain-shift", "strength": 0.5}),
    "noise": (NoiseGenerator, {}),
}


class Grey(Generator):
    """An adapter as a newcomer writes it."""

    card = GeneratorCard(name="grey", revision="1", licence="MIT")

    def __init__(self, level: int = 128, *, place: str = "") -> None:
        self.level = level

    def generate(self, requests):
        return [np.full((r.height, r.width, 3), self.level, np.uint8) for r in requests]


class Placed(Grey):
    incidental = frozenset({"place"})


class Cardless(Generator):
    def generate(self, requests):
        return []


class Unfinished(Generator):
    card = Grey.card


class Broken(Grey):
    def __init__(self) -> None:
        raise RuntimeError("no spoon")


class Fixed(Grey):
    @property
    def card(self) -> GeneratorCard:  # type: ignore[override]
        return Grey.card


INSTANCE = Grey(7)
HERE = __name__


def factory(level: int, **more: object) -> Grey:
    return Grey(level)


def wrong_factory() -> str:
    return "grey"


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch):
    """Add entry points to those that are installed."""

    def add(**targets: str) -> None:
        points = dict(GENERATORS._entries)
        points |= {
            n.replace("_", "-"): EntryPoint(n.replace("_", "-"), t, GENERATORS.group) for n, t in targets.items()
        }
        monkeypatch.setitem(GENERATORS.__dict__, "_entries", points)

    return add


def write_card(folder: Path, **fields: object) -> str:
    path = folder / "mine.yaml"
    card = {"name": "mine", "revision": "7", "licence": "MIT", "adapter": f"{HERE}:Grey", **fields}
    path.write_text(yaml.safe_dump({k: v for k, v in card.items() if v is not None}))
    return str(path)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_every_baseline_card_builds_what_it_says(name: str, suite: MemorySuite) -> None:
    kind, arguments = BASELINES[name]
    generator = load_generator(name)
    assert type(generator) is kind
    assert generator.card.name == name
    assert generator.card.oracle
    assert generator.card.arguments == arguments
    assert generator.missing(Context(suite=suite)) is None
    generator.setup(Context(suite=suite))
    requests = make_requests(suite)[:4]
    assert [image.shape for image in generator.generate(requests)] == [(12, 16, 3)] * 4


def test_baseline_cards_are_complete() -> None:
    cards = {path.stem: find_card(path.stem) for path in data_folder("baselines").glob("*.yaml")}
    oracles = {name: card for name, card in cards.items() if card.oracle}
    assert set(oracles) == set(BASELINES)
    for card in oracles.values():
        assert "Must be seen" in card.notes
        assert card.title
        assert card.licence
        assert card.conditions_on  # so that tiers 2 to 4 are computed


def test_arguments_replace_those_of_a_card_and_are_recorded() -> None:
    generator = load_generator("blur", {"strength": 4.5})
    assert isinstance(generator, DegradedGenerator)
    assert generator.strength == 4.5
    assert generator.card.arguments == {"defect": "blur", "strength": 4.5}
    assert generator.card.name == "blur"
    assert find_card("blur").arguments["strength"] == 2.0


def test_the_named_cards_leave_the_class_s_card_alone() -> None:
    load_generator("real")
    assert ReplayGenerator.card.name == "replay"


def test_registered_generators_work_by_name(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (5, 4)).save(tmp_path / "a.png")
    folder = load_generator("folder", {"images": tmp_path})
    assert (folder.card.height, folder.card.width) == (4, 5)
    assert folder.card.arguments["images"] == str(tmp_path)
    commit = "0" * 40
    diffusers = load_generator("diffusers", {"model": "a/b", "revision": commit, "steps": 3})
    assert (diffusers.card.revision, diffusers.card.arguments["steps"]) == (commit, 3)
    assert load_generator("http", {"url": "http://localhost:1/x"}).card.name == "http-localhost"


def test_a_card_file_completes_itself_from_the_adapter(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (5, 4)).save(tmp_path / "a.png")
    path = write_card(tmp_path, adapter="folder", arguments={"images": str(tmp_path)}, title="Mine")
    card = load_generator(path).card
    assert (card.name, card.title, card.revision, card.height, card.width) == ("mine", "Mine", "7", 4, 5)
    unpaired = load_generator(path, {"paired": False}).card
    assert unpaired.conditions_on == ()
    insisted = load_generator(
        write_card(tmp_path, adapter="folder", arguments={"images": str(tmp_path)}, height=9)
    ).card
    assert insisted.height == 9


def test_a_card_may_leave_its_revision_to_the_adapter(tmp_path: Path) -> None:
    arguments = {"model": "owner/name", "revision": "0" * 40}
    assert load_generator(write_card(tmp_path, adapter="diffusers", arguments=arguments)).card.revision == "7"
    left = write_card(tmp_path, adapter="diffusers", arguments=arguments, revision="as given")
    assert load_generator(left).card.revision == "0" * 40
    assert load_generator(left, {"revision": "1" * 40}).card.revision == "1" * 40


def test_module_and_attribute(tmp_path: Path) -> None:
    assert load_generator(f"{HERE}:Grey", {"level": 3}).level == 3  # type: ignore[attr-defined]
    assert load_generator(f"{HERE}:Grey", {"level": 3}).card.arguments == {"level": 3}
    assert load_generator(f"{HERE}:INSTANCE") is INSTANCE
    assert load_generator(f"{HERE}:factory", {"level": 4}).level == 4  # type: ignore[attr-defined]
    assert load_generator(write_card(tmp_path, arguments={"level": 5})).level == 5  # type: ignore[attr-defined]
    assert Grey.card.arguments == {}


@pytest.mark.parametrize(
    ("spec", "arguments", "message", "remedy"),
    [
        ("memorizer", {}, "no model named 'memorizer'", "'memoriser'"),
        ("diffuser", {}, "no model named 'diffuser'", "'diffusers'"),
        ("zzzzzzzz", {}, "no model named", "Known models: blur, degraded, diffusers"),
        ("none/of/these.yaml", {}, "no such file", "path"),
        (f"{HERE}:Cardless", {}, "has no card", "card = GeneratorCard("),
        (f"{HERE}:Unfinished", {}, "does not implement generate", "Implement it"),
        (f"{HERE}:HERE", {}, "object of type str, not a generator", "subclass"),
        (f"{HERE}:Path", {}, "the class Path, not a generator", "subclass"),
        (f"{HERE}:wrong_factory", {}, "returned an object of type str", "instance"),
        (f"{HERE}:INSTANCE", {"level": 1}, "takes no arguments (level)", "--model-arg"),
        (f"{HERE}:Grey", {"levle": 1}, "no argument 'levle'", "Did you mean 'level'? It takes: level, place."),
        (f"{HERE}:factory", {}, "needs level", "--model-arg level=..."),
        ("folder", {}, "needs images", "--images DIR"),
        ("http", {}, "needs url", "--model-arg url=..."),
        ("replay", {}, "needs strategy", "--model-arg strategy=..."),
        ("real", {"distnct": 3}, "no argument 'distnct'", "'distinct'"),
    ],
)
def test_what_cannot_be_built_is_explained(spec: str, arguments: dict[str, object], message: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_generator(spec, arguments)
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_a_constructor_that_raises_is_the_adapter_s_error() -> None:
    with pytest.raises(GeneratorError, match="RuntimeError: no spoon"):
        load_generator(f"{HERE}:Broken")


def test_a_factory_may_take_any_argument() -> None:
    assert load_generator(f"{HERE}:factory", {"level": 4, "colour": "grey"}).card.arguments["colour"] == "grey"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"adapter": None}, "names no adapter"),
        ({"adaptor": "x"}, "did you mean 'adapter'"),
        ({"licence": None}, "licence: required"),
        ({"adapter": "replya"}, "no generator named 'replya'"),
    ],
)
def test_faulty_cards_are_explained(tmp_path: Path, fields: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_generator(write_card(tmp_path, **fields))


def test_a_baseline_under_another_file_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unipath_bench.generators.cards.data_folder", lambda name: tmp_path)
    write_card(tmp_path, name="yours")
    with pytest.raises(UsageError, match="a card named 'yours'"):
        list_models()


def test_a_third_party_s_generator_works_by_its_name(registered) -> None:
    registered(plain_grey=f"{HERE}:Grey")
    assert load_generator("plain-grey", {"level": 9}).card.name == "grey"
    listed = {model.name: model for model in list_models()}
    assert listed["plain-grey"].card == Grey.card
    assert listed["plain-grey"].provider == "unknown distribution"


def test_a_name_that_is_both_card_and_generator_is_refused(registered) -> None:
    registered(real=f"{HERE}:Grey")
    with pytest.raises(UsageError, match="'real' means two models"):
        load_generator("real")


def test_a_card_of_the_registered_generator_s_own_name_is_no_collision() -> None:
    assert "noise" in GENERATORS
    assert "Must be seen" in load_generator("noise").card.notes


@pytest.mark.integration
def test_models_are_listed_once_and_one_that_cannot_be_imported_hides_no_other(registered) -> None:
    registered(absent="no_such_module_here:X")
    models = {model.name: model for model in list_models()}
    assert len(models) == len(list_models())
    assert set(BASELINES) | {"folder", "diffusers", "http", "absent"} <= set(models)
    assert models["real"].provider == "baseline card"
    assert models["folder"].provider.startswith("unipath-bench")
    assert all(m.title for m in models.values() if m.name != "absent")
    assert "no_such_module_here" in models["absent"].problem
    with pytest.raises(MissingError):
        load_generator("absent")


def test_cards_are_found_without_building_anything(tmp_path: Path) -> None:
    assert find_card("folder").name == "folder"
    assert find_card(f"{HERE}:Grey") == Grey.card
    assert find_card(write_card(tmp_path)).revision == "7"
    with pytest.raises(UsageError, match="no card before it is built"):
        find_card(f"{HERE}:factory")


def test_fields_of_the_card_can_be_overridden() -> None:
    generator = load_generator(f"{HERE}:Grey", {}, {"name": "my-grey", "revision": "2"})
    assert (generator.card.name, generator.card.revision) == ("my-grey", "2")
    with pytest.raises(UsageError, match="did you mean 'revision'"):
        load_generator(f"{HERE}:Grey", {}, {"revison": "2"})


def test_a_card_that_cannot_be_set_is_left_where_nothing_changes() -> None:
    assert load_generator(f"{HERE}:Fixed").card == Grey.card
    with pytest.raises(UsageError, match="cannot be set"):
        load_generator(f"{HERE}:Fixed", {"level": 2})


def test_the_digest_is_of_what_decides_the_images() -> None:
    plain = model_digest(load_generator(f"{HERE}:Grey"))
    assert plain == model_digest(
        load_generator(f"{HERE}:Grey", {}, {"title": "T", "notes": "N", "url": "U", "citation": "C"})
    )
    others = [
        load_generator(f"{HERE}:Grey", {"level": 1}),
        load_generator(f"{HERE}:Grey", {}, {"revision": "2"}),
        load_generator(f"{HERE}:Grey", {}, {"name": "other"}),
        load_generator(f"{HERE}:Grey", {"place": "x"}),
    ]
    assert len({plain, *map(model_digest, others)}) == 5
    assert model_digest(load_generator(f"{HERE}:Placed", {"place": "x"})) == model_digest(
        load_generator(f"{HERE}:Placed", {"place": "y"})
    )


def test_the_digest_of_an_oracle_follows_the_suite() -> None:
    real = load_generator("real")
    assert model_digest(real, "a") != model_digest(real, "b")
    with pytest.raises(ValueError, match="revision"):
        model_digest(real)
    grey = load_generator(f"{HERE}:Grey")
    assert model_digest(grey, "a") == model_digest(grey)


def test_baselines_have_digests_of_their_own() -> None:
    assert len({model_digest(load_generator(name), "r") for name in BASELINES}) == len(BASELINES)


def test_a_fingerprint_that_is_no_json_is_named() -> None:
    class Odd(Grey):
        def fingerprint(self):
            return {"weights": object()}

    with pytest.raises(UsageError, match="cannot be written as JSON"):
        model_digest(Odd())
    with pytest.raises(UsageError, match="cannot be written as JSON"):
        model_digest(load_generator(f"{HERE}:factory", {"level": 1, "odd": float("nan")}))


@pytest.mark.integration
def test_listing_and_loading_baselines_imports_no_heavy_module() -> None:
    import subprocess

    code = (
        "import sys; from unipath_bench.generators.cards import list_models, load_generator; list_models(); "
        "load_generator('real'); assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_request_alone_suffices_for_an_adapter() -> None:
    image = load_generator(f"{HERE}:Grey").generate([Request("a", "p", 1, 0, 2, 3)])[0]
    assert image.shape == (2, 3, 3)
