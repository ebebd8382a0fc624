"""Captions from a vision-language model behind an endpoint that speaks the OpenAI chat completions protocol."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from reference_model.curation.contracts import CaptionError
from reference_model.curation.response_log import ResponseLog
from unipath_bench import DataError, MissingError, Sample, UsageError
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import digest, pixel_digest
from unipath_bench.core.images import encode_png

INSTRUCTION = (
    "You are a pathologist. Describe this histology image in two to four sentences: tissue and architecture, cell "
    "type, nuclear features, mitoses, stroma, inflammation, necrosis and haemorrhage, as far as they can be seen. "
    "State only what is visible; give no diagnosis that the image does not support."
)
_LONGEST_WAIT = 60.0


class HttpCaptioner:
    """Posts each image to ``url``/chat/completions and keeps the answer.

    Args:
        log: JSON-lines file of every answer; an image that is answered there is not asked again.
        transport: for tests.
        url: base of the API, e.g. ``http://localhost:8000/v1``.
        model: name of the model there.
        instruction: the text beside the image.
        max_tokens, temperature, seed: sampling; answers cut at ``max_tokens`` are refused.
        key_env: environment variable with the API key, never recorded.
        timeout: seconds for one attempt.
        retries: attempts after the first, on connection errors, timeouts, 429 and 5xx.
        backoff: seconds before the second attempt, doubled each time; ``Retry-After`` goes before. At most a minute.
    """

    def __init__(
        self,
        log: Path,
        transport: httpx.BaseTransport | None = None,
        /,
        *,
        url: str,
        model: str,
        instruction: str = INSTRUCTION,
        max_tokens: int = 300,
        temperature: float = 0.0,
        seed: int = 0,
        key_env: str | None = None,
        timeout: float = 120.0,
        retries: int = 5,
        backoff: float = 1.0,
    ) -> None:
        base = httpx.URL(str(url))
        if base.scheme not in ("http", "https") or not base.host or base.userinfo:
            raise UsageError(f"url={url!r} is no http or https URL without a password.", "url=http://localhost:8000/v1")
        key = os.environ.get(key_env, "") if key_env else ""
        if key_env and not key:
            raise MissingError(f"The endpoint {url} needs a key.", f"Set the environment variable {key_env} to it.")
        self._url = url.rstrip("/") + "/chat/completions"
        self._sampling = {"model": model, "max_tokens": max_tokens, "temperature": temperature, "seed": seed}
        self._instruction = instruction
        self._retries, self._backoff, self._key = retries, backoff, key
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=timeout, transport=transport
        )
        self._log = ResponseLog(log)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The endpoint, the model, the instruction and the sampling."""
        return {"captioner": "http", "url": self._url, "instruction": self._instruction, **self._sampling}

    def caption(self, image: RGBImage, sample: Sample) -> str:
        """The model's answer on one line.

        Raises :class:`CaptionError` where it is empty, refused or cut; :class:`~unipath_bench.DataError` or
        :class:`~unipath_bench.MissingError` where the endpoint fails.
        """
        key = digest({"fingerprint": dict(self.fingerprint), "pixels": pixel_digest(image)})
        known = self._log.answer(key)
        document = known["answer"] if known is not None and known.get("status") == 200 else None
        if document is None:
            document = self._ask(image, sample, key)
        return self._text(document, sample)

    def _ask(self, image: RGBImage, sample: Sample, key: str) -> Any:
        picture = "data:image/png;base64," + base64.b64encode(encode_png(image)).decode()
        content = [
            {"type": "text", "text": self._instruction},
            {"type": "image_url", "image_url": {"url": picture}},
        ]
        body = {**self._sampling, "messages": [{"role": "user", "content": content}]}
        failure = ""
        for attempt in range(self._retries + 1):
            wait = self._backoff * 2.0**attempt
            try:
                reply = self._client.post(self._url, json=body)
            except httpx.TransportError as error:
                failure = f"{type(error).__name__}: {error}"
                self._log.add(key, {"sample": sample.id, "status": 0, "answer": failure})
            else:
                answer = self._answer(reply)
                self._log.add(key, {"sample": sample.id, "status": reply.status_code, "answer": answer})
                if reply.status_code == 200:
                    return answer
                failure = f"HTTP {reply.status_code} {str(answer)[:200]}"
                self._stop_if_hopeless(reply.status_code, failure, sample)
                after = reply.headers.get("retry-after", "")
                wait = float(after) if after.isdigit() else wait
            if attempt < self._retries:
                time.sleep(min(wait, _LONGEST_WAIT))
        raise DataError(
            f"The endpoint {self._url} failed {self._retries + 1} times for {sample.id}; the last time: {failure}",
            "See that it is up, then run the same command again: captions that were written are kept.",
        )

    def _answer(self, reply: httpx.Response) -> Any:
        try:
            return reply.json()
        except ValueError:
            text = reply.text[:2000]
            return text.replace(self._key, "[hidden]") if self._key else text

    def _stop_if_hopeless(self, status: int, failure: str, sample: Sample) -> None:
        if status in (401, 403):
            raise MissingError(
                f"The endpoint {self._url} refused access: {failure}",
                "Put its key in an environment variable and name that with --captioner-arg key_env=NAME.",
            )
        if status != 429 and status < 500:
            raise DataError(f"The endpoint {self._url} refused {sample.id}: {failure}", "Check url= and model=.")

    def _text(self, document: Any, sample: Sample) -> str:
        try:
            choice = document["choices"][0]
            message, finish = choice["message"], choice.get("finish_reason")
            content = message.get("content") or ""
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise DataError(
                f"The answer of {self._url} for {sample.id} is no chat completion.", "Check that url= ends in /v1."
            ) from error
        if isinstance(content, list):
            content = " ".join(str(p.get("text", "")) for p in content if isinstance(p, dict))
        text = " ".join(str(content).split())
        if finish == "length":
            raise CaptionError(f"The caption of {sample.id} was cut at max_tokens.", "Raise max_tokens.")
        if message.get("refusal") or finish == "content_filter" or not text:
            raise CaptionError(f"The model gave no caption for {sample.id}.", "Look at the log of its answers.")
        return text
