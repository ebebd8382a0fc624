"""Vision transformers in timm's format: a table of specs and one loader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from unipath_bench.contracts import Context, ImageEncoder
from unipath_bench.encoders.loading import (
    HubFiles,
    check_digest,
    exact_inference,
    find_hub_files,
    hub_remedy,
    read_state,
    torch_device,
)
from unipath_bench.encoders.resizing import network_input
from unipath_bench.errors import MissingError
from unipath_bench.schema.cards import EncoderCard
from unipath_bench.types import Features, RGBBatch

if TYPE_CHECKING:
    import torch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class TimmSpec:
    """A vision transformer: its card, files, architecture, and how its tokens become one vector."""

    card: EncoderCard
    files: HubFiles
    architecture: str
    """Name of a timm model."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of ``timm.create_model``."""
    mlp: Literal["default", "swiglu-packed"] = "default"
    pooling: Literal["class", "class+patch-mean"] = "class"
    """``class``: the class token. ``class+patch-mean``: the class token, then the mean of the patch tokens
    (without the class and register tokens), concatenated."""


class TimmEncoder(ImageEncoder):
    """Features of one :class:`TimmSpec`, in float32."""

    def __init__(self, spec: TimmSpec) -> None:
        self.spec = spec
        self.card = spec.card

    def missing(self, context: Context) -> str | None:
        found = find_hub_files(self.spec.files, self.card.name, context.cache_dir)
        return None if found is not None else hub_remedy(self.spec.files, self.card.name)

    def setup(self, context: Context) -> None:
        """Load the network from local files.

        Raises :class:`MissingError` where they are not there, ``DataError`` where the weights are not the
        pinned ones."""
        files = self.spec.files
        folder = find_hub_files(files, self.card.name, context.cache_dir)
        if folder is None:
            raise MissingError(f"{files.hub_id} is not on this machine.", hub_remedy(files, self.card.name))
        check_digest(folder / files.weights, files.sha256)
        model = build_network(self.spec)
        model.load_state_dict(read_state(folder / files.weights), strict=True)
        self.device = torch_device(context)
        self.model: Any = model.to(self.device).float().eval()

    def embed_images(self, images: RGBBatch) -> Features:
        import torch

        with exact_inference():
            pixels = torch.from_numpy(network_input(images, self.card)).to(self.device)
            tokens = self.model.forward_features(pixels)
            pooled = pool_tokens(tokens, int(self.model.num_prefix_tokens), self.spec.pooling)
            features: Features = pooled.float().cpu().numpy()
        return features


def build_network(spec: TimmSpec) -> torch.nn.Module:
    """The network of a spec with random weights; reaches for no network."""
    import timm
    from timm.layers.mlp import SwiGLUPacked

    layers: dict[str, Any] = {"mlp_layer": SwiGLUPacked} if spec.mlp == "swiglu-packed" else {}
    model: torch.nn.Module = timm.create_model(spec.architecture, pretrained=False, **spec.options, **layers)
    return model


def pool_tokens(tokens: torch.Tensor, prefix: int, pooling: Literal["class", "class+patch-mean"]) -> torch.Tensor:
    """Tokens (B, T, C), of which the first ``prefix`` are class and registers, to (B, C) or (B, 2C)."""
    import torch

    if pooling == "class":
        return tokens[:, 0]
    return torch.cat([tokens[:, 0], tokens[:, prefix:].mean(1)], dim=1)


VIRCHOW2 = TimmSpec(
    card=EncoderCard(
        name="virchow2",
        title="Virchow2",
        revision="3158645804b69e3f3bc4439d4116edddf0840a72",
        dimension=2560,
        input_size=224,
        resize="bicubic",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        micro_batch=8,
        hub_id="paige-ai/Virchow2",
        licence="CC-BY-NC-ND-4.0",
        gated=True,
        source="Zimmermann et al. 2024, arXiv 2408.00738; model card of paige-ai/Virchow2",
        notes="Class token, then the mean of the 256 patch tokens (from token 5 on). Trained at 5x to 40x.",
    ),
    files=HubFiles(
        hub_id="paige-ai/Virchow2",
        revision="3158645804b69e3f3bc4439d4116edddf0840a72",
        weights="model.safetensors",
        sha256="8d6cea947eb2418c3b0dff48cfb9b238e47744ab0dfca21b2b0637b140769b4b",
        gated=True,
    ),
    architecture="vit_huge_patch14_224",
    options={
        "img_size": 224,
        "init_values": 1e-5,
        "num_classes": 0,
        "reg_tokens": 4,
        "mlp_ratio": 5.3375,
        "global_pool": "",
        "dynamic_img_size": True,
        "act_layer": "silu",
    },
    mlp="swiglu-packed",
    pooling="class+patch-mean",
)


def virchow2() -> TimmEncoder:
    """Virchow2: the headline encoder of Patho-FID, which no known generator conditions on."""
    return TimmEncoder(VIRCHOW2)
