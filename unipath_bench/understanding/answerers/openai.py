"""A model behind an endpoint of the OpenAI chat-completions form (vLLM, llama.cpp, TGI, hosted services)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from unipath_bench.contracts import Context
from unipath_bench.core.chat import ChatClient, image_part, text_part
from unipath_bench.generators._arguments import integer, number, slug
from unipath_bench.understanding.contracts import Answerer, AskedQuestion
from unipath_bench.understanding.record import AnswererCard


class OpenAIAnswerer(Answerer):
    """Posts to ``url`` (the whole address, ending in ``/chat/completions``) with the model's name ``model``.

    The image goes along as a PNG data URL, at temperature 0 with ``seed``; at most ``max_tokens`` come back.
    ``headers_env``, ``timeout``, ``retries`` and ``max_bytes`` as for the http generator.
    """

    incidental: ClassVar[frozenset[str]] = frozenset({"timeout", "retries", "max_bytes", "headers_env"})

    def __init__(
        self,
        *,
        url: str,
        model: str,
        revision: str = "not pinned",
        max_tokens: int = 32,
        seed: int = 0,
        timeout: float = 120.0,
        retries: int = 3,
        max_bytes: int = 1 << 20,
        headers_env: str | None = None,
    ) -> None:
        self.chat = ChatClient(
            url,
            model=model,
            max_tokens=integer("openai", "max_tokens", max_tokens, 1),
            temperature=0,
            seed=integer("openai", "seed", seed, 0),
            timeout=number("openai", "timeout", timeout, 0.001),
            retries=integer("openai", "retries", retries, 0, 20),
            max_bytes=integer("openai", "max_bytes", max_bytes, 1),
            headers_env=headers_env,
            backoff=0.5,
        )
        self.card = AnswererCard(
            name=slug(model),
            title=f"{model} at {self.chat.endpoint.url.host}",
            revision=revision,
            licence="as stated by the endpoint's operator",
            arguments={"url": url, "model": model, "max_tokens": max_tokens, "seed": seed},
            notes="" if revision != "not pinned" else "An endpoint can change behind its URL: give revision=... .",
        )

    def missing(self, context: Context) -> str | None:
        """The remedy where the token is unset, or the endpoint is elsewhere and the run offline."""
        return self.chat.endpoint.missing(offline=context.offline)

    def setup(self, context: Context) -> None:
        """Open the connection pool. Raises ``MissingError`` where :meth:`missing` has a remedy."""
        self.chat.endpoint.open(offline=context.offline)

    def answer(self, questions: Sequence[AskedQuestion]) -> Sequence[str]:
        """Ask the questions one by one; a reply without text content is the empty string.

        Raises :class:`GeneratorError` where the endpoint fails or answers in another form.
        """
        return [self._ask(question) for question in questions]

    def _ask(self, question: AskedQuestion) -> str:
        named = f"the question {question.id}"
        answer = self.chat.ask([image_part(question.image), text_part(question.prompt)], named)
        return self.chat.completion(answer, named).text
