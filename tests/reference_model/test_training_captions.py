"""What training captions say and leave out, and the exercises of the language model."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_model.training.captions import UNSTATED, bundle, hidden_attributes, phantom_caption, without_clause
from reference_model.training.config import TinyLanguageConfig
from reference_model.training.exercises import IGNORED, key_tokens
from reference_model.training.questions import WORDINGS, drawn_question, held_out_question, question
from reference_model.training.reading import ReadingProblem
from reference_model.training.sources import PhantomSource, SuiteSource
from reference_model.understanding import QUESTION
from tests.reference_model.training_setup import configuration
from unipath_bench import DataError, Sample, UsageError
from unipath_bench.phantom import CLASSES, PHRASES, PhantomSuite, attribute_bundle, sample_attributes
from unipath_bench.phantom.phrases import Wording
from unipath_bench.phantom.streams import Stream


def says(text: str, name: str, value: str) -> bool:
    """Whether a caption holds any phrase of the class."""
    phrases = [p for wording in ("seen", "heldout") for p in PHRASES[name][value].of(wording)]
    return any(p.removeprefix("a ").removeprefix("an ").lower() in text.lower() for p in phrases)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), name=st.sampled_from(list(CLASSES)), heldout=st.booleans())
def test_a_hidden_clause_is_gone_and_the_others_stay(seed: int, name: str, heldout: bool) -> None:
    attributes = sample_attributes(Stream(seed, "caption test"))
    wordings: tuple[Wording, ...] = ("heldout",) if heldout else ("seen",)
    whole = phantom_caption(attributes, seed, wordings)
    cut = phantom_caption(attributes, seed, wordings, (name,))
    assert whole.stated == attributes.labels()
    assert cut.stated == attributes.labels() | {name: UNSTATED}
    assert len(cut.text) < len(whole.text)
    for other, value in attributes.labels().items():
        assert says(whole.text, other, value)
        if other != name:
            assert says(cut.text, other, value)
    # The phrases of one class may be part of another's only across attributes: this one's are gone.
    assert not says(cut.text, name, attributes.labels()[name])


def test_clauses_go_with_their_connector_and_their_title() -> None:
    prose = "Other findings: no necrosis, no hemorrhage, psammoma bodies."
    assert without_clause(prose, "deposit", "calcification", "seen") == "Other findings: no necrosis, no hemorrhage."
    joined = "Also noted: no necrosis, no hemorrhage and no deposits."
    assert without_clause(joined, "deposit", "none", "seen") == "Also noted: no necrosis, no hemorrhage."
    fields = "Stroma: dense collagen. Deposits: brown melanin granules."
    assert without_clause(fields, "deposit", "melanin", "seen") == "Stroma: dense collagen. "
    with pytest.raises(UsageError, match="does not say deposit"):
        without_clause(prose, "deposit", "melanin", "seen")


def test_the_bundle_is_the_suites_own() -> None:
    attributes = sample_attributes(Stream(1, "bundle"))
    assert bundle(attributes.labels()) == attribute_bundle(attributes)


def test_attributes_are_hidden_at_their_rates() -> None:
    drawn = [hidden_attributes({"deposit": 0.25, "stroma": 1.0, "necrosis": 0.0}, seed) for seed in range(2000)]
    assert all("stroma" in names and "necrosis" not in names for names in drawn)
    # Binomial(2000, .25): sd .0097; five of them.
    assert abs(sum("deposit" in names for names in drawn) / 2000 - 0.25) < 0.0485


def test_what_the_transformer_the_language_model_and_the_bank_read_of_a_tile() -> None:
    suite = PhantomSuite(train=40, test=1, tiles_per_patient=1, paraphrases=0, size=48, seed=303)
    samples = [s for s in suite.samples() if s.split == "train"]
    data = configuration().data.model_copy(update={"hidden": {"deposit": 1.0}, "unread": {"hemorrhage": 1.0}})
    source = PhantomSource(samples, data, seed=1)
    for row, sample in enumerate(samples):
        raw, read, complete = source.of_tile(row, 1).text, source.for_reading(row, 1), source.complete(row, 1)
        found = [
            (says(t, "deposit", sample.labels["deposit"]), says(t, "hemorrhage", sample.labels["hemorrhage"]))
            for t in (raw, read, complete)
        ]
        assert found == [(False, True), (False, False), (True, True)]


def test_the_language_model_reads_captions_that_say_little() -> None:
    source = PhantomSource((), configuration().data, 1)
    captions = [source.to_read("some", index, ("seen", "heldout"), 0.8) for index in range(400)]
    left_out = Counter(list(caption.stated.values()).count(UNSTATED) for caption in captions)
    # A fifth of 400 says everything (sd 8); each of 1 to 9 attributes is left out in 400 * 0.8 / 9 = 35.6 (sd 5.7).
    assert left_out[0] == pytest.approx(80, abs=4 * 8)
    assert [left_out[count] for count in range(1, 10)] == pytest.approx([400 * 0.8 / 9] * 9, abs=4 * 5.7)
    assert set(left_out) == set(range(10))
    for caption in captions[:40]:
        for name, value in caption.stated.items():
            assert value == UNSTATED or says(caption.text, name, value)
    everything = [source.to_read("some", index, ("seen",), 0.0) for index in range(9)]
    assert not any(UNSTATED in caption.stated.values() for caption in everything)


def test_a_suite_without_captions_is_refused() -> None:
    samples = [Sample("a", "train", "glands"), Sample("b", "train", " ")]
    with pytest.raises(DataError, match=r"1 of 2 .* b"):
        SuiteSource(samples, configuration().data.model_copy(update={"hidden": {}}), 0)


def test_a_sample_without_an_attribute_that_the_first_has_is_named() -> None:
    samples = [Sample("a", "train", "glands", {"grade": "1", "site": "x"}), Sample("b", "train", "fat", {"site": "x"})]
    with pytest.raises(UsageError, match="b has no grade"):
        SuiteSource(samples, configuration().data.model_copy(update={"hidden": {}}), 0)


@pytest.fixture(scope="module")
def reading() -> ReadingProblem:
    config = configuration().language
    assert isinstance(config, TinyLanguageConfig)
    return ReadingProblem(PhantomSource((), configuration().data, 1), config, 1, torch.device("cpu"))


def test_the_exercises_ask_in_the_turns_of_the_pipeline(reading: ReadingProblem) -> None:
    attributes = sample_attributes(Stream(5, "exercise"))
    caption = phantom_caption(attributes, 5, ("seen",))
    asked = reading.exercises.naming(reading._ids(caption), caption.stated, [9, 0, 3])
    words = [reading.tokenizer.decode([i]) for i in asked.ids]
    # The last words of the attributes' names: deposit, cytology type, cellularity.
    assert words[-4:] == ["<|query|>", "deposit", "type", "cellularity"]
    labels = attributes.labels()
    first = [labels[n].replace("_", " ").split()[0] for n in ("deposit", "cytology_type", "cellularity")]
    assert [reading.tokenizer.decode([i]) for i in asked.answers if i != IGNORED] == first
    assert asked.answers[-3:] == [i for i in asked.answers if i != IGNORED]
    told = reading.exercises.telling(caption)
    # Each position from the end of the chat on is asked for the token after it, and the bundle ends the turn.
    asked_for = [i for i in told.answers if i != IGNORED]
    assert told.answers[-len(asked_for) : -1] == told.ids[-len(asked_for) + 1 :]
    assert reading.tokenizer.decode(asked_for).replace(" ", "") == caption.bundle.replace(" ", "") + "<|im_end|>"
    assert reading.tokenizer.decode(told.ids[: -len(asked_for) + 1]).replace(" ", "").endswith("assistant")
    # The chat with the caption in its place is the pipeline's own turn.
    turns = reading.exercises.turns.config
    whole = reading.language.chat_ids(turns.system, reading.exercises.turns.user_turn(caption.text))
    assert asked.ids[: len(whole)] == whole


def test_a_question_is_answered_in_words_and_with_the_end_of_the_turn(reading: ReadingProblem) -> None:
    description = reading.language.text_ids("small round cells")
    exercise = reading.exercises.asking(description, "What is the cytology type?", "small_round")
    turn = QUESTION.replace("{question}", "What is the cytology type?").replace("{prompt}", "small round cells")
    whole = reading.language.chat_ids(reading.exercises.turns.config.system, turn)
    answer = reading.language.text_ids("small round")
    assert exercise.ids == [*whole, *answer]
    told = [i for i in exercise.answers if i != IGNORED]
    assert reading.tokenizer.decode(told).split() == ["small", "round", "<|im_end|>"]
    # The first answer is asked for at the last token of the chat.
    assert exercise.answers[len(whole) - 1] == answer[0]
    assert reading.tokenizer.unk_token_id not in exercise.ids


def test_questions_name_their_attribute_and_are_drawn_evenly() -> None:
    names = tuple(CLASSES)
    drawn = [drawn_question(names, 1, "draw", i) for i in range(4000)]
    assert all("mitotic activity" in question("mitotic_activity", i) for i in range(len(WORDINGS)))
    assert held_out_question("stroma") not in {question("stroma", i) for i in range(len(WORDINGS))}
    # 40 cells of 100 expected draws each: sd 9.9; five of them.
    counts = Counter(drawn)
    assert len(counts) == 40
    assert max(abs(count - 100) for count in counts.values()) < 50


def test_names_that_end_alike_are_refused(reading: ReadingProblem) -> None:
    with pytest.raises(DataError, match="last words"):
        key_tokens(["cytology_type", "type"], reading.language)


@pytest.mark.integration
def test_evaluation_counts_right_answers(reading: ReadingProblem) -> None:
    # A head that always gives one token: right exactly where the truth is that token.
    figures = reading.evaluate()
    assert set(figures) == {f"read_{name}" for name in CLASSES} | {"read_least"}
    assert figures["read_least"] == min(v for k, v in figures.items() if k != "read_least")
    shares = []
    for wording in ("seen", "heldout"):
        captions = [reading.source.to_read(f"test/{wording}", i, (wording,), 0.0) for i in range(256)]
        truth = reading._truth(captions)
        read = torch.cat([reading._read(captions[s : s + 32]) for s in range(0, 256, 32)])
        shares.append(float((truth[:, 8] == read[:, 8]).double().mean()))
    assert figures["read_stroma"] == pytest.approx(min(shares))


@pytest.mark.integration
def test_bundles_are_judged_once_the_names_are_read(reading: ReadingProblem, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that reads every name and writes bundles with the necrosis of every fourth caption left out."""
    count = len(reading.source.attributes)
    monkeypatch.setattr(reading, "_share_read", lambda captions: torch.ones(count))
    assert not reading.is_done({})

    def written(captions: list[Any]) -> list[str]:
        whole = [reading.language.decode(reading.language.text_ids(caption.bundle)) for caption in captions]
        return [" ; ".join(p for p in t.split(" ; ") if i % 4 or "necrosis" not in p) for i, t in enumerate(whole)]

    monkeypatch.setattr(reading, "written", written)
    figures = reading.evaluate()
    assert figures["told_necrosis"] == figures["told_least"] == 0.75
    assert figures["told_stroma"] == 1.0
    assert not reading.is_done(figures)
    assert reading.is_done({"read_least": 1.0, "told_least": reading.config.target})
    assert not reading.is_done({"read_least": 1.0})
