"""UniPath as a generator of the benchmark: ``--model unipath``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from unipath_bench import (
    Context,
    DataError,
    Generator,
    GeneratorCard,
    GeneratorError,
    MissingError,
    Request,
    UsageError,
)

if TYPE_CHECKING:
    from reference_model.pipeline import UniPathPipeline

SHIPPED = Path(__file__).parent / "weights" / "unipath-tiny"
_DTYPES = ("auto", "float32", "float16", "bfloat16")
_STREAMS = ("text", "semantic", "prototype")
_SAVE_REMEDY = "Name the folder that python -m reference_model.convert or pipeline.save_pretrained() wrote."


class UniPathGenerator(Generator):
    """The reference model, from a folder of this machine.

    ``pipeline``: folder that ``save_pretrained`` or ``reference_model.convert`` wrote; the shipped unipath-tiny where
    None. ``steps``, ``guidance``: of the sampler. ``streams``: those that are on, as a list or "text,semantic".
    ``expand``: read the attribute bundle that the language model writes first; None: as the pipeline is configured.
    ``truncate``: cut prompts past the token limit instead of raising. ``strength``: of image-to-image, for requests
    with an image. ``dtype``: ``auto`` is bfloat16 on CUDA and float32 elsewhere. ``offload``: components go to the
    device one after the other.

    Each request has its own ``torch.Generator`` on the CPU, and the pipeline calls its models in one fixed shape, so
    an image depends on its request alone.

    Examples:
        The card says how the shipped model is sampled; where a folder holds no pipeline, the remedy is said beforehand.

        >>> generator = UniPathGenerator(steps=10, streams="semantic,text")
        >>> generator.card.name, generator.card.arguments["steps"], generator.card.arguments["streams"]
        ('unipath', 10, ['text', 'semantic'])
        >>> UniPathGenerator(pipeline="nowhere").missing(Context()).partition(". ")[0]
        'nowhere holds no pipeline'
    """

    incidental: ClassVar[frozenset[str]] = frozenset({"pipeline", "offload"})

    card = GeneratorCard(
        name="unipath",
        title="UniPath",
        adapter="unipath",
        revision="by content",
        licence="as stated by the weights",
        conditions_on=("prompt", "image"),
        citation="UniPath, arXiv 2512.21058",
    )

    def __init__(
        self,
        *,
        pipeline: str | Path | None = None,
        steps: int = 30,
        guidance: float = 3.0,
        streams: str | Sequence[str] = _STREAMS,
        expand: bool | None = None,
        truncate: bool = False,
        strength: float = 0.6,
        dtype: str = "auto",
        offload: bool = False,
    ) -> None:
        self.folder = SHIPPED if pipeline is None else Path(pipeline).expanduser()
        self.dtype = _choice("dtype", dtype, _DTYPES)
        self.offload = _flag("offload", offload)
        named = streams.replace(" ", "").split(",") if isinstance(streams, str) else list(streams)
        chosen = [_choice("streams", name, _STREAMS) for name in named if name]
        self.settings: dict[str, Any] = {
            "num_inference_steps": _number("steps", steps, 1, whole=True),
            "guidance_scale": _number("guidance", guidance, 0),
            "streams": tuple(name for name in _STREAMS if name in chosen),
            "expand": None if expand is None else _flag("expand", expand),
            "truncate": _flag("truncate", truncate),
        }
        self.strength = _number("strength", strength, 0, 1)
        index = self._index()
        name = "unipath" if pipeline is None else f"unipath-{self.folder.resolve().name}"
        self.card = type(self).card.model_copy(
            update={
                "name": name,
                "licence": index.get("licence") or type(self).card.licence,
                "internal_encoders": tuple(index.get("internal_encoders") or ()),
                "arguments": {
                    **({} if pipeline is None else {"pipeline": str(pipeline)}),
                    "steps": steps,
                    "guidance": guidance,
                    "streams": list(self.settings["streams"]),
                    "expand": expand,
                    "truncate": truncate,
                    "strength": strength,
                    "dtype": dtype,
                    "offload": offload,
                },
            }
        )
        self._pipeline: UniPathPipeline | None = None

    def fingerprint(self) -> Mapping[str, Any]:
        """Digest of the name and bytes of every file of the pipeline, hidden ones and documents (.md) excepted."""
        state = hashlib.sha256()
        for path in sorted(p for p in self.folder.rglob("*") if p.is_file()):
            name = path.relative_to(self.folder)
            if path.suffix == ".md" or any(part.startswith(".") for part in name.parts):
                continue
            with path.open("rb") as stream:
                inner = hashlib.file_digest(stream, "sha256").hexdigest()
            state.update(f"{name.as_posix()}\n{inner}\n".encode())
        return {"pipeline": state.hexdigest()}

    def missing(self, context: Context) -> str | None:
        """The remedy where the folder holds no pipeline, or a component's files are not there."""
        if not (self.folder / "model_index.json").is_file():
            return f"{self.folder} holds no pipeline. {_SAVE_REMEDY}"
        parts = [name for name, value in self._index().items() if isinstance(value, list) and _is_component(value)]
        absent = [name for name in parts if not any((self.folder / name).glob("*"))]
        if "prototype" in self.settings["streams"] and not (self.folder / "bank").is_dir():
            return (
                f"{self.folder} has no prototype bank (bank/). Convert one with --bank RAG_8K, build one with "
                "`unipath-bench prototypes build`, or leave the stream out: --model-arg streams=text,semantic"
            )
        return f"{self.folder} lacks {', '.join(absent)}. {_SAVE_REMEDY}" if absent else None

    def check(self, requests: Sequence[Request]) -> None:
        """Count the prompts' tokens; loads the tokenizer alone.

        Raises one :class:`~unipath_bench.DataError` with all prompts past the raw-text limit, unless they are to be
        cut.
        """
        index = self._index()
        if not index or self.settings["truncate"] or index.get("upstream_compat"):
            return
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.folder / "tokenizer", local_files_only=True)  # nosec B615
        prompts = sorted({request.prompt for request in requests})
        lengths = [len(ids) for ids in tokenizer(prompts, add_special_tokens=False)["input_ids"]] if prompts else []
        limit = int(index["max_text_tokens"])
        long = [f"  - {n} tokens: {p}" for n, p in zip(lengths, prompts, strict=True) if n > limit]
        if long:
            raise DataError(
                f"{len(long)} prompts are longer than the {limit} tokens that the raw-text stream reads:\n"
                + "\n".join([*long[:10], *([f"  - ... and {len(long) - 10} more"] if len(long) > 10 else [])]),
                "Shorten them, or cut them with --model-arg truncate=true.",
            )

    def setup(self, context: Context) -> None:
        """Load the pipeline onto ``context.device``. Raises :class:`~unipath_bench.MissingError` where it cannot."""
        self._pipeline = self.load(context)

    def load(self, context: Context) -> UniPathPipeline:
        """The pipeline on ``context.device``, as :meth:`setup` keeps it."""
        remedy = self.missing(context)
        if remedy is not None:
            raise MissingError(f"The pipeline {self.folder.name} cannot be loaded.", remedy)
        import torch

        from reference_model.pipeline import UniPathPipeline

        dtype = self.dtype
        if dtype == "auto":
            dtype = "bfloat16" if context.device.startswith("cuda") else "float32"
        try:
            pipeline = UniPathPipeline.from_pretrained(
                self.folder, dtype=getattr(torch, dtype), use_safetensors=True, local_files_only=True
            )
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"The pipeline {self.folder} cannot be loaded: {error}", _SAVE_REMEDY) from error
        pipeline.set_progress_bar_config(disable=True)
        if self.offload:
            pipeline.enable_model_cpu_offload(device=context.device)
        else:
            pipeline.to(context.device)
        return pipeline

    def generate(self, requests: Sequence[Request]) -> Sequence[npt.NDArray[np.uint8]]:
        """One call of the pipeline for the requests of one size, with and without an image apart."""
        images: dict[int, npt.NDArray[np.uint8]] = {}
        groups: dict[tuple[int, int, bool], list[int]] = {}
        for index, request in enumerate(requests):
            groups.setdefault((request.height, request.width, request.image is not None), []).append(index)
        for group in groups.values():
            images.update(zip(group, self._draw([requests[i] for i in group]), strict=True))
        return [images[index] for index in range(len(requests))]

    def _draw(self, requests: list[Request]) -> list[npt.NDArray[np.uint8]]:
        import torch

        if self._pipeline is None:
            raise GeneratorError("The generator unipath is not set up.", "Call setup(context) first.")
        references = [r.image for r in requests if r.image is not None]
        extra: dict[str, Any] = {"image": references, "strength": self.strength} if references else {}
        output = self._pipeline(
            [r.prompt for r in requests],
            generator=[torch.Generator("cpu").manual_seed(r.seed) for r in requests],
            height=requests[0].height,
            width=requests[0].width,
            output_type="np",
            return_dict=False,
            **self.settings,
            **extra,
        )
        values = np.asarray(output[0])
        if not np.isfinite(values).all():
            raise GeneratorError("UniPath drew NaN or infinite pixels.", "Give --model-arg dtype=float32.")
        return list(np.clip(np.rint(values * 255.0), 0, 255).astype(np.uint8))

    def _index(self) -> dict[str, Any]:
        """``model_index.json``, empty where there is none: :meth:`missing` then says so."""
        path = self.folder / "model_index.json"
        if not path.is_file():
            return {}
        try:
            index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise DataError(f"{path} is no JSON: {error}", _SAVE_REMEDY) from error
        return index


def _is_component(value: list[Any]) -> bool:
    return len(value) == 2 and all(isinstance(part, str) for part in value)


def _choice(name: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise UsageError(f"The generator 'unipath' got {name}={value!r}.", f"Choose from {', '.join(allowed)}.")
    return value


def _flag(name: str, value: bool) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"The generator 'unipath' got {name}={value!r}.", "Give true or false.")
    return value


def _number(name: str, value: float, low: float, high: float = float("inf"), *, whole: bool = False) -> float:
    fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool) and low <= value <= high
    if not fits:
        kind = "a whole number" if whole else "a number"
        raise UsageError(
            f"The generator 'unipath' got {name}={value!r}.", f"Give {kind} from {low} to {high}, the ends included."
        )
    return value
