"""Reading a raw reply: strictly, so that a lucky letter in a sentence is no answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from unipath_bench.understanding.contracts import LETTERS

_LONE = re.compile(r"[\s\"'*]*\(?([A-Z])\)?[\s.):\"'*]*")
_LED = re.compile(r"[\s\"'*]*(?:\(([A-Z])\)|([A-Z])[.):])\s*(.*)", re.DOTALL)
_NAMED = re.compile(r"\b(?:answer|option|choice)\b(?:\s+is)?\s*:?\s*\**\(?([A-Z])\b\)?(?!['\w])", re.IGNORECASE)
_REFUSAL = re.compile(
    r"\b(?:i (?:can(?:no|')t|am (?:not able|unable)|'m (?:not able|unable|sorry)|do not|don't) |as an ai\b|"
    r"i am sorry\b|sorry, |unable to (?:answer|determine|assist|provide)|cannot (?:answer|determine|assist|provide))",
    re.IGNORECASE,
)


class NoAnswer(Enum):
    """Why a reply is no answer."""

    REFUSED = "refused"
    UNREAD = "unread"


def read_reply(reply: str, options: Sequence[str]) -> int | NoAnswer:
    """The index of the option that ``reply`` names.

    Read are: a letter alone (``B``, ``(B)``, ``B.``); a letter with a mark and then any text that names no other
    letter so (``B) glands``); ``answer: B``, ``the answer is B``, ``option B`` anywhere, if all of them name one
    letter; and the text of exactly one option, but for case, spaces and a final stop. All else is
    :class:`NoAnswer`.
    """
    text = reply.strip()
    allowed = LETTERS[: len(options)]
    alone = _LONE.fullmatch(text)
    if alone:
        return allowed.index(alone[1]) if alone[1] in allowed else NoAnswer.UNREAD
    named = {letter.upper() for letter in _NAMED.findall(text)}
    led = _LED.match(text)
    if led:
        named.add(led[1] or led[2])
    if named:
        (letter, *others) = sorted(named)
        return allowed.index(letter) if not others and letter in allowed else NoAnswer.UNREAD
    same = [i for i, option in enumerate(options) if _plain(option) == _plain(text)]
    if len(same) == 1:
        return same[0]
    return NoAnswer.REFUSED if _REFUSAL.search(text) else NoAnswer.UNREAD


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")
