"""The documents that ``unipath-bench schema`` prints, by name."""

from __future__ import annotations

from unipath_bench.audit.result import AuditResult
from unipath_bench.encoders.spec import EncoderSpec
from unipath_bench.schema.base import Document
from unipath_bench.schema.board import Board, Entry, Standings
from unipath_bench.schema.cards import EncoderCard, GeneratorCard, SuiteCard
from unipath_bench.schema.record import RunRecord
from unipath_bench.schema.task import TaskSpec
from unipath_bench.suites.card import SuiteFile

DOCUMENTS: dict[str, type[Document]] = {
    kind.__name__: kind
    for kind in (
        AuditResult,
        Board,
        EncoderCard,
        EncoderSpec,
        Entry,
        GeneratorCard,
        RunRecord,
        Standings,
        SuiteCard,
        SuiteFile,
        TaskSpec,
    )
}
