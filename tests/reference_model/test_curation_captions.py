"""Captioners: the suite's own, a function, and an endpoint that fails in every way."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from reference_model.curation.captioners import ExistingCaptions, load_captioner
from reference_model.curation.contracts import Captioner, CaptionError
from reference_model.curation.http_captioner import HttpCaptioner
from reference_model.curation.response_log import ResponseLog
from tests.reference_model.test_curation_made_up import Scribe, stained_tile
from unipath_bench import DataError, MissingError, Sample, UsageError
from unipath_bench.core.images import decode_png

IMAGE = stained_tile(1, 5, size=16)
SAMPLE = Sample("a.png", "train", prompt="The old caption")


def completion(text: Any, finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}]}


def endpoint(tmp_path: Path, *replies: Any, **arguments: Any) -> tuple[HttpCaptioner, list[httpx.Request]]:
    """A captioner whose endpoint gives ``replies`` in order: (status, JSON or text) or an exception."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        reply = replies[len(asked) - 1]
        if isinstance(reply, Exception):
            raise reply
        status, body = reply
        content = {"text": body} if isinstance(body, str) else {"json": body}
        return httpx.Response(status, **content)

    settings = {"url": "http://localhost:9/v1", "model": "m", "retries": 2, "backoff": 0.0, **arguments}
    return HttpCaptioner(tmp_path / "log.jsonl", httpx.MockTransport(answer), **settings), asked


def test_the_request_holds_the_image_the_instruction_and_the_sampling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURATION_KEY", "s3cret")
    captioner, asked = endpoint(tmp_path, (200, completion(" A  gland.\n")), key_env="CURATION_KEY", max_tokens=50)
    assert captioner.caption(IMAGE, SAMPLE) == "A gland."
    assert isinstance(captioner, Captioner)
    request = asked[0]
    assert request.url == "http://localhost:9/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer s3cret"
    body = json.loads(request.content)
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
    assert "s3cret" not in (tmp_path / "log.jsonl").read_text()
    assert "s3cret" not in json.dumps(dict(captioner.fingerprint))


def test_what_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    first, asked = endpoint(tmp_path, (200, completion("one")), (200, completion("two")))
    assert first.caption(IMAGE, SAMPLE) == "one"
    again, unasked = endpoint(tmp_path)
    assert again.caption(IMAGE, SAMPLE) == "one"
    assert (len(asked), len(unasked)) == (1, 0)
    # Another picture or another instruction is another question.
    assert first.caption(IMAGE[::-1], SAMPLE) == "two"
    other, asked_anew = endpoint(tmp_path, (200, completion("three")), instruction="Say it in German.")
    assert other.caption(IMAGE, SAMPLE) == "three"
    assert len(asked_anew) == 1


@pytest.mark.parametrize(
    "failure",
    [
        (500, "down"),
        (429, {"error": "slow down"}),
        (503, "later"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
    ],
)
def test_passing_failures_are_tried_again(tmp_path: Path, failure: Any) -> None:
    captioner, asked = endpoint(tmp_path, failure, failure, (200, completion("at last")))
    assert captioner.caption(IMAGE, SAMPLE) == "at last"
    assert len(asked) == 3
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [e["status"] for e in entries] == [failure[0] if isinstance(failure, tuple) else 0] * 2 + [200]


def test_a_failure_that_stays_stops_the_run(tmp_path: Path) -> None:
    captioner, asked = endpoint(tmp_path, *[(500, "down")] * 3)
    with pytest.raises(DataError, match=r"failed 3 times for a\.png.*HTTP 500 down"):
        captioner.caption(IMAGE, SAMPLE)
    assert len(asked) == 3
    again, asked = endpoint(tmp_path, (200, completion("up again")))
    assert again.caption(IMAGE, SAMPLE) == "up again"  # a logged failure is no answer


@pytest.mark.parametrize(
    ("status", "error"), [(401, MissingError), (403, MissingError), (404, DataError), (400, DataError)]
)
def test_hopeless_failures_are_not_tried_again(tmp_path: Path, status: int, error: type[Exception]) -> None:
    captioner, asked = endpoint(tmp_path, (status, "no"))
    with pytest.raises(error, match=f"HTTP {status} no"):
        captioner.caption(IMAGE, SAMPLE)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (completion("A gland that", "length"), CaptionError),
        (completion(""), CaptionError),
        (completion(None), CaptionError),
        (completion("no", refusal="I cannot"), CaptionError),
        (completion("...", "content_filter"), CaptionError),
        ({"choices": []}, DataError),
        ({"result": "?"}, DataError),
        ("plain text", DataError),
    ],
)
def test_answers_that_are_no_captions(tmp_path: Path, document: Any, error: type[Exception]) -> None:
    captioner, _ = endpoint(tmp_path, (200, document))
    with pytest.raises(DataError) as refused:
        captioner.caption(IMAGE, SAMPLE)
    assert type(refused.value) is error


def test_content_in_parts_is_joined(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "A gland"}, {"type": "text", "text": "with mucin."}]
    captioner, _ = endpoint(tmp_path, (200, completion(parts)))
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
    ],
)
def test_captioners_that_cannot_be(tmp_path: Path, load: Callable[[Path], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(tmp_path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError) as missing:
        refused("http", url="http://x/v1", model="m", key_env="NO_SUCH_KEY_HERE")(tmp_path)
    assert "NO_SUCH_KEY_HERE" in missing.value.remedy


def test_existing_captions_are_kept() -> None:
    assert ExistingCaptions().caption(IMAGE, SAMPLE) == "The old caption"
    with pytest.raises(CaptionError, match=r"a\.png"):
        ExistingCaptions().caption(IMAGE, Sample("a.png", "train"))
