"""Any text-to-image pipeline of the diffusers library."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from unipath_bench.contracts import Context, Generator, Request
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import GeneratorError, MissingError, UsageError
from unipath_bench.core.registry import suggest
from unipath_bench.generators._arguments import choice, integer, number, slug
from unipath_bench.generators._hub import (
    HubCommit,
    LocalFiles,
    Source,
    is_offline,
    lacking_in_cache,
    lacking_locally,
    parse_pinned,
    parse_source,
    unread_code,
)
from unipath_bench.generators._pipelines import DTYPES, add_lora, load_pipeline, to_uint8
from unipath_bench.schema.cards import GeneratorCard

_RESERVED = ("prompt", "generator", "output_type", "num_images_per_prompt", "return_dict")
_LORA_REMEDY = "LoRA weights need the package peft: pip install 'unipath-bench[lora]' (or: pip install peft)"


class DiffusersGenerator(Generator):
    """A ``DiffusionPipeline`` by Hub id and commit, or by local path.

    Each request has its own ``torch.Generator`` on the CPU, seeded by the request, and every call to the
    pipeline has the shape of ``micro_batch`` prompts (the last one padded, the padding dropped). At the
    default of 1 an image cannot depend on its neighbours; a larger one is faster on a GPU, but rounding may
    then depend on the neighbours, as may the text of a pipeline that pads prompts to the longest. Safety
    checkers and invisible watermarks are switched off, since they would alter tissue. Weights are safetensors
    only. A repository's own code runs with ``remote_code`` (it lies with the weights) or ``pipeline_code`` (a folder or
    ``owner/name@commit`` with ``pipeline.py``), and only where the run trusts it.

    ``model``: folder, or ``owner/name`` with ``revision`` the full commit. ``lora``: safetensors file, or
    ``owner/name@commit``; ``lora_scale`` multiplies its weights. ``steps``, ``guidance``, ``negative_prompt``:
    the pipeline's own defaults where None. ``height``, ``width``: output size in pixels, the suite's where
    None. ``dtype``: ``auto`` is bfloat16 on CUDA and float32 elsewhere. ``call_arguments``: further keyword
    arguments of the pipeline's call.
    """

    incidental: ClassVar[frozenset[str]] = frozenset({"model", "revision", "lora", "pipeline_code"})

    card = GeneratorCard(
        name="diffusers",
        title="A diffusers pipeline",
        adapter="diffusers",
        revision="as given",
        licence="as stated by the model",
    )

    def __init__(
        self,
        *,
        model: str | Path,
        revision: str | None = None,
        lora: str | Path | None = None,
        lora_scale: float = 1.0,
        steps: int | None = None,
        guidance: float | None = None,
        height: int | None = None,
        width: int | None = None,
        dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto",
        micro_batch: int = 1,
        negative_prompt: str | None = None,
        call_arguments: Mapping[str, Any] | None = None,
        remote_code: bool = False,
        pipeline_code: str | Path | None = None,
    ) -> None:
        self.source = parse_source("model", str(model), revision)
        self.lora = None if lora is None else _parse_lora(str(lora))
        self.lora_scale = number("diffusers", "lora_scale", lora_scale, 0.0)
        if self.lora is None and self.lora_scale != 1.0:
            raise UsageError("lora_scale is given for the diffusers model without lora.", "Give lora too, or neither.")
        self.code = None if pipeline_code is None else parse_pinned("pipeline_code", str(pipeline_code))
        self.remote_code = remote_code or self.code is not None
        self.dtype = choice("diffusers", "dtype", dtype, DTYPES)
        self.micro_batch = integer("diffusers", "micro_batch", micro_batch, 1)
        if (height is None) != (width is None):
            raise UsageError("Only one of height and width is given for the diffusers model.", "Give both, or neither.")
        self.settings: dict[str, Any] = {
            "num_inference_steps": None if steps is None else integer("diffusers", "steps", steps, 1),
            "guidance_scale": None if guidance is None else number("diffusers", "guidance", guidance, 0.0),
            "negative_prompt": negative_prompt,
        }
        self.call_arguments = dict(call_arguments or {})
        reserved = sorted(set(self.call_arguments) & {*_RESERVED, *self.settings, "height", "width"})
        if reserved:
            raise UsageError(
                f"call_arguments of the diffusers model sets {', '.join(reserved)}.",
                "Those are set by the request, or by steps, guidance, negative_prompt, height and width.",
            )
        arguments: dict[str, Any] = {
            "model": str(model),
            "revision": revision,
            "lora": None if lora is None else str(lora),
            "steps": steps,
            "guidance": guidance,
            "height": height,
            "width": width,
            "dtype": dtype,
            "micro_batch": micro_batch,
            "negative_prompt": negative_prompt,
            "call_arguments": self.call_arguments,
            "lora_scale": None if self.lora is None else self.lora_scale,
            "remote_code": self.remote_code or None,
            "pipeline_code": None if pipeline_code is None else str(pipeline_code),
        }
        self.card = type(self).card.model_copy(
            update={
                "name": f"diffusers-{slug(self.source.name)}",
                "title": f"{self.source.name} (diffusers)",
                "arguments": {name: value for name, value in arguments.items() if value not in (None, {})},
                "revision": self.source.revision,
                "height": None if height is None else integer("diffusers", "height", height, 1),
                "width": None if width is None else integer("diffusers", "width", width, 1),
                "url": f"https://huggingface.co/{model}" if isinstance(self.source, HubCommit) else "",
            }
        )
        self._pipeline: Any = None
        self._parameters: Mapping[str, inspect.Parameter] = {}

    def fingerprint(self) -> Mapping[str, Any]:
        """The Hub commit, or the digest of the local files' bytes; the same for LoRA weights and pipeline code."""
        parts = {"model": self.source, "lora": self.lora, "pipeline_code": self.code}
        return {name: source.fingerprint() for name, source in parts.items() if source is not None}

    def missing(self, context: Context) -> str | None:
        """What is lacking before loading; needs neither torch nor diffusers, and no network."""
        if self.lora is not None and find_spec("peft") is None:
            return _LORA_REMEDY
        if self.remote_code and not context.trust_remote_code:
            return unread_code(self.code or self.source)
        if isinstance(self.source, LocalFiles):
            return lacking_locally(self.source)
        return lacking_in_cache(self.source, context.cache_dir) if is_offline(context) else None

    def setup(self, context: Context) -> None:
        """Load the pipeline onto ``context.device``; downloads it unless offline or cached.

        Raises :class:`MissingError` where the Hub refuses or lacks the files, :class:`UsageError` where the
        pipeline does not take text or one of the arguments.
        """
        remedy = self.missing(context)
        if remedy is not None:
            raise MissingError(f"The model {self.source.name} cannot be loaded.", remedy)
        pipeline = load_pipeline(self.source, context, self.dtype, remote_code=self.remote_code, code=self.code)
        self._parameters = inspect.signature(pipeline.__call__).parameters
        self._check_parameters(type(pipeline).__name__)
        if self.lora is not None:
            add_lora(pipeline, self.lora, self.lora_scale, context)
        self._pipeline = pipeline.to(context.device)

    def generate(self, requests: Sequence[Request]) -> Sequence[RGBImage]:
        """One call of the pipeline for every ``micro_batch`` requests."""
        images: list[RGBImage] = []
        for start in range(0, len(requests), self.micro_batch):
            images.extend(self._call(requests[start : start + self.micro_batch]))
        return images

    def _call(self, requests: Sequence[Request]) -> list[RGBImage]:
        import torch

        padded = [*requests, *[requests[-1]] * (self.micro_batch - len(requests))]
        arguments: dict[str, Any] = {
            "prompt": [r.prompt for r in padded],
            "generator": [torch.Generator("cpu").manual_seed(r.seed) for r in padded],
            "output_type": "np",
            **{name: value for name, value in self.settings.items() if value is not None},
            **self.call_arguments,
        }
        if self.settings["negative_prompt"] is not None:
            arguments["negative_prompt"] = [self.settings["negative_prompt"]] * len(padded)
        if "height" in self._parameters and "width" in self._parameters:
            arguments |= {"height": padded[0].height, "width": padded[0].width}
        with torch.inference_mode():
            values = np.asarray(self._pipeline(**arguments).images)
        if len(values) != len(padded):
            raise GeneratorError(
                f"The pipeline returned {len(values)} images for {len(padded)} prompts.",
                "Only pipelines that return one image a prompt are supported.",
            )
        return [to_uint8(image, request) for image, request in zip(values, requests, strict=False)]

    def _check_parameters(self, pipeline: str) -> None:
        taken = [n for n, p in self._parameters.items() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        for name in ("prompt", "generator"):
            if name not in taken:
                raise UsageError(
                    f"{pipeline} takes no {name!r}, so it is no text-to-image pipeline.",
                    "Write an adapter for it: a Generator subclass, passed as --model module:attribute.",
                )
        needed = [n for n, p in self._parameters.items() if p.default is inspect.Parameter.empty]
        given = {
            "prompt",
            "height",
            "width",
            *self.call_arguments,
            *(n for n, v in self.settings.items() if v is not None),
        }
        lacking = [n for n in needed if n in taken and n not in given and n not in ("self", "args")]
        if lacking:
            raise UsageError(f"{pipeline} cannot run without {', '.join(lacking)}.", "Give them in call_arguments.")
        for name in given - {"prompt", "height", "width"}:
            if name not in taken:
                raise UsageError(f"{pipeline} takes no argument {name!r}.", suggest(name, sorted(taken), "argument"))


def _parse_lora(value: str) -> Source:
    source = parse_pinned("lora", value)
    if isinstance(source, LocalFiles) and source.path.suffix != ".safetensors":
        raise UsageError(f"lora={value} is no .safetensors file.", "Name the safetensors file itself.")
    return source
