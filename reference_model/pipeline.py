"""UniPath as a diffusers pipeline: prompts, and prototypes of real tissue, to pathology images."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from diffusers import AutoencoderKL, DiffusionPipeline, FlowMatchEulerDiscreteScheduler, PixArtTransformer2DModel
from diffusers.image_processor import VaeImageProcessor
from diffusers.pipelines.pipeline_utils import ImagePipelineOutput
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin

from reference_model.bank.protocol import Bank
from reference_model.context import STREAMS, Context, parse_streams
from reference_model.denoiser import Denoiser
from reference_model.encoding import PromptEncoder
from reference_model.flow import model_timesteps, noised, sampling_sigmas
from reference_model.inputs import (
    Features,
    ImageInput,
    feature_list,
    generator_list,
    image_list,
    prompt_list,
    size_of,
)
from reference_model.language import language_of
from reference_model.prototypes import PrototypeProjector
from reference_model.semantic_tokens import SemanticTokens
from reference_model.vae import LatentScaling, PatchCode, in_full_precision, latent_scaling, pixels_per_latent
from reference_model.vision_tower import VisionTower
from unipath_bench import MissingError, UsageError

log = logging.getLogger("reference_model")
BANK_FOLDER = "bank"
StepCallback = Callable[["UniPathPipeline", int, Tensor, dict[str, Tensor]], dict[str, Tensor] | None]


class UniPathPipeline(DiffusionPipeline):
    """Text (and image) to image with three streams of control: raw text, semantic tokens, prototypes.

    Components: ``transformer`` (``PixArtTransformer2DModel``), ``vae`` (``AutoencoderKL`` or :class:`PatchCode`),
    ``language_model`` with ``tokenizer`` (``Qwen2_5_VLForConditionalGeneration``, or a text-only causal model),
    ``semantic_tokens``, ``prototype_projector``, ``scheduler`` (``FlowMatchEulerDiscreteScheduler``), optionally
    what lets the language model see: Qwen's ``processor``, or the ``vision_tower`` of a text-only one. ``bank`` finds
    prototypes; it is saved beside the components, in ``bank/``.

    Settings, kept in ``model_index.json``:

    - ``vae_shift``: ``sd3``, or ``upstream`` for the released weights (:class:`~reference_model.vae.LatentScaling`).
    - ``upstream_compat``: do as the released code does where this pipeline mends it: for a prompt encoded alone the
      attention mask is one token short, so the last query is hidden from itself; prompts encoded together
      (``prompt_batch`` > 1) get no token before the queries; a prompt past the limit is cut (with a warning).
    - ``max_text_tokens``, ``max_prototypes``: places of those streams in the context.
    - ``micro_batch``: latents in one call of the transformer and of the autoencoder, padded to that, so that an
      image does not depend on how many others are asked for. None: whatever is asked for, in one call.
    - ``prompt_batch``: prompts in one call of the language model and the projector.
    - ``expand``: whether the language model writes an attribute bundle first, unless a call says otherwise;
      ``expansion_tokens``: the longest bundle; ``expansion_batch``: bundles written in one pass, always full.
    - ``internal_encoders``: names of the encoders inside the bank; scores in them are coupled to the generator.
    - ``licence``: of the weights, an SPDX identifier where there is one.
    """

    model_cpu_offload_seq = "vision_tower->semantic_tokens->prototype_projector->language_model->transformer->vae"
    _optional_components: ClassVar[list[str]] = ["processor", "vision_tower"]
    _callback_tensor_inputs: ClassVar[list[str]] = ["latents"]

    transformer: PixArtTransformer2DModel
    vae: AutoencoderKL | PatchCode
    semantic_tokens: SemanticTokens
    prototype_projector: PrototypeProjector
    scheduler: FlowMatchEulerDiscreteScheduler
    processor: Any
    vision_tower: VisionTower | None

    def __init__(
        self,
        transformer: PixArtTransformer2DModel,
        vae: AutoencoderKL | PatchCode,
        language_model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        semantic_tokens: SemanticTokens,
        prototype_projector: PrototypeProjector,
        scheduler: FlowMatchEulerDiscreteScheduler,
        processor: ProcessorMixin | None = None,
        vision_tower: VisionTower | None = None,
        bank: Bank | None = None,
        vae_shift: str = "sd3",
        upstream_compat: bool = False,
        max_text_tokens: int = 128,
        max_prototypes: int = 16,
        micro_batch: int | None = 4,
        prompt_batch: int = 1,
        expand: bool = False,
        expansion_tokens: int = 96,
        expansion_batch: int = 8,
        internal_encoders: list[str] | None = None,
        licence: str = "",
    ) -> None:
        super().__init__()
        self.register_modules(
            transformer=transformer,
            vae=vae,
            language_model=language_model,
            tokenizer=tokenizer,
            semantic_tokens=semantic_tokens,
            prototype_projector=prototype_projector,
            scheduler=scheduler,
            processor=processor,
            vision_tower=vision_tower,
        )
        self.register_to_config(
            vae_shift=vae_shift,
            upstream_compat=upstream_compat,
            max_text_tokens=max_text_tokens,
            max_prototypes=max_prototypes,
            micro_batch=micro_batch,
            prompt_batch=prompt_batch,
            expand=expand,
            expansion_tokens=expansion_tokens,
            expansion_batch=expansion_batch,
            internal_encoders=list(internal_encoders or []),
            licence=licence,
        )
        self.bank = bank
        self.language = language_of(language_model, tokenizer)
        self.pixels_per_latent = pixels_per_latent(vae)
        self.image_processor = VaeImageProcessor(vae_scale_factor=self.pixels_per_latent)
        latent_scaling(vae, vae_shift)  # names a convention that is unknown now rather than at the first image
        _check_fit(transformer, vae, semantic_tokens, prototype_projector, vision_tower, self.language.hidden_size)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **kwargs: Any) -> Self:
        """Load what :meth:`save_pretrained` wrote, the bank included where it is a folder of this machine.

        ``dtype`` is float32 unless given. ``bank``: another bank, or None for none. All else as in diffusers.
        """
        chosen = "bank" in kwargs
        kwargs.setdefault("dtype", torch.float32)
        pipeline: Self = super().from_pretrained(str(pretrained_model_name_or_path), **kwargs)
        folder = Path(pretrained_model_name_or_path) / BANK_FOLDER
        if not chosen and folder.is_dir():
            from reference_model.bank import load_bank

            pipeline.bank = load_bank(folder)
        return pipeline

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """Write the components as safetensors, ``model_index.json`` and the bank."""
        super().save_pretrained(str(save_directory), **kwargs)
        if self.bank is not None:
            self.bank.save(Path(save_directory) / BANK_FOLDER)

    @property
    def scaling(self) -> LatentScaling:
        """From the autoencoder's code to the transformer's latents and back."""
        return latent_scaling(self.vae, self.config.vae_shift)

    @property
    def native_size(self) -> int:
        """Pixels a side that the transformer was trained at."""
        return int(self.transformer.config.sample_size) * self.pixels_per_latent

    @property
    def interrupt(self) -> bool:
        """Set to True (from a callback) to end the sampling after the current step."""
        return self._interrupt

    @interrupt.setter
    def interrupt(self, value: bool) -> None:
        self._interrupt = value

    _interrupt: bool = False

    def encoder(self, prompt_batch: int | None = None) -> PromptEncoder:
        """What turns prompts and prototypes into contexts, for training and inspection too."""
        return PromptEncoder(
            language=self.language,
            queries=self.semantic_tokens,
            projector=self.prototype_projector,
            text_places=int(self.config.max_text_tokens),
            prototype_places=int(self.config.max_prototypes),
            prompt_batch=int(self.config.prompt_batch if prompt_batch is None else prompt_batch),
            expansion_batch=int(self.config.expansion_batch),
            upstream_compat=bool(self.config.upstream_compat),
        )

    def prototypes_of(self, texts: Sequence[str], images: Sequence[Image.Image] | None) -> list[np.ndarray[Any, Any]]:
        """What the bank gives for each prompt or attribute bundle, an image's own features first: P arrays (k, width).

        Raises :class:`~unipath_bench.MissingError` where there is no bank.
        """
        if self.bank is None:
            raise MissingError(
                "The prototype stream is on, and the pipeline has no prototype bank.",
                "Set pipeline.bank, give prototypes=, or leave the stream out: streams=('text', 'semantic').",
            )
        places = int(self.config.max_prototypes)
        if images is None:
            return [self.bank.retrieve(text, limit=places).features for text in texts]
        found = []
        for text, image in zip(texts, images, strict=True):
            own = self.bank.embed_image(np.asarray(image))[None]
            found.append(np.concatenate([own, self.bank.retrieve(text, limit=places - 1).features]))
        return found

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str],
        num_images_per_prompt: int = 1,
        num_inference_steps: int = 30,
        guidance_scale: float = 3.0,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        height: int | None = None,
        width: int | None = None,
        image: ImageInput | Sequence[ImageInput] | None = None,
        strength: float = 0.6,
        streams: Sequence[str] = STREAMS,
        prototypes: Features | Sequence[Features] | None = None,
        expand: bool | None = None,
        truncate: bool = False,
        latents: Tensor | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: StepCallback | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        cache_context: bool = True,
    ) -> ImagePipelineOutput | tuple[Any]:
        """Draw images: ``num_images_per_prompt`` for each prompt, prompt by prompt.

        Args:
            prompt: one prompt or several.
            num_images_per_prompt: images drawn for each prompt, at least 1.
            num_inference_steps: steps from noise to an image, at least 1. With ``image``, only the last ``strength`` of
                them, rounded to whole steps, are taken.
            guidance_scale: scale of classifier-free guidance; at 1 the unconditional half is not computed.
            generator: with one ``torch.Generator`` per image, each image is a function of its own request alone.
            height: pixels; the native size where None.
            width: pixels; the native size where None.
            image: PIL or uint8 (H, W, 3) reference, one for all prompts or one per prompt. Images are drawn from its
                noised latents, with its own features as the first prototype unless ``prototypes`` are given.
            strength: noise added to ``image``, in [0, 1]: 0 gives the image back as the autoencoder sees it, 1 starts
                from noise alone.
            streams: those of "text", "semantic" and "prototype" that are on.
            prototypes: features (k, width) for each prompt, instead of the bank's.
            expand: let the language model write an attribute bundle first, read it with the prompt, and find
                prototypes by it: in the language model's own words, whatever the prompt's. None: as configured.
            truncate: cut prompts past the token limit, with a warning, instead of raising.
            latents: float32 (N, C, h, w) noise instead of the generators'.
            output_type: ``pil``, ``np`` (N, H, W, 3) in [0, 1], ``pt`` (N, 3, H, W) in [0, 1], or ``latent``.
            return_dict: return an ``ImagePipelineOutput``, whose ``images`` are the result, instead of a tuple of one.
            callback_on_step_end: called as ``callback(pipeline, index, timestep, {"latents": ...})``; may return
                latents to continue with.
            callback_on_step_end_tensor_inputs: as in diffusers; the callback can be given "latents" alone.
            cache_context: keep the keys and values of the context over the steps; off for checks only.

        Raises :class:`~unipath_bench.BenchError` for arguments that do not fit, a prompt past the limit, or a
        prototype stream without a bank.
        """
        prompts = prompt_list(prompt)
        chosen = parse_streams(streams)
        if not 0.0 <= strength <= 1.0:
            raise UsageError(f"strength={strength} is not in [0, 1].", "Give a number from 0 to 1.")
        if num_inference_steps < 1 or num_images_per_prompt < 1:
            raise UsageError("There is nothing to draw.", "Steps and images a prompt are at least 1.")
        if output_type not in ("pil", "np", "pt", "latent"):
            raise UsageError(f"output_type={output_type!r} is unknown.", "Choose pil, np, pt or latent.")
        unknown = sorted(set(callback_on_step_end_tensor_inputs) - set(self._callback_tensor_inputs))
        if unknown:
            raise UsageError(f"A callback cannot see {', '.join(unknown)}.", "It can see latents.")
        patch = int(self.transformer.config.patch_size)
        size = size_of(height, width, self.native_size, self.pixels_per_latent * patch)
        count = len(prompts) * num_images_per_prompt
        generators = generator_list(generator, count)
        images = None if image is None else image_list(image, len(prompts))
        self._interrupt = False

        expanding = bool(self.config.expand) if expand is None else expand
        context, owner_of = self._contexts(prompts, images, prototypes, chosen, expanding, truncate)
        owners = [owner for owner in owner_of for _ in range(num_images_per_prompt)]
        self.scheduler.set_timesteps(sigmas=sampling_sigmas(num_inference_steps), device=self._execution_device)
        begin = 0 if images is None else num_inference_steps - int(num_inference_steps * strength + 0.5)
        self.scheduler.set_begin_index(begin)
        latents = self._start(latents, generators, images, size, begin, num_images_per_prompt)
        latents = self._sample(latents, context, owners, guidance_scale, begin, cache_context, callback_on_step_end)
        results: Any = latents
        if output_type != "latent":
            results = self.image_processor.postprocess(self.decode(latents), output_type=output_type)
        self.maybe_free_model_hooks()
        return ImagePipelineOutput(images=results) if return_dict else (results,)

    def _contexts(
        self,
        prompts: list[str],
        images: list[Image.Image] | None,
        prototypes: Features | Sequence[Features] | None,
        streams: Sequence[Any],
        expand: bool,
        truncate: bool,
    ) -> tuple[Context, list[int]]:
        """The contexts to compute, each once, and for every prompt which of them is its own."""
        features: Sequence[Any] | None = None
        if prototypes is not None:
            features = feature_list(prototypes, len(prompts))
        if prototypes is None and images is None:
            distinct = list(dict.fromkeys(prompts))
            owners = [distinct.index(p) for p in prompts]
        else:
            distinct, owners = prompts, list(range(len(prompts)))
        encoder = self.encoder()
        expansions = encoder.expand(distinct, int(self.config.expansion_tokens)) if expand else None
        if features is None and "prototype" in streams:
            features = self.prototypes_of(
                [b or p for b, p in zip(expansions or distinct, distinct, strict=True)], images
            )
        context = encoder.encode(distinct, features, streams=streams, expansions=expansions, truncate=truncate)
        return context, owners

    def _start(
        self,
        latents: Tensor | None,
        generators: list[torch.Generator | None],
        images: list[Image.Image] | None,
        size: tuple[int, int],
        begin: int,
        repeats: int,
    ) -> Tensor:
        """The latents that sampling starts from, float32 (N, C, h, w)."""
        device = self._execution_device
        height, width = (side // self.pixels_per_latent for side in size)
        shape = (1, int(self.transformer.config.in_channels), height, width)
        if latents is None:
            draws = [randn_tensor(shape, generator=g, device=device, dtype=torch.float32) for g in generators]
            latents = torch.cat(draws)
        elif tuple(latents.shape) != (len(generators), *shape[1:]):
            raise UsageError(
                f"The latents have the shape {tuple(latents.shape)}.", f"They need {(len(generators), *shape[1:])}."
            )
        noise = latents.to(device=device, dtype=torch.float32)
        if images is None:
            return noise
        clean = torch.cat([self.encode_image(image, size) for image in images]).repeat_interleave(repeats, dim=0)
        sigma = self.scheduler.sigmas[begin].expand(len(noise))
        return noised(clean.to(device), noise, sigma)

    def _sample(
        self,
        latents: Tensor,
        context: Context,
        owners: list[int],
        guidance: float,
        begin: int,
        cached: bool,
        callback: StepCallback | None,
    ) -> Tensor:
        steps = self.scheduler.timesteps[begin:]
        if not len(steps):
            return latents
        micro_batch = self.config.micro_batch
        denoiser = Denoiser(self.transformer, context, guidance, micro_batch, cached=cached)
        with denoiser.ready(), self.progress_bar(total=len(steps)) as bar:
            for index, (step, timestep) in enumerate(zip(steps, model_timesteps(steps).tolist(), strict=True)):
                flow = denoiser.velocity(latents, timestep, owners)
                latents = self.scheduler.step(flow, step, latents, return_dict=False)[0]
                if callback is not None:
                    changed = callback(self, index, step, {"latents": latents}) or {}
                    latents = changed.get("latents", latents)
                bar.update()
                if self._interrupt:
                    break
        return latents

    @torch.no_grad()
    def encode_image(self, image: Image.Image, size: tuple[int, int]) -> Tensor:
        """One image, resized to ``size`` (height, width) where it differs, to latents, float32 (1, C, h, w)."""
        pixels = self.image_processor.preprocess(image, height=size[0], width=size[1])
        with in_full_precision(self.vae):
            code = self.vae.encode(pixels.to(device=self._execution_device, dtype=self.vae.dtype)).latent_dist.mode()
        return self.scaling.to_latents(code.float())

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Latents (N, C, h, w) to images, float32 (N, 3, H, W) in about [-1, 1], ``micro_batch`` at a time."""
        codes = self.scaling.to_code(latents.float())
        size = self.config.micro_batch or len(codes)
        parts = []
        with in_full_precision(self.vae):
            for start in range(0, len(codes), size):
                here = codes[start : start + size]
                padded = torch.cat([here, here[-1:].expand(size - len(here), -1, -1, -1)])
                images = self.vae.decode(padded.to(self.vae.dtype), return_dict=False)[0]
                parts.append(images[: len(here)].float())
        return torch.cat(parts)


def _check_fit(transformer: Any, vae: Any, queries: Any, projector: Any, tower: Any, hidden: int) -> None:
    """Raises :class:`~unipath_bench.UsageError` where the components do not fit together."""
    widths = {
        "the language model": hidden,
        "the transformer's caption_channels": transformer.config.caption_channels,
        "the semantic tokens": queries.config.hidden_size,
        "the prototype projector": projector.config.hidden_size,
    }
    if tower is not None:
        widths["the vision tower"] = tower.config.hidden_size
    if len(set(widths.values())) > 1:
        told = ", ".join(f"{name} {value}" for name, value in widths.items())
        raise UsageError(f"The components have different widths: {told}.", "They come from different models.")
    channels = {transformer.config.in_channels, transformer.out_channels, vae.config.latent_channels}
    if len(channels) > 1:
        raise UsageError(
            f"Transformer and autoencoder have different latent channels: {sorted(channels)}.",
            "Set in_channels and out_channels to the autoencoder's latent_channels.",
        )
