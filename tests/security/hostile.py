"""Names and texts that somebody could put into a record, a card or a prompt, and a record that is full of them."""

from __future__ import annotations

from typing import Any

from tests import made_up_records as made_up
from unipath_bench.results.gallery import Exhibits
from unipath_bench.schema.cards import PublishedFigure
from unipath_bench.schema.record import RunRecord

MARKUP = "\"'></title></style><script>alert(1)</script><img src=x onerror=alert(2)><svg onload=alert(3)>"
ADDRESS = "javascript:alert(4)"
TEMPLATE = "{{ 7 * 7 }}{% raw %}${7*7}"
RICH = "[bold red]x[/][link=file:///etc/passwd]y[/link]"
ESCAPE = "\x1b]0;title\x07\x1b[2J\x1b[1A\x9b31m\u202etxt.exe"
TEXT = f"{MARKUP} {ADDRESS} {TEMPLATE} {RICH} {ESCAPE}"


def hostile_record() -> RunRecord:
    """A valid record in which every text that a stranger chooses is hostile."""
    document: dict[str, Any] = made_up.record().model_dump(mode="json")
    plan = document["plan"]
    for card in (plan["suite"], plan["model"]):
        card.update(name=TEXT, title=TEXT, licence=TEXT, citation=TEXT, notes=TEXT)
    plan["model"].update(url=ADDRESS, revision=TEXT, arguments={TEXT: TEXT}, internal_encoders=[TEXT])
    plan["model"]["published"] = [PublishedFigure(metric=TEXT, value=1, dataset=TEXT, source=ADDRESS).model_dump()]
    plan.update(model_spec=TEXT, suite_spec=TEXT, suite_data=TEXT, suite_arguments={TEXT: TEXT})
    plan["counts"] = {TEXT: 1}
    plan["roles"] = {TEXT: [TEXT]}
    document.update(name=TEXT, run_id=TEXT, framework_version=TEXT)
    document["environment"].update(device=TEXT, platform=TEXT, packages={TEXT: TEXT})
    document["timing"]["seconds"] = {TEXT: 1.0}
    for score in document["scores"]:
        score.update(title=TEXT, reason=TEXT if score["reason"] else "", remedy=TEXT)
        score["encoder"] = TEXT if score["encoder"] else None
        for value in score["values"].values():
            value.update(title=TEXT, bad_end_source=TEXT, good_end_source=TEXT, interval_note=TEXT, unit=TEXT)
            if value["interval"]:
                value["interval"].update(method=TEXT, note=TEXT)
        details = score["details"] or {}
        for part in ("not_reported", "not_computed", "budgets_left_out"):
            if part in details:
                details[part] = {TEXT: TEXT}
        if isinstance(details.get("attributes"), dict):
            details["attributes"] = dict.fromkeys([TEXT], next(iter(details["attributes"].values())))
    return RunRecord.model_validate(document)


def hostile_exhibits() -> Exhibits:
    """Exhibits with hostile prompts, labels and ids."""
    shown = made_up.exhibits(samples=2, replicates=1, pairs=1)
    for sample in shown.samples:
        object.__setattr__(sample, "prompt", TEXT)
        object.__setattr__(sample, "labels", {TEXT: TEXT})
    for pair in shown.neighbours:
        object.__setattr__(pair, "train_id", TEXT)
    return shown
