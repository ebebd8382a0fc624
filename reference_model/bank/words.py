"""Words, phrases and where they may begin and end."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass

_HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011"), "-") | dict.fromkeys(map(ord, "\u2018\u2019"), "'")
_WORD = re.compile(r"\w+(?:[-']\w+)*")
_SPACE = re.compile(r"\s+")
_POSSESSIVE = re.compile(r"(?<=\w)(?:'s)+(?![\w'])")


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase found in a normalised text, at ``text[start:end]``."""

    start: int
    end: int
    phrase: str


def normalise(text: str) -> str:
    """``text`` in the form in which phrases are compared.

    It is in lower case and Unicode NFC, with one space for any white space and none at the ends, with plain hyphens and
    apostrophes, and without possessives: "Crohn's disease" becomes "crohn disease".
    """
    folded = unicodedata.normalize("NFC", text.lower()).translate(_HYPHENS)
    return _SPACE.sub(" ", _POSSESSIVE.sub("", folded)).strip()


def phrases_of(text: str, longest: int) -> list[list[str]]:
    """The phrases of 1 to ``longest`` words in a normalised text, as lists of words, in order, with repeats.

    A word is a run of letters, digits and underscores; a hyphen or apostrophe between two of them belongs to the
    word. A phrase never reaches over punctuation.
    """
    found = list(_WORD.finditer(text))
    phrases = []
    for first in range(len(found)):
        words = [found[first][0]]
        phrases.append(list(words))
        for last in range(first + 1, min(first + longest, len(found))):
            if text[found[last - 1].end() : found[last].start()] != " ":
                break
            words.append(found[last][0])
            phrases.append(list(words))
    return phrases


def boundaries(text: str) -> list[bool]:
    """For each place 0 .. len(text) of a normalised text, whether a phrase may begin or end there.

    Not inside a word: "gland" is not in "England", nor, as a hyphen binds, "small cell" in "non-small cell".
    """
    inside = [False] * len(text)
    for word in _WORD.finditer(text):
        inside[word.start() : word.end()] = [True] * (word.end() - word.start())
    return [True, *(not (inside[i - 1] and inside[i]) for i in range(1, len(text))), True] if text else [True]


def occurrences(text: str, vocabulary: Collection[str], longest: int) -> list[Match]:
    """Every occurrence of a phrase of ``vocabulary`` in a normalised text, in reading order.

    Occurrences may overlap. The phrases are normalised and have at most ``longest`` characters each.
    """
    free = boundaries(text)
    places = [i for i, here in enumerate(free) if here]
    return [
        Match(start, end, text[start:end])
        for first, start in enumerate(places)
        for end in places[first + 1 : bisect_right(places, start + longest)]
        if text[start:end] in vocabulary
    ]


def longest_first(matches: Collection[Match]) -> list[Match]:
    """A choice of ``matches`` that do not overlap, in reading order.

    The longest (in characters) are taken first, the leftmost among equals; one that overlaps a match already taken is
    left out.
    """
    taken: list[Match] = []
    for match in sorted(matches, key=lambda m: (m.start - m.end, m.start, m.phrase)):
        if all(match.end <= other.start or other.end <= match.start for other in taken):
            taken.append(match)
    return sorted(taken, key=lambda m: m.start)
