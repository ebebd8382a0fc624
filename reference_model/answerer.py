"""UniPath as an answerer of the understanding track: ``unipath-bench understand --model unipath``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from reference_model.generator import UniPathGenerator
from reference_model.pipeline import UniPathPipeline
from unipath_bench import Context
from unipath_bench.errors import UsageError
from unipath_bench.understanding import Answerer, AnswererCard, AskedQuestion
from unipath_bench.understanding.contracts import LETTERS


class UniPathAnswerer(Answerer):
    """``pipeline``: folder of the pipeline; the shipped unipath-tiny where None. ``dtype`` and ``offload`` as for the
    generator. The reply is the letter of the option that the language model finds most probable."""

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
        return self._generator.fingerprint()

    def missing(self, context: Context) -> str | None:
        return self._generator.missing(context)

    def setup(self, context: Context) -> None:
        self._pipeline = self._generator.load(context)

    def answer(self, questions: Sequence[AskedQuestion]) -> Sequence[str]:
        if self._pipeline is None:
            raise UsageError("The answerer unipath was not set up.", "Call setup(Context()) first.")
        return [LETTERS[self._pipeline.answer(q.image, q.text, q.options).index] for q in questions]
