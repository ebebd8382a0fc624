"""UniPath-Bench: an evaluation framework for pathology image generation.

The public face for adapters; heavy modules are imported only when used.
"""

from __future__ import annotations

from importlib.metadata import version

from unipath_bench.contracts import (
    Context,
    FeatureSet,
    Generator,
    ImageEncoder,
    Measurement,
    Metric,
    Request,
    Sample,
    ScoreInputs,
    Suite,
    TextEncoder,
    metric,
)
from unipath_bench.core.errors import BenchError, DataError, GeneratorError, MissingError, UsageError
from unipath_bench.schema.cards import EncoderCard, GeneratorCard, PublishedFigure, SuiteCard

__version__ = version("unipath-bench")

__all__ = [
    "BenchError",
    "Context",
    "DataError",
    "EncoderCard",
    "FeatureSet",
    "Generator",
    "GeneratorCard",
    "GeneratorError",
    "ImageEncoder",
    "Measurement",
    "Metric",
    "MissingError",
    "PublishedFigure",
    "Request",
    "Sample",
    "ScoreInputs",
    "Suite",
    "SuiteCard",
    "TextEncoder",
    "UsageError",
    "__version__",
    "metric",
]
