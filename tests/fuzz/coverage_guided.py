"""Coverage-guided fuzzing of one reader with Atheris, where the random fuzzers of the tests are blind.

    pip install -e ".[fuzz]"
    python tests/fuzz/coverage_guided.py record -max_total_time=600

The first argument is a name of :data:`tests.fuzz.fuzz_targets.TARGETS`, the others are libFuzzer's. The corpus and what
crashes lie in ``fuzz-corpus/NAME`` below the working directory. Code of this project and of the readers in Python is
instrumented; readers in C are run but not seen.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["unipath_bench", "yaml", "json", "csv", "zipfile", "numpy.lib"]):
    from tests.fuzz.fuzz_targets import TARGETS


def main() -> None:
    """Fuzz until libFuzzer's limit, or the first input that gets through."""
    by_name = {target.name: target for target in TARGETS}
    if len(sys.argv) < 2 or sys.argv[1] not in by_name:
        sys.exit(f"name one of {', '.join(by_name)}")
    target = by_name[sys.argv[1]]
    logging.disable(logging.WARNING)
    corpus = Path("fuzz-corpus") / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as place:
        folder = Path(place)
        for number, seed in enumerate(target.seeds(folder)):
            (corpus / f"seed-{number}").write_bytes(seed)

        def once(data: bytes) -> None:
            target.check(data, folder)

        options = ["-timeout=20", "-rss_limit_mb=4096", f"-artifact_prefix={corpus}/"]
        atheris.Setup([sys.argv[0], *options, *sys.argv[2:], str(corpus)], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
