"""Questions to a vision-language model behind an endpoint that speaks the OpenAI chat completions protocol."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import GeneratorError
from unipath_bench.core.http import Endpoint
from unipath_bench.core.images import encode_png

Part = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Completion:
    """The model's answer."""

    text: str
    """Empty where there is none: of a model that only reasons, or that was filtered."""
    refused: bool
    cut_short: bool
    """Whether it ended at ``max_tokens``."""


class ChatClient:
    """One question at a time, of the model ``model`` at ``url`` (the whole address, ending in ``/chat/completions``).

    ``max_tokens``, ``temperature`` and ``seed`` are the sampling. The other arguments are those of
    :class:`~unipath_bench.core.http.Endpoint`.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str,
        max_tokens: int,
        temperature: float,
        seed: int,
        timeout: float,
        retries: int,
        max_bytes: int,
        headers_env: str | None,
        backoff: float,
        option: str = "--model-arg",
    ) -> None:
        self.sampling = {"model": model, "max_tokens": max_tokens, "temperature": temperature, "seed": seed}
        self.endpoint = Endpoint(
            url,
            timeout=timeout,
            retries=retries,
            max_bytes=max_bytes,
            headers_env=headers_env,
            backoff=backoff,
            accept="application/json",
            expected="model, messages, temperature, max_tokens and seed",
            option=option,
        )

    def ask(self, content: Sequence[Part], named: str) -> Any:
        """The whole answer to one message, a JSON value that :meth:`completion` reads.

        Raises :class:`GeneratorError`, naming ``named``, where the endpoint fails or answers in another form, and
        :class:`MissingError` where it refuses access. No header's value is in the answer or the errors.
        """
        reply = self.endpoint.post({**self.sampling, "messages": [{"role": "user", "content": list(content)}]}, named)
        try:
            answer = self.endpoint.json_of(reply)
        except ValueError as error:
            raise self._unreadable(named) from error
        self.completion(answer, named)
        return answer

    def completion(self, answer: Any, named: str) -> Completion:
        """What the model said. Raises :class:`GeneratorError` where ``answer`` is no chat completion."""
        try:
            choice = answer["choices"][0]
            message, finish = choice["message"], choice.get("finish_reason")
            content, refusal = message.get("content"), message.get("refusal")
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise self._unreadable(named) from error
        if isinstance(content, list):
            content = " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
        text = content if isinstance(content, str) else ""
        return Completion(text, bool(refusal) or finish == "content_filter", finish == "length")

    def _unreadable(self, named: str) -> GeneratorError:
        return GeneratorError(
            f"The answer of {self.endpoint.url} to {named} has no choices[0].message.",
            "The endpoint must answer in the form of OpenAI's chat completions: check the end of url=.",
        )


def text_part(text: str) -> Part:
    """A piece of text in a message."""
    return {"type": "text", "text": text}


def image_part(image: RGBImage) -> Part:
    """An image, uint8 (H, W, 3), in a message: as a PNG data URL."""
    encoded = base64.b64encode(encode_png(image)).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}
