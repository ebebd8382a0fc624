"""The validation of one archive, from its bytes to its images. Each check rests on those before it.

Nothing of the archive is run, unpacked or unpickled; names that it gives are looked up among what is registered here,
and never imported. Only ``regenerate`` runs an adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.errors import BenchError, DataError
from unipath_bench.core.progress import Progress, Silent
from unipath_bench.leaderboard.boards import list_boards, load_board
from unipath_bench.leaderboard.fingerprints import Fingerprints, sketched_encoder, take_fingerprints
from unipath_bench.leaderboard.submission.contents import (
    Documents,
    read_documents,
    read_features,
    read_images,
    read_manifest,
)
from unipath_bench.leaderboard.submission.reading import archive_digest, read_members
from unipath_bench.leaderboard.validation import digests, images, rules
from unipath_bench.leaderboard.validation.checks import Check, Report, failed, passed, unknown
from unipath_bench.leaderboard.validation.duplicates import check_duplicates
from unipath_bench.leaderboard.validation.identities import check_identities
from unipath_bench.leaderboard.validation.regenerating import check_regenerated
from unipath_bench.leaderboard.validation.scores import check_scores
from unipath_bench.leaderboard.validation.stand_in import (
    Recomputed,
    Replanned,
    fill_store,
    open_store,
    reason_of,
    recompute,
    replan,
)
from unipath_bench.schema.board import Board
from unipath_bench.schema.record import RunRecord

Features = Mapping[tuple[str, str], npt.NDArray[np.float32]]
Read = TypeVar("Read")

_RESTS = "left out, since what it rests on failed"
SHOWN_IMAGES = 12
_FOUNDATIONS = ("manifest", "suite and n", "task versions", "encoders", "sample digests", "feature digests")
_RECOMPUTED = ("prompts and seeds", "features of the images", "scores recomputed")


@dataclass(frozen=True)
class Request:
    """What to check, and what is at hand for it."""

    archive: Path
    board: Path | None = None
    """Folder of the board; by default the one board here of the record's suite revision and n."""
    data: str | None = None
    """Where the suite's data lie, for a suite that needs them."""
    cache: Path | None = None
    """Where features of real images are kept between validations; by default nowhere."""
    offline: bool = False
    regenerate: int = 0
    model: str | None = None
    """The adapter to regenerate with, where the card's is not registered here."""


@dataclass(frozen=True)
class Outcome:
    """A report, and what of the archive an entry is made of; without documents where they could not be read."""

    report: Report
    documents: Documents | None = None
    fingerprints: Fingerprints | None = None
    images: tuple[RGBImage, ...] = ()
    """Enclosed images whose pixels are those that the sample digests name, the first in the order of the run."""


def validate_archive(request: Request, progress: Progress | None = None) -> Outcome:
    """Hold an archive to what it claims. Raises ``OSError`` where the file cannot be opened."""
    work = _Validation(request, progress or Silent())
    work.carry_out()
    report = Report(
        request.archive.name,
        archive_digest(request.archive),
        request.archive.stat().st_size,
        work.board.name if work.board is not None else "",
        tuple(work.checks),
    )
    return Outcome(report, work.documents, work.fingerprints, work.images)


@dataclass
class _Validation:
    request: Request
    progress: Progress
    checks: list[Check] = field(default_factory=list)
    documents: Documents | None = None
    fingerprints: Fingerprints | None = None
    images: tuple[RGBImage, ...] = ()
    folder: Path | None = None
    board: Board | None = None

    def carry_out(self) -> None:
        members = self._tried("archive", lambda: read_members(self.request.archive))
        if members is None:
            return
        self.checks.append(passed("archive", f"{len(members)} members"))
        manifest = self._tried("documents", lambda: read_manifest(members))
        if manifest is None:
            return
        self.checks.append(digests.check_manifest(manifest, members))
        documents = self._tried("documents", lambda: read_documents(members))
        if documents is None:
            return
        self.checks.append(passed("documents", f"record {documents.record.name}"))
        self.documents = documents
        self._find_board(documents.record)
        self._check_record(documents)
        features = self._tried("features", lambda: read_features(members))
        if features is not None:
            self._check_contents(documents, members, features)

    def _tried(self, name: str, read: Callable[[], Read]) -> Read | None:
        try:
            return read()
        except BenchError as error:
            self.checks.append(failed(name, reason_of(error)))
            return None

    def _find_board(self, record: RunRecord) -> None:
        found = [self.request.board] if self.request.board is not None else _boards_of(record)
        if len(found) == 1:
            self.folder, self.board = found[0], load_board(found[0])

    def _check_record(self, documents: Documents) -> None:
        """What the documents alone show."""
        record = documents.record
        self.checks += [digests.check_card(documents), rules.check_licence(self.board, documents.manifest)]
        if self.board is None:
            self.checks += [unknown(name, rules.NO_BOARD) for name in ("suite and n", "task versions", "encoders")]
        else:
            self.checks += [
                rules.check_run(self.board, record),
                rules.check_tasks(self.board, record),
                rules.check_encoders(self.board, record),
            ]
        self.checks += [rules.check_coupling(record), check_identities(record)]

    def _check_contents(self, documents: Documents, members: Mapping[str, bytes], features: Features) -> None:
        """What the features and images show."""
        self.checks += [digests.check_samples(documents), digests.check_features(documents, features)]
        sound = not any(check.status == "failed" and check.name in _FOUNDATIONS for check in self.checks)
        replanned = self._replan(documents) if sound else None
        size = replanned.image_size if replanned is not None else None
        decoded: dict[tuple[str, int], RGBImage] = {}
        if _passed(self.checks, "sample digests"):
            check, decoded = digests.check_images(documents, members, read_images(members), size)
            self.checks.append(check)
            self.images = tuple(decoded[key] for key in list(decoded)[:SHOWN_IMAGES])
        else:
            self.checks.append(unknown("image digests", _RESTS))
        if replanned is None:
            if not sound or self.board is None:
                reason = _RESTS if not sound else rules.NO_BOARD
                self.checks += [unknown(name, reason) for name in _RECOMPUTED]
            self.checks.append(rules.check_memorisation(self.board, documents.record, recomputed=False))
        else:
            self.checks.append(images.check_requests(replanned.plan, documents.record, documents.samples))
            self.checks.append(images.check_embedding(replanned.plan, features, decoded))
            self._recompute(documents, features, replanned)
        if sound:
            self._compare(documents, features)
        if replanned is not None and self.request.regenerate:
            check = check_regenerated(
                replanned.plan,
                documents,
                features,
                decoded,
                self.request.regenerate,
                self.request.model,
                self._identity,
            )
            self.checks.append(check)

    @property
    def _identity(self) -> str:
        return archive_digest(self.request.archive)

    def _replan(self, documents: Documents) -> Replanned | None:
        """The run planned anew; None, with a check that says so, where the suite is not at hand."""
        if self.board is None:
            return None
        try:
            return replan(
                self.board, documents.record, self._identity, data=self.request.data, offline=self.request.offline
            )
        except BenchError as error:
            self.checks += [unknown(name, f"the suite is not at hand: {reason_of(error)}") for name in _RECOMPUTED]
            return None

    def _recompute(self, documents: Documents, features: Features, replanned: Replanned) -> None:
        record = documents.record
        if self.board is None:
            return
        with TemporaryDirectory(prefix="unipath-bench-") as temporary:
            try:
                store = open_store(self.request.cache or Path(temporary) / "store")
                fill_store(replanned.plan, store, documents.samples, features)
                found = recompute(replanned.plan, store, self.progress)
            except DataError as error:
                self.checks.append(failed("scores recomputed", reason_of(error)))
                found = None
            except BenchError as error:
                self.checks.append(unknown("scores recomputed", reason_of(error)))
                found = None
            except (ValueError, ArithmeticError) as error:  # features that no images have
                self.checks.append(failed("scores recomputed", f"no score can be computed of these features: {error}"))
                found = None
        if found is None:
            self.checks.append(rules.check_memorisation(self.board, record, recomputed=False))
            return
        self.checks += check_scores(self.board, record, found.scores, replanned.lacking)
        samples = documents.samples
        pixels = [pixels for name in samples.answers() for pixels in samples.families[name].pixels]
        self.checks.append(rules.check_originals(record, pixels, found.real_pixels))
        self.checks.append(rules.check_memorisation(self.board, _with(record, found), recomputed=True))

    def _compare(self, documents: Documents, features: Features) -> None:
        """With the entries that the board has."""
        answers = documents.samples.answers()
        there = {encoder for encoder, _ in features}
        encoders = sorted(e for e in there if all((e, family) in features for family in answers))
        if self.board is None or self.folder is None:
            self.checks.append(unknown("earlier entries", rules.NO_BOARD))
            return
        headline = next((m for m in self.board.metrics if m.headline), self.board.metrics[0])
        if encoders:
            chosen = sketched_encoder(encoders, headline.encoder_digest[:16])
            self.fingerprints = take_fingerprints(documents.samples, features, chosen)
        self.checks.append(check_duplicates(self.folder, documents.record, self.fingerprints, self._identity))


def _boards_of(record: RunRecord) -> list[Path]:
    """The boards of this installation that a record may be for."""
    boards = [(folder, load_board(folder)) for folder in list_boards()]
    return [f for f, b in boards if (b.suite_revision, b.n) == (record.plan.suite_revision, record.plan.n)]


def _with(record: RunRecord, found: Recomputed) -> RunRecord:
    """The record with the scores computed here in place of those recorded."""
    scores = tuple(found.scores.get(score.key, score) for score in record.scores)
    return record.model_copy(update={"scores": scores})


def _passed(checks: list[Check], name: str) -> bool:
    return any(check.name == name and check.status == "passed" for check in checks)
