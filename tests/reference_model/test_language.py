"""The small language model: the same path as the full one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

from reference_model.language import TextLanguage, language_of
from reference_model.tiny_language import QUERY, UNKNOWN, build_language_model, build_tokenizer, query_token_id
from unipath_bench import DataError, UsageError

TEXTS = ["solid sheets, necrosis", "necrosis; mitoses"]


@pytest.fixture(scope="module")
def language() -> TextLanguage:
    torch.manual_seed(0)
    tokenizer = build_tokenizer(TEXTS)
    model = build_language_model(tokenizer, hidden_size=32, layers=2, heads=2, positions=64).eval()
    found = language_of(model, tokenizer)
    assert isinstance(found, TextLanguage)
    return found


def test_words_and_marks_are_tokens_in_order_of_count() -> None:
    tokenizer = build_tokenizer(TEXTS, turns=())
    # Five special tokens; "necrosis" twice; then the rest of both texts and the three roles, by the alphabet.
    assert tokenizer.convert_ids_to_tokens(range(5, 14)) == [
        "necrosis",
        ",",
        ";",
        "assistant",
        "mitoses",
        "sheets",
        "solid",
        "system",
        "user",
    ]
    assert tokenizer("Necrosis, MITOSES of")["input_ids"] == [5, 6, 9, 1]
    assert tokenizer.decode([1]) == UNKNOWN
    assert query_token_id(tokenizer) == tokenizer.convert_tokens_to_ids(QUERY) == 4


def test_the_tokenizer_survives_saving(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(TEXTS)
    tokenizer.save_pretrained(str(tmp_path))
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    chat = "<|im_start|>user\nsolid necrosis<|im_end|>\n"
    assert loaded(chat)["input_ids"] == tokenizer(chat)["input_ids"]
    assert loaded.convert_tokens_to_ids(QUERY) == query_token_id(tokenizer)


def test_the_chat_is_the_qwen_template(language: TextLanguage) -> None:
    ids = language.chat_ids("solid", "necrosis {user} ; {system}")
    # The braces of the prompt are words, not places; this tokenizer does not know the mark and drops line breaks.
    assert "".join(language.words(ids)).replace(UNKNOWN, "?") == (
        "<|im_start|>systemsolid<|im_end|><|im_start|>usernecrosis?user?;?system?<|im_end|><|im_start|>assistant"
    )


def test_raw_text_is_rows_of_the_embedding_table(language: TextLanguage) -> None:
    ids = language.text_ids("solid necrosis")
    assert torch.equal(language.embed(ids), language.model.model.embed_tokens.weight[torch.tensor(ids)])
    assert language.embed([]).shape == (0, 32)


def test_left_padding_and_company_do_not_matter(language: TextLanguage) -> None:
    sequences = [language.text_ids(t) for t in ("solid", "solid sheets , necrosis ; mitoses")]
    queries = torch.randn(3, 32, generator=torch.Generator().manual_seed(1))
    together = language.read(sequences, queries)
    alone = torch.cat([language.read([ids], queries) for ids in sequences])
    assert torch.allclose(together, alone, atol=2e-6)
    # The model itself, without a mask or positions of ours, on the token embeddings and the queries.
    embeds = torch.cat([language.embed(sequences[1]), queries])[None]
    assert torch.allclose(alone[1], language.model.model(inputs_embeds=embeds).last_hidden_state[0, -3:], atol=2e-6)


def test_greedy_answers_end_with_the_turn(language: TextLanguage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose every step prefers the token after the last one, in the alphabet of ids."""
    end = language.tokenizer.convert_tokens_to_ids("<|im_end|>")
    size = len(language.tokenizer)

    def successor(*_: Any, input_ids: torch.Tensor, **others: Any) -> Any:
        logits = torch.nn.functional.one_hot((input_ids - 1) % size, size).float()
        return type(forward(input_ids=input_ids, use_cache=False))(logits=logits)

    forward = language.model.forward
    monkeypatch.setattr(language.model, "forward", successor)
    # From token 6 downwards: 5, 4, then the end of the turn (3). From 9 the end is not reached within three.
    assert end == 3
    assert language.generate([[6], [8, 9]], 3) == [[5, 4], [8, 7, 6]]


def test_a_prompt_too_long_for_the_model_is_an_error(language: TextLanguage) -> None:
    with pytest.raises(DataError, match="take 66 positions; the language model has 64"):
        language.read([[5] * 63], torch.zeros(3, 32))


def test_a_tokenizer_without_the_chat_tokens_is_refused() -> None:
    tokenizer = build_tokenizer(TEXTS)
    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=10))

    class Bare:
        unk_token_id = 1

        def convert_tokens_to_ids(self, token: str) -> int:
            return 1

    with pytest.raises(UsageError, match=r"no token <\|im_end\|>"):
        language_of(model, Bare())
    assert language_of(model, tokenizer).hidden_size == 8


def test_the_usual_small_size() -> None:
    model = build_language_model(build_tokenizer(TEXTS))
    assert 1e6 < sum(p.numel() for p in model.parameters()) < 3e6
