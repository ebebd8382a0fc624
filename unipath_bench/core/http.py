"""A JSON endpoint: posting with retries, bounds, and headers that are never recorded."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import quote

import httpx

from unipath_bench.core.errors import GeneratorError, MissingError, UsageError
from unipath_bench.core.parsing import parse_json
from unipath_bench.core.redaction import is_secret_query, without_credentials, without_secrets, without_secrets_inside

LONGEST_WAIT = 60.0
_REDIRECTS = 3
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_QUOTED = 200
"""Characters of an answer that a message quotes."""
_EXAMPLE = "Example: url=http://localhost:8000/generate"
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

    ``timeout`` bounds one attempt in seconds, from the connection to the last byte of the answer; ``max_bytes`` bounds
    one answer. Connection errors, timeouts, 429 and 5xx are
    tried again ``retries`` times, after ``backoff`` seconds doubled each time, or after the ``Retry-After`` of the
    answer (at most a minute). Redirects are followed on the same host only. ``headers_env`` names an environment
    variable with a token (sent as ``Authorization: Bearer``) or a JSON object of headers; its value is never recorded.
    ``accept`` is the header of that name, ``expected`` says in errors what the body must hold, ``option`` which option
    sets these arguments. It may be asked from several threads; each attempt has a connection of its own.
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
        option: str = "--model-arg",
    ) -> None:
        self.option = option
        self.url = self._checked(url)
        self.timeout, self.retries, self.max_bytes, self.backoff = timeout, retries, max_bytes, backoff
        self.headers_env, self.accept, self.expected = headers_env, accept, expected
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
        self._secrets = _spellings(headers.values())
        self._client = httpx.Client(
            headers={"Accept": self.accept, "Accept-Encoding": "identity", **headers},
            timeout=httpx.Timeout(self.timeout),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
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
                        self._token_remedy("its"),
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
            f"See that it is up, then run the same command again: what is finished is kept. {self.option} timeout= and "
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
        with _Deadline(self.timeout) as deadline:
            try:
                reply = self._read(client, url, body, deadline)
            except httpx.TransportError:
                deadline.check()
                raise
            deadline.check()
            return reply

    def _read(self, client: httpx.Client, url: httpx.URL, body: Mapping[str, object], deadline: _Deadline) -> Reply:
        with client.stream("POST", url, json=body, extensions={"trace": deadline.follow}) as response:
            announced = response.headers.get("content-length", "0")
            parts, size = [], int(announced) if _NUMBER.fullmatch(announced) else 0
            if size <= self.max_bytes:
                size = 0
                for part in response.iter_raw():
                    size += len(part)
                    if size > self.max_bytes:
                        break
                    deadline.check()
                    parts.append(part)
            if size > self.max_bytes:
                raise GeneratorError(
                    f"The endpoint {self.url} answered with more than {self.max_bytes} bytes.",
                    f"{self.option} max_bytes= raises the bound, where so much is right.",
                )
            return Reply(response.status_code, response.headers, b"".join(parts))

    def _describe(self, reply: Reply) -> str:
        try:
            text = json.dumps(self.json_of(reply), ensure_ascii=False)
        except ValueError:
            text = self.hidden(reply.body.decode("utf-8", "replace"))
        return f"HTTP {reply.status} {text[:_QUOTED].strip()}".strip()

    def json_of(self, reply: Reply) -> Any:
        """The JSON value of an answer, without the headers' values. Raises ``ValueError`` where it is no JSON."""
        return without_secrets_inside(parse_json(reply.body), self._secrets)

    def hidden(self, text: str) -> str:
        """``text`` without the headers' values, should the endpoint repeat them."""
        return without_secrets(text, self._secrets)

    def _token_remedy(self, whose: str) -> str:
        return f"Put {whose} token in an environment variable and name that with {self.option} headers_env=NAME."

    def _checked(self, url: str) -> httpx.URL:
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, TypeError) as error:
            raise UsageError(f"url= is no URL: {without_credentials(str(error))}", _EXAMPLE) from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise UsageError(f"url={without_credentials(url)!r} is no http or https URL.", _EXAMPLE)
        if parsed.userinfo:
            raise UsageError(
                "The endpoint's url carries a user name or password, which would be recorded.",
                self._token_remedy("the"),
            )
        secret = next((name for name in parsed.params if is_secret_query(name)), None)
        if secret is not None:
            raise UsageError(
                f"The endpoint's url has the query parameter {secret!r}, which looks like a secret and would be "
                "recorded.",
                self._token_remedy("the"),
            )
        return parsed


class _Deadline:
    """Bounds one attempt as a whole.

    httpx bounds each read, which a server that sends a byte at a time passes for ever: when the time is up, a timer
    shuts the connection down, and the read that waits on it fails.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._shut_down)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def follow(self, event: str, info: Mapping[str, Any]) -> None:
        """Learn of the attempt's connection: httpx calls this with each step (its ``trace`` extension)."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            self.check()

    def check(self) -> None:
        """Raise ``httpx.ReadTimeout`` where the time is up."""
        if time.monotonic() >= self._end:
            raise httpx.ReadTimeout(f"no whole answer within {self._seconds:g} s")

    def _shut_down(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                # Of the plain socket beneath TLS, whose own method would also change what a waiting read relies on.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _spellings(values: Iterable[str]) -> tuple[str, ...]:
    """The headers' values as an answer may repeat them: without the scheme, escaped as in JSON or in an address."""
    plain = {part for value in values for part in (value, value.removeprefix("Bearer "))}
    return tuple({s for text in plain for s in (text, json.dumps(text)[1:-1], quote(text), quote(text, safe=""))})


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
