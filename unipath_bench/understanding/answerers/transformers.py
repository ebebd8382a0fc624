"""Any image-text-to-text model of the transformers library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from unipath_bench.contracts import Context
from unipath_bench.core.errors import DataError, MissingError, UsageError
from unipath_bench.encoders.loading import exact_inference, torch_device
from unipath_bench.generators._arguments import choice, integer
from unipath_bench.generators._hub import HubCommit, LocalFiles, parse_source
from unipath_bench.understanding.contracts import Answerer, AskedQuestion
from unipath_bench.understanding.record import AnswererCard

_DTYPES = ("auto", "float32", "float16", "bfloat16")


class TransformersAnswerer(Answerer):
    """A vision-language model by transformers, decoded greedily with at most ``max_new_tokens``.

    ``model``: a folder that ``save_pretrained`` wrote (with its processor), or a hub id with ``revision``, a full
    commit, that is in the cache. ``dtype``: ``auto`` is bfloat16 on CUDA and float32 elsewhere. Code that comes with
    weights is never run.
    """

    def __init__(
        self,
        *,
        model: str,
        revision: str | None = None,
        max_new_tokens: int = 16,
        dtype: str = "auto",
        licence: str = "as stated by its authors",
    ) -> None:
        self.source = parse_source("model", model, revision)
        self.max_new_tokens = integer("transformers", "max_new_tokens", max_new_tokens, 1)
        self.dtype = choice("transformers", "dtype", dtype, _DTYPES)
        self.card = AnswererCard(
            name=self.source.name,
            revision=self.source.revision,
            licence=licence,
            arguments={"model": model, "max_new_tokens": max_new_tokens, "dtype": dtype},
        )
        self._model: Any = None
        self._processor: Any = None

    def fingerprint(self) -> Mapping[str, Any]:
        """The SHA-256 of a local model's files, or repository and commit of one from the hub."""
        return self.source.fingerprint()

    def missing(self, context: Context) -> str | None:
        """The remedy where the folder has no configuration or weights, or the hub's files are not in the cache."""
        if isinstance(self.source, LocalFiles):
            if not (self.source.path / "config.json").is_file():
                return f"{self.source.path} holds no config.json: name the folder that save_pretrained() wrote."
            if not any(self.source.path.glob("*.safetensors")):
                return f"{self.source.path} holds no safetensors file; save with safe_serialization=True."
            return None
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(
            self.source.repository, "config.json", cache_dir=context.cache_dir, revision=self.source.commit
        )
        return None if isinstance(found, str) else f"Fetch it once: hf download {_named(self.source)}"

    def setup(self, context: Context) -> None:
        """Load model and processor. Raises :class:`~unipath_bench.DataError` where the files do not serve."""
        remedy = self.missing(context)
        if remedy is not None:
            raise MissingError(f"The model {self.card.name} is not on this machine.", remedy)
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        device = torch_device(context)
        dtype = self.dtype
        if dtype == "auto":
            dtype = "bfloat16" if device.type == "cuda" else "float32"
        place, options = _place(self.source)
        try:
            processor = AutoProcessor.from_pretrained(  # nosec B615  # revision is given
                place, local_files_only=True, trust_remote_code=False, cache_dir=context.cache_dir, **options
            )
            model = AutoModelForImageTextToText.from_pretrained(  # nosec B615  # revision is given
                place,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                cache_dir=context.cache_dir,
                dtype=getattr(torch, dtype),
                **options,
            )
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"{self.card.name} cannot be loaded as an image-text-to-text model: {error}",
                "Save model and processor into one folder with save_pretrained().",
            ) from error
        if getattr(processor, "chat_template", None) is None:
            raise DataError(f"The processor of {self.card.name} has no chat template.", "Save one with the processor.")
        self._processor, self._model = processor, model.to(device).eval()

    def answer(self, questions: Sequence[AskedQuestion]) -> Sequence[str]:
        """Answer the questions one by one, each reply decoded without special tokens.

        Raises :class:`UsageError` before :meth:`setup`.
        """
        if self._model is None:
            raise UsageError("The transformers answerer was not set up.", "Call setup(Context()) first.")
        # One at a time: padding beside longer questions would change rounding, and so perhaps an answer.
        return [self._ask(question) for question in questions]

    def _ask(self, question: AskedQuestion) -> str:
        content = [
            {"type": "image", "image": Image.fromarray(question.image)},
            {"type": "text", "text": question.prompt},
        ]
        with exact_inference():
            inputs = self._processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            ).to(self._model.device)
            if "pixel_values" in inputs:
                inputs["pixel_values"] = inputs["pixel_values"].to(self._model.dtype)
            output = self._model.generate(**inputs, do_sample=False, max_new_tokens=self.max_new_tokens)
        reply: str = self._processor.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return reply


def _place(source: LocalFiles | HubCommit) -> tuple[str | Path, dict[str, str]]:
    return (source.path, {}) if isinstance(source, LocalFiles) else (source.repository, {"revision": source.commit})


def _named(source: HubCommit) -> str:
    return f"{source.repository} --revision {source.commit}"
