"""UniPath-Bench: an evaluation framework for pathology image generation.

The public face: the functions of :mod:`unipath_bench.api`, the contracts that adapters fill, and the errors. Heavy
modules are imported only when they are used.
"""

from __future__ import annotations

from importlib.metadata import version

from unipath_bench.api import (
    Result,
    carry_out,
    compare,
    estimate,
    evaluate,
    evaluate_part,
    list_requests,
    list_tasks,
    load_record,
    log_runs,
    merge,
    plan,
    probe,
    write_report,
)
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
from unipath_bench.core.errors import BenchError, DataError, GeneratorError, MissingError, NotComputable, UsageError
from unipath_bench.schema.cards import EncoderCard, GeneratorCard, PublishedFigure, SuiteCard
from unipath_bench.schema.record import Contributions, Interval

__version__ = version("unipath-bench")

__all__ = [
    "BenchError",
    "Context",
    "Contributions",
    "DataError",
    "EncoderCard",
    "FeatureSet",
    "Generator",
    "GeneratorCard",
    "GeneratorError",
    "ImageEncoder",
    "Interval",
    "Measurement",
    "Metric",
    "MissingError",
    "NotComputable",
    "PublishedFigure",
    "Request",
    "Result",
    "Sample",
    "ScoreInputs",
    "Suite",
    "SuiteCard",
    "TextEncoder",
    "UsageError",
    "__version__",
    "carry_out",
    "compare",
    "estimate",
    "evaluate",
    "evaluate_part",
    "list_requests",
    "list_tasks",
    "load_record",
    "log_runs",
    "merge",
    "metric",
    "plan",
    "probe",
    "write_report",
]
