"""``python -m reference_model.train CONFIG``: train the reference model, stage by stage.

The same command goes on where it was interrupted. Several processes share each batch: ``accelerate launch --multi_gpu
-m reference_model.train CONFIG`` on GPUs, ``torchrun --nproc_per_node 2 -m reference_model.train CONFIG`` on the CPU.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from reference_model.training.config import TrainingConfig, read_config
from unipath_bench import BenchError, UsageError
from unipath_bench.cli.drawing import RichProgress
from unipath_bench.core.console import Console, ConsoleHandler
from unipath_bench.core.progress import Silent

CONFIGS = Path(__file__).parent / "configs"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 for success, 2 for what the user can mend."""
    parser = argparse.ArgumentParser(prog="python -m reference_model.train", description=__doc__)
    parser.add_argument("config", help="YAML file, or the name of one of: " + ", ".join(shipped()))
    parser.add_argument("--out", type=Path, help="folder of the training; default: trainings/NAME")
    parser.add_argument("--check", action="store_true", help="check sizes on the meta device and train nothing")
    parser.add_argument(
        "--flow-steps", type=positive, help="stop the last stage after this many steps, with a checkpoint"
    )
    parser.add_argument(
        "--threads",
        type=positive,
        default=1,
        help="threads of each process; a resumed training equals an uninterrupted one to the byte with 1 (the default)",
    )
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    try:
        config = read_config(find(options.config))
        if options.check:
            tell_sizes(config, Console())
            return 0
        train(config, options.out or Path("trainings") / config.name, console, options.flow_steps, options.threads)
    except BenchError as error:
        console.print_line(str(error), "red")
        return 2
    return 0


def positive(text: str) -> int:
    """A count of at least one, as argparse asks for a type."""
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{count} is less than 1; give 1 or more")
    return count


def train(config: TrainingConfig, out: Path, console: Console, flow_steps: int | None, threads: int) -> None:
    """Run every stage in ``out``; progress is drawn by the main process."""
    import torch
    from accelerate import Accelerator

    from reference_model.training.stages import Training

    # Without being told, accelerate takes processes on the CPU for trainings of their own.
    accelerator = Accelerator(cpu=not torch.accelerator.is_available())
    torch.set_num_threads(threads)
    level = logging.INFO if accelerator.is_main_process else logging.ERROR
    logging.basicConfig(level=level, handlers=[ConsoleHandler(console)], format="%(message)s")
    logging.getLogger("reference_model").setLevel(logging.WARNING)
    with ExitStack() as stack:
        drawn = accelerator.is_main_process
        progress = stack.enter_context(RichProgress(console)) if drawn else Silent()
        pipeline = Training(config, out, accelerator, progress).run(flow_steps)
    if accelerator.is_main_process:
        told = f"Written to {out / 'pipeline'}" if pipeline is not None else f"Stopped; the checkpoint is in {out}"
        console.print_line(told)


def tell_sizes(config: TrainingConfig, console: Console) -> None:
    """Print what the configuration makes."""
    from reference_model.training.checking import check

    shapes = check(config)
    console.print_line(f"latents {shapes.latents}, {shapes.tokens} tokens, context {shapes.context}")
    for name, count in shapes.parameters.items():
        console.print_line(f"{name:<20}{count:>14,}")


def shipped() -> list[str]:
    """Names of the configurations that come with the package."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def find(name: str) -> Path:
    """The file of that path, or the shipped configuration of that name."""
    if name in shipped():
        return CONFIGS / f"{name}.yaml"
    if Path(name).is_file():
        return Path(name)
    raise UsageError(f"There is no configuration {name!r}.", f"Give a YAML file, or one of {', '.join(shipped())}.")


if __name__ == "__main__":
    sys.exit(main())
