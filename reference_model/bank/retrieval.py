"""Three routes from a prompt to prototypes, united and cut by a rule that knows no order but its own."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reference_model.bank.card import RetrievalRule, RouteName
from reference_model.bank.directions import unit_rows
from reference_model.bank.ordering import hash_ids, seeded_keys
from reference_model.bank.store import Content
from reference_model.bank.words import longest_first, normalise, occurrences
from unipath_bench.core.arrays import Features

_DECIMALS = 6
"""Cosines are compared to this many decimals: rows with the same caption tie, however the machine rounds."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One row, found by one route."""

    row: int
    route: RouteName
    rank: int
    """Place among the hits of its route, or of its keyword: 0 is the best."""
    score: float | None
    """Cosine similarity; None for keywords."""
    keyword: str = ""


class Retriever:
    """Finds rows of a bank."""

    def __init__(self, content: Content, rule: RetrievalRule) -> None:
        self._content = content
        self._rule = rule
        self._hashes = hash_ids(content.ids)
        self._text = None if content.text is None else unit_rows(content.text, "the captions")
        self._image = None if content.image is None else unit_rows(content.image, "the images")
        self._longest = max(map(len, content.keywords), default=0)

    def keywords(self, prompt: str) -> list[str]:
        """The keywords of a prompt that are used, at most ``rule.keywords``, the rarest in the bank first.

        They are matches at word boundaries that do not overlap, the longest taken first. Of two keywords that are
        equally rare, the longer comes first; of two that are equally long as well, the first in the alphabet.
        """
        matches = longest_first(occurrences(normalise(prompt), self._content.keywords.keys(), self._longest))
        rows = self._content.keywords
        order = sorted({match.phrase for match in matches}, key=lambda p: (len(rows[p]), -len(p), p))
        return order[: self._rule.keywords]

    def hits(self, prompt: str, query: Features | None) -> list[Hit]:
        """Every hit of every route. ``query`` is the prompt's vector (R,); None where the bank has keywords only."""
        found: list[Hit] = []
        if query is not None:
            direction = unit_rows(query[None], "the prompt")[0]
            found += self._nearest("text-text", self._text, direction, self._rule.text_text, prompt)
            found += self._nearest("text-image", self._image, direction, self._rule.text_image, prompt)
        for keyword in self.keywords(prompt):
            rows = self._content.keywords[keyword]
            order = np.argsort(seeded_keys(self._hashes[rows], self._rule.seed, "keyword", keyword, prompt))
            drawn = rows[order[: self._rule.per_keyword]]
            found += [Hit(int(row), "keyword", rank, None, keyword) for rank, row in enumerate(drawn)]
        return found

    def unite(self, prompt: str, hits: list[Hit], limit: int) -> list[tuple[int, tuple[Hit, ...]]]:
        """At most ``limit`` rows with all their hits, the most relevant first.

        Rows are ordered by their best rank in any route, then by how many hits found them, the most first, then by a
        seeded order of prompt and id. The result does not depend on the order of ``hits``.
        """
        by_row: defaultdict[int, list[Hit]] = defaultdict(list)
        for hit in hits:
            by_row[hit.row].append(hit)
        rows = np.array(sorted(by_row), dtype=np.int64)
        ties = dict(
            zip(rows.tolist(), seeded_keys(self._hashes[rows], self._rule.seed, "cut", prompt).tolist(), strict=True)
        )
        order = sorted(by_row, key=lambda row: (min(h.rank for h in by_row[row]), -len(by_row[row]), ties[row]))
        return [(row, tuple(sorted(by_row[row], key=lambda h: (h.rank, h.route, h.keyword)))) for row in order[:limit]]

    def _nearest(
        self,
        route: RouteName,
        rows: npt.NDArray[np.float64] | None,
        query: npt.NDArray[np.float64],
        top: int,
        prompt: str,
    ) -> list[Hit]:
        if rows is None:
            return []
        scores = np.round(rows @ query, _DECIMALS)
        ties = seeded_keys(self._hashes, self._rule.seed, route, prompt)
        order = np.lexsort((ties, -scores))[:top]
        return [Hit(int(row), route, rank, float(scores[row])) for rank, row in enumerate(order)]
