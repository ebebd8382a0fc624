"""A model behind an HTTP endpoint."""

from __future__ import annotations

import base64
import binascii
import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import ClassVar

import httpx

from unipath_bench.contracts import Context, Generator, Request
from unipath_bench.errors import DataError, GeneratorError, MissingError, UsageError
from unipath_bench.generators._arguments import integer, number, slug
from unipath_bench.images import decode_png, image_size
from unipath_bench.schema.cards import GeneratorCard
from unipath_bench.types import RGBImage

_LONGEST_WAIT = 60.0
_REDIRECTS = 3
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: httpx.Headers
    body: bytes


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
        self.url = _checked_url(url)
        self.timeout = number("http", "timeout", timeout, 0.001)
        self.retries = integer("http", "retries", retries, 0, 20)
        self.max_bytes = integer("http", "max_bytes", max_bytes, 1)
        self.headers_env = headers_env
        self.concurrency = integer("http", "concurrency", concurrency, 1, 64)
        self.backoff = number("http", "backoff", backoff, 0.0, _LONGEST_WAIT)
        self.card = type(self).card.model_copy(
            update={
                "name": f"http-{slug(self.url.host)}",
                "title": f"Image endpoint on {self.url.host}",
                "arguments": {"url": url} | ({} if headers_env is None else {"headers_env": headers_env}),
            }
        )
        self._client: httpx.Client | None = None
        self._secrets: tuple[str, ...] = ()

    def missing(self, context: Context) -> str | None:
        """The remedy where the token is unset, or the endpoint is elsewhere and the run offline."""
        if context.offline and self.url.host not in _LOOPBACK:
            return f"{self.url.host} is on the network, and this run is offline: leave --offline out."
        if self.headers_env is not None and not os.environ.get(self.headers_env):
            return f"Set the environment variable {self.headers_env} to the endpoint's token."
        return None

    def setup(self, context: Context) -> None:
        """Open the connection pool. Raises :class:`MissingError` where the token is not there."""
        remedy = self.missing(context)
        if remedy is not None:
            raise MissingError(f"The endpoint {self.url} cannot be asked.", remedy)
        headers = _read_headers(self.headers_env)
        self._secrets = tuple({part for value in headers.values() for part in (value, value.removeprefix("Bearer "))})
        self._client = httpx.Client(
            headers={"Accept": "image/png, application/json", "Accept-Encoding": "identity", **headers},
            timeout=httpx.Timeout(self.timeout),
            limits=httpx.Limits(max_connections=self.concurrency),
            follow_redirects=False,
        )

    def generate(self, requests: Sequence[Request]) -> Sequence[RGBImage]:
        """One image a request. Raises :class:`GeneratorError` where the endpoint fails or answers something
        else.
        """
        if self._client is None:
            raise UsageError("The http generator was not set up.", "Call setup(Context()) first.")
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

    def _ask(self, request: Request) -> _Reply:
        body = {
            "prompt": request.prompt, "seed": request.seed, "height": request.height, "width": request.width,
            "sample_id": request.sample_id, "replicate": request.replicate,
        }  # fmt: skip
        failure = ""
        for attempt in range(self.retries + 1):
            wait = self.backoff * 2.0**attempt
            try:
                reply = self._post(body)
            except httpx.TransportError as error:
                failure = f"{type(error).__name__}: {error}"
            else:
                if reply.status == 200:
                    return reply
                failure = self._describe(reply)
                if reply.status in (401, 403):
                    raise MissingError(
                        f"The endpoint {self.url} refused access: {failure}",
                        "Put its token in an environment variable and name that with --model-arg headers_env=NAME.",
                    )
                if reply.status != 429 and reply.status < 500:
                    raise GeneratorError(
                        f"The endpoint {self.url} refused {_named(request)}: {failure}",
                        "It must accept a JSON body with prompt, seed, height, width, sample_id and replicate.",
                    )
                wait = _retry_after(reply.headers) or wait
            if attempt < self.retries:
                time.sleep(min(wait, _LONGEST_WAIT))
        raise GeneratorError(
            f"The endpoint {self.url} failed {self.retries + 1} times for {_named(request)}; the last time: {failure}",
            "See that it is up, then run the same command again: finished images are kept. --model-arg "
            "timeout= and retries= "
            "set how long to insist.",
        )

    def _post(self, body: Mapping[str, object]) -> _Reply:
        url = self.url
        for _ in range(_REDIRECTS + 1):
            reply = self._send(url, body)
            if reply.status not in (301, 302, 303, 307, 308):
                return reply
            target = url.join(reply.headers.get("location", ""))
            same_host = (target.scheme, target.host, target.port) == (url.scheme, url.host, url.port)
            if reply.status not in (307, 308) or not same_host:
                raise GeneratorError(
                    f"The endpoint {self.url} redirects to {target} (HTTP {reply.status}).",
                    "Redirects are not followed to other hosts, nor where they drop the request's body: "
                    "give the final URL.",
                )
            url = target
        raise GeneratorError(f"The endpoint {self.url} redirects in a circle.", "Give the final URL.")

    def _send(self, url: httpx.URL, body: Mapping[str, object]) -> _Reply:
        assert self._client is not None
        deadline = time.monotonic() + self.timeout
        with self._client.stream("POST", url, json=body) as response:
            announced = response.headers.get("content-length", "0")
            parts, size = [], int(announced) if announced.isdigit() else 0
            if size <= self.max_bytes:
                size = 0
                for part in response.iter_raw():
                    size += len(part)
                    if size > self.max_bytes:
                        break
                    if time.monotonic() > deadline:
                        raise httpx.ReadTimeout(f"no whole answer within {self.timeout:g} s")
                    parts.append(part)
            if size > self.max_bytes:
                raise GeneratorError(
                    f"The endpoint {self.url} answered with more than {self.max_bytes} bytes.",
                    "One PNG is expected; --model-arg max_bytes= raises the bound.",
                )
            return _Reply(response.status_code, response.headers, b"".join(parts))

    def _describe(self, reply: _Reply) -> str:
        text = reply.body[:200].decode("utf-8", "replace").strip()
        for secret in self._secrets:
            text = text.replace(secret, "[hidden]")
        return f"HTTP {reply.status} {text}".strip()


def _checked_url(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise UsageError(f"url={url!r} is no URL: {error}", "Example: url=http://localhost:8000/generate") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UsageError(f"url={url!r} is no http or https URL.", "Example: url=http://localhost:8000/generate")
    if parsed.userinfo:
        raise UsageError(
            "The endpoint's url carries a user name or password, which would be recorded.",
            "Put the token in an environment variable and name that with --model-arg headers_env=NAME.",
        )
    return parsed


def _read_headers(variable: str | None) -> dict[str, str]:
    if variable is None:
        return {}
    value = os.environ[variable].strip()
    if not value.startswith("{"):
        return {"Authorization": f"Bearer {value}"}
    try:
        headers = json.loads(value)
    except json.JSONDecodeError as error:
        raise UsageError(f"{variable} begins with a brace but is no JSON object.", "Correct its quotes.") from error
    if not all(isinstance(v, str) for v in headers.values()):
        raise UsageError(f"{variable} has a header that is no string.", "Give a JSON object of strings.")
    return dict(headers)


def _png_of(reply: _Reply) -> bytes:
    encoding = reply.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise ValueError(f"the content encoding {encoding}; wanted none")
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "image/png":
        return reply.body
    if kind != "application/json":
        raise ValueError(f"the content type {kind or '(none)'}; wanted image/png or application/json")
    try:
        document = json.loads(reply.body)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"JSON that cannot be read: {error}") from error
    encoded = document.get("image") if isinstance(document, dict) else None
    if not isinstance(encoded, str):
        raise ValueError('JSON without a string "image"')
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(f'an "image" that is not base64: {error}') from error


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds to wait, from a number or a date (RFC 9110, 10.2.3); None where absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _named(request: Request) -> str:
    return f"{request.sample_id} (replicate {request.replicate})"
