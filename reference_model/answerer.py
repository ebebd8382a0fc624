"""UniPath as an answerer of the understanding track: ``unipath-bench understand --model unipath``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from reference_model.generator import UniPathGenerator
from reference_model.pipeline import UniPathPipeline
from reference_model.understanding import answer
from unipath_bench import Context
from unipath_bench.core.errors import UsageError
from unipath_bench.understanding import Answerer, AnswererCard, AskedQuestion
from unipath_bench.understanding.contracts import LETTERS


class UniPathAnswerer(Answerer):
    """Replies with the letter of the option that the language model finds most probable.

    ``pipeline`` is the folder of the pipeline, by default that of the shipped unipath-tiny. ``dtype`` and ``offload``
    are those of :class:`~reference_model.generator.UniPathGenerator`.
    """

    incidental: ClassVar[frozenset[str]] = frozenset({"pipeline", "offload"})

    def __init__(self, *, pipeline: str | Path | None = None, dtype: str = "auto", offload: bool = False) -> None:
        self._generator = UniPathGenerator(pipeline=pipeline, dtype=dtype, offload=offload, streams="text,semantic")
        card = self._generator.card
        self.card = AnswererCard(
            name=card.name,
            title=card.title,
            revision=card.revision,
            licence=card.licence,
            arguments={"pipeline": None if pipeline is None else str(pipeline), "dtype": dtype, "offload": offload},
        )
        self._pipeline: UniPathPipeline | None = None

    def fingerprint(self) -> Mapping[str, Any]:
        """The digest of the pipeline's files, under ``pipeline``: that of the generator with the same folder."""
        return self._generator.fingerprint()

    def missing(self, context: Context) -> str | None:
        """The remedy where the folder holds no pipeline or lacks a component's files; None where it is complete."""
        return self._generator.missing(context)

    def setup(self, context: Context) -> None:
        """Load the pipeline onto ``context.device``.

        Raises :class:`~unipath_bench.MissingError` where the folder is not complete and
        :class:`~unipath_bench.DataError` where its files cannot be loaded.
        """
        self._pipeline = self._generator.load(context)

    def answer(self, questions: Sequence[AskedQuestion]) -> Sequence[str]:
        """The letter of the chosen option for each question, in order.

        Raises :class:`~unipath_bench.UsageError` before :meth:`setup`, and for options that are not a choice or
        that the language model cannot tell apart; :class:`~unipath_bench.MissingError` where the pipeline has nothing
        to read images with.
        """
        if self._pipeline is None:
            raise UsageError("The answerer unipath was not set up.", "Call setup(Context()) first.")
        return [LETTERS[answer(self._pipeline, q.image, q.text, q.options).index] for q in questions]
