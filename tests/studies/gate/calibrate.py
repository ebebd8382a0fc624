"""How often the gate raises a false alarm, and how often it sees a planted defect.

    python -m tests.studies.gate.calibrate

Each resplit draws patients of a pool of phantom images (:mod:`tests.studies.gate.pool`), and for each of their prompts
different images for two runs of one honest generator. All headline values of the phantom's four tiers go through the
gate's test, at the scorers' own contributions. With margins of nought every alarm is a false one. Then the second run
gets a defect of a size that ``unipath-bench audit`` sees, and the gate has its default margins.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.studies.gate.bench import DEFECTS, Bench, draw_pair
from tests.studies.gate.pool import load_pool
from unipath_bench.gate.family import find_regressions, worse_by
from unipath_bench.metrics.memorisation import clopper_pearson_lower
from unipath_bench.schema.record import Contributions
from unipath_bench.scoring.paired import numbers

FALSE_ALARMS_ALLOWED = 0.07
CAUGHT_WANTED = 0.9


@dataclass
class Count:
    """Resplits so far, those with an alarm, the values that raised it, and those that could not be judged."""

    resplits: int = 0
    alarms: int = 0
    by_value: Counter[str] = field(default_factory=Counter)
    not_judged: Counter[str] = field(default_factory=Counter)


def count_alarms(bench: Bench, patients: int, resplits: int, margins: Sequence[float], defect: str = "") -> Count:
    """How many of ``resplits`` the gate stops."""
    count = Count()
    begin = time.process_time()
    for seed in range(resplits):
        first, second = draw_pair(bench.pool, patients, seed, defect)
        pairs = zip(bench.contributions(first), bench.contributions(second), strict=True)
        differences, used = [], []
        for task, margin, (before, after) in zip(bench.tasks, margins, pairs, strict=True):
            if isinstance(before, Contributions) and isinstance(after, Contributions):
                direction = task.spec.values[task.name].direction
                differences.append(worse_by(numbers(after), numbers(before), direction))
                used.append((task, margin))
            else:
                count.not_judged[task.spec.name] += 1
        tested = find_regressions(differences, [margin for _, margin in used])
        alarms = [f"{task.spec.name}" for (task, _), each in zip(used, tested, strict=True) if each.regressed]
        count.resplits += 1
        count.alarms += bool(alarms)
        count.by_value.update(alarms)
        if (seed + 1) % 100 == 0:
            _tell(f"  {seed + 1} resplits, {count.alarms} stopped, {time.process_time() - begin:.0f} CPU s")
    return count


def upper_bound(hits: int, of: int, confidence: float = 0.99) -> float:
    """One-sided Clopper-Pearson upper bound of a share."""
    return 1 - clopper_pearson_lower(of - hits, of, confidence)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the false-alarm rate and the shares caught; 0 where both are as wanted, 1 where not."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies.gate.calibrate", description=__doc__.splitlines()[0])
    parser.add_argument("--resplits", type=int, default=1000, help="of the honest generator")
    parser.add_argument("--planted", type=int, default=100, help="resplits for each planted defect")
    parser.add_argument("--cases", type=int, default=1024, help="prompts in the pool")
    parser.add_argument("--patients", type=int, default=64, help="patients of a run, with 4 prompts each")
    parser.add_argument("--pool", type=Path, help="file that keeps the pool's features (made where it is not there)")
    parser.add_argument("--json", type=Path, help="write the counts to this file too")
    given = parser.parse_args(arguments)
    bench = Bench(load_pool(given.cases, given.pool, _tell))
    honest, _ = draw_pair(bench.pool, given.patients, 0)
    margins = bench.margins(honest)
    for task, margin in zip(bench.tasks, margins, strict=True):
        print(f"{task.spec.name}[{task.encoder}] {task.name}: margin {margin:.4g}")
    _tell("Honest runs")
    false = count_alarms(bench, given.patients, given.resplits, [0.0] * len(margins))
    bound = upper_bound(false.alarms, false.resplits)
    print(
        f"False alarms: {false.alarms} of {false.resplits} resplits ({false.alarms / false.resplits:.1%}), at most "
        f"{bound:.1%} (99%, Clopper-Pearson); wanted: at most {FALSE_ALARMS_ALLOWED:.0%}"
    )
    _print_values(false)
    caught = {}
    for defect in DEFECTS:
        _tell(defect)
        caught[defect] = count_alarms(bench, given.patients, given.planted, margins, defect)
        share = caught[defect].alarms / caught[defect].resplits
        print(f"{defect}: caught in {caught[defect].alarms} of {caught[defect].resplits} ({share:.0%})")
        _print_values(caught[defect])
    if given.json is not None:
        counts = {name: [c.alarms, c.resplits, dict(c.by_value)] for name, c in {"honest": false, **caught}.items()}
        given.json.write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
    enough = all(c.alarms >= CAUGHT_WANTED * c.resplits for c in caught.values())
    return 0 if bound <= FALSE_ALARMS_ALLOWED and enough else 1


def _print_values(count: Count) -> None:
    for name, times in count.by_value.most_common():
        print(f"    {name}: {times}")
    for name, times in count.not_judged.most_common():
        print(f"    {name}: could not be judged in {times}")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
