"""Whether a record may be ranked on a board, and if not, why."""

from __future__ import annotations

from unipath_bench.schema.board import Board, BoardMetric
from unipath_bench.schema.details import Memorisation
from unipath_bench.schema.record import RunRecord, TaskScore


def differences(board: Board, record: RunRecord) -> list[str]:
    """What the run did otherwise than the board asks for: suite, its revision, prompts, seeds."""
    plan = record.plan
    found = []
    if plan.suite.kind != board.kind:
        found.append(f"it was run on a {plan.suite.kind} suite; the board is of {board.kind} suites")
    if plan.suite_revision != board.suite_revision:
        found.append(
            f"suite revision {plan.suite_revision[:12]}; the board is of {board.suite} {board.suite_revision[:12]}"
        )
    if plan.n != board.n:
        found.append(f"n = {plan.n} prompts; the board asks for {board.n}")
    if plan.seeds != board.seeds:
        found.append(f"{plan.seeds} images a prompt; the board asks for {board.seeds}")
    return found


def memorised(board: Board, record: RunRecord) -> str:
    """Why the memorisation gate stops a record; empty where it passes, or the board has no such gate."""
    limit = board.eligibility.max_memorised
    if limit is None:
        return ""
    audits = [(s, audit) for s in record.scores if (audit := s.details_as(Memorisation)) and s.status == "computed"]
    if not audits:
        return "the memorisation audit was not computed, and the board asks for it"
    for score, audit in audits:
        share = score.values.get("copied_fraction")
        if share is None:
            return f"{score.key} has no copied fraction"
        if share.value > limit:
            return f"memorised: {share.value:.1%} of its images are copies of training images; at most {limit:.1%} may"
        if audit.flagged:
            return f"memorised: {score.key} is flagged"
    return ""


def ineligible(board: Board, record: RunRecord, licence_statement: str) -> list[str]:
    """Every rule of the board that keeps a record out of the ranking."""
    rules = board.eligibility
    found = differences(board, record)
    if record.plan.model.oracle and not rules.oracles:
        found.append("an oracle: it is shown the suite's real images")
    copied = memorised(board, record)
    if copied and not record.plan.model.oracle:
        found.append(copied)
    if rules.licence_required and not licence_statement.strip():
        found.append("no licence statement")
    return found


def find_score(record: RunRecord, key: str) -> TaskScore | None:
    """The record's score with a key; None where there is none."""
    return next((score for score in record.scores if score.key == key), None)


def stale(board: Board, record: RunRecord) -> list[str]:
    """The board's tasks that the record was scored for by another version."""
    found: dict[str, None] = {}
    for metric in board.metrics:
        score = find_score(record, metric.key)
        if score is not None and score.version != metric.task_version:
            found[f"{metric.key} is of version {score.version}; the board asks for version {metric.task_version}"] = (
                None
            )
    return list(found)


def unranked(board: Board, metric: BoardMetric, record: RunRecord) -> str:
    """Why a record's value of one metric is not ranked; empty where it is."""
    score = find_score(record, metric.key)
    if score is None:
        return "the record has no such score"
    if score.status != "computed":
        return f"not computed: {score.reason}"
    value = score.values.get(metric.value)
    if value is None:
        return score.not_reported.get(metric.value, "the score has no such value")
    if score.version != metric.task_version:
        return f"task version {score.version}; the board asks for {metric.task_version}"
    if (score.encoder_digest or "") != metric.encoder_digest:
        return (
            f"encoder {score.encoder} {(score.encoder_digest or 'none')[:12]}; the board asks for "
            f"{metric.encoder_digest[:12] or 'none'}"
        )
    if value.direction != metric.direction:
        return f"its better direction is {value.direction}; the board's is {metric.direction}"
    if score.coupled and not board.eligibility.coupled:
        return f"coupled: the model uses {score.encoder} inside"
    if value.contributions is None:
        return value.contributions_note or "the record holds no contributions: it was made before they were kept"
    return ""
