"""Does a submission keep the board's rules?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unipath_bench.leaderboard.eligibility import differences, find_score, memorised, stale
from unipath_bench.leaderboard.submission.layout import Manifest
from unipath_bench.leaderboard.validation.checks import Check, failed, judged, passed, unknown
from unipath_bench.schema.board import Board
from unipath_bench.schema.record import RunRecord
from unipath_bench.scoring.coupling import coupled_encoders

NO_BOARD = "name the board with --board"
MOST_EQUAL = 0.01
"""Share of a submission's images that may equal a real image: empty tiles are alike."""
_SETS = {"train": "training", "reference": "test", "heldout": "held-out"}


def check_run(board: Board, record: RunRecord) -> Check:
    """The suite's revision, the number of prompts and of images a prompt."""
    return judged("suite and n", differences(board, record), f"{board.suite}, n = {board.n} x {board.seeds}")


def check_tasks(board: Board, record: RunRecord) -> Check:
    """Task versions, and that every metric of the board is there."""
    problems = stale(board, record)
    problems += [f"{metric.key} is missing" for metric in board.metrics if find_score(record, metric.key) is None]
    return judged("task versions", list(dict.fromkeys(problems)), f"{len(board.metrics)} metrics")


def check_encoders(board: Board, record: RunRecord) -> Check:
    """Each metric was taken in the encoder that the board names, weights and preprocessing."""
    problems = {
        f"{metric.key} is in {score.encoder} {(score.encoder_digest or 'none')[:12]}, not {metric.encoder_digest[:12]}"
        for metric in board.metrics
        if (score := find_score(record, metric.key)) is not None
        and score.status == "computed"
        and (score.encoder_digest or "") != metric.encoder_digest
    }
    return judged("encoders", sorted(problems))


def check_licence(board: Board | None, manifest: Manifest) -> Check:
    """A statement under which the images and numbers may be shown."""
    if manifest.licence_statement.strip():
        return passed("licence", manifest.licence_statement.strip().splitlines()[0])
    if board is not None and not board.eligibility.licence_required:
        return passed("licence", "none, and the board asks for none")
    return failed("licence", "there is no licence statement; `submit --licence-statement` makes one")


def check_coupling(record: RunRecord) -> Check:
    """Every score in an encoder that the generator says it uses is marked as coupled."""
    encoders = coupled_encoders(record.plan.model, record.plan.encoders)
    coupled = {score.key for score in record.scores if score.encoder in encoders}
    problems = [
        f"{score.key} is in {score.encoder}, which the generator uses, and is not marked"
        if score.key in coupled
        else f"{score.key} is marked, and the generator's card names no {score.encoder}"
        for score in record.scores
        if score.status == "computed" and score.coupled != (score.key in coupled)
    ]
    detail = f"flagged: {', '.join(sorted(coupled))}" if coupled else "no score is coupled"
    return judged("coupled encoders", problems, detail)


def check_memorisation(board: Board | None, record: RunRecord, *, recomputed: bool) -> Check:
    """The board's memorisation gate, on scores computed here where that was possible."""
    if board is None:
        return unknown("memorisation", NO_BOARD)
    if board.eligibility.max_memorised is None:
        return passed("memorisation", "the board has no such gate")
    problem = memorised(board, record)
    if record.plan.model.oracle:
        return passed("memorisation", "an oracle, which is not ranked" + (f" ({problem})" if problem else ""))
    if problem:
        return failed("memorisation", problem)
    return passed("memorisation", "of scores computed here" if recomputed else "of the scores that were recorded")


def check_originals(record: RunRecord, pixels: Sequence[str], real: Mapping[str, frozenset[str]]) -> Check:
    """No image that a generator hands in is, pixel for pixel, one of the suite's."""
    if record.plan.model.oracle:
        return passed("suite's own images", "an oracle is shown them")
    problems = []
    for name, known in sorted(real.items()):
        count = sum(digest in known for digest in pixels)
        if count > MOST_EQUAL * len(pixels):
            problems.append(f"{count} of its {len(pixels)} images are, pixel for pixel, {_SETS.get(name, name)} images")
    return judged("suite's own images", problems, f"none among {sum(map(len, real.values()))} real images")
