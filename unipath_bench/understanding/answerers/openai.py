"""A model behind an endpoint of the OpenAI chat-completions form (vLLM, llama.cpp, TGI, hosted services)."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from PIL import Image

from unipath_bench.contracts import Context
from unipath_bench.core.errors import GeneratorError
from unipath_bench.core.http import LONGEST_WAIT, Endpoint
from unipath_bench.core.parsing import parse_json
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
        self.model = model
        self.max_tokens = integer("openai", "max_tokens", max_tokens, 1)
        self.seed = integer("openai", "seed", seed, 0)
        self.endpoint = Endpoint(
            url,
            timeout=number("openai", "timeout", timeout, 0.001),
            retries=integer("openai", "retries", retries, 0, 20),
            max_bytes=integer("openai", "max_bytes", max_bytes, 1),
            headers_env=headers_env,
            backoff=min(0.5, LONGEST_WAIT),
            accept="application/json",
            expected="model, messages, temperature, max_tokens and seed",
        )
        self.card = AnswererCard(
            name=slug(model),
            title=f"{model} at {self.endpoint.url.host}",
            revision=revision,
            licence="as stated by the endpoint's operator",
            arguments={"url": url, "model": model, "max_tokens": max_tokens, "seed": seed},
            notes="" if revision != "not pinned" else "An endpoint can change behind its URL: give revision=... .",
        )

    def missing(self, context: Context) -> str | None:
        """The remedy where the token is unset, or the endpoint is elsewhere and the run offline."""
        return self.endpoint.missing(offline=context.offline)

    def setup(self, context: Context) -> None:
        """Open the connection pool. Raises ``MissingError`` where :meth:`missing` has a remedy."""
        self.endpoint.open(offline=context.offline)

    def answer(self, questions: Sequence[AskedQuestion]) -> Sequence[str]:
        """Ask the questions one by one; a reply without text content is the empty string.

        Raises :class:`GeneratorError` where the endpoint fails or answers in another form.
        """
        return [self._ask(question) for question in questions]

    def _ask(self, question: AskedQuestion) -> str:
        stream = io.BytesIO()
        Image.fromarray(question.image).save(stream, "PNG")
        picture = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
        body: Mapping[str, Any] = {
            "model": self.model,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": picture}},
                        {"type": "text", "text": question.prompt},
                    ],
                }
            ],
            "temperature": 0,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
        }
        reply = self.endpoint.post(body, f"the question {question.id}")
        try:
            content = parse_json(reply.body)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise GeneratorError(
                f"The answer of {self.endpoint.url} to the question {question.id} has no choices[0].message.content.",
                "The endpoint must answer in the form of OpenAI's chat completions.",
            ) from error
        # A model that only reasons, or is filtered, has no content: that is a reply without an answer.
        return self.endpoint.hidden(content) if isinstance(content, str) else ""
