"""The built-in answerers, on small weights made on the spot and an endpoint on loopback."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from unipath_bench import Context, DataError, GeneratorError, MissingError, UsageError
from unipath_bench.cli.app import invoke
from unipath_bench.understanding import AskedQuestion
from unipath_bench.understanding.answerers.chance import ChanceAnswerer
from unipath_bench.understanding.answerers.openai import OpenAIAnswerer
from unipath_bench.understanding.answerers.transformers import TransformersAnswerer

IMAGE = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
QUESTION = AskedQuestion("q1", "Which pattern?", ("glands", "sheets"), IMAGE)
PROMPT = "Which pattern?\nA. glands\nB. sheets\nAnswer with the option's letter from the given choices directly."


def test_the_prompt_lists_the_options_in_the_order_asked() -> None:
    assert QUESTION.prompt == PROMPT


def test_chance_is_even_and_a_function_of_the_question() -> None:
    asked = [AskedQuestion(f"q{i}", "?", ("a", "b", "c", "d"), IMAGE) for i in range(400)]
    replies = list(ChanceAnswerer().answer(asked))
    assert replies == list(ChanceAnswerer().answer(asked[::-1]))[::-1]
    # 400 draws of four: expected 100 each, sd 8.7; five of them.
    assert all(abs(replies.count(letter) - 100) < 44 for letter in "ABCD")


class Chat(BaseHTTPRequestHandler):
    """Answers B and keeps what it was sent."""

    received: list[tuple[str | None, dict[str, Any]]]
    answer: Any

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        type(self).received.append((self.headers.get("authorization"), body))
        text = json.dumps(type(self).answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def chat() -> Iterator[tuple[str, type[Chat]]]:
    class Here(Chat):
        received = []  # noqa: RUF012
        answer = {"choices": [{"message": {"content": "B"}}]}  # noqa: RUF012

    server = HTTPServer(("127.0.0.1", 0), Here)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/chat/completions", Here
    server.shutdown()
    server.server_close()


@pytest.mark.integration
def test_an_endpoint_gets_the_image_losslessly_and_the_token_once(
    chat: tuple[str, type[Chat]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, here = chat
    monkeypatch.setenv("CHAT_TOKEN", "secret-token")
    answerer = OpenAIAnswerer(url=url, model="my/model", headers_env="CHAT_TOKEN", seed=7)
    answerer.setup(Context(offline=True))
    assert answerer.answer([QUESTION]) == ["B"]
    ((authorization, body),) = here.received
    assert authorization == "Bearer secret-token"
    assert (body["model"], body["temperature"], body["seed"]) == ("my/model", 0, 7)
    picture, text = body["messages"][0]["content"]
    assert text == {"type": "text", "text": PROMPT}
    raw = base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/png;base64,"))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(raw))), IMAGE)
    assert "secret-token" not in answerer.card.model_dump_json()
    here.answer = {"choices": [{"message": {"content": None}}]}
    assert answerer.answer([QUESTION]) == [""]
    here.answer = {"error": "none"}
    with pytest.raises(GeneratorError, match=r"q1 has no choices\[0\]"):
        answerer.answer([QUESTION])
    assert "network" in str(OpenAIAnswerer(url="http://example.org/x", model="m").missing(Context(offline=True)))


TEMPLATE = (
    "{% for m in messages %}{% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}"
)
SPECIAL = ["<|endoftext|>", "<unk>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2.5-VL of two layers, saved with its processor."""
    folder = tmp_path_factory.mktemp("answerer") / "small-vl"
    words = [*SPECIAL, *sorted(set(PROMPT.replace(".", " . ").replace("?", " ? ").replace("'", " ' ").split()))]
    backend = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="<unk>",
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[0],
        extra_special_tokens=SPECIAL[2:],
    )
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(words),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "bos_token_id": 0,
            "eos_token_id": 0,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]},
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 32,
            "patch_size": 14,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        image_token_id=4,
        video_token_id=5,
        vision_start_token_id=2,
        vision_end_token_id=3,
    )
    torch.manual_seed(0)
    model = Qwen2_5_VLForConditionalGeneration(config)
    with torch.no_grad():
        # Special tokens have the logit zero, so that some word is always likelier.
        model.lm_head.weight[: len(SPECIAL)] = 0.0
    model.save_pretrained(folder)
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=112 * 112),
        tokenizer,
        Qwen2VLVideoProcessor(),
        chat_template=TEMPLATE,
    )
    processor.save_pretrained(folder)
    return folder


@pytest.mark.integration
def test_a_saved_model_answers_from_the_command_line_offline(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = invoke(
        [
            "understand",
            "--model",
            "transformers",
            "--model-arg",
            f"model={saved}",
            "--model-arg",
            "max_new_tokens=3",
            "--set-arg",
            "tiles=1",
            "--n",
            "4",
            "--out",
            str(tmp_path),
            "--offline",
            "--json",
        ]
    )
    assert code == 0
    record = json.loads(capsys.readouterr().out)
    overall = record["overall"]
    assert overall["n"] == 4
    assert overall["right"] + overall["refused"] + overall["unread"] <= 4
    assert record["answerer"]["name"] == "small-vl"


@pytest.mark.integration
def test_the_reply_is_the_models_own_greedy_continuation(saved: Path) -> None:
    answerer = TransformersAnswerer(model=str(saved), max_new_tokens=4)
    answerer.setup(Context())
    (reply,) = answerer.answer([QUESTION])
    processor = Qwen2_5_VLProcessor.from_pretrained(saved)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(saved, dtype=torch.float32).eval()
    text = f"<|vision_start|><|image_pad|><|vision_end|>{PROMPT}"
    inputs = processor(text=[text], images=[Image.fromarray(IMAGE)], return_tensors="pt")
    ids = inputs["input_ids"]
    with torch.no_grad():
        for _ in range(4):
            kinds = (ids == 4).int()
            given = {**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids), "mm_token_type_ids": kinds}
            ids = torch.cat([ids, model(**given).logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    expected = processor.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert reply == expected
    assert len(reply.split()) == 4


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert "no safetensors" in str(TransformersAnswerer(model=str(tmp_path)).missing(Context()))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(DataError, match="image-text-to-text"):
        TransformersAnswerer(model=str(tmp_path)).setup(Context())
    with pytest.raises(UsageError, match="has no revision"):
        TransformersAnswerer(model="owner/name")
    absent = TransformersAnswerer(model="owner/name", revision="0" * 40)
    with pytest.raises(MissingError, match="not on this machine") as error:
        absent.setup(Context(cache_dir=tmp_path))
    assert f"hf download owner/name --revision {'0' * 40}" in error.value.remedy
