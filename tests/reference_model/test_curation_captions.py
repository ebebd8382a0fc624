"""Captioners: the suite's own, a function, and an endpoint that fails in every way."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reference_model.curation.captioners import ExistingCaptions, load_captioner
from reference_model.curation.contracts import Captioner, CaptionError
from reference_model.curation.http_captioner import HttpCaptioner
from reference_model.curation.response_log import ResponseLog
from tests.reference_model.test_curation_made_up import Scribe, stained_tile
from unipath_bench import DataError, GeneratorError, MissingError, Sample, UsageError
from unipath_bench.core.images import decode_png

IMAGE = stained_tile(1, 5, size=16)
SECRET = "hush-5d41402a"
SAMPLE = Sample("a.png", "train", prompt="The old caption")


def completion(text: Any, finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}]}


class Chat(ThreadingHTTPServer):
    """Gives ``replies`` in order: (status, JSON or text, headers), or None to cut the connection; keeps what it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[Any] = []
        self.asked: list[tuple[str, str | None, Any]] = []

    def captioner(self, folder: Path, *replies: Any, **arguments: Any) -> HttpCaptioner:
        self.replies.extend(replies)
        settings = {"url": f"http://127.0.0.1:{self.server_port}/v1", "model": "m", "retries": 2, "backoff": 0.0}
        return HttpCaptioner(folder / "log.jsonl", **{**settings, **arguments})


class Handler(BaseHTTPRequestHandler):
    server: Chat

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, self.headers["authorization"], body))
        reply = self.server.replies.pop(0)
        if reply is None:
            self.close_connection = True
            return
        status, body, *more = reply
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (more[0] if more else {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def chat() -> Iterator[Chat]:
    with Chat() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_request_holds_the_image_the_instruction_and_the_sampling(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURATION_KEY", SECRET)
    captioner = chat.captioner(tmp_path, (200, completion(" A  gland.\n")), headers_env="CURATION_KEY", max_tokens=50)
    assert captioner.caption(IMAGE, SAMPLE) == "A gland."
    assert isinstance(captioner, Captioner)
    ((path, authorization, body),) = chat.asked
    assert (path, authorization) == ("/v1/chat/completions", f"Bearer {SECRET}")
    assert {k: body[k] for k in ("model", "max_tokens", "temperature", "seed")} == {
        "model": "m",
        "max_tokens": 50,
        "temperature": 0.0,
        "seed": 0,
    }
    text, picture = body["messages"][0]["content"]
    assert "histology" in text["text"]
    encoded = picture["image_url"]["url"].removeprefix("data:image/png;base64,")
    np.testing.assert_array_equal(decode_png(base64.b64decode(encoded)), IMAGE)
    assert SECRET not in (tmp_path / "log.jsonl").read_text()
    assert SECRET not in json.dumps(dict(captioner.fingerprint))


@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize(
    "echo",
    [
        {"error": {"message": f"the key {SECRET} is wrong", SECRET: [SECRET]}},
        # As JSON may spell it: "s" is "\\u0073".
        json.dumps({"error": SECRET}).replace("s", "\\u0073"),
        f"no JSON, but {SECRET}",
        json.dumps({"error": SECRET})[:-1],
    ],
)
def test_a_key_that_the_endpoint_repeats_reaches_no_file_and_no_message(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, echo: Any
) -> None:
    monkeypatch.setenv("CURATION_KEY", SECRET)
    captioner = chat.captioner(tmp_path, (status, echo), headers_env="CURATION_KEY", retries=0)
    with pytest.raises((DataError, MissingError)) as refused:
        captioner.caption(IMAGE, SAMPLE)
    assert SECRET not in str(refused.value)
    assert r"\u0073" not in str(refused.value)
    assert not (tmp_path / "log.jsonl").exists()


def test_a_key_in_a_caption_is_hidden_in_the_caption_and_in_the_log(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURATION_KEY", SECRET)
    answer = completion(f"A gland, {SECRET}.") | {"id": SECRET}
    captioner = chat.captioner(tmp_path, (200, answer), headers_env="CURATION_KEY")
    assert captioner.caption(IMAGE, SAMPLE) == "A gland, [hidden]."
    assert SECRET not in (tmp_path / "log.jsonl").read_text()


def test_too_large_an_answer_is_refused(chat: Chat, tmp_path: Path) -> None:
    captioner = chat.captioner(tmp_path, (200, completion("x" * 2000)), max_bytes=1000)
    with pytest.raises(GeneratorError, match="more than 1000 bytes") as refused:
        captioner.caption(IMAGE, SAMPLE)
    assert "--captioner-arg max_bytes=" in refused.value.remedy
    assert not (tmp_path / "log.jsonl").exists()


def test_a_redirect_to_another_host_is_refused(chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATION_KEY", SECRET)
    away = {"Location": f"http://elsewhere.invalid/v1?key={SECRET}"}
    captioner = chat.captioner(tmp_path, (307, "", away), headers_env="CURATION_KEY")
    with pytest.raises(GeneratorError, match=r"redirects to http://elsewhere\.invalid") as refused:
        captioner.caption(IMAGE, SAMPLE)
    assert SECRET not in str(refused.value)


def test_what_was_answered_is_not_asked_again(chat: Chat, tmp_path: Path) -> None:
    first = chat.captioner(tmp_path, (200, completion("one")), (200, completion("two")), (200, completion("three")))
    assert first.caption(IMAGE, SAMPLE) == "one"
    assert chat.captioner(tmp_path).caption(IMAGE, SAMPLE) == "one"
    assert len(chat.asked) == 1
    # Another picture or another instruction is another question.
    assert first.caption(IMAGE[::-1], SAMPLE) == "two"
    assert chat.captioner(tmp_path, instruction="Say it in German.").caption(IMAGE, SAMPLE) == "three"
    assert len(chat.asked) == 3


@pytest.mark.parametrize("failure", [(500, "down"), (429, {"error": "slow down"}), (503, "later"), None])
def test_passing_failures_are_tried_again(chat: Chat, tmp_path: Path, failure: Any) -> None:
    captioner = chat.captioner(tmp_path, failure, failure, (200, completion("at last")))
    assert captioner.caption(IMAGE, SAMPLE) == "at last"
    assert len(chat.asked) == 3
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 1


def test_a_failure_that_stays_stops_the_run(chat: Chat, tmp_path: Path) -> None:
    captioner = chat.captioner(tmp_path, *[(500, "down")] * 3)
    with pytest.raises(DataError, match=r"failed 3 times for a\.png.*HTTP 500 down"):
        captioner.caption(IMAGE, SAMPLE)
    assert len(chat.asked) == 3
    assert chat.captioner(tmp_path, (200, completion("up again"))).caption(IMAGE, SAMPLE) == "up again"


def test_a_failure_in_the_log_is_no_answer(chat: Chat, tmp_path: Path) -> None:
    chat.captioner(tmp_path, (200, completion("one"))).caption(IMAGE, SAMPLE)
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": 500, "answer": "down"}) + "\n")
    assert chat.captioner(tmp_path, (200, completion("two"))).caption(IMAGE, SAMPLE) == "two"


@pytest.mark.parametrize(
    ("status", "error"), [(401, MissingError), (403, MissingError), (404, DataError), (400, DataError)]
)
def test_hopeless_failures_are_not_tried_again(
    chat: Chat, tmp_path: Path, status: int, error: type[DataError] | type[MissingError]
) -> None:
    captioner = chat.captioner(tmp_path, (status, "no"))
    with pytest.raises(error, match=f"HTTP {status} no") as refused:
        captioner.caption(IMAGE, SAMPLE)
    assert ("--captioner-arg headers_env=" in refused.value.remedy) == (error is MissingError)
    assert len(chat.asked) == 1


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (completion("A gland that", "length"), CaptionError),
        (completion(""), CaptionError),
        (completion(None), CaptionError),
        (completion("no", refusal="I cannot"), CaptionError),
        (completion("...", "content_filter"), CaptionError),
        ({"choices": []}, GeneratorError),
        ({"result": "?"}, GeneratorError),
        ("plain text", GeneratorError),
    ],
)
def test_answers_that_are_no_captions(chat: Chat, tmp_path: Path, document: Any, error: type[Exception]) -> None:
    captioner = chat.captioner(tmp_path, (200, document))
    with pytest.raises(DataError) as refused:
        captioner.caption(IMAGE, SAMPLE)
    assert type(refused.value) is error


def test_content_in_parts_is_joined(chat: Chat, tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "A gland"}, {"type": "text", "text": "with mucin."}]
    captioner = chat.captioner(tmp_path, (200, completion(parts)))
    assert captioner.caption(IMAGE, SAMPLE) == "A gland with mucin."


def test_a_log_that_was_cut_off_loses_its_last_line_only(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = ResponseLog(path)
    log.add("one", {"status": 200, "answer": "A"})
    log.add("two", {"status": 200, "answer": "B"})
    path.write_bytes(path.read_bytes()[:-9])
    again = ResponseLog(path)
    assert again.answer("one") == {"status": 200, "answer": "A"}
    assert again.answer("two") is None
    again.add("three", {"status": 200, "answer": "C"})
    assert ResponseLog(path).answer("three") == {"status": 200, "answer": "C"}
    path.write_text('{"key": "one"}\nnonsense\n')
    with pytest.raises(DataError, match="line 2"):
        ResponseLog(path)


def test_captioners_are_named(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    assert isinstance(load_captioner("existing", {}, log), ExistingCaptions)
    assert isinstance(
        load_captioner("tests.reference_model.test_curation_made_up:Scribe", {"refuse": "x"}, log), Scribe
    )
    function = load_captioner("tests.reference_model.test_curation_made_up:by_environment", {"word": "field"}, log)
    assert function.caption(IMAGE, SAMPLE) == "a field of 16 pixels"
    assert function.fingerprint == {
        "captioner": "tests.reference_model.test_curation_made_up:by_environment",
        "arguments": {"word": "field"},
    }
    http = load_captioner("http", {"url": "http://localhost:9/v1", "model": "m"}, log)
    assert http.fingerprint["model"] == "m"


def refused(spec: str, **arguments: Any) -> Callable[[Path], object]:
    return lambda path: load_captioner(spec, arguments, path / "log.jsonl")


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (refused("existing", a=1), "no arguments"),
        (refused("gemini"), "gemini"),
        (refused("tests.reference_model.test_curation_made_up:FAULTS"), "not a captioner"),
        (refused("tests.reference_model.test_curation_made_up:Path"), "of type PosixPath, not a captioner"),
        (refused("tests.reference_model.test_curation_made_up:SCRIBE", refuse="x"), "finished captioner"),
        (refused("tests.reference_model.test_curation_made_up:Scribe", refused="x"), "no argument 'refused'"),
        (refused("tests.reference_model.test_curation_made_up:by_environment", words="x"), "no argument 'words'"),
        (refused("tests.reference_model.test_curation_made_up:by_environment", image="x"), "no argument 'image'"),
        (refused("http", url="http://x/v1", model="m", log="x"), "no argument 'log'"),
        (refused("http", url="http://x/v1"), "needs model"),
        (refused("http", url="http://x/v1", model="m", tokens=3), "tokens"),
        (refused("http", url="ftp://x", model="m"), "http or https"),
        (refused("http", url="http://a:b@x/v1", model="m"), "password"),
        (refused("http", url="http://x/v1?api_key=b", model="m"), "looks like a secret"),
        (refused("http", url="http://x/v1", model="m", timeout="soon"), "could not convert"),
    ],
)
def test_captioners_that_cannot_be(tmp_path: Path, load: Callable[[Path], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(tmp_path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError) as missing:
        refused("http", url="http://x/v1", model="m", headers_env="NO_SUCH_KEY_HERE")(tmp_path)
    assert "NO_SUCH_KEY_HERE" in missing.value.remedy


def test_offline_asks_this_machine_only(tmp_path: Path) -> None:
    here, elsewhere = ({"url": f"http://{host}/v1", "model": "m"} for host in ("localhost:9", "x"))
    load_captioner("http", here, tmp_path / "log.jsonl", offline=True)
    with pytest.raises(MissingError, match="cannot be asked"):
        load_captioner("http", elsewhere, tmp_path / "log.jsonl", offline=True)


def test_existing_captions_are_kept() -> None:
    assert ExistingCaptions().caption(IMAGE, SAMPLE) == "The old caption"
    with pytest.raises(CaptionError, match=r"a\.png"):
        ExistingCaptions().caption(IMAGE, Sample("a.png", "train"))
