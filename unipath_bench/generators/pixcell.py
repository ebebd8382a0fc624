"""PixCell: a diffusion transformer that is conditioned on an encoder's features of reference images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from unipath_bench.contracts import Context, Generator, ImageEncoder, Request
from unipath_bench.core.arrays import Features, RGBImage
from unipath_bench.core.digest import digest
from unipath_bench.core.errors import DataError, MissingError, UsageError
from unipath_bench.core.registries import ENCODERS
from unipath_bench.generators._arguments import choice, integer, number, slug
from unipath_bench.generators._hub import (
    HubCommit,
    LocalFiles,
    explain,
    is_offline,
    lacking_file,
    lacking_in_cache,
    lacking_locally,
    local_copy,
    parse_pinned,
    parse_source,
    unread_code,
)
from unipath_bench.generators._pipelines import DTYPES, load_pipeline, to_uint8, torch_dtype
from unipath_bench.generators._references import References
from unipath_bench.schema.cards import GeneratorCard

_VAE_FILES = ("vae/*.json", "vae/*.safetensors")


class PixCellGenerator(Generator):
    """PixCell in its published diffusers layout: weights, code and autoencoder lie in three repositories.

    ``model`` (with ``revision``): transformer and scheduler. ``pipeline_code``: the repository of ``pipeline.py``; its
    code runs only where the run trusts it. ``vae``: a repository whose folder ``vae`` holds the autoencoder, or that
    folder. All three: a path, or ``owner/name@commit``. ``encoder``: the image encoder that the model was trained with.
    ``references``: an image folder with a ``train`` split, from which a request without an image of its own gets a
    reference with its labels (:class:`References`). ``height``, ``width``: of references and output, in pixels.

    The transformer states how many feature vectors it reads: a square number g x g. The reference is cut into as many
    equal tiles, row by row, and each is embedded. Each request has its own ``torch.Generator`` on the CPU and a call of
    its own, so an image depends on its request alone.

    Yellapragada et al. 2025, arXiv 2506.05127.
    """

    incidental: ClassVar[frozenset[str]] = frozenset({"model", "revision", "pipeline_code", "vae", "references"})
    answers_paraphrases: ClassVar[bool] = False
    """It reads no text."""

    card = GeneratorCard(
        name="pixcell",
        title="PixCell",
        adapter="pixcell",
        revision="as given",
        licence="as stated by the model",
        conditions_on=("image",),
        citation="Yellapragada et al. 2025, arXiv 2506.05127",
    )

    def __init__(
        self,
        *,
        model: str | Path,
        pipeline_code: str | Path,
        vae: str | Path,
        revision: str | None = None,
        references: str | Path | None = None,
        encoder: str = "uni2-h",
        steps: int = 20,
        guidance: float = 1.5,
        height: int = 256,
        width: int = 256,
        dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto",
    ) -> None:
        self.source = parse_source("model", str(model), revision)
        self.code = parse_pinned("pipeline_code", str(pipeline_code))
        self.vae = parse_pinned("vae", str(vae))
        self.steps = integer("pixcell", "steps", steps, 1)
        self.guidance = number("pixcell", "guidance", guidance, 0.0)
        self.height = integer("pixcell", "height", height, 8)
        self.width = integer("pixcell", "width", width, 8)
        self.dtype = choice("pixcell", "dtype", dtype, DTYPES)
        found = ENCODERS.get(encoder)()
        if not isinstance(found, ImageEncoder):
            raise UsageError(f"encoder={encoder} reads no images.", "Name the encoder that the model was trained with.")
        self.encoder = found
        self.references = (
            None if references is None else References(Path(references).expanduser(), self.height, self.width)
        )
        arguments = {
            "model": str(model),
            "revision": revision,
            "pipeline_code": str(pipeline_code),
            "vae": str(vae),
            "references": None if references is None else str(references),
            "encoder": encoder,
            "steps": steps,
            "guidance": guidance,
            "height": height,
            "width": width,
            "dtype": dtype,
        }
        self.card = type(self).card.model_copy(
            update={
                "name": f"pixcell-{slug(self.source.name)}",
                "title": f"{self.source.name} (PixCell)",
                "arguments": {name: value for name, value in arguments.items() if value is not None},
                "revision": self.source.revision,
                "height": self.height,
                "width": self.width,
                "conditions_on": ("image",) if references is None else ("image", "attributes"),
                "internal_encoders": (encoder,),
                "url": f"https://huggingface.co/{model}" if isinstance(self.source, HubCommit) else "",
            }
        )
        self._pipeline: Any = None
        self._side = 1

    def fingerprint(self) -> Mapping[str, Any]:
        """Commits or file digests of weights, code and autoencoder; the references and the encoder's card."""
        return {
            "model": self.source.fingerprint(),
            "pipeline_code": self.code.fingerprint(),
            "vae": self.vae.fingerprint(),
            "references": None if self.references is None else self.references.revision,
            "encoder": digest(self.encoder.card.model_dump(mode="json")),
        }

    def missing(self, context: Context) -> str | None:
        """What is lacking before loading: trust, the encoder's weights, or files of the three repositories."""
        if not context.trust_remote_code:
            return unread_code(self.code)
        lacking = self.encoder.missing(context)
        if lacking is not None:
            return f"PixCell reads features of {self.encoder.card.name}. {lacking}"
        if isinstance(self.source, LocalFiles):
            lacking = lacking_locally(self.source)
        elif is_offline(context):
            lacking = lacking_in_cache(self.source, context.cache_dir)
        return lacking or lacking_file(self.code, "pipeline.py", context) or self._lacking_vae(context)

    def check(self, requests: Sequence[Request]) -> None:
        """Raise :class:`DataError` where a request has neither an image nor a reference with its labels."""
        for request in requests:
            if request.image is None:
                self._given(request).choose(request)

    def setup(self, context: Context) -> None:
        """Load the encoder, the autoencoder and the pipeline onto ``context.device``.

        Raises :class:`MissingError` where something is not there, :class:`UsageError` where the encoder's features are
        not of the size that the transformer reads.
        """
        remedy = self.missing(context)
        if remedy is not None:
            raise MissingError(f"The model {self.source.name} cannot be loaded.", remedy)
        self.encoder.setup(context)
        components = {"vae": self._load_vae(context)}
        pipeline = load_pipeline(
            self.source, context, self.dtype, remote_code=True, code=self.code, components=components
        )
        reads = pipeline.transformer.config.caption_channels
        if reads != self.encoder.card.dimension:
            raise UsageError(
                f"{self.source.name} reads features of {reads} dimensions, and those of {self.encoder.card.name} have "
                f"{self.encoder.card.dimension}.",
                "Name the encoder that it was trained with: --model-arg encoder=...",
            )
        tokens = int(pipeline.transformer.config.caption_num_tokens)
        self._side = isqrt(tokens)
        if self._side**2 != tokens or self.height % self._side or self.width % self._side:
            raise UsageError(
                f"{self.source.name} reads {tokens} feature vectors, into which {self.width} x {self.height} pixels "
                "cannot be cut.",
                "Give the height and width that it was trained at.",
            )
        self._pipeline = pipeline.to(context.device)

    def generate(self, requests: Sequence[Request]) -> Sequence[RGBImage]:
        """One call of the pipeline a request."""
        return [self._draw(request) for request in requests]

    def _draw(self, request: Request) -> RGBImage:
        import torch

        pipeline = self._pipeline
        like = {"device": pipeline.device, "dtype": pipeline.transformer.dtype}
        features = self._embed(self._tiles(request))
        with torch.inference_mode():
            values = pipeline(
                uni_embeds=torch.from_numpy(features)[None].to(**like),
                negative_uni_embeds=pipeline.get_unconditional_embedding(1).to(**like),
                num_inference_steps=self.steps,
                guidance_scale=self.guidance,
                height=self.height,
                width=self.width,
                generator=torch.Generator("cpu").manual_seed(request.seed),
                output_type="np",
            ).images
        return to_uint8(np.asarray(values)[0], request)

    def _given(self, request: Request) -> References:
        if self.references is None:
            raise DataError(
                f"{self.card.name} is conditioned on images, and the request for {request.sample_id} has none.",
                "Give training images of the same classes: --model-arg references=FOLDER (laid out as for --suite "
                "folder, below train/).",
            )
        return self.references

    def _reference(self, request: Request) -> RGBImage:
        if request.image is not None:
            return request.image
        references = self._given(request)
        return references.load(references.choose(request))

    def _tiles(self, request: Request) -> list[RGBImage]:
        """The reference's tiles, row by row."""
        image = self._reference(request)
        if image.shape[:2] != (self.height, self.width):
            raise DataError(
                f"The reference of {request.sample_id} is {image.shape[1]} x {image.shape[0]}, and the model reads "
                f"{self.width} x {self.height}.",
                "Crop references yourself at the model's scale: the benchmark never resizes.",
            )
        height, width = self.height // self._side, self.width // self._side
        return [
            image[y : y + height, x : x + width]
            for y in range(0, self.height, height)
            for x in range(0, self.width, width)
        ]

    def _embed(self, tiles: Sequence[RGBImage]) -> Features:
        """Features float32 (tiles, D), in batches of exactly the encoder's ``micro_batch``."""
        size = self.encoder.card.micro_batch
        padded = np.stack([*tiles, *[tiles[-1]] * (-len(tiles) % size)])
        parts = [self.encoder.embed_images(padded[i : i + size]) for i in range(0, len(padded), size)]
        return np.concatenate(parts)[: len(tiles)]

    def _lacking_vae(self, context: Context) -> str | None:
        if isinstance(self.vae, LocalFiles) and (self.vae.path / "config.json").is_file():
            return None
        return lacking_file(self.vae, "vae/config.json", context)

    def _load_vae(self, context: Context) -> Any:
        folder = local_copy(self.vae, context, "autoencoder", _VAE_FILES)
        from diffusers import AutoencoderKL

        inner = folder / "vae"
        try:
            return AutoencoderKL.from_pretrained(
                str(inner if inner.is_dir() else folder), dtype=torch_dtype(self.dtype, context), use_safetensors=True
            )
        except (OSError, ValueError, KeyError) as error:
            raise explain(error, self.vae, "autoencoder") from error
