"""A small language model of stock parts: a word-level tokenizer and a Qwen2 decoder of one to three million weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from reference_model.language import TURN_END
from reference_model.semantic_tokens import ANALYSIS, EXPANSION, PATHOLOGIST

PAD, UNKNOWN, TURN_START, QUERY = "<|endoftext|>", "<|unk|>", "<|im_start|>", "<|query|>"
SPECIAL = (PAD, UNKNOWN, TURN_START, TURN_END, QUERY)


def build_tokenizer(
    texts: Iterable[str], turns: Iterable[str] = (PATHOLOGIST, ANALYSIS, EXPANSION)
) -> PreTrainedTokenizerFast:
    """Lower-cased words and single punctuation marks of ``texts``, of the chat ``turns`` and roles.

    The vocabulary is in order of count, then of the alphabet; words that are not in it become ``<|unk|>``.
    """
    normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    splitter = pre_tokenizers.Whitespace()
    counts: Counter[str] = Counter()
    for text in (*texts, *(turn.replace("{prompt}", " ") for turn in turns), "system user assistant"):
        words = splitter.pre_tokenize_str(normalizer.normalize_str(text))
        counts.update(word for word, _ in words)
    ordered = [*SPECIAL, *sorted(counts, key=lambda word: (-counts[word], word))]
    tokenizer = Tokenizer(models.WordLevel(vocab={word: i for i, word in enumerate(ordered)}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=UNKNOWN,
        pad_token=PAD,
        eos_token=TURN_END,
        extra_special_tokens=[TURN_START, QUERY],
        padding_side="left",
    )


def build_language_model(
    tokenizer: PreTrainedTokenizerFast,
    *,
    hidden_size: int = 160,
    layers: int = 4,
    heads: int = 4,
    positions: int = 512,
) -> Qwen2ForCausalLM:
    """An untrained ``Qwen2ForCausalLM`` with tied embeddings, of about 1.3 million weights as it stands.

    Its weights come from torch's global generator: seed it beforehand.
    """
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=4 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=positions,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config)


def query_token_id(tokenizer: PreTrainedTokenizerFast) -> int:
    """The id of the token that stands before the learned queries."""
    return int(tokenizer.convert_tokens_to_ids(QUERY))
