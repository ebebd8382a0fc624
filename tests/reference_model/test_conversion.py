"""From the released layout to the pipeline's: every key accounted for, at the full size too."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from reference_model import convert as conversion
from reference_model.checkpoint_layout import Shapes, plan
from reference_model.convert import convert, main
from reference_model.pipeline import UniPathPipeline
from reference_model.shard_writer import Entry, ShardWriter
from tests.reference_model.released_layout import VAE_PREFIX, configuration, small_autoencoder, write_checkpoint
from tests.reference_model.transcription import Sizes, layout
from unipath_bench import DataError, MissingError, UsageError

FULL = Sizes(
    hidden=3584,
    layers=28,
    heads=28,
    kv_heads=4,
    intermediate=18944,
    vocabulary=152064,
    vision_hidden=1280,
    vision_layers=32,
    vision_intermediate=3420,
    n_query=64,
    feature=1536,
    dit_heads=16,
    head_width=72,
    dit_layers=28,
    sample=48,
)


@pytest.fixture(scope="module")
def full_size() -> dict[Any, torch.nn.Module]:
    return Shapes().on_meta()


@pytest.mark.integration
def test_the_full_size_checkpoint_is_accounted_for(full_size: dict[Any, torch.nn.Module]) -> None:
    found = layout(FULL)
    planned = plan(found, full_size)
    assert planned.dropped == ("model.dit.model.condition_projection.uncond_embedding",)
    assert not planned.has_vae
    assert set(planned.targets) == set(found) - set(planned.dropped)
    counts = Counter(component for component, _ in planned.targets.values())
    # The decoder: 12 tensors a layer, embeddings, norm and output layer; the vision tower: 12 a block and 6 more.
    assert counts["language_model"] == 28 * 12 + 3 + 32 * 12 + 6
    assert counts["transformer"] == 603
    assert counts["semantic_tokens"] == 1
    assert counts["prototype_projector"] == 4
    weights = sum(p.numel() for p in full_size["transformer"].parameters())
    assert f"{weights / 1e6:.2f}M" == "610.36M"


@pytest.mark.parametrize(
    ("released", "component", "here"),
    [
        ("model.dit.model.condition_projection.linear_2.bias", "transformer", "caption_projection.linear_2.bias"),
        ("model.dit.model.transformer_blocks.27.attn2.to_out.0.weight", "transformer", None),
        ("model.embed_tokens.weight", "language_model", "model.language_model.embed_tokens.weight"),
        ("model.layers.3.mlp.up_proj.weight", "language_model", "model.language_model.layers.3.mlp.up_proj.weight"),
        ("visual.merger.mlp.2.bias", "language_model", "model.visual.merger.mlp.2.bias"),
        ("lm_head.weight", "language_model", "lm_head.weight"),
        ("model.latent_queries", "semantic_tokens", "latent_queries"),
        ("model.prototype_projector.2.bias", "prototype_projector", "layers.2.bias"),
    ],
)
def test_keys_go_where_they_belong(
    full_size: dict[Any, torch.nn.Module], released: str, component: str, here: str | None
) -> None:
    expected = here or released.removeprefix("model.dit.model.")
    assert plan(layout(FULL), full_size).targets[released] == (component, expected)


def test_unknown_missing_and_misshapen_tensors_are_all_listed(full_size: dict[Any, torch.nn.Module]) -> None:
    found = layout(FULL)
    del found["model.latent_queries"], found["visual.blocks.31.attn.qkv.bias"]
    found["model.dit.model.transformer_blocks.28.scale_shift_table"] = (6, 1152)
    found["model.adapter.weight"] = (3, 3)
    found["lm_head.weight"] = (151936, 3584)
    with pytest.raises(DataError) as caught:
        plan(found, full_size)
    assert str(caught.value).splitlines()[1:9] == [
        "Unknown keys (2):",
        "  - model.dit.model.transformer_blocks.28.scale_shift_table",
        "  - model.adapter.weight",
        "Missing tensors (2):",
        "  - language_model: model.visual.blocks.31.attn.qkv.bias",
        "  - semantic_tokens: latent_queries",
        "Shapes that differ (1):",
        "  - lm_head.weight: [151936, 3584], not [152064, 3584]",
    ]


@pytest.mark.integration
def test_every_tensor_arrives_unchanged(released: Any) -> None:
    """Three shards in, several out; what each component loads is what lay under the released names."""
    loaded = UniPathPipeline.from_pretrained(released.converted)
    weights = released.weights
    dit = loaded.transformer.state_dict()
    for key, tensor in dit.items():
        renamed = key.replace("caption_projection", "condition_projection")
        assert torch.equal(tensor, weights[f"model.dit.model.{renamed}"]), key
    language = loaded.language_model.state_dict()
    for key, tensor in language.items():
        stripped = key.removeprefix("model.language_model.").removeprefix("model.")
        old = key if key == "lm_head.weight" else stripped if stripped.startswith("visual") else f"model.{stripped}"
        assert torch.equal(tensor, weights[old]), key
    assert torch.equal(loaded.semantic_tokens.latent_queries, weights["model.latent_queries"])
    projector = loaded.prototype_projector.state_dict()
    assert torch.equal(projector["layers.2.weight"], weights["model.prototype_projector.2.weight"])
    torch.manual_seed(5)
    for key, tensor in small_autoencoder(released.sizes).state_dict().items():
        assert torch.equal(loaded.vae.state_dict()[key], tensor), key
    assert len(list((released.converted / "transformer").glob("*.safetensors"))) > 1
    assert not list(released.converted.rglob("*.part"))


def test_the_shift_and_the_queries_are_recorded(released: Any) -> None:
    """Upstream's encode omits the shift and its decode subtracts it: released weights were trained with that."""
    pipeline = UniPathPipeline.from_pretrained(released.converted)
    assert pipeline.config.vae_shift == "upstream"
    assert pipeline.config.upstream_compat is True
    assert pipeline.config.internal_encoders == ["conch", "uni2-h"]
    assert pipeline.config.licence == "CC-BY-NC-ND-4.0"
    assert pipeline.semantic_tokens.config.n_query == 3
    assert pipeline.scaling.to_latents(torch.tensor(2.0)).item() == pytest.approx(2.0 * 1.5305)
    assert pipeline.scaling.to_code(torch.tensor(3.061)).item() == pytest.approx(2.0 - 0.0609)


@pytest.fixture
def source(released: Any, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(released.source, tmp_path / "source"))


def test_the_weights_can_be_cast(released: Any, tmp_path: Path) -> None:
    convert(released.source, tmp_path / "out", config=configuration(released.sizes), dtype="bfloat16")
    stored = load_file(tmp_path / "out" / "language_model" / "model.safetensors")
    key = "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(
        stored[key.replace("model.", "model.language_model.", 1)], released.weights[key].to(torch.bfloat16)
    )


@pytest.mark.integration
def test_an_autoencoder_comes_from_the_checkpoint_or_from_its_own_folder(released: Any, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(released.source)
    write_checkpoint(tmp_path / "bare", released.weights, tokenizer, shards=1)
    config = configuration(released.sizes)
    with pytest.raises(MissingError, match="no autoencoder") as caught:
        convert(tmp_path / "bare", tmp_path / "out", config=config)
    assert "--vae" in caught.value.remedy
    torch.manual_seed(6)
    given = small_autoencoder(released.sizes)
    given.save_pretrained(tmp_path / "vae")
    convert(tmp_path / "bare", tmp_path / "out", config=config, vae=tmp_path / "vae")
    loaded = UniPathPipeline.from_pretrained(tmp_path / "out")
    assert all(torch.equal(value, given.state_dict()[key]) for key, value in loaded.vae.state_dict().items())
    with pytest.raises(UsageError, match="--vae names another"):
        convert(released.source, tmp_path / "other", config=config, vae=tmp_path / "vae")


def test_the_bank_is_handed_on(released: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Path, Path]] = []
    monkeypatch.setattr(conversion, "import_rag", lambda source, destination: asked.append((source, destination)))
    convert(released.source, tmp_path / "out", config=configuration(released.sizes), bank=tmp_path / "RAG_8K")
    assert asked == [(tmp_path / "RAG_8K", tmp_path / "out" / "bank")]


def test_a_lacking_shard_is_named(source: Path, tmp_path: Path) -> None:
    (source / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(MissingError, match="lacks model-00002-of-00003"):
        convert(source, tmp_path / "out")


def test_a_shard_cut_short_is_named(source: Path, tmp_path: Path) -> None:
    shard = source / "model-00001-of-00003.safetensors"
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"model-00001-of-00003\.safetensors is no whole safetensors file"):
        convert(source, tmp_path / "out")


def test_an_index_that_disagrees_with_its_files_is_refused(source: Path, tmp_path: Path) -> None:
    path = source / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    del index["weight_map"]["lm_head.weight"]
    path.write_text(json.dumps(index))
    with pytest.raises(DataError, match=r"disagree about 1 tensors, e\.g\. lm_head\.weight"):
        convert(source, tmp_path / "out")


def test_nothing_is_written_for_a_checkpoint_that_does_not_fit(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = source / "model-00001-of-00003.safetensors"
    tensors = load_file(shard)
    gone = sorted(tensors)[0]
    del tensors[gone]
    save_file(tensors, shard)
    index = json.loads((source / "model.safetensors.index.json").read_text())
    del index["weight_map"][gone]
    (source / "model.safetensors.index.json").write_text(json.dumps(index))
    config = tmp_path / "config.json"
    config.write_text(json.dumps(configuration(Sizes())))
    assert main([str(source), str(tmp_path / "out"), "--config", str(config)]) == DataError.exit_code
    assert "Missing tensors (1):" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_converts_and_refuses_a_folder_in_use(
    released: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(configuration(released.sizes)))
    command = [str(released.source), str(tmp_path / "out"), "--config", str(config), "--no-upstream-compat"]
    assert main(command) == 0
    assert UniPathPipeline.load_config(tmp_path / "out")["upstream_compat"] is False
    assert main(command) == UsageError.exit_code
    assert "is not empty" in capsys.readouterr().err
    assert main([str(tmp_path / "nothing"), str(tmp_path / "new")]) == MissingError.exit_code


def test_tensors_are_on_the_disk_as_soon_as_they_are_given(tmp_path: Path) -> None:
    """So memory never holds more than one."""
    tensors = {
        "a": torch.arange(6.0).reshape(2, 3),
        "b": torch.tensor(7, dtype=torch.int64),
        "c": torch.ones(40).half(),
    }
    kinds = {"a": "F32", "b": "I64", "c": "F16"}
    entries = [Entry(key, kinds[key], tuple(tensor.shape)) for key, tensor in tensors.items()]
    writer = ShardWriter(tmp_path, "model", entries, max_bytes=64)
    writer.write("a", tensors["a"])
    assert tensors["a"].numpy().tobytes() in (tmp_path / "model-00001-of-00002.safetensors.part").read_bytes()
    with pytest.raises(ValueError, match="2 tensors have not come: b, c"):
        writer.close()
    with pytest.raises(ValueError, match="b was announced as I64"):
        writer.write("b", torch.zeros(2))
    writer.write("c", tensors["c"])
    writer.write("b", tensors["b"])
    writer.close()
    # 24 bytes of a and 8 of b fit into 64; the 80 of c are a shard of their own.
    first = load_file(tmp_path / "model-00001-of-00002.safetensors")
    second = load_file(tmp_path / "model-00002-of-00002.safetensors")
    assert (set(first), set(second)) == ({"a", "b"}, {"c"})
    assert all(torch.equal(value, tensors[key]) for key, value in {**first, **second}.items())
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 24 + 8 + 80


def test_vae_keys_keep_their_names(released: Any) -> None:
    header = conversion.read_header(conversion.find_shards(released.source)[0])
    assert any(key.startswith(VAE_PREFIX) for key in header)
