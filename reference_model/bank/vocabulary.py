"""The keywords of a bank: n-gram counts over captions, filtered, and the rows that each keyword leads to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reference_model.bank.words import normalise, occurrences, phrases_of
from unipath_bench import DataError, UsageError
from unipath_bench.core.errors import listed

LONGEST_PHRASE = 4
"""Words in the longest n-gram."""

STOP_WORDS = frozenset(
    {
        "a",
        "about",
        "above",
        "after",
        "all",
        "also",
        "amid",
        "among",
        "an",
        "and",
        "any",
        "are",
        "around",
        "as",
        "at",
        "be",
        "been",
        "being",
        "below",
        "between",
        "both",
        "but",
        "by",
        "can",
        "each",
        "for",
        "from",
        "has",
        "have",
        "here",
        "how",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "like",
        "made",
        "make",
        "may",
        "nor",
        "of",
        "off",
        "on",
        "or",
        "other",
        "others",
        "over",
        "per",
        "seen",
        "set",
        "she",
        "show",
        "showing",
        "shown",
        "shows",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "under",
        "up",
        "upon",
        "very",
        "was",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "with",
        "within",
        "you",
    }
)
"""Function words of English: no keyword begins or ends with one, and :data:`INNER` alone may stand inside one."""

INNER = frozenset({"in", "of", "per", "to"})
"""Function words that bind ("loss of polarity", "carcinoma in situ"); the others part two findings."""

QUALIFIERS = frozenset(
    {
        "few",
        "fewer",
        "less",
        "little",
        "many",
        "more",
        "most",
        "much",
        "no",
        "not",
        "one",
        "several",
        "some",
        "without",
    }
)
"""Words that a keyword may begin with ("no necrosis" is not "necrosis") but not end with."""

_PHRASE_KEYS = ("phrase", "keyword", "term", "ngram", "n_gram", "text", "word")


class PhraseFilter(Protocol):
    """Decides which phrases become keywords."""

    @property
    def name(self) -> str:
        """What the bank's card calls it, with its settings."""

    def keeps(self, phrase: str, count: int, documents: int) -> bool:
        """Whether to keep a phrase that is in ``count`` of ``documents`` captions."""


@dataclass(frozen=True)
class StopWordFilter:
    """Drops phrases by their stop words, qualifiers, letters and length.

    A phrase is dropped if it begins or ends with a stop word, has a stop word inside that is not in ``inner``, ends
    with a qualifier, has no letter, or has fewer than three characters.
    """

    stop_words: frozenset[str] = STOP_WORDS
    qualifiers: frozenset[str] = QUALIFIERS
    inner: frozenset[str] = INNER

    @property
    def name(self) -> str:
        """The numbers of stop words and of qualifiers, as the bank's card states them."""
        return f"stop words ({len(self.stop_words)} and {len(self.qualifiers)} qualifiers)"

    def keeps(self, phrase: str, count: int, documents: int) -> bool:
        """Whether a normalised phrase passes every rule; its counts play no part."""
        words = phrase.split(" ")
        ends_well = words[0] not in self.stop_words and words[-1] not in self.stop_words | self.qualifiers
        holds_together = self.stop_words.isdisjoint(set(words[1:-1]) - self.inner)
        return ends_well and holds_together and len(phrase) >= 3 and any(c.isalpha() for c in phrase)


@dataclass(frozen=True)
class CountFilter:
    """Drops phrases in fewer than ``least`` captions, or in more than the share ``most`` of them."""

    least: int = 3
    most: float = 0.6

    @property
    def name(self) -> str:
        """The two bounds in words, as the bank's card states them."""
        return f"in at least {self.least} captions and at most {self.most:g} of them"

    def keeps(self, phrase: str, count: int, documents: int) -> bool:
        """Whether ``count`` is from ``least`` to ``most`` times ``documents``, both ends included."""
        return count >= self.least and count <= self.most * documents


@dataclass(frozen=True)
class ListFilter:
    """Keeps the phrases of a list alone, such as one that a language model has gone through."""

    phrases: frozenset[str]
    source: str = "a list"

    @property
    def name(self) -> str:
        """The source of the list and its number of phrases, as the bank's card states them."""
        return f"{self.source} ({len(self.phrases)} phrases)"

    def keeps(self, phrase: str, count: int, documents: int) -> bool:
        """Whether the phrase is in the list, letter by letter: both must be normalised. Its counts play no part."""
        return phrase in self.phrases


def read_phrases(path: Path) -> frozenset[str]:
    """The phrases of a filter file in UTF-8 with one phrase on each line, normalised.

    A line is plain text, a JSON string, or a JSON object with the phrase under ``phrase``, ``keyword``, ``term``,
    ``ngram``, ``n_gram``, ``text`` or ``word``. A boolean ``keep`` in the object is optional; false drops the phrase.

    Raises:
        UsageError: the file cannot be read.
        DataError: it is not UTF-8, holds no phrase, or has lines of another form; all such lines are named.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", "Check the path of the vocabulary file."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8.") from error
    found: set[str] = set()
    bad = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            phrase = _phrase_of(line.strip())
        except ValueError as error:
            bad.append(f"line {number}: {error}")
            continue
        if phrase is not None:
            found.add(normalise(phrase))
    found.discard("")
    if bad:
        raise DataError(
            f"{path}: {len(bad)} lines are no phrases:\n{listed(bad)}",
            f"Write a phrase, or a JSON object with one of the keys {', '.join(_PHRASE_KEYS)}, a line.",
        )
    if not found:
        raise DataError(f"{path} holds no phrase.", "Write one phrase a line.")
    return frozenset(found)


def _phrase_of(line: str) -> str | None:
    if line[0] not in '{"[':
        return line
    value = json.loads(line)
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise ValueError(f"a JSON {type(value).__name__}")
    keep = value.get("keep", True)
    if not isinstance(keep, bool):
        raise ValueError(f'"keep" is {keep!r}, not true or false')
    phrases = [value[key] for key in _PHRASE_KEYS if key in value]
    if len(phrases) != 1 or not isinstance(phrases[0], str):
        raise ValueError("no key, or several, that hold a phrase")
    return phrases[0] if keep else None


def count_phrases(captions: Iterable[str], least: int, longest: int = LONGEST_PHRASE) -> dict[str, int]:
    """In how many captions each phrase of 1 to ``longest`` words occurs, for those in at least ``least`` of them.

    Counted length by length: a phrase is looked at only where both its parts that are one word shorter are frequent
    (Agrawal and Srikant, "Fast algorithms for mining association rules", VLDB 1994), which bounds the memory.
    """
    texts = [normalise(caption) for caption in captions]
    frequent: dict[str, int] = {}
    for length in range(1, longest + 1):
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(
                {
                    " ".join(words)
                    for words in phrases_of(text, length)
                    if len(words) == length
                    and (length == 1 or (" ".join(words[1:]) in frequent and " ".join(words[:-1]) in frequent))
                }
            )
        grown = {phrase: count for phrase, count in counts.items() if count >= least}
        if not grown:
            break
        frequent |= grown
    return frequent


def choose_vocabulary(counts: Mapping[str, int], documents: int, filters: Sequence[PhraseFilter]) -> list[str]:
    """The phrases that every filter keeps, in alphabetical order."""
    kept = (p for p, count in counts.items() if all(f.keeps(p, count, documents) for f in filters))
    return sorted(kept)


def invert(captions: Sequence[str], vocabulary: Iterable[str]) -> dict[str, list[int]]:
    """Keyword to the rows whose captions hold it (at word boundaries, inside a longer keyword too), both in order.

    Keywords of no row are left out.
    """
    phrases = frozenset(vocabulary)
    longest = max(map(len, phrases), default=0)
    rows: dict[str, list[int]] = {phrase: [] for phrase in sorted(phrases)}
    for row, caption in enumerate(captions):
        for phrase in {match.phrase for match in occurrences(normalise(caption), phrases, longest)}:
            rows[phrase].append(row)
    return {phrase: found for phrase, found in rows.items() if found}
