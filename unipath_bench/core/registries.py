"""The registries of the framework, one an entry-point group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unipath_bench.core.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from unipath_bench.contracts import Generator, ImageEncoder, Metric, Suite, TextEncoder
    from unipath_bench.encoders.pretrained import EncoderLoader
    from unipath_bench.options import OutputSettings
    from unipath_bench.pipeline.executors import Executor, Job
    from unipath_bench.views.output import Output

SUITES: Registry[Callable[..., Suite]] = Registry("suite", "unipath_bench.suites")
"""Suite classes or factories; called with ``--data`` as ``data`` and ``--suite-arg`` as keyword arguments."""

GENERATORS: Registry[Callable[..., Generator]] = Registry("generator", "unipath_bench.generators")
"""Generator classes or factories; called with the card's ``arguments`` as keyword arguments."""

ENCODERS: Registry[Callable[[], ImageEncoder | TextEncoder]] = Registry(
    "encoder", "unipath_bench.encoders", opener="unipath_bench.encoders.custom:from_file"
)
"""Encoder classes or factories without arguments; a YAML file is a specification of one."""

ENCODER_LOADERS: Registry[EncoderLoader] = Registry("encoder loader", "unipath_bench.encoder_loaders")
"""Who builds the network of an encoder's specification; named by :attr:`EncoderSpec.loader`."""

EXECUTORS: Registry[Callable[[Job], Executor]] = Registry("executor", "unipath_bench.executors")
"""Executor classes or factories; called with the :class:`~unipath_bench.pipeline.executors.Job`."""

METRICS: Registry[Metric] = Registry("metric", "unipath_bench.metrics", own_name=lambda metric: metric.name)
"""Metric objects, made by :func:`unipath_bench.contracts.metric`, under the names of their functions."""

OUTPUTS: Registry[Callable[[OutputSettings], Output]] = Registry("output", "unipath_bench.outputs")
"""Output classes or factories; called with the user's settings before a run."""

TASKS: Registry[Path | Callable[[], Path]] = Registry("task collection", "unipath_bench.tasks")
"""A folder of task YAML files, or a function that returns one."""

COMMANDS: Registry[Any] = Registry("command", "unipath_bench.commands")
"""Typer applications that become subcommands of ``unipath-bench``."""
