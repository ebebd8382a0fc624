"""Who writes the captions: the suite itself, an endpoint, or a function of yours."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from reference_model.curation.contracts import Captioner, CaptionError
from unipath_bench import DataError, Sample, UsageError
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.builder import build, check_arguments
from unipath_bench.core.registry import load_attribute

_NOUN, _OPTION = "captioner", "--captioner-arg"


class ExistingCaptions:
    """Keeps the suite's own captions; a sample without one is dropped."""

    fingerprint: Mapping[str, Any] = {"captioner": "existing"}

    def caption(self, image: RGBImage, sample: Sample) -> str:
        """The prompt of ``sample``; the image plays no part. Raises :class:`CaptionError` where it is blank."""
        if not sample.prompt.strip():
            raise CaptionError(f"{sample.id} has no caption in the suite.", "Name a captioner: --captioner http.")
        return sample.prompt


class FunctionCaptioner:
    """A function ``(image, sample) -> str`` as a captioner."""

    def __init__(self, function: Callable[..., object], name: str, arguments: Mapping[str, Any]) -> None:
        self._function = function
        self._name = name
        self._arguments = dict(arguments)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The function's name and arguments. Its code is not looked at: give it a ``revision`` argument to raise."""
        return {"captioner": self._name, "arguments": self._arguments}

    def caption(self, image: RGBImage, sample: Sample) -> str:
        """What the function returns for ``image``, ``sample`` and the arguments.

        Raises :class:`~unipath_bench.DataError`, which stops the run, where that is not a string.
        """
        text = self._function(image, sample, **self._arguments)
        if not isinstance(text, str):
            raise DataError(f"{self._name} returned a {type(text).__name__} for {sample.id}.", "Return a string.")
        return text


def load_captioner(spec: str, arguments: Mapping[str, Any], log: Path, *, offline: bool = False) -> Captioner:
    """The captioner for ``existing``, ``http`` or ``module:attribute``.

    The attribute is a :class:`Captioner`, a class of captioners, which is called with ``arguments``, or a function
    ``(image, sample, **arguments) -> str``. ``log`` is where ``http`` keeps its answers; with
    ``offline`` it asks this machine only. Raises
    :class:`~unipath_bench.UsageError` for anything else, and for arguments that do not fit.
    """
    target = _named(spec, log, offline)
    if inspect.isclass(target) or isinstance(target, partial | Captioner) or not callable(target):
        return build(target, spec, arguments, Captioner, noun=_NOUN, option=_OPTION)  # type: ignore[type-abstract]
    check_arguments(partial(target, None, None), spec, arguments, noun=_NOUN, option=_OPTION)
    return FunctionCaptioner(target, spec, arguments)


def _named(spec: str, log: Path, offline: bool) -> Any:
    if spec == "existing":
        return ExistingCaptions
    if spec == "http":
        from reference_model.curation.http_captioner import HttpCaptioner

        return partial(HttpCaptioner, log, offline)
    if ":" not in spec:
        raise UsageError(f"There is no captioner {spec!r}.", "Use existing, http or module:attribute.")
    return load_attribute(spec)
