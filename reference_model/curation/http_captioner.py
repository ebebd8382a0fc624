"""Captions from a vision-language model behind an endpoint that speaks the OpenAI chat completions protocol."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reference_model.curation.contracts import CaptionError
from reference_model.curation.response_log import ResponseLog
from unipath_bench import Sample
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.chat import ChatClient, image_part, text_part
from unipath_bench.core.digest import digest, pixel_digest

INSTRUCTION = (
    "You are a pathologist. Describe this histology image in two to four sentences: tissue and architecture, cell "
    "type, nuclear features, mitoses, stroma, inflammation, necrosis and haemorrhage, as far as they can be seen. "
    "State only what is visible; give no diagnosis that the image does not support."
)


class HttpCaptioner:
    """Posts each image to ``url``/chat/completions and keeps the answer.

    Args:
        log: JSON-lines file of every answer; an image that is answered there is not asked again.
        offline: whether only an endpoint on this machine may be asked.
        url: base of the API, e.g. ``http://localhost:8000/v1``.
        model: name of the model there.
        instruction: the text beside the image.
        max_tokens, temperature, seed: sampling; answers cut at ``max_tokens`` are refused.
        headers_env, timeout, retries, backoff, max_bytes: as for :class:`~unipath_bench.core.http.Endpoint`.
    """

    def __init__(
        self,
        log: Path,
        offline: bool = False,
        /,
        *,
        url: str,
        model: str,
        instruction: str = INSTRUCTION,
        max_tokens: int = 300,
        temperature: float = 0.0,
        seed: int = 0,
        headers_env: str | None = None,
        timeout: float = 120.0,
        retries: int = 5,
        backoff: float = 1.0,
        max_bytes: int = 1 << 20,
    ) -> None:
        self._url = f"{url}".rstrip("/") + "/chat/completions"
        self._instruction = instruction
        self._chat = ChatClient(
            self._url,
            model=model,
            max_tokens=max_tokens,
            temperature=temperature,
            seed=seed,
            timeout=float(timeout),
            retries=int(retries),
            max_bytes=int(max_bytes),
            headers_env=headers_env,
            backoff=float(backoff),
            option="--captioner-arg",
        )
        self._chat.endpoint.open(offline=offline)
        self._log = ResponseLog(log)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The endpoint, the model, the instruction and the sampling."""
        return {"captioner": "http", "url": self._url, "instruction": self._instruction, **self._chat.sampling}

    def caption(self, image: RGBImage, sample: Sample) -> str:
        """The model's answer on one line.

        Raises :class:`CaptionError` where it is empty, refused or cut; :class:`~unipath_bench.GeneratorError` or
        :class:`~unipath_bench.MissingError` where the endpoint fails.
        """
        key = digest({"fingerprint": dict(self.fingerprint), "pixels": pixel_digest(image)})
        known = self._log.answer(key)
        if known is not None and known.get("status") == 200:
            answer = known["answer"]
        else:
            answer = self._chat.ask([text_part(self._instruction), image_part(image)], sample.id)
            self._log.add(key, {"sample": sample.id, "status": 200, "answer": answer})
        found = self._chat.completion(answer, sample.id)
        text = " ".join(found.text.split())
        if found.cut_short:
            raise CaptionError(f"The caption of {sample.id} was cut at max_tokens.", "Raise max_tokens.")
        if found.refused or not text:
            raise CaptionError(f"The model gave no caption for {sample.id}.", "Look at the log of its answers.")
        return text
