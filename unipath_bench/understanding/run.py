"""Asking all questions, keeping every reply, and scoring them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unipath_bench.contracts import Context
from unipath_bench.core.digest import digest, seed_from
from unipath_bench.core.errors import DataError, GeneratorError, MissingError, UsageError
from unipath_bench.core.files import write_bytes, write_text
from unipath_bench.core.packages import package_versions
from unipath_bench.core.parsing import parse_json
from unipath_bench.core.progress import Progress
from unipath_bench.pipeline.environment import describe_environment
from unipath_bench.scoring.features import codes
from unipath_bench.scoring.uncertainty import share_interval
from unipath_bench.suites.table_suite import slug
from unipath_bench.understanding.contracts import INSTRUCTION, LETTERS, Answerer, AskedQuestion, Question, QuestionSet
from unipath_bench.understanding.record import SubsetScore, UnderstandingRecord
from unipath_bench.understanding.replies import NoAnswer, read_reply

RECORD, REPLIES = "understanding.json", "replies.jsonl"
_ASK_ANEW = "Delete the file: its questions are asked anew."


def order_of(question: Question, seed: int) -> tuple[int, ...]:
    """The options' order: a permutation by the seed and the question alone."""
    generator = np.random.default_rng(seed_from("order of options", seed, question.id))
    return tuple(int(i) for i in generator.permutation(len(question.options)))


def chosen_questions(questions: Sequence[Question], n: int | None, seed: int) -> list[Question]:
    """``n`` of the questions, drawn by the seed, in their own order; all where ``n`` is None.

    Raises :class:`~unipath_bench.UsageError` where there are fewer.
    """
    if n is None:
        return list(questions)
    if not 1 <= n <= len(questions):
        raise UsageError(f"--n {n}: there are {len(questions)} questions.", f"Ask for 1 to {len(questions)}.")
    ranked = sorted(range(len(questions)), key=lambda i: seed_from("draw of questions", seed, questions[i].id))
    return [questions[i] for i in sorted(ranked[:n])]


def evaluate(
    answerer: Answerer,
    questions: QuestionSet,
    out: Path,
    *,
    seed: int = 0,
    n: int | None = None,
    batch_size: int = 8,
    context: Context,
    progress: Progress,
) -> tuple[UnderstandingRecord, Path]:
    """Ask, or go on asking where an earlier run stopped; writes replies and record, returns it with its folder.

    Raises :class:`~unipath_bench.MissingError` where the answerer lacks something, and
    :class:`~unipath_bench.GeneratorError` where it answers with something else than one text a question.
    """
    remedy = answerer.missing(context)
    if remedy is not None:
        raise MissingError(f"The answerer {answerer.card.name} cannot be used.", remedy)
    chosen = chosen_questions(questions.questions(), n, seed)
    answerer_digest = digest({"card": _deciding(answerer), "fingerprint": dict(answerer.fingerprint())})
    identity = {
        "questions": questions.revision,
        "ids": [q.id for q in chosen],
        "answerer": answerer_digest,
        "seed": seed,
        "instruction": INSTRUCTION,
    }
    run_id = digest(identity)
    folder = out / "understanding" / f"{slug(answerer.card.name)}-{slug(questions.card.name)}-{run_id[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    replies = _ask(answerer, questions, chosen, folder / REPLIES, seed, batch_size, context, progress)
    read = [_read(question, replies[question.id], seed) for question in chosen]
    subsets = sorted({q.subset for q in chosen})
    record = UnderstandingRecord(
        framework_version=package_versions()["unipath-bench"],
        run_id=run_id,
        questions=questions.card,
        question_revision=questions.revision,
        answerer=answerer.card,
        answerer_digest=answerer_digest,
        seed=seed,
        prompt=INSTRUCTION,
        overall=_score(chosen, read),
        subsets={name: _score(*_of_subset(name, chosen, read)) for name in subsets},
        environment=describe_environment(context.device),
        seconds=round(time.monotonic() - started, 3),
    )
    write_text(folder / RECORD, record.model_dump_json(indent=2) + "\n")
    return record, folder


def _deciding(answerer: Answerer) -> dict[str, object]:
    card = answerer.card.model_dump(mode="json")
    card["arguments"] = {k: v for k, v in answerer.card.arguments.items() if k not in answerer.incidental}
    return card


def _ask(
    answerer: Answerer,
    questions: QuestionSet,
    chosen: Sequence[Question],
    path: Path,
    seed: int,
    batch_size: int,
    context: Context,
    progress: Progress,
) -> dict[str, str]:
    """Replies by question id. Each batch is appended to the file as soon as it is there."""
    replies = _kept(path)
    left = [question for question in chosen if question.id not in replies]
    progress.start("Questions", len(chosen), len(chosen) - len(left))
    if left:
        answerer.setup(context)
    for start in range(0, len(left), batch_size):
        part = left[start : start + batch_size]
        asked = [
            AskedQuestion(q.id, q.text, tuple(q.options[i] for i in order_of(q, seed)), questions.load(q)) for q in part
        ]
        answered = list(answerer.answer(asked))
        if len(answered) != len(part) or not all(isinstance(reply, str) for reply in answered):
            raise GeneratorError(
                f"The answerer {answerer.card.name} gave {len(answered)} replies to {len(part)} questions, or one that "
                "is no text.",
                "answer() returns one string a question, in order.",
            )
        with path.open("a", encoding="utf-8") as stream:
            for question, reply in zip(part, answered, strict=True):
                stream.write(json.dumps({"id": question.id, "reply": reply}, ensure_ascii=False) + "\n")
                replies[question.id] = reply
        progress.advance(len(part))
    progress.finish()
    return replies


def _kept(path: Path) -> dict[str, str]:
    """The replies of an earlier run; a last line that was cut short is dropped from the file."""
    if not path.is_file():
        return {}
    whole, _, cut_short = path.read_bytes().rpartition(b"\n")
    if cut_short:
        write_bytes(path, whole + b"\n" if whole else b"")
    replies: dict[str, str] = {}
    for number, line in enumerate(whole.split(b"\n") if whole else [], 1):
        try:
            entry = parse_json(line)
            name, reply = entry["id"], entry["reply"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}, line {number} is no reply: {error}.", _ASK_ANEW) from error
        if not isinstance(name, str) or not isinstance(reply, str):
            raise DataError(f"{path}, line {number} is no reply.", _ASK_ANEW)
        replies[name] = reply
    return replies


def _read(question: Question, reply: str, seed: int) -> int | NoAnswer:
    """The index, in the question's own order, of the option that the reply names."""
    order = order_of(question, seed)
    found = read_reply(reply, [question.options[i] for i in order])
    return order[found] if isinstance(found, int) else found


def _of_subset(
    name: str, chosen: Sequence[Question], read: Sequence[int | NoAnswer]
) -> tuple[list[Question], list[int | NoAnswer]]:
    rows = [i for i, question in enumerate(chosen) if question.subset == name]
    return [chosen[i] for i in rows], [read[i] for i in rows]


def _score(chosen: Sequence[Question], read: Sequence[int | NoAnswer]) -> SubsetScore:
    """Accuracy with the interval over independent images or groups."""
    right = np.array([answer == question.answer for question, answer in zip(chosen, read, strict=True)])
    units = codes([question.group or question.image for question in chosen])[0]
    found = share_interval(right, units)
    return SubsetScore(
        n=len(chosen),
        right=int(right.sum()),
        accuracy=float(right.mean()),
        chance=float(np.mean([1 / len(question.options) for question in chosen])),
        refused=sum(answer is NoAnswer.REFUSED for answer in read),
        unread=sum(answer is NoAnswer.UNREAD for answer in read),
        interval=None if isinstance(found, str) else found,
        interval_note=found if isinstance(found, str) else "",
    )


def check_questions(questions: Sequence[Question], source: str) -> None:
    """Raise :class:`~unipath_bench.DataError` for questions that cannot be asked, naming the first."""
    ids: set[str] = set()
    for question in questions:
        problem = ""
        if question.id in ids:
            problem = "comes twice"
        elif len(question.options) < 2 or len(set(question.options)) < len(question.options):
            problem = "has fewer than two different options"
        elif len(question.options) > len(LETTERS):
            problem = f"has {len(question.options)} options"
        elif not 0 <= question.answer < len(question.options):
            problem = "names no option as its answer"
        elif not question.text.strip():
            problem = "has no text"
        if problem:
            raise DataError(f"{source}: the question {question.id!r} {problem}.", "Correct or remove it.")
        ids.add(question.id)
    if not questions:
        raise DataError(f"{source} has no questions.", "Check the subset and the split.")
