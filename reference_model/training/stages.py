"""The stages of a training, each in a folder of its own, gone on with where an earlier run left it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import AutoencoderKL
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    Qwen2_5_VLForConditionalGeneration,
)

from reference_model.language import TextLanguage
from reference_model.pipeline import UniPathPipeline
from reference_model.tiny_language import query_token_id
from reference_model.training.alignment import Alignment, alignment_targets, open_patch_encoder
from reference_model.training.assembly import build_pipeline
from reference_model.training.coding import CodingProblem, KLProblem, PatchProblem
from reference_model.training.config import (
    KLCodeConfig,
    PatchCodeConfig,
    ScheduleConfig,
    TinyLanguageConfig,
    TrainingConfig,
)
from reference_model.training.contexts import ContextTable, Rows, semantic_table
from reference_model.training.exercises import Exercises
from reference_model.training.flow_matching import FlowProblem, Latents
from reference_model.training.loop import Loop
from reference_model.training.mixed_precision import SinglePrecisionAttention
from reference_model.training.problem import Problem
from reference_model.training.prototypes_stage import find_prototypes, image_features, make_bank, near_prototypes
from reference_model.training.reading import ReadingProblem
from reference_model.training.seeing import SeeingProblem
from reference_model.training.sources import CaptionSource, caption_source
from reference_model.training.tiles import ORIENTATIONS, Tiles, load_tiles, oriented, to_pixels, write_array
from reference_model.training.tracking import Tracker
from reference_model.vae import PatchCode
from reference_model.vision_tower import VisionTower
from unipath_bench import Context, Suite, UsageError
from unipath_bench.core.digest import digest, digest_strings
from unipath_bench.core.files import write_text
from unipath_bench.core.progress import Progress
from unipath_bench.core.registries import SUITES

CONFIG, DONE = "config.json", "done.json"


class Training:
    """A configuration at work in a folder."""

    def __init__(self, config: TrainingConfig, folder: Path, accelerator: Accelerator, progress: Progress) -> None:
        self.config, self.folder, self.accelerator, self.progress = config, folder, accelerator, progress
        self.device: torch.device = accelerator.device
        self.tracker = Tracker(folder, active=accelerator.is_main_process)
        self._check_folder()

    def run(self, flow_steps: int | None = None) -> UniPathPipeline | None:
        """Run every stage in turn, write the pipeline to ``folder/pipeline`` and return it.

        ``flow_steps`` stops the last stage early, with a checkpoint; the result is then None.
        """
        self.tracker.open(self.config)
        tiles = self.tiles()
        source = caption_source(self.config.data.suite.name, tiles.samples, self.config.data, self.config.seed)
        pipeline = self.assembled(tiles, source)
        figures = self.flow(pipeline, tiles, source, flow_steps)
        self.tracker.close()
        if not figures:
            return None
        self.store(pipeline)
        if self.accelerator.is_main_process:
            self._done("flow", figures)
        self.accelerator.wait_for_everyone()
        return pipeline

    def store(self, pipeline: UniPathPipeline) -> None:
        """Write the pipeline to ``folder/pipeline``; its weights are then those that were written, in float32."""
        parts: list[Any] = [
            pipeline.transformer,
            pipeline.language_model,
            pipeline.semantic_tokens,
            pipeline.prototype_projector,
            *([] if pipeline.vision_tower is None else [pipeline.vision_tower]),
        ]
        # Parameters alone: the table of positions is computed, not stored.
        weights = [parameter for part in parts for parameter in part.parameters()]
        for parameter in weights:
            parameter.data = parameter.data.to(getattr(torch, self.config.stored_as))
        # diffusers keeps where a component was read from; that place is this machine's own affair.
        for part in (pipeline.vae, pipeline.vision_tower):
            if part is not None:
                part.register_to_config(_name_or_path="")
        if self.accelerator.is_main_process:
            pipeline.save_pretrained(self.folder / "pipeline")
        for parameter in weights:
            parameter.data = parameter.data.float()

    def suite(self) -> Suite:
        """Where the training tiles come from."""
        return SUITES.get(self.config.data.suite.name)(**self.config.data.suite.arguments)

    def tiles(self) -> Tiles:
        """The training tiles."""
        data = self.config.data
        with self._main_first():
            return load_tiles(self.suite(), data.tiles, data.side, self.folder / "cache", self.progress)

    def assembled(self, tiles: Tiles, source: CaptionSource) -> UniPathPipeline:
        """The pipeline as it is before the last stage."""
        vae = self.code(tiles)
        language_model, tokenizer = self.language(source)
        bank = None
        if self.config.bank is not None:
            with self._main_first():
                bank = make_bank(self.config.bank, self.folder / "bank", self.config.seed, self.progress)
        config = self.config.language
        tower, keys = None, []
        if isinstance(config, TinyLanguageConfig):
            token = query_token_id(tokenizer)
            exercises = Exercises(TextLanguage(language_model, tokenizer), source.attributes, token)
            tower, keys = self.vision(tiles, exercises), exercises.keys
        else:
            token = config.query_token_id
        pipeline = build_pipeline(
            self.config,
            vae=vae,
            language_model=language_model,
            tokenizer=tokenizer,
            keys=keys,
            query_token=token,
            vision_tower=tower,
            bank=bank,
        )
        pipeline.set_progress_bar_config(disable=True)
        pipeline.to(self.device)
        return pipeline

    def code(self, tiles: Tiles) -> Any:
        """The latent code: trained in this folder, or another's."""
        config = self.config.code
        if not isinstance(config, PatchCodeConfig | KLCodeConfig):
            return AutoencoderKL.from_pretrained(config.path)
        problem: CodingProblem
        if isinstance(config, PatchCodeConfig):
            problem = PatchProblem(tiles, config, self.config.seed, self.device)
        else:
            problem = KLProblem(tiles, config, self.config.seed, self.device)

        def save(folder: Path) -> None:
            if isinstance(problem, KLProblem):
                problem.set_scaling()
            problem.vae.save_pretrained(folder)

        folder = self._stage(problem, config.schedule, save)
        kind = PatchCode if isinstance(config, PatchCodeConfig) else AutoencoderKL
        return kind.from_pretrained(folder).eval()

    def language(self, source: CaptionSource) -> tuple[Any, Any]:
        """The language model and its tokenizer, as :meth:`code`."""
        config = self.config.language
        if config.kind == "pretrained":
            folder = config.path
        else:
            problem = ReadingProblem(source, config, self.config.seed, self.device)

            def save(folder: Path) -> None:
                problem.model.save_pretrained(folder)
                problem.tokenizer.save_pretrained(folder)

            folder = self._stage(problem, config.schedule, save)
        multimodal = "vision_config" in AutoConfig.from_pretrained(folder).to_dict()  # nosec B615  # a local folder
        kind = Qwen2_5_VLForConditionalGeneration if multimodal else AutoModelForCausalLM
        model = kind.from_pretrained(folder, dtype=torch.float32)
        # AutoTokenizer would take the tiny model's folder for one of Qwen's own, byte-level, tokenizers.
        tokenizer = PreTrainedTokenizerFast if config.kind == "tiny" else AutoTokenizer
        return model.eval().requires_grad_(False), tokenizer.from_pretrained(folder)

    def vision(self, tiles: Tiles, exercises: Exercises) -> VisionTower | None:
        """The vision tower, where there is to be one."""
        if self.config.vision is None:
            return None
        exercises.language.model.requires_grad_(False)
        problem = SeeingProblem(tiles, self.config.vision, exercises, self.config.seed, self.device)
        folder = self._stage(problem, self.config.vision.schedule, problem.tower.save_pretrained)
        tower: VisionTower = VisionTower.from_pretrained(folder).eval()
        return tower

    def flow(
        self, pipeline: UniPathPipeline, tiles: Tiles, source: CaptionSource, until: int | None
    ) -> dict[str, float]:
        """Train the transformer; the figures are empty where it stopped at ``until``."""
        config, transformer = self.config.flow, pipeline.transformer
        problem = FlowProblem(
            transformer,
            self.contexts(pipeline, tiles, source),
            self.latents(pipeline, tiles),
            [sample.labels for sample in tiles.samples],
            config,
            self.config.seed,
            self.device,
            self.alignment(transformer, tiles),
        )
        own = dict(transformer.attn_processors)
        if config.precision == "bfloat16" and self.device.type == "cpu":
            transformer.set_attn_processor(SinglePrecisionAttention())
        try:
            loop = Loop(problem, config.schedule, self.folder / "flow", self.accelerator, self.progress, self.tracker)
            return loop.run(until)
        finally:
            transformer.set_attn_processor(own)

    def alignment(self, transformer: Any, tiles: Tiles) -> Alignment | None:
        """What the transformer is aligned with, where the configuration asks for it."""
        config = self.config.flow.align
        if config is None:
            return None
        encoder = open_patch_encoder(config.encoder, Context(device=self.device.type))
        side = int(transformer.config.sample_size) // int(transformer.config.patch_size)
        key = digest_strings(
            [encoder.card.digest(), str(side), *(s.id for s in tiles.samples), str(tiles.images.shape)]
        )
        targets = self._kept("alignment", key, len(tiles), lambda a: alignment_targets(encoder, tiles, side, a))
        return Alignment(transformer, targets, config.block, self.config.seed, self.device)

    def contexts(self, pipeline: UniPathPipeline, tiles: Tiles, source: CaptionSource) -> ContextTable:
        """The table of every training caption."""
        encoder = pipeline.encoder(prompt_batch=64)
        count = self.config.data.captions
        cells = [(row, index) for row in range(len(tiles)) for index in range(count)]
        texts = [source.of_tile(row, index).text for row, index in cells]
        read = [source.for_reading(row, index) for row, index in cells]
        found: Rows | None = None
        near: Rows | None = None
        features = semantic = None
        bank: Any = pipeline.bank
        if bank is not None:
            asked = [source.complete(row, index) for row, index in cells]
            most = self.config.transformer.max_prototypes
            key = digest_strings([*asked, *bank.content.ids, bank.card.model_dump_json(), str(most)])
            found = self._kept("prototypes", key, len(asked), lambda a: find_prototypes(bank, asked, most, a))
            features = np.asarray(bank.content.payload, np.float32)
            if self.config.flow.neighbours:
                suite, samples = self.suite(), tiles.samples
                key = digest_strings([bank.card.model_dump_json(), suite.revision, *(sample.id for sample in samples)])
                own = self._kept("features", key, len(samples), lambda a: image_features(bank, suite, samples, a))
                near = near_prototypes(features, own, most)
                features = np.concatenate([features, own])
        if not self.config.flow.train_queries:
            weights = pipeline.language_model.state_dict() | {"queries": pipeline.semantic_tokens()}
            key = digest_strings([*read, *(f"{n}{w.double().sum().item()!r}" for n, w in weights.items())])
            semantic = self._kept("semantic", key, len(read), lambda a: semantic_table(encoder, read, a))
        return ContextTable(encoder, texts, read, count, found, features, semantic, near)

    def latents(self, pipeline: UniPathPipeline, tiles: Tiles) -> Latents:
        """Latents of every tile in every orientation, float16 (8, N, C, h, w), on disk."""
        vae, scaling = pipeline.vae, pipeline.scaling
        state = [f"{n}{w.double().sum().item()!r}" for n, w in vae.state_dict().items() if "decoder" not in n]
        key = digest_strings([*state, str(scaling), *(s.id for s in tiles.samples), str(tiles.images.shape)])

        @torch.no_grad()
        def encode(advance: Callable[[int], None]) -> Latents:
            parts: list[list[Any]] = [[] for _ in range(ORIENTATIONS)]
            for start in range(0, len(tiles), 128):
                pixels = to_pixels(tiles.images[start : start + 128]).to(self.device)
                for turn in range(ORIENTATIONS):
                    code = vae.encode(oriented(pixels, turn)).latent_dist.mode()
                    parts[turn].append(scaling.to_latents(code).cpu().numpy().astype(np.float16))
                advance(len(pixels))
            return np.stack([np.concatenate(part) for part in parts])

        latents: Latents = self._kept("latents", key, len(tiles), encode)
        return latents

    def _stage(self, problem: Problem, schedule: ScheduleConfig, save: Callable[[Path], None]) -> Path:
        """Train and save a stage's result unless that was done; its folder."""
        folder = self.folder / problem.name
        if not (folder / DONE).is_file():
            loop = Loop(problem, schedule, folder, self.accelerator, self.progress, self.tracker)
            figures = loop.run()
            if self.accelerator.is_main_process:
                save(folder)
                self._done(problem.name, figures)
            self.accelerator.wait_for_everyone()
        return folder

    def _kept(self, name: str, key: str, total: int, make: Callable[[Callable[[int], None]], Any]) -> Any:
        """An array that is computed once, by the first process, and read from the cache afterwards."""
        path = self.folder / "cache" / f"{name}-{key[:16]}.npy"
        with self._main_first():
            if not path.is_file():
                self.progress.start(name.capitalize(), total)
                array = make(self.progress.advance)
                self.progress.finish()
                write_array(path, array)
        return np.load(path, mmap_mode="r", allow_pickle=False)

    def _main_first(self) -> Any:
        return self.accelerator.main_process_first()

    def _done(self, stage: str, figures: dict[str, float]) -> None:
        write_text(self.folder / stage / DONE, json.dumps({"figures": figures}, indent=2) + "\n")

    def _check_folder(self) -> None:
        """Refuse a folder of another configuration; lengths, rates and tracking may change."""
        path = self.folder / CONFIG
        own = json.loads(self.config.model_dump_json())
        if path.is_file():
            before = json.loads(path.read_text(encoding="utf-8"))
            changed = [k for k in own if digest(_essence(own[k])) != digest(_essence(before.get(k)))]
            if changed:
                raise UsageError(
                    f"{self.folder} holds a training of another configuration: {', '.join(changed)} differ.",
                    "Name another folder with --out, or delete this one.",
                )
        if self.accelerator.is_main_process:
            write_text(path, json.dumps(own, indent=2) + "\n")
        self.accelerator.wait_for_everyone()


def _essence(value: Any) -> Any:
    """A part of the configuration without what may change between a training and its continuation."""
    if isinstance(value, dict):
        free = ("steps", "decay", "report_every", "save_every", "evaluate_every", "uri", "experiment")
        return {k: _essence(v) for k, v in value.items() if k not in free}
    return value
