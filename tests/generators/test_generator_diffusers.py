"""The diffusers adapter on tiny random pipelines of two kinds, and on hubs and folders that refuse."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from unipath_bench.contracts import Context, Request
from unipath_bench.core.digest import seed_from
from unipath_bench.core.errors import BenchError, DataError, GeneratorError, MissingError, UsageError
from unipath_bench.generators.cards import model_digest
from unipath_bench.generators.diffusers import DiffusersGenerator

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PIXART = {"use_resolution_binning": False, "clean_caption": False}
REQUESTS = [
    Request(f"test/{i}.png", prompt, seed_from(prompt, i), 0, 16, 16)
    for i, prompt in enumerate(["colon", "lung adenocarcinoma", "normal skin", "h&e of colon", "gland"])
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of the two pipelines, by kind."""
    from tests.generators.tiny_pipelines import save_transformer_pipeline, save_unet_pipeline

    root = tmp_path_factory.mktemp("pipelines")
    return {"unet": save_unet_pipeline(root / "unet"), "transformer": save_transformer_pipeline(root / "transformer")}


def ready(saved: dict[str, Path], kind: str = "unet", **arguments: object) -> DiffusersGenerator:
    own = {"call_arguments": PIXART} if kind == "transformer" else {}
    generator = DiffusersGenerator(**{"model": saved[kind], "steps": 2, **own, **arguments})  # type: ignore[arg-type]
    generator.setup(Context())
    return generator


@pytest.fixture
def copy(saved: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of the UNet pipeline that a test may spoil."""
    return Path(shutil.copytree(saved["unet"], tmp_path / "copy"))


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["unet", "transformer"])
def test_an_image_depends_on_its_request_alone(saved: dict[str, Path], kind: str) -> None:
    generator = ready(saved, kind)
    together = generator.generate(REQUESTS)
    assert [(image.shape, image.dtype) for image in together] == [((16, 16, 3), np.dtype(np.uint8))] * 5
    order = [3, 0, 4, 2, 1]
    apart = [
        *generator.generate([REQUESTS[i] for i in order[:2]]),
        *ready(saved, kind).generate([REQUESTS[i] for i in order[2:]]),
    ]
    for i, image in zip(order, apart, strict=True):
        np.testing.assert_array_equal(image, together[i])


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["unet", "transformer"])
def test_prompt_and_seed_both_decide_the_image(saved: dict[str, Path], kind: str) -> None:
    base = Request("a", "colon", 1, 0, 16, 16)
    other_prompt = Request("a", "lung", 1, 0, 16, 16)
    other_seed = Request("a", "colon", 2, 0, 16, 16)
    first, prompted, seeded = ready(saved, kind, guidance=9.0).generate([base, other_prompt, other_seed])
    assert (first != prompted).any()
    assert (first != seeded).any()


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["unet", "transformer"])
def test_it_is_what_the_pipeline_itself_makes(saved: dict[str, Path], kind: str) -> None:
    """The peer is diffusers' own call with one seeded generator and its own conversion to 8 bits."""
    import torch
    from diffusers import DiffusionPipeline

    peer = DiffusionPipeline.from_pretrained(saved[kind])
    peer.set_progress_bar_config(disable=True)
    more = PIXART if kind == "transformer" else {}
    generator = torch.Generator("cpu").manual_seed(REQUESTS[1].seed)
    expected = peer(
        prompt=REQUESTS[1].prompt,
        generator=generator,
        num_inference_steps=3,
        guidance_scale=3.0,
        height=16,
        width=24,
        negative_prompt="blurred",
        **more,
    ).images[0]
    ours = ready(saved, kind, steps=3, guidance=3.0, height=16, width=24, negative_prompt="blurred")
    asked = Request("x", REQUESTS[1].prompt, REQUESTS[1].seed, 0, ours.card.height or 0, ours.card.width or 0)
    np.testing.assert_array_equal(ours.generate([asked])[0], np.asarray(expected))


@pytest.mark.integration
def test_the_last_micro_batch_is_padded_and_the_padding_dropped(saved: dict[str, Path]) -> None:
    generator = ready(saved, micro_batch=2)
    sizes = []
    call = generator._pipeline.__class__.__call__

    def counted(self, **arguments):
        sizes.append(len(arguments["prompt"]))
        return call(self, **arguments)

    generator._pipeline = type("Counted", (generator._pipeline.__class__,), {"__call__": counted})(
        **generator._pipeline.components
    )
    generator._pipeline.set_progress_bar_config(disable=True)
    images = generator.generate(REQUESTS[:3])
    assert sizes == [2, 2]
    assert len(images) == 3
    # The shape is the same whoever the neighbour is; rounding may differ by the place in the batch, not by more than 1.
    alone = [generator.generate([r])[0] for r in REQUESTS[:3]]
    assert max(np.abs(a.astype(int) - b).max() for a, b in zip(alone, images, strict=True)) <= 1


def test_the_card_says_what_was_asked_for_and_the_digest_follows_the_bytes(copy: Path, saved: dict[str, Path]) -> None:
    card = DiffusersGenerator(model=copy, steps=2, height=64, width=32).card
    assert (card.name, card.height, card.width) == ("diffusers-copy", 64, 32)
    assert card.arguments == {
        "model": str(copy),
        "steps": 2,
        "height": 64,
        "width": 32,
        "dtype": "auto",
        "micro_batch": 1,
    }
    moved = Path(shutil.copytree(copy, copy.parent / "elsewhere" / "copy"))
    before = model_digest(DiffusersGenerator(model=copy))
    assert model_digest(DiffusersGenerator(model=moved)) == before
    assert model_digest(DiffusersGenerator(model=copy, steps=3)) != before
    config = copy / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("0.02", "0.021"))
    assert model_digest(DiffusersGenerator(model=copy)) != before


def test_nan_pixels_are_an_error_and_never_a_black_image(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors["decoder.conv_out.bias"][:] = float("nan")
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(GeneratorError, match=r"NaN .* test/0.png") as caught:
        ready({"unet": copy}).generate(REQUESTS[:1])
    assert "float32" in caught.value.remedy


@pytest.mark.integration
def test_the_safety_checker_is_left_out(copy: Path) -> None:
    """The index names one, without weights beside it: loading works only where it is not asked for."""
    index = copy / "model_index.json"
    entries = json.loads(index.read_text())
    entries |= {
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "requires_safety_checker": True,
    }
    index.write_text(json.dumps(entries))
    generator = ready({"unet": copy})
    assert generator._pipeline.safety_checker is None
    assert len(generator.generate(REQUESTS[:1])) == 1


def test_weights_that_are_not_safetensors_are_refused(copy: Path) -> None:
    import torch
    from safetensors.torch import load_file

    for weights in copy.rglob("*.safetensors"):
        torch.save(load_file(weights), weights.with_suffix(".bin"))
    (copy / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(MissingError, match="safetensors") as caught:
        DiffusersGenerator(model=copy).setup(Context())
    assert "safe_serialization=True" in caught.value.remedy
    for weights in copy.rglob("*.safetensors"):
        weights.unlink()
    assert "safetensors" in str(DiffusersGenerator(model=copy).missing(Context()))


OWN_CODE = """
from diffusers import StableDiffusionPipeline


class OwnPipeline(StableDiffusionPipeline):
    def __call__(self, prompt, generator=None, height=None, width=None, num_inference_steps=1, output_type="np"):
        made = super().__call__(
            prompt, generator=generator, height=height, width=width, num_inference_steps=num_inference_steps,
            output_type=output_type,
        )
        made.images = 1.0 - made.images
        return made
"""


@pytest.mark.integration
def test_code_of_its_own_runs_only_where_the_user_trusts_it(copy: Path, tmp_path: Path) -> None:
    """The peer is the stock pipeline: the code of its own turns every image into its negative."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "pipeline.py").write_text(OWN_CODE)
    generator = DiffusersGenerator(model=copy, steps=2, pipeline_code=code)
    assert "--trust-remote-code" in str(generator.missing(Context()))
    with pytest.raises(MissingError):
        generator.setup(Context())
    generator.setup(Context(trust_remote_code=True))
    positive = ready({"unet": copy}).generate(REQUESTS[:1])[0].astype(int)
    assert np.abs(generator.generate(REQUESTS[:1])[0] - (255 - positive)).max() <= 1
    before = model_digest(generator)
    (code / "pipeline.py").write_text(OWN_CODE.replace("1.0 - made", "0.5 * made"))
    assert model_digest(DiffusersGenerator(model=copy, steps=2, pipeline_code=code)) != before


def test_code_that_comes_with_the_weights_is_never_run(copy: Path) -> None:
    marker = copy / "was-run"
    (copy / "unet" / "own_net.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass OwnNet: pass\n")
    (copy / "own_pipeline.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass OwnPipeline: pass\n")
    index = copy / "model_index.json"
    entries = json.loads(index.read_text())
    for change in ({"unet": ["own_net", "OwnNet"]}, {"_class_name": ["own_pipeline", "OwnPipeline"]}):
        index.write_text(json.dumps(entries | change))
        with pytest.raises(DataError, match="cannot be loaded"):
            DiffusersGenerator(model=copy).setup(Context())
    assert not marker.exists()


def test_a_folder_without_a_pipeline_is_named(tmp_path: Path) -> None:
    assert "model_index.json" in str(DiffusersGenerator(model=tmp_path).missing(Context()))
    with pytest.raises(MissingError, match="cannot be loaded"):
        DiffusersGenerator(model=tmp_path).setup(Context())


def test_an_unconditional_pipeline_is_refused(tmp_path: Path) -> None:
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    net = UNet2DModel(
        sample_size=8,
        block_out_channels=(4, 4),
        layers_per_block=1,
        norm_num_groups=2,
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
    )
    DDPMPipeline(net, DDPMScheduler()).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="no text-to-image pipeline"):
        DiffusersGenerator(model=tmp_path).setup(Context())


def test_an_argument_that_the_pipeline_lacks_is_named(saved: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="no argument 'guidance_rescal'") as caught:
        ready(saved, call_arguments={"guidance_rescal": 0.5})
    assert "'guidance_rescale'" in caught.value.remedy


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"model": "owner/name"}, "has no revision"),
        ({"model": "owner/name", "revision": "main"}, "a name that can move"),
        ({"model": "no/such/folder"}, "no such path"),
        ({"model": "name"}, "no such path"),
        ({"model": ".", "revision": COMMIT}, "has no revision"),
        ({"model": ".", "steps": 0}, "steps=0"),
        ({"model": ".", "guidance": "high"}, "guidance='high'"),
        ({"model": ".", "dtype": "int8"}, "dtype='int8'"),
        ({"model": ".", "height": 64}, "Only one of height and width"),
        ({"model": ".", "call_arguments": {"prompt": "x"}}, "sets prompt"),
        ({"model": ".", "lora": "."}, "no .safetensors file"),
        ({"model": ".", "lora": "owner/name"}, "has no revision"),
        ({"model": ".", "lora": "owner/name@main"}, "a name that can move"),
        ({"model": ".", "lora": f"owner/name@{COMMIT}", "lora_scale": -1.0}, "lora_scale=-1.0"),
        ({"model": ".", "lora_scale": 0.5}, "without lora"),
        ({"model": ".", "pipeline_code": "owner/name"}, "has no revision"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_loaded(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        DiffusersGenerator(**arguments)  # type: ignore[arg-type]
    assert said in caught.value.message


def test_the_remedy_for_a_missing_revision_is_a_command_that_prints_it() -> None:
    with pytest.raises(UsageError) as caught:
        DiffusersGenerator(model="owner/name", revision="v1")
    assert "model_info('owner/name', revision='v1').sha" in caught.value.remedy


def in_cache(cache: Path, pipeline: Path) -> Path:
    """The Hub's cache as a download of the commit leaves it."""
    snapshot = cache / "models--owner--tiny" / "snapshots" / COMMIT
    shutil.copytree(pipeline, snapshot)
    return snapshot


@pytest.mark.integration
def test_offline_a_cached_commit_loads_and_an_absent_one_has_a_remedy(saved: dict[str, Path], tmp_path: Path) -> None:
    context = Context(offline=True, cache_dir=tmp_path)
    generator = DiffusersGenerator(model="owner/tiny", revision=COMMIT, steps=2)
    remedy = str(generator.missing(context))
    assert f"hf download owner/tiny --revision {COMMIT}" in remedy
    with pytest.raises(MissingError):
        generator.setup(context)
    snapshot = in_cache(tmp_path, saved["unet"])
    assert generator.missing(context) is None
    generator.setup(context)
    np.testing.assert_array_equal(generator.generate(REQUESTS[:1])[0], ready(saved).generate(REQUESTS[:1])[0])
    shutil.rmtree(snapshot / "vae")
    assert "without vae" in str(generator.missing(context))


def test_a_commit_is_its_own_fingerprint() -> None:
    generator = DiffusersGenerator(model="owner/tiny", revision=COMMIT)
    assert generator.fingerprint() == {"model": {"repository": "owner/tiny", "commit": COMMIT}}
    assert generator.card.revision == COMMIT


@pytest.mark.integration
def test_what_is_missing_is_found_without_torch_or_diffusers(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from unipath_bench.contracts import Context
from unipath_bench.generators.cards import load_generator
generator = load_generator("diffusers", {{"model": "owner/tiny", "revision": "{COMMIT}"}})
assert "offline" in generator.missing(Context(offline=True, cache_dir=Path({str(tmp_path)!r})))
assert not {{"torch", "diffusers", "transformers"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def point_hub_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """What HF_ENDPOINT would set, had it been there when huggingface_hub was imported."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """A Hub on loopback that refuses with the status and error code that the test sets."""
    refusal: dict[str, object] = {"status": 404, "code": "RepoNotFound"}

    class Refuse(BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            self.send_response(int(str(refusal["status"])))
            self.send_header("X-Error-Code", str(refusal["code"]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = _refuse

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        point_hub_at(monkeypatch, f"http://127.0.0.1:{server.server_address[1]}")
        yield refusal
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (403, "GatedRepo", MissingError, ["gated", "https://huggingface.co/owner/tiny", "HF_TOKEN"]),
        (401, "GatedRepo", MissingError, ["gated", "https://huggingface.co/owner/tiny", "HF_TOKEN"]),
        (404, "RepoNotFound", MissingError, ["no public repository owner/tiny", "HF_TOKEN"]),
        (401, "", MissingError, ["no public repository owner/tiny", "HF_TOKEN"]),
        (404, "RevisionNotFound", UsageError, [f"no commit {COMMIT}", "https://huggingface.co/owner/tiny/commits"]),
    ],
)
def test_a_hub_that_refuses_is_explained(
    hub: dict[str, object], tmp_path: Path, status: int, code: str, kind: type[BenchError], said: list[str]
) -> None:
    hub |= {"status": status, "code": code}
    with pytest.raises(kind) as caught:
        DiffusersGenerator(model="owner/tiny", revision=COMMIT).setup(Context(cache_dir=tmp_path))
    for words in said:
        assert words in str(caught.value)


def test_a_hub_that_is_not_there_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    point_hub_at(monkeypatch, "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(MissingError, match="not reached"):
        DiffusersGenerator(model="owner/tiny", revision=COMMIT).setup(Context(cache_dir=tmp_path))


def lora_file(folder: Path) -> Path:
    """Rank-1 LoRA of one attention projection of the tiny UNet, large enough to be seen in 8 bits."""
    import torch
    from safetensors.torch import save_file

    name = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_v"
    path = folder / "style.safetensors"
    generator = torch.Generator().manual_seed(0)
    down = torch.randn(1, 16, generator=generator)
    up = torch.randn(16, 1, generator=generator)
    save_file({f"{name}.lora_A.weight": 5 * down, f"{name}.lora_B.weight": 5 * up}, path)
    return path


def test_lora_without_peft_has_a_remedy(
    saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unipath_bench.generators.diffusers.find_spec", lambda name: None)
    generator = DiffusersGenerator(model=saved["unet"], lora=lora_file(tmp_path))
    assert "pip install 'unipath-bench[lora]'" in str(generator.missing(Context()))
    with pytest.raises(MissingError, match="cannot be loaded"):
        generator.setup(Context())


@pytest.mark.integration
def test_lora_weights_are_added_by_their_definition_and_decide_the_digest(
    saved: dict[str, Path], tmp_path: Path
) -> None:
    """The peer is the base pipeline with W + scale * B A in its projection (Hu et al. 2021, alpha = rank)."""
    pytest.importorskip("peft", reason="LoRA needs the package peft, which is not installed")
    from safetensors.torch import load_file, save_file

    path = lora_file(tmp_path)
    base = ready(saved).generate(REQUESTS[:1])[0]
    for scale in (1.0, 0.25):
        tuned = ready(saved, lora=path, lora_scale=scale)
        assert tuned.card.arguments["lora_scale"] == scale
        merged = Path(shutil.copytree(saved["unet"], tmp_path / f"merged-{scale}"))
        weights = merged / "unet" / "diffusion_pytorch_model.safetensors"
        tensors, lora = load_file(weights), load_file(path)
        name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_v"
        tensors[f"{name}.weight"] += scale * (lora[f"unet.{name}.lora_B.weight"] @ lora[f"unet.{name}.lora_A.weight"])
        save_file(tensors, weights, metadata={"format": "pt"})
        image = tuned.generate(REQUESTS[:1])[0]
        assert (image != base).any()
        assert np.abs(image.astype(int) - ready({"unet": merged}).generate(REQUESTS[:1])[0]).max() <= 1
    assert model_digest(ready(saved, lora=path)) != model_digest(tuned)
    tuned = ready(saved, lora=path)
    before = model_digest(tuned)
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\0")
    assert model_digest(DiffusersGenerator(model=saved["unet"], steps=2, lora=path)) != before
