"""Tokens and passwords are planted, and every byte that is written or printed is searched for them."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import numpy as np
import pytest

from unipath_bench.api import carry_out
from unipath_bench.cli.options import parse_arguments
from unipath_bench.core.errors import BenchError, GeneratorError, MissingError, UsageError
from unipath_bench.core.http import Endpoint
from unipath_bench.core.images import encode_png
from unipath_bench.core.redaction import HIDDEN, is_secret_query, refuse_secrets, without_credentials, without_secrets
from unipath_bench.options import Options
from unipath_bench.pipeline.plan import make_plan

SECRETS = {
    "HF_TOKEN": "hf_PlantedTokenQ7xV2mZr9LtB4kWc",
    "HUGGING_FACE_HUB_TOKEN": "hf_OlderTokenH3nPz8QyD5sJ1vRk6U",
    "OPENAI_API_KEY": "sk-planted-key-T9wE2rYx7MbN4q",
    "MLFLOW_TRACKING_PASSWORD": "planted-password-K5gF8jLp3Zs",
    "ENDPOINT_TOKEN": "planted-endpoint-token-X6cV1bNm",
}


class Echo(BaseHTTPRequestHandler):
    """Repeats what it was told, as a curious or broken endpoint does, before it answers at the second try."""

    status, padding, tries = 500, 0, 0

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).tries += 1
        if self.tries % 2 and self.status != 200:
            body = b" " * self.padding + f"token: {self.headers['Authorization']} {self.headers['X-Key']}".encode()
            self._answer(self.status, "text/plain", body)
            return
        shade = asked.get("seed", 0) % 200
        self._answer(200, "image/png", encode_png(np.full((48, 48, 3), (200, shade, 210), np.uint8)))

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    monkeypatch.setattr(Echo, "tries", 0)
    served = HTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_address[1]}/generate"
    served.shutdown()
    served.server_close()


def no_secret_in(text: str | bytes) -> None:
    raw = text.encode() if isinstance(text, str) else text
    for secret in SECRETS.values():
        for length in (len(secret), 10):
            assert secret[:length].encode() not in raw
            assert secret[-length:].encode() not in raw


@pytest.mark.integration
def test_no_byte_of_a_run_holds_a_secret(
    server: str, small_tiles: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    options = Options(
        model="http",
        model_arguments={"url": server, "headers_env": "ENDPOINT_TOKEN", "backoff": 0.001},
        suite="folder",
        data=str(small_tiles),
        tasks=("frechet-distance",),
        n=20,
    )
    folder = carry_out(make_plan(options), out).folder
    files = [path for path in out.rglob("*") if path.is_file()]
    assert {"record.json", "report.html", "mlflow.db"} <= {path.name for path in files}
    assert "ENDPOINT_TOKEN" in folder.record.read_text(), "the variable's name is recorded"
    for path in files:
        no_secret_in(path.read_bytes())
    printed = capfd.readouterr()
    no_secret_in(printed.out + printed.err + caplog.text)


@pytest.mark.integration
@pytest.mark.parametrize("status", [500, 401, 400])
@pytest.mark.parametrize("padding", [0, 150, 175, 190])
def test_an_endpoint_that_repeats_the_token_puts_it_into_no_error(
    server: str, status: int, padding: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not where the message's end cuts the token in two."""
    monkeypatch.setattr(Echo, "status", status)
    monkeypatch.setattr(Echo, "padding", padding)
    monkeypatch.setenv(
        "ENDPOINT_TOKEN",
        json.dumps(
            {
                "Authorization": f"Bearer {SECRETS['ENDPOINT_TOKEN']}",
                "X-Key": SECRETS["OPENAI_API_KEY"],
                "X-Empty": "",
            }
        ),
    )
    endpoint = Endpoint(
        server,
        timeout=5,
        retries=0,
        max_bytes=10_000,
        headers_env="ENDPOINT_TOKEN",
        backoff=0,
        accept="image/png",
        expected="a prompt",
    )
    endpoint.open(offline=False)
    with pytest.raises((GeneratorError, MissingError)) as caught:
        endpoint.post({"seed": 1}, "s0")
    no_secret_in(str(caught.value))
    no_secret_in(endpoint.hidden(f"I was told {SECRETS['OPENAI_API_KEY']}."))


@pytest.mark.parametrize(
    "token",
    [
        "two\nlines-of-a-secret",
        "schlüssel-of-a-secret",
        '{"X": "a\\nsecret"}',
        '{"X Y": "secret"}',
        '{"broken": secret',
        '{"X": 1, "secret": 2}',
    ],
)
def test_a_token_that_is_no_header_is_refused_unquoted(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINT_TOKEN", token)
    endpoint = Endpoint(
        "http://localhost:1/x",
        timeout=1,
        retries=0,
        max_bytes=1,
        headers_env="ENDPOINT_TOKEN",
        backoff=0,
        accept="*/*",
        expected="",
    )
    with pytest.raises(UsageError) as caught:
        endpoint.open(offline=False)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None or "secret" not in str(caught.value.__cause__)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:pass-word@host/x",
        "https://user@host/",
        "https://host/x?api_key=pass-word",
        "https://host/x?version=1&code=pass-word",
        "https://host/?access_token=pass-word",
        "https://host/?sig=pass-word",
    ],
)
def test_an_address_with_a_secret_is_refused_unquoted(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint(url, timeout=1, retries=0, max_bytes=1, headers_env=None, backoff=0, accept="*/*", expected="")
    assert "pass-word" not in str(caught.value)
    assert "user" not in caught.value.message.replace("a user name", "")


@pytest.mark.parametrize(
    "item",
    [
        "token=abc-secret",
        "api_key=abc-secret",
        "hf_token=abc-secret",
        "password=abc-secret",
        "client_secret=abc-secret",
        "url=https://u:abc-secret@h/",
        "urls=[a, 'ftp://abc-secret@h']",
        "headers={Authorization: 'http://abc-secret@h'}",
        "key=[abc-secret",
    ],
)
def test_a_secret_among_the_arguments_is_refused_unquoted(item: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_arguments([item], "--model-arg")
    assert "abc-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "item",
    [
        "max_tokens=32",
        "tokens=5",
        "headers_env=TOKEN",
        "token=null",
        "url=http://h/a@b",
        "email=a@b.c",
        "tokenizer=x",
        "keyword=y",
        "author=z",
    ],
)
def test_other_arguments_are_taken(item: str) -> None:
    assert parse_arguments([item], "--model-arg")


def test_a_card_with_a_secret_is_refused() -> None:
    with pytest.raises(BenchError, match=r"card\.yaml api_key: .* a secret"):
        refuse_secrets({"api_key": "x"}, "card.yaml")
    with pytest.raises(BenchError, match="user name or password"):
        refuse_secrets({"inner": {"url": "postgresql://u:p@h/db"}}, "card.yaml")


def test_what_is_hidden_and_what_is_left() -> None:
    text = "at https://me:pw@host/x and sqlite:///a@b.db and postgresql+psycopg://me@host/db"
    shown = f"at https://{HIDDEN}@host/x and sqlite:///a@b.db and postgresql+psycopg://{HIDDEN}@host/db"
    assert without_credentials(text) == shown
    assert without_secrets("a-long-secret and secret", ["secret", "a-long-secret", ""]) == f"{HIDDEN} and {HIDDEN}"
    assert is_secret_query("X-Amz-Signature".lower())
    assert not is_secret_query("version")


@pytest.mark.integration
def test_a_redirect_s_password_is_hidden(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def redirect(self: Echo) -> None:
        self.send_response(307)
        self.send_header("Location", "http://me:pass-word@elsewhere.example/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    monkeypatch.setattr(Echo, "do_POST", redirect)
    endpoint = Endpoint(
        server, timeout=5, retries=0, max_bytes=100, headers_env=None, backoff=0, accept="*/*", expected=""
    )
    endpoint.open(offline=False)
    with pytest.raises(GeneratorError, match="redirects") as caught:
        endpoint.post({}, "s0")
    assert "pass-word" not in str(caught.value)
    assert httpx.URL(server).host in str(caught.value)
    assert io.StringIO(str(caught.value)).readline()
