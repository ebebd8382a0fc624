"""A JSON endpoint: posting with retries, bounds, and headers that are never recorded."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from unipath_bench.core.errors import GeneratorError, MissingError, UsageError
from unipath_bench.core.parsing import parse_json
from unipath_bench.core.redaction import is_secret_query, without_credentials, without_secrets

LONGEST_WAIT = 60.0
_REDIRECTS = 3
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_QUOTED = 200
"""Characters of an answer that a message quotes."""
_NUMBER = re.compile(r"[0-9]{1,18}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the endpoint answered."""

    status: int
    headers: httpx.Headers
    body: bytes


class Endpoint:
    """Posts JSON to ``url``.

    ``timeout`` bounds one attempt in seconds, ``max_bytes`` one answer. Connection errors, timeouts, 429 and 5xx are
    tried again ``retries`` times, after ``backoff`` seconds doubled each time, or after the ``Retry-After`` of the
    answer (at most a minute). Redirects are followed on the same host only. ``headers_env`` names an environment
    variable with a token (sent as ``Authorization: Bearer``) or a JSON object of headers; its value is never recorded.
    ``accept`` is the header of that name, ``expected`` says in errors what the body must hold.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        retries: int,
        max_bytes: int,
        headers_env: str | None,
        backoff: float,
        accept: str,
        expected: str,
        connections: int = 1,
    ) -> None:
        self.url = _checked_url(url)
        self.timeout, self.retries, self.max_bytes, self.backoff = timeout, retries, max_bytes, backoff
        self.headers_env, self.accept, self.expected, self.connections = headers_env, accept, expected, connections
        self._client: httpx.Client | None = None
        self._secrets: tuple[str, ...] = ()

    def missing(self, *, offline: bool) -> str | None:
        """The remedy where the token is unset, or the endpoint is elsewhere and the run offline."""
        if offline and self.url.host not in _LOOPBACK:
            return f"{self.url.host} is on the network, and this run is offline: leave --offline out."
        if self.headers_env is not None and not os.environ.get(self.headers_env):
            return f"Set the environment variable {self.headers_env} to the endpoint's token."
        return None

    def open(self, *, offline: bool) -> None:
        """Open the connection pool. Raises :class:`MissingError` where the token is not there."""
        remedy = self.missing(offline=offline)
        if remedy is not None:
            raise MissingError(f"The endpoint {self.url} cannot be asked.", remedy)
        headers = _read_headers(self.headers_env)
        self._secrets = tuple({part for value in headers.values() for part in (value, value.removeprefix("Bearer "))})
        self._client = httpx.Client(
            headers={"Accept": self.accept, "Accept-Encoding": "identity", **headers},
            timeout=httpx.Timeout(self.timeout),
            limits=httpx.Limits(max_connections=self.connections),
            follow_redirects=False,
        )

    def post(self, body: Mapping[str, object], named: str) -> Reply:
        """The answer with status 200. Raises :class:`GeneratorError` naming ``named`` where there is none."""
        if self._client is None:
            raise UsageError(f"The endpoint {self.url} was not opened.", "Call setup(Context()) first.")
        failure = ""
        for attempt in range(self.retries + 1):
            wait = self.backoff * 2.0**attempt
            try:
                reply = self._follow(self._client, body)
            except httpx.TransportError as error:
                failure = self.hidden(f"{type(error).__name__}: {error}")
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
                        f"The endpoint {self.url} refused {named}: {failure}",
                        f"It must accept a JSON body with {self.expected}.",
                    )
                wait = _retry_after(reply.headers) or wait
            if attempt < self.retries:
                time.sleep(min(wait, LONGEST_WAIT))
        raise GeneratorError(
            f"The endpoint {self.url} failed {self.retries + 1} times for {named}; the last time: {failure}",
            "See that it is up, then run the same command again: what is finished is kept. --model-arg timeout= and "
            "retries= set how long to insist.",
        )

    def _follow(self, client: httpx.Client, body: Mapping[str, object]) -> Reply:
        url = self.url
        for _ in range(_REDIRECTS + 1):
            reply = self._send(client, url, body)
            if reply.status not in (301, 302, 303, 307, 308):
                return reply
            try:
                target = url.join(reply.headers.get("location", ""))
            except (httpx.InvalidURL, ValueError) as error:
                raise GeneratorError(
                    f"The endpoint {self.url} redirects to what is no URL: {self.hidden(str(error))}.",
                    "Give the final URL.",
                ) from error
            same_host = (target.scheme, target.host, target.port) == (url.scheme, url.host, url.port)
            if reply.status not in (307, 308) or not same_host:
                shown = self.hidden(without_credentials(str(target)))
                raise GeneratorError(
                    f"The endpoint {self.url} redirects to {shown} (HTTP {reply.status}).",
                    "Redirects are not followed to other hosts, nor where they drop the request's body: "
                    "give the final URL.",
                )
            url = target
        raise GeneratorError(f"The endpoint {self.url} redirects in a circle.", "Give the final URL.")

    def _send(self, client: httpx.Client, url: httpx.URL, body: Mapping[str, object]) -> Reply:
        deadline = time.monotonic() + self.timeout
        with client.stream("POST", url, json=body) as response:
            announced = response.headers.get("content-length", "0")
            parts, size = [], int(announced) if _NUMBER.fullmatch(announced) else 0
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
                    "--model-arg max_bytes= raises the bound, where so much is right.",
                )
            return Reply(response.status_code, response.headers, b"".join(parts))

    def _describe(self, reply: Reply) -> str:
        text = self.hidden(reply.body.decode("utf-8", "replace"))[:_QUOTED].strip()
        return f"HTTP {reply.status} {text}".strip()

    def hidden(self, text: str) -> str:
        """``text`` without the headers' values, should the endpoint repeat them."""
        return without_secrets(text, self._secrets)


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
    secret = next((name for name in parsed.params if is_secret_query(name)), None)
    if secret is not None:
        raise UsageError(
            f"The endpoint's url has the query parameter {secret!r}, which looks like a secret and would be recorded.",
            "Put the token in an environment variable and name that with --model-arg headers_env=NAME.",
        )
    return parsed


def _read_headers(variable: str | None) -> dict[str, str]:
    if variable is None:
        return {}
    value = os.environ[variable].strip()
    headers = _parsed_headers(value, variable) if value.startswith("{") else {"Authorization": f"Bearer {value}"}
    for name, text in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not (text.isascii() and text.isprintable()):
            raise UsageError(
                f"{variable} holds what cannot be a header: a line break, or a letter beyond ASCII.", "Correct it."
            )
    return headers


def _parsed_headers(value: str, variable: str) -> dict[str, str]:
    try:
        headers = parse_json(value)
    except ValueError:
        # Not chained: the parser's error holds the text.
        raise UsageError(f"{variable} begins with a brace but is no JSON object.", "Correct its quotes.") from None
    if not all(isinstance(v, str) for v in headers.values()):
        raise UsageError(f"{variable} has a header that is no string.", "Give a JSON object of strings.")
    return dict(headers)


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds to wait, from a number or a date (RFC 9110, 10.2.3); None where absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
