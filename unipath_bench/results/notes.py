"""What must be said beside the numbers: what kind of run it is, and what limits each task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from unipath_bench.results.numbers import format_percent, plural
from unipath_bench.schema import migrations
from unipath_bench.schema.details import Memorisation
from unipath_bench.schema.record import RunRecord, TaskScore

Kind = Literal["alarm", "caution", "information"]


@dataclass(frozen=True, slots=True)
class Note:
    """One honest label of a run: a badge and the sentence behind it."""

    label: str
    text: str
    kind: Kind


def run_notes(record: RunRecord) -> list[Note]:
    """Every label of the run, the gravest first."""
    plan = record.plan
    audits = [score.details_as(Memorisation) for score in record.scores]
    notes = [_audit_note(table) for table in audits if table is not None and table.flagged]
    if plan.suite.kind == "phantom":
        notes.append(
            Note(
                "phantom",
                "The suite is a procedural test object, not tissue: never ranked with real tissue.",
                "caution",
            )
        )
    if plan.suite.notes:
        notes.append(Note("suite", plan.suite.notes, "caution"))
    if plan.model.oracle:
        notes.append(
            Note(
                "oracle baseline",
                "The model is shown the suite's real images: a yardstick, not a contestant.",
                "caution",
            )
        )
    coupled = sorted({s.encoder for s in record.scores if s.coupled and s.encoder})
    if coupled:
        text = (
            f"The model uses {', '.join(coupled)} inside: scores in it are marked as coupled and never head a ranking."
        )
        notes.append(Note("coupled", text, "caution"))
    general = sorted(name for name, card in plan.encoders.items() if not card.pathology)
    if general and plan.suite.kind == "tissue":
        text = f"{', '.join(general)} was not trained on histology; read its distances with that in mind."
        notes.append(Note("general encoder", text, "information"))
    absent = sum(score.status == "not computed" for score in record.scores)
    if absent:
        notes.append(Note("incomplete", f"{plural(absent, 'task')} not computed; the reasons are listed.", "caution"))
    if record.migrated_from is not None:
        version = record.migrated_from
        text = f"Written by unipath-bench {record.framework_version}: {migrations.LACKING[version]}."
        notes.append(Note(f"record of version {version}", text, "information"))
    return notes


def is_flagged(score: TaskScore) -> bool:
    """Whether this score is an audit that flags the model."""
    table = score.details_as(Memorisation)
    return table is not None and table.flagged


def task_flags(score: TaskScore) -> list[str]:
    """Short marks for a row of a table: ``coupled``, ``flagged``."""
    marks = ["coupled"] if score.coupled else []
    return [*marks, "flagged"] if is_flagged(score) else marks


def remedies(record: RunRecord) -> list[tuple[str, tuple[str, ...]]]:
    """Each remedy once, with the keys of the tasks that it would bring back; in the order of the record."""
    found: dict[str, list[str]] = {}
    for score in record.scores:
        if score.status == "not computed" and score.remedy:
            found.setdefault(score.remedy, []).append(score.key)
    return [(remedy, tuple(keys)) for remedy, keys in found.items()]


def audit_verdict(table: Memorisation) -> str:
    """The audit's finding in one sentence or two."""
    if not table.flagged:
        text = "Not flagged: generated images lie no closer to training images than unseen real images do, as far as "
        text += "this encoder sees. No audit can prove that nothing was memorised."
    else:
        text = "Generated images lie closer to training images than unseen real images do"
        share, limit = (format_percent(100 * x) for x in (table.copied_fraction_lower_bound, table.flag_share))
        text += f": at least {share} of them count as copied (lower confidence bound; flagged above {limit})."
    if table.exact_copies:
        verb = "is an exact copy" if table.exact_copies == 1 else "are exact copies"
        text += f" {plural(table.exact_copies, 'generated image')} {verb} of a training image."
    return text


def _audit_note(table: Memorisation) -> Note:
    return Note("memorisation flagged", audit_verdict(table), "alarm")
