"""The HTTP generator against a loopback server that misbehaves on purpose."""

from __future__ import annotations

import base64
import gzip
import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from unipath_bench.contracts import Context, Request
from unipath_bench.core.errors import GeneratorError, MissingError, UsageError
from unipath_bench.generators.cards import model_digest
from unipath_bench.generators.http import HttpGenerator

Answer = Callable[[BaseHTTPRequestHandler, dict, int], None]
SECRET = "hush-5d41402a"


class Endpoint(ThreadingHTTPServer):
    """Answers by ``answer(handler, body, count)``; keeps the requests that came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: Answer = lambda handler, body, count: send(handler, png(body))
        self.bodies: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.lock = threading.Lock()
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/generate"


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.headers.append(dict(self.headers))
            self.server.times.append(time.monotonic())
            count = len(self.server.bodies)
        try:
            self.server.answer(self, body, count)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


def pixels(body: dict) -> np.ndarray:
    return np.random.default_rng(body["seed"]).integers(0, 256, (body["height"], body["width"], 3), dtype=np.uint8)


def png(body: dict, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels(body)).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def send(
    handler: BaseHTTPRequestHandler, data: bytes, kind: str = "image/png", status: int = 200, **headers: str
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(data)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(data)


def ask(seed: int = 5, sample: str = "test/a.png") -> Request:
    return Request(sample, "H&E of colon", seed, 2, 6, 8)


def ready(endpoint: Endpoint, **arguments: object) -> HttpGenerator:
    generator = HttpGenerator(**{"url": endpoint.url, "backoff": 0.01, "timeout": 5, **arguments})  # type: ignore[arg-type]
    generator.setup(Context())
    return generator


def test_a_request_says_what_the_image_must_depend_on(endpoint: Endpoint) -> None:
    image = ready(endpoint).generate([ask()])[0]
    assert endpoint.bodies == [
        {"prompt": "H&E of colon", "seed": 5, "height": 6, "width": 8, "sample_id": "test/a.png", "replicate": 2}
    ]
    np.testing.assert_array_equal(image, pixels(endpoint.bodies[0]))


def test_json_with_base64_is_understood(endpoint: Endpoint) -> None:
    endpoint.answer = lambda handler, body, count: send(
        handler, json.dumps({"image": base64.b64encode(png(body)).decode()}).encode(), "application/json; charset=utf-8"
    )
    image = ready(endpoint).generate([ask()])[0]
    np.testing.assert_array_equal(image, pixels({"seed": 5, "height": 6, "width": 8}))


@pytest.mark.parametrize("concurrency", [1, 3])
def test_images_come_in_the_order_of_the_requests(endpoint: Endpoint, concurrency: int) -> None:
    def answer(handler: BaseHTTPRequestHandler, body: dict, count: int) -> None:
        time.sleep(0.02 * (3 - count % 3))
        send(handler, png(body))

    endpoint.answer = answer
    requests = [ask(seed) for seed in range(9)]
    images = ready(endpoint, concurrency=concurrency).generate(requests)
    for request, image in zip(requests, images, strict=True):
        np.testing.assert_array_equal(image, pixels({"seed": request.seed, "height": 6, "width": 8}))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_tried_again(endpoint: Endpoint, status: int) -> None:
    endpoint.answer = lambda h, body, count: send(h, b"busy", "text/plain", status) if count < 3 else send(h, png(body))
    assert len(ready(endpoint, retries=2).generate([ask()])) == 1
    assert len(endpoint.bodies) == 3


def test_a_cut_connection_is_tried_again(endpoint: Endpoint) -> None:
    def answer(handler: BaseHTTPRequestHandler, body: dict, count: int) -> None:
        if count == 1:
            handler.close_connection = True
        else:
            send(handler, png(body))

    endpoint.answer = answer
    assert len(ready(endpoint).generate([ask()])) == 1
    assert len(endpoint.bodies) == 2


def test_a_lasting_failure_ends_and_says_how_often(endpoint: Endpoint) -> None:
    endpoint.answer = lambda h, body, count: send(h, b"out of memory", "text/plain", 500)
    with pytest.raises(GeneratorError, match=r"failed 4 times for test/a.png \(replicate 2\).*HTTP 500 out of memory"):
        ready(endpoint).generate([ask()])
    assert len(endpoint.bodies) == 4


def test_waits_double(endpoint: Endpoint) -> None:
    endpoint.answer = lambda h, body, count: send(h, b"", "text/plain", 500)
    with pytest.raises(GeneratorError):
        ready(endpoint, backoff=0.1, retries=2).generate([ask()])
    first, second = np.diff(endpoint.times)
    assert first >= 0.1
    assert second >= 0.2


@pytest.mark.integration
@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_heeded(endpoint: Endpoint, as_date: bool) -> None:
    def answer(handler: BaseHTTPRequestHandler, body: dict, count: int) -> None:
        if count == 1:
            # In whole seconds, so between 1 and 2 s away.
            moment = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
            send(handler, b"", "text/plain", 503, Retry_After=moment if as_date else "1")
        else:
            send(handler, png(body))

    endpoint.answer = answer
    ready(endpoint).generate([ask()])
    assert np.diff(endpoint.times)[0] >= 0.9


@pytest.mark.integration
def test_a_silent_endpoint_times_out(endpoint: Endpoint) -> None:
    def answer(handler: BaseHTTPRequestHandler, body: dict, count: int) -> None:
        endpoint.released.wait(5)

    endpoint.answer = answer
    started = time.monotonic()
    with pytest.raises(GeneratorError, match="ReadTimeout"):
        ready(endpoint, timeout=0.2, retries=1).generate([ask()])
    assert time.monotonic() - started < 3


@pytest.mark.integration
def test_an_endpoint_that_drips_times_out_as_a_whole(endpoint: Endpoint) -> None:
    def answer(handler: BaseHTTPRequestHandler, body: dict, count: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "image/png")
        handler.end_headers()
        while not endpoint.released.wait(0.05):
            handler.wfile.write(b"x")

    endpoint.answer = answer
    with pytest.raises(GeneratorError, match=r"no whole answer within 0\.4 s"):
        ready(endpoint, timeout=0.4, retries=0).generate([ask()])


@pytest.mark.integration
@pytest.mark.parametrize(
    ("begun", "dripped"), [(b"", b" "), (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"), (b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n")]
)
def test_an_endpoint_that_drips_its_headers_times_out_as_a_whole(
    endpoint: Endpoint, begun: bytes, dripped: bytes
) -> None:
    """Each byte comes well within a read's time limit."""

    def answer(handler: BaseHTTPRequestHandler, body: dict, count: int) -> None:
        handler.wfile.write(begun)
        while not endpoint.released.wait(0.05):
            handler.wfile.write(dripped)

    endpoint.answer = answer
    started = time.monotonic()
    with pytest.raises(GeneratorError, match=r"no whole answer within 0\.4 s|RemoteProtocolError"):
        ready(endpoint, timeout=0.4, retries=0).generate([ask()])
    assert time.monotonic() - started < 3


def test_nobody_there(endpoint: Endpoint) -> None:
    with pytest.raises(GeneratorError, match="ConnectError"):
        ready(endpoint, url="http://127.0.0.1:9/generate", retries=1).generate([ask()])


@pytest.mark.parametrize("announced", [True, False])
def test_an_endless_answer_is_cut_off(endpoint: Endpoint, announced: bool) -> None:
    written = []

    def answer(handler: BaseHTTPRequestHandler, body: dict, count: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "image/png")
        if announced:
            handler.send_header("Content-Length", str(10**12))
        handler.end_headers()
        while not endpoint.released.is_set():
            handler.wfile.write(b"\0" * 65536)
            written.append(1)

    endpoint.answer = answer
    with pytest.raises(GeneratorError, match="more than 1000000 bytes"):
        ready(endpoint, max_bytes=1_000_000).generate([ask()])
    assert len(endpoint.bodies) == 1  # never tried again


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        (lambda body: b"<html>", "text/html", "content type text/html"),
        (lambda body: b"GIF89a", "image/png", "not a PNG file"),
        (lambda body: png(body, "L"), "image/png", "8-bit greyscale PNG"),
        (lambda body: png(body, "RGBA"), "image/png", "8-bit RGBA PNG"),
        (lambda body: png(body, "P"), "image/png", "palette"),
        (lambda body: png(body)[:-40], "image/png", "cut short or damaged"),
        (lambda body: png({**body, "height": 7}), "image/png", "8 x 7 pixels; wanted 8 x 6"),
        (lambda body: png(body)[:20], "image/png", "damaged"),
        (lambda body: b"{", "application/json", "cannot be read"),
        (lambda body: b'{"picture": "x"}', "application/json", 'without a string "image"'),
        (lambda body: b'{"image": "@@"}', "application/json", "not base64"),
    ],
)
def test_wrong_answers_are_named_and_not_asked_again(endpoint: Endpoint, data, kind: str, said: str) -> None:
    endpoint.answer = lambda handler, body, count: send(handler, data(body), kind)
    with pytest.raises(GeneratorError) as caught:
        ready(endpoint).generate([ask()])
    assert said in caught.value.message
    assert "test/a.png" in caught.value.message
    assert len(endpoint.bodies) == 1


def test_a_compressed_answer_is_refused(endpoint: Endpoint) -> None:
    """A few bytes of gzip can unfold into gigabytes, past any bound on what was received."""
    endpoint.answer = lambda h, body, count: send(h, gzip.compress(png(body)), Content_Encoding="gzip")
    with pytest.raises(GeneratorError, match="content encoding gzip"):
        ready(endpoint).generate([ask()])


def test_a_16_bit_png_is_refused(endpoint: Endpoint) -> None:
    """Written by hand (PNG specification, 11.2.2), since Pillow reads 16-bit RGB but does not write it."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 8, 6, 16, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes(8 * 6) for _ in range(6)))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    Image.open(io.BytesIO(data)).load()  # it is a valid file
    endpoint.answer = lambda handler, body, count: send(handler, data)
    with pytest.raises(GeneratorError, match="16-bit RGB PNG; 8-bit RGB is needed"):
        ready(endpoint).generate([ask()])


def test_a_refused_request_is_not_asked_again(endpoint: Endpoint) -> None:
    endpoint.answer = lambda h, body, count: send(h, b"prompt too long", "text/plain", 422)
    with pytest.raises(GeneratorError, match="HTTP 422 prompt too long"):
        ready(endpoint).generate([ask()])
    assert len(endpoint.bodies) == 1


def test_redirects_stay_on_the_host_and_keep_the_body(endpoint: Endpoint) -> None:
    def answer(handler: BaseHTTPRequestHandler, body: dict, count: int) -> None:
        if handler.path == "/generate":
            send(handler, b"", "text/plain", 307, Location="/v2/generate")
        else:
            send(handler, png(body))

    endpoint.answer = answer
    assert len(ready(endpoint).generate([ask()])) == 1
    assert endpoint.bodies[0] == endpoint.bodies[1]


@pytest.mark.parametrize(
    ("status", "location", "said"),
    [
        (307, "http://example.invalid/generate", "redirects to http://example.invalid"),
        (302, "/v2/generate", "HTTP 302"),
        (308, "/generate", "in a circle"),
    ],
)
def test_other_redirects_are_refused(endpoint: Endpoint, status: int, location: str, said: str) -> None:
    endpoint.answer = lambda h, body, count: send(h, b"", "text/plain", status, Location=location)
    with pytest.raises(GeneratorError, match=said):
        ready(endpoint).generate([ask()])


@pytest.mark.parametrize(
    ("value", "header", "expected"),
    [(SECRET, "Authorization", f"Bearer {SECRET}"), (json.dumps({"X-Api-Key": SECRET}), "X-Api-Key", SECRET)],
)
def test_a_token_is_sent_and_appears_nowhere_else(
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    value: str,
    header: str,
    expected: str,
) -> None:
    monkeypatch.setenv("PATHOLOGY_TOKEN", value)
    endpoint.answer = lambda h, body, count: send(h, f"no credit for {h.headers[header]}".encode(), "text/plain", 402)
    generator = ready(endpoint, headers_env="PATHOLOGY_TOKEN")
    with caplog.at_level(logging.DEBUG), pytest.raises(GeneratorError) as caught:
        generator.generate([ask()])
    assert endpoint.headers[0][header] == expected
    assert "no credit for" in str(caught.value)
    for text in (
        str(caught.value),
        caplog.text,
        generator.card.model_dump_json(),
        json.dumps(dict(generator.fingerprint())),
    ):
        assert SECRET not in text


def test_a_missing_token_and_a_refusal_name_the_variable(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATHOLOGY_TOKEN", raising=False)
    generator = HttpGenerator(url=endpoint.url, headers_env="PATHOLOGY_TOKEN")
    assert "PATHOLOGY_TOKEN" in str(generator.missing(Context()))
    with pytest.raises(MissingError, match="cannot be asked"):
        generator.setup(Context())
    endpoint.answer = lambda h, body, count: send(h, b"who are you", "text/plain", 401)
    with pytest.raises(MissingError) as caught:
        ready(endpoint).generate([ask()])
    assert "headers_env" in caught.value.remedy


def test_headers_that_are_no_json_object_of_strings(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("{", '{"a": 1}'):
        monkeypatch.setenv("PATHOLOGY_TOKEN", value)
        with pytest.raises(UsageError, match="PATHOLOGY_TOKEN"):
            ready(endpoint, headers_env="PATHOLOGY_TOKEN")


def test_offline_allows_loopback_only() -> None:
    assert HttpGenerator(url="http://localhost:1/x").missing(Context(offline=True)) is None
    assert "offline" in str(HttpGenerator(url="http://example.invalid/x").missing(Context(offline=True)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"url": "ftp://x/y"}, "no http"),
        ({"url": "localhost:8000"}, "no http"),
        ({"url": "http://me:pass@host/x"}, "user name or password"),
        ({"url": "http://h/x", "retries": -1}, "retries"),
        ({"url": "http://h/x", "timeout": 0}, "timeout"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        HttpGenerator(**arguments)  # type: ignore[arg-type]
    assert "pass@" not in str(caught.value)


def test_how_long_to_insist_does_not_decide_the_images() -> None:
    one = HttpGenerator(url="http://h/x")
    other = HttpGenerator(url="http://h/x", timeout=1, retries=0, concurrency=4, headers_env="T")
    assert model_digest(one) == model_digest(other)
    assert model_digest(one) != model_digest(HttpGenerator(url="http://h/y"))
