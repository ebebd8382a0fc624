"""What training captions say: every attribute of a tile, in the wordings asked for, or all but a few."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from unipath_bench import UsageError
from unipath_bench.phantom import PHRASES, REGISTERS, Attributes, Wording, describe
from unipath_bench.phantom.streams import Stream

UNSTATED = "unstated"
"""What the language model answers of an attribute that a caption does not mention."""

_REPORT_SHARE = 500
_ARTICLES = ("a ", "an ")


@dataclass(frozen=True, slots=True)
class Caption:
    """One caption and what it says."""

    text: str
    stated: Mapping[str, str]
    """Attribute name to class name, :data:`UNSTATED` for those that the text leaves out."""

    @property
    def bundle(self) -> str:
        """``name: class; name: class`` in the order of :attr:`stated`: what the language model learns to write."""
        return bundle(self.stated)


def bundle(stated: Mapping[str, str]) -> str:
    """``name: class`` of every attribute, joined by semicolons, underscores as spaces."""
    return "; ".join(f"{spoken(name)}: {spoken(value)}" for name, value in stated.items())


def spoken(name: str) -> str:
    """A name as words."""
    return name.replace("_", " ")


def phantom_caption(
    attributes: Attributes, seed: int, wordings: Sequence[Wording], hidden: Collection[str] = ()
) -> Caption:
    """A caption of a phantom tile, half of them reports, the rest in the other registers.

    ``seed`` chooses wording, register, template and phrases; the clauses of the attributes in ``hidden`` are cut out.
    """
    stream = Stream(seed, "training caption")
    wording = wordings[int(stream.integers(1, len(wordings))[0])]
    others = REGISTERS[1:]
    report = stream.chance(_REPORT_SHARE)
    register = REGISTERS[0] if report else others[int(stream.integers(1, len(others))[0])]
    text = describe(attributes, int(stream.integers(1, 2**31)[0]), register, wording)
    labels = attributes.labels()
    for name in hidden:
        text = without_clause(text, name, labels[name], wording)
    return Caption(text, {name: UNSTATED if name in hidden else value for name, value in labels.items()})


def without_clause(text: str, name: str, value: str, wording: Wording) -> str:
    """``text`` without the phrase for a class of an attribute, and without the comma or the "and" before it.

    Raises :class:`~unipath_bench.UsageError` where it has none.
    """
    found = _pattern(name, value, wording).subn("", text, count=1)
    if not found[1]:
        raise UsageError(f"The caption does not say {name}: {value}: {text}", "Give a caption of this tile.")
    return found[0]


@cache
def _pattern(name: str, value: str, wording: Wording) -> re.Pattern[str]:
    phrases = PHRASES[name][value].of(wording)
    words = {phrase for p in phrases for phrase in (p, *(p.removeprefix(a) for a in _ARTICLES))}
    either = "|".join(re.escape(phrase) for phrase in sorted(words, key=len, reverse=True))
    # Synoptic fields go with their title, clauses with the connector that leads to them.
    return re.compile(rf"(?:[A-Z][a-z ]+: (?:{either})\.\s?$|(?:,| and|;| /)? ?\b(?:{either}))", re.IGNORECASE)


def hidden_attributes(rates: Mapping[str, float], seed: int) -> tuple[str, ...]:
    """Those of ``rates`` that a caption leaves out; each with its own probability, drawn from ``seed``."""
    return tuple(name for name, rate in rates.items() if Stream(seed, "hidden", name).scalar() < rate)
