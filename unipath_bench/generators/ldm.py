"""Latent diffusion models in the layout of CompVis: a YAML configuration, a checkpoint and the package ``ldm``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from unipath_bench.contracts import Context, Generator, Request
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import DataError, GeneratorError, MissingError, UsageError
from unipath_bench.generators._arguments import integer, number, slug
from unipath_bench.generators._hub import LocalFiles, lacking_file, local_copy, parse_pinned
from unipath_bench.generators._pipelines import to_uint8
from unipath_bench.schema.base import read_yaml
from unipath_bench.schema.cards import GeneratorCard

if TYPE_CHECKING:
    import torch

ALLOWED = ("ldm.", "cldm.", "torch.nn.")
"""Where the classes lie that a configuration may name: it is data, and must not call anything else."""

_TEXT_FILES = ("*.json", "*.txt", "*.safetensors", "pytorch_model.bin")


class LatentDiffusionGenerator(Generator):
    """A text-to-image latent diffusion model of the CompVis kind (PathLDM, PathDiff), sampled by DDIM.

    ``config``: its YAML file; ``checkpoint``: safetensors, or a checkpoint whose tensors load with ``weights_only``.
    The code is the package ``ldm`` of the model's own repository, which must be importable. ``text_encoder``: folder or
    ``owner/name@commit`` that takes the place of the hub id in the configuration, which has no revision. ``prefix`` is
    put before every prompt. ``steps``, ``guidance``, ``eta``: of the sampler. ``null_mask``, ``mask_channels``: the
    value and channels of the mask that stands for none, where the model reads masks too. ``height``, ``width``: the
    output's size in pixels, which the configuration decides. ``code``: in words, where the model's code and files are
    to be had, for messages.

    A request's seed decides its starting noise and all noise drawn later, on the CPU for the first; each request has a
    call of its own. Rombach et al. 2022, arXiv 2112.10752; DDIM: Song et al. 2021, arXiv 2010.02502.
    """

    incidental: ClassVar[frozenset[str]] = frozenset({"config", "checkpoint", "text_encoder"})

    card = GeneratorCard(
        name="ldm",
        title="A latent diffusion model (CompVis layout)",
        adapter="ldm",
        revision="by content",
        licence="as stated by the model",
    )

    def __init__(
        self,
        *,
        config: str | Path,
        checkpoint: str | Path,
        text_encoder: str | Path | None = None,
        prefix: str = "",
        steps: int = 50,
        guidance: float = 1.5,
        eta: float = 0.0,
        null_mask: int | None = None,
        mask_channels: int = 6,
        height: int = 256,
        width: int = 256,
        code: str = "",
    ) -> None:
        self.config, self.checkpoint = Path(config).expanduser(), Path(checkpoint).expanduser()
        self.text_encoder = None if text_encoder is None else parse_pinned("text_encoder", str(text_encoder))
        self.prefix = prefix
        self.steps = integer("ldm", "steps", steps, 1)
        self.guidance = number("ldm", "guidance", guidance, 0.0)
        self.eta = number("ldm", "eta", eta, 0.0)
        self.null_mask = None if null_mask is None else integer("ldm", "null_mask", null_mask, 0, 255)
        self.mask_channels = integer("ldm", "mask_channels", mask_channels, 1)
        self.height, self.width = integer("ldm", "height", height, 1), integer("ldm", "width", width, 1)
        self.code = code
        arguments = {
            "config": str(config),
            "checkpoint": str(checkpoint),
            "prefix": prefix,
            "steps": steps,
            "text_encoder": None if text_encoder is None else str(text_encoder),
            "guidance": guidance,
            "eta": eta,
            "null_mask": null_mask,
            "mask_channels": None if null_mask is None else mask_channels,
            "height": height,
            "width": width,
            "code": code,
        }
        self.card = type(self).card.model_copy(
            update={
                "name": f"ldm-{slug(self.checkpoint.stem)}",
                "title": f"{self.checkpoint.stem} (latent diffusion)",
                "arguments": {name: value for name, value in arguments.items() if value not in (None, "")},
                "height": self.height,
                "width": self.width,
            }
        )
        self._model: Any = None
        self._sampler: Any = None
        self._device = "cpu"
        self._shape: tuple[int, int, int] = (0, 0, 0)

    def fingerprint(self) -> Mapping[str, Any]:
        """Digests of configuration and checkpoint; the text encoder's commit or digest."""
        files = {
            "config": LocalFiles(self.config).fingerprint(),
            "checkpoint": LocalFiles(self.checkpoint).fingerprint(),
        }
        return files if self.text_encoder is None else {**files, "text_encoder": self.text_encoder.fingerprint()}

    def missing(self, context: Context) -> str | None:
        """What is lacking: files, the text encoder, or the packages whose classes the configuration names."""
        for argument, path in (("config", self.config), ("checkpoint", self.checkpoint)):
            if not path.is_file():
                return f"There is no file {path}. {self._get()}Then name it: --model-arg {argument}=FILE"
        named = sorted({target.split(".")[0] for target in _targets(_read(self.config))} | {"ldm", "omegaconf"})
        absent = [name for name in named if find_spec(name) is None]
        if absent:
            return (
                f"The packages {', '.join(absent)} cannot be imported. {self._get()}Then put that folder on PYTHONPATH "
                "and install what its environment.yaml lists (pip install omegaconf einops pytorch-lightning). Where "
                "its old versions do not go together with this package, generate there and use --images DIR here."
            )
        if self.text_encoder is not None:
            return lacking_file(self.text_encoder, "config.json", context)
        return None

    def setup(self, context: Context) -> None:
        """Build the network and load the checkpoint onto ``context.device``.

        Raises :class:`MissingError` where something is not there, :class:`UsageError` for a configuration that names
        anything but the model's own classes, :class:`DataError` where the checkpoint does not fill the network.
        """
        remedy = self.missing(context)
        if remedy is not None:
            raise MissingError(f"The model {self.card.name} cannot be loaded.", remedy)
        document = _read(self.config)
        _refuse_foreign(document, self.config)
        _forget_paths(document)
        parameters = document["model"]["params"]
        if self.text_encoder is not None:
            folder = local_copy(self.text_encoder, context, "text encoder", _TEXT_FILES)
            parameters["cond_stage_config"].setdefault("params", {})["version"] = str(folder)
        if "device" in parameters.get("cond_stage_config", {}).get("params", {}):
            parameters["cond_stage_config"]["params"]["device"] = context.device
        settings = import_module("omegaconf").OmegaConf.create(document)
        model = import_module("ldm.util").instantiate_from_config(settings.model)
        _fill(model, self.checkpoint)
        self._model = model.to(context.device).eval()
        self._sampler = import_module("ldm.models.diffusion.ddim").DDIMSampler(self._model)
        side = int(parameters["image_size"])
        self._device, self._shape = context.device, (int(parameters["channels"]), side, side)

    def generate(self, requests: Sequence[Request]) -> Sequence[RGBImage]:
        """One run of the sampler a request."""
        return [self._draw(request) for request in requests]

    def _draw(self, request: Request) -> RGBImage:
        import torch

        devices = [self._device] if self._device.startswith("cuda") else []
        with torch.inference_mode(), torch.random.fork_rng(devices):
            torch.manual_seed(request.seed)
            start = torch.randn((1, *self._shape)).to(self._device)
            asked = self._condition(self.prefix + request.prompt, request)
            samples, _ = self._sampler.sample(
                self.steps,
                1,
                list(self._shape),
                asked,
                eta=self.eta,
                x_T=start,
                verbose=False,
                unconditional_guidance_scale=self.guidance,
                unconditional_conditioning=self._condition("", request),
            )
            pixels = self._model.decode_first_stage(samples)[0].float().cpu()
        image = torch.clamp((pixels + 1) / 2, 0, 1) if bool(torch.isfinite(pixels).all()) else pixels
        result = to_uint8(image.permute(1, 2, 0).numpy(), request)
        if result.shape[:2] != (request.height, request.width):
            raise GeneratorError(
                f"The model drew {result.shape[1]} x {result.shape[0]} pixels, not {request.width} x {request.height}.",
                "Give the size that it draws: --model-arg height=... --model-arg width=...",
            )
        return result

    def _condition(self, text: str, request: Request) -> Any:
        import torch

        context = self._model.get_learned_conditioning([text])
        if self.null_mask is None:
            return context
        shape = (1, self.mask_channels, request.height, request.width)
        mask = torch.full(shape, float(self.null_mask), device=self._device)
        return {"c_crossattn": [context], "c_concat": [mask]}

    def _get(self) -> str:
        return f"Get it from {self.code}. " if self.code else ""


def _read(path: Path) -> dict[str, Any]:
    document = read_yaml(path)
    try:
        parameters = document["model"]["params"]
        known = {"channels", "image_size", "cond_stage_config"} <= set(parameters)
    except (KeyError, TypeError):
        known = False
    if not known:
        raise UsageError(
            f"{path} is no configuration of a latent diffusion model.",
            "It has model.params with channels, image_size and cond_stage_config, as the checkpoint's own has.",
        )
    result: dict[str, Any] = {"model": document["model"]}
    return result


def _sections(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _sections(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _sections(inner)


def _targets(document: dict[str, Any]) -> list[str]:
    return [str(section["target"]) for section in _sections(document) if "target" in section]


def _refuse_foreign(document: dict[str, Any], path: Path) -> None:
    foreign = [target for target in _targets(document) if not target.startswith(ALLOWED)]
    if foreign:
        raise UsageError(
            f"{path} names {', '.join(foreign)}, which do not begin with {', '.join(ALLOWED)}.",
            "A configuration is data: take it from the model's own repository.",
        )


def _forget_paths(document: dict[str, Any]) -> None:
    """The checkpoint holds every part, so the parts' own paths on the authors' machine are left out."""
    for section in _sections(document):
        section.pop("ckpt_path", None)


def _fill(model: Any, checkpoint: Path) -> None:
    try:
        state = _state(checkpoint)
    except (RuntimeError, ValueError, OSError, KeyError) as error:
        raise MissingError(
            f"The checkpoint {checkpoint} is not safetensors, and not tensors alone: {str(error).splitlines()[0]}",
            'Convert it in a place where you trust it: python -c "import torch; from safetensors.torch import '
            "save_file; save_file({k: v.contiguous() for k, v in torch.load('FILE.ckpt', map_location='cpu', "
            "weights_only=False)['state_dict'].items()}, 'FILE.safetensors')\"",
        ) from error
    missing, _ = model.load_state_dict(state, strict=False)
    absent = [name for name in missing if not name.endswith("position_ids")]
    if absent:
        raise DataError(
            f"The checkpoint {checkpoint} lacks {len(absent)} tensors of the network, such as {absent[0]}.",
            "Checkpoint and configuration must be of one training run.",
        )


def _state(checkpoint: Path) -> dict[str, torch.Tensor]:
    from pickle import UnpicklingError  # nosec B403  # the error alone

    import torch

    if checkpoint.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(checkpoint)
    try:
        loaded: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise ValueError(str(error)) from error
    state: dict[str, torch.Tensor] = loaded.get("state_dict", loaded)
    return state
