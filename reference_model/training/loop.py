"""The training loop: AdamW, a moving average, checkpoints that resume exactly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from reference_model.training.config import ScheduleConfig
from reference_model.training.problem import Problem
from reference_model.training.tracking import Tracker
from unipath_bench import DataError, UsageError
from unipath_bench.core.files import replace_file
from unipath_bench.core.progress import Progress

STATE = "state.pt"
PLATEAU = "plateau.pt"
"""Checkpoint from before the rate falls: a longer training of the same kind goes on from it."""


def rate_at(schedule: ScheduleConfig, step: int) -> float:
    """The learning rate of step ``step``, counted from 0.

    It rises linearly, stays on a plateau, and falls linearly to reach zero after the last step.
    """
    rising = min(1.0, (step + 1) / (schedule.warmup + 1))
    falling = schedule.steps * schedule.decay
    left = (schedule.steps - step) / falling if falling else 1.0
    return schedule.rate * min(rising, 1.0, left)


def plateau_end(schedule: ScheduleConfig) -> int:
    """The first step at which the rate falls."""
    return int(schedule.steps * (1.0 - schedule.decay))


class Loop:
    """One stage's training: the weights, their moving average, the optimiser and the step."""

    def __init__(
        self,
        problem: Problem,
        schedule: ScheduleConfig,
        folder: Path,
        accelerator: Accelerator,
        progress: Progress,
        tracker: Tracker,
    ) -> None:
        if schedule.batch_size % accelerator.num_processes:
            raise UsageError(
                f"A batch of {schedule.batch_size} cannot be dealt out to {accelerator.num_processes} processes.",
                "Start a number of processes that divides it.",
            )
        self.problem, self.schedule, self.folder = problem, schedule, folder
        self.accelerator, self.progress, self.tracker = accelerator, progress, tracker
        self.step = 0
        self.ended = False
        named = dict(problem.modules.named_parameters())
        self.parameters = {name: p for name, p in named.items() if p.requires_grad}
        self.average = {name: p.detach().clone() for name, p in self.parameters.items()} if schedule.ema else {}
        self.optimiser = torch.optim.AdamW(
            list(self.parameters.values()),
            lr=schedule.rate,
            betas=schedule.betas,
            weight_decay=schedule.weight_decay,
            fused=True,
        )

    def run(self, until: int | None = None) -> dict[str, float]:
        """Train to the last step, or to ``until``, from the checkpoint in the folder if there is one.

        After the last step the averaged weights are in place and their figures are the result; where the training
        stopped at ``until``, the result is empty. The checkpoint is also written when the training is interrupted.
        """
        self._resume()
        last = self.schedule.steps if until is None else min(self.schedule.steps, until)
        self.progress.start(self.problem.name, self.schedule.steps, self.step)
        if not self.ended:
            self.problem.begin(self.step)
        try:
            while self.step < last and not self.ended:
                self._step()
        finally:
            self.progress.finish()
            self._save(STATE)
        if self.step < self.schedule.steps and not self.ended:
            return {}
        self._take_average()
        figures = self.problem.evaluate()
        self.tracker.log(self.problem.name, self.step, figures)
        self.tracker.flush()
        return figures

    def _step(self) -> None:
        schedule, ranks = self.schedule, self.accelerator.num_processes
        if self.step == plateau_end(schedule):
            self._save(PLATEAU)
        rate = rate_at(schedule, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.problem.loss(self.step, self.accelerator.process_index, schedule.batch_size // ranks)
        self.accelerator.backward(loss)
        norm = self._gradients()
        self.optimiser.step()
        self._follow()
        self.step += 1
        self.progress.advance(1)
        if self.step % schedule.report_every == 0:
            values = {"loss": float(loss.detach()), "gradient_norm": float(norm), "rate": rate}
            self.tracker.log(self.problem.name, self.step, values)
        if self.step % schedule.save_every == 0:
            self._save(STATE)
        if schedule.evaluate_every and self.step % schedule.evaluate_every == 0 and self.step < schedule.steps:
            with self.averaged():
                figures = self.problem.evaluate()
            self.tracker.log(self.problem.name, self.step, figures)
            self.ended = self.problem.is_done(figures)

    def _gradients(self) -> Tensor:
        """Average the gradients over the processes, one exchange for all, and clip them. Returns their norm before."""
        for parameter in self.parameters.values():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in self.parameters.values() if p.grad is not None]
        if self.accelerator.num_processes > 1:
            flat = torch.cat([g.flatten() for g in gradients])
            flat = self.accelerator.reduce(flat, "mean")
            for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
                gradient.copy_(part.view_as(gradient))
        norm = nn.utils.clip_grad_norm_(list(self.parameters.values()), self.schedule.clip)
        if not torch.isfinite(norm):
            raise DataError(
                f"The gradient of {self.problem.name} at step {self.step} is not finite.",
                "Lower the learning rate and go on from the last checkpoint.",
            )
        return norm

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average; over the first steps it follows faster: min(ema, (1 + n) / (10 + n))."""
        if self.average:
            decay = min(self.schedule.ema, (1 + self.step) / (10 + self.step))
            own = [p.detach() for p in self.parameters.values()]
            torch._foreach_lerp_(list(self.average.values()), own, 1.0 - decay)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The averaged weights in place of the present ones."""
        own = {name: p.detach().clone() for name, p in self.parameters.items()} if self.average else {}
        self._take_average()
        try:
            yield
        finally:
            _assign(self.parameters, own)

    def _take_average(self) -> None:
        _assign(self.parameters, self.average)

    def _save(self, name: str) -> None:
        if not self.accelerator.is_main_process:
            return
        state = {
            "step": self.step,
            "ended": self.ended,
            "weights": {n: p.detach() for n, p in self.parameters.items()},
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
        }
        replace_file(self.folder / name, lambda partial: torch.save(state, partial))
        self.tracker.flush()

    def _resume(self) -> None:
        path = self.folder / STATE
        if not path.is_file():
            return
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if set(state["weights"]) != set(self.parameters) or bool(state["average"]) != bool(self.average):
            raise DataError(f"{path} is of another model.", "Train into another folder, or delete it.")
        self.step, self.ended = int(state["step"]), bool(state["ended"])
        _assign(self.parameters, state["weights"])
        self.average = {name: value.to(self.accelerator.device) for name, value in state["average"].items()}
        self.optimiser.load_state_dict(state["optimiser"])


@torch.no_grad()
def _assign(parameters: dict[str, nn.Parameter], values: dict[str, Tensor]) -> None:
    for name, value in values.items():
        parameters[name].copy_(value)
