"""A model behind an HTTP endpoint."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from unipath_bench.contracts import Context, Generator, Request
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import DataError, GeneratorError
from unipath_bench.core.http import LONGEST_WAIT, Endpoint, Reply
from unipath_bench.core.images import decode_png, image_size
from unipath_bench.core.parsing import parse_json
from unipath_bench.generators._arguments import integer, number, slug
from unipath_bench.schema.cards import GeneratorCard


class HttpGenerator(Generator):
    """Posts each request to ``url`` and reads one image back.

    The request is JSON: ``{"prompt", "seed", "height", "width", "sample_id", "replicate"}``. The answer is an
    8-bit RGB PNG of the size asked for, as ``image/png`` or as JSON ``{"image": <base64>}``. The endpoint
    must give the same image for the same request. ``timeout`` bounds one attempt in seconds, ``max_bytes``
    one answer. Connection errors, timeouts, 429 and 5xx are tried again ``retries`` times, after ``backoff``
    seconds doubled each time, or after the ``Retry-After`` of the answer (at most a minute). Redirects are
    followed on the same host only. ``headers_env`` names an environment variable with a token (sent as
    ``Authorization: Bearer``) or a JSON object of headers; its value is never recorded. ``concurrency``
    requests are under way at a time.
    """

    incidental: ClassVar[frozenset[str]] = frozenset(
        {"timeout", "retries", "backoff", "max_bytes", "headers_env", "concurrency"}
    )

    card = GeneratorCard(
        name="http",
        title="An image endpoint",
        adapter="http",
        revision="not pinned",
        licence="as stated by the endpoint's operator",
        notes="An endpoint can change behind its URL: write a card with a revision that says what it served.",
    )

    def __init__(
        self,
        *,
        url: str,
        timeout: float = 120.0,
        retries: int = 3,
        max_bytes: int = 32 * 1024 * 1024,
        headers_env: str | None = None,
        concurrency: int = 1,
        backoff: float = 0.5,
    ) -> None:
        self.concurrency = integer("http", "concurrency", concurrency, 1, 64)
        self.endpoint = Endpoint(
            url,
            timeout=number("http", "timeout", timeout, 0.001),
            retries=integer("http", "retries", retries, 0, 20),
            max_bytes=integer("http", "max_bytes", max_bytes, 1),
            headers_env=headers_env,
            backoff=number("http", "backoff", backoff, 0.0, LONGEST_WAIT),
            accept="image/png, application/json",
            expected="prompt, seed, height, width, sample_id and replicate",
        )
        self.url = self.endpoint.url
        self.card = type(self).card.model_copy(
            update={
                "name": f"http-{slug(self.url.host)}",
                "title": f"Image endpoint on {self.url.host}",
                "arguments": {"url": url} | ({} if headers_env is None else {"headers_env": headers_env}),
            }
        )

    def missing(self, context: Context) -> str | None:
        """The remedy where the token is unset, or the endpoint is elsewhere and the run offline."""
        return self.endpoint.missing(offline=context.offline)

    def setup(self, context: Context) -> None:
        """Open the connection pool. Raises :class:`MissingError` where the token is not there."""
        self.endpoint.open(offline=context.offline)

    def generate(self, requests: Sequence[Request]) -> Sequence[RGBImage]:
        """Return one image per request, in order.

        Raises :class:`GeneratorError` where the endpoint fails or answers something else.
        """
        if self.concurrency == 1:
            return [self._image(request) for request in requests]
        with ThreadPoolExecutor(self.concurrency) as pool:
            return list(pool.map(self._image, requests))

    def _image(self, request: Request) -> RGBImage:
        reply = self._ask(request)
        name = f"The answer of {self.url} to {_named(request)}"
        remedy = "The endpoint must answer with an 8-bit RGB PNG of the size asked for."
        try:
            raw = _png_of(reply)
        except ValueError as error:
            raise GeneratorError(f"{name} has {error}.", remedy) from error
        size = image_size(raw)
        if size is not None and size != (request.height, request.width):
            height, width = size
            raise GeneratorError(
                f"{name} has {width} x {height} pixels; wanted {request.width} x {request.height}.", remedy
            )
        try:
            return decode_png(raw, name)
        except DataError as error:
            raise GeneratorError(error.message, remedy) from error

    def _ask(self, request: Request) -> Reply:
        body = {
            "prompt": request.prompt,
            "seed": request.seed,
            "height": request.height,
            "width": request.width,
            "sample_id": request.sample_id,
            "replicate": request.replicate,
        }
        return self.endpoint.post(body, _named(request))


def _png_of(reply: Reply) -> bytes:
    encoding = reply.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise ValueError(f"the content encoding {encoding}; wanted none")
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "image/png":
        return reply.body
    if kind != "application/json":
        raise ValueError(f"the content type {kind or '(none)'}; wanted image/png or application/json")
    try:
        document = parse_json(reply.body)
    except ValueError as error:
        raise ValueError(f"JSON that cannot be read: {error}") from error
    encoded = document.get("image") if isinstance(document, dict) else None
    if not isinstance(encoded, str):
        raise ValueError('JSON without a string "image"')
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(f'an "image" that is not base64: {error}') from error


def _named(request: Request) -> str:
    return f"{request.sample_id} (replicate {request.replicate})"
