"""Images that users generated themselves: ``--images DIR``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from unipath_bench.contracts import Context, Generator, Request
from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import digest_file, digest_strings
from unipath_bench.core.errors import DataError, UsageError, listed
from unipath_bench.core.images import read_image
from unipath_bench.generators._arguments import choice, slug
from unipath_bench.generators._folder_files import (
    MANIFESTS,
    NameIndex,
    common_size,
    expected_file_name,
    image_files,
    read_index,
)
from unipath_bench.schema.cards import GeneratorCard

__all__ = ["FolderGenerator", "expected_file_name"]

_EXAMPLES = 10


class FolderGenerator(Generator):
    """Reads the images of a folder, pixels unchanged.

    ``paired``: each file answers one request, by ``manifest.csv`` or ``metadata.csv`` (columns file_name,
    sample_id and replicate or seed) or by its name (:func:`expected_file_name`; ``__`` may stand for ``/``,
    and ``_seed0`` may be left out where there is one image a prompt). Otherwise the sorted files are dealt
    out to the sorted requests and the card says that the set is unconditional. All files must be of one size,
    which becomes the card's. ``surplus="ignore"`` accepts files that no request asks for.

    Raises :class:`UsageError` where the folder is not there, :class:`DataError` where its files do not fit.
    """

    incidental: ClassVar[frozenset[str]] = frozenset({"images", "surplus"})
    answers_paraphrases: ClassVar[bool] = False
    """A folder holds one image for each sample and replicate, whatever the wording of the prompt."""

    card = GeneratorCard(
        name="folder",
        title="Images in a folder",
        adapter="folder",
        revision="by content",
        licence="as stated by whoever generated the images",
    )

    def __init__(
        self, *, images: str | Path, paired: bool = True, surplus: Literal["error", "ignore"] = "error"
    ) -> None:
        self.folder = Path(images).expanduser()
        if not self.folder.is_dir():
            raise UsageError(f"--images {images}: there is no such folder.", "Name the folder that holds your images.")
        self.paired = paired
        self.surplus = choice("folder", "surplus", surplus, ("error", "ignore"))
        files = image_files(self.folder)
        if not files:
            raise DataError(
                f"There are no images in {self.folder}.",
                "`unipath-bench prompts` writes every request with the file name that is expected for its image.",
            )
        height, width = common_size(self.folder, files)
        self.index = read_index(self.folder, files) if paired else NameIndex(files)
        name = self.folder.resolve().name
        self.card = type(self).card.model_copy(
            update={
                "name": f"folder-{slug(name)}",
                "title": f"Images in the folder {name}",
                "arguments": {"images": str(images), "paired": paired, "surplus": self.surplus},
                "height": height,
                "width": width,
                "conditions_on": ("prompt",) if paired else (),
            }
        )
        self._assigned: dict[tuple[str, int], str] = {}

    def fingerprint(self) -> Mapping[str, Any]:
        """Digest of every image's name and bytes and of the manifest."""
        names = list(self.index.files)
        if self.paired:
            names += [name for name in MANIFESTS if (self.folder / name).is_file()]
        return {"files": digest_strings(part for n in names for part in (n, digest_file(self.folder / n)))}

    def missing(self, context: Context) -> str | None:
        """Nothing: the constructor has seen the files."""
        return None

    def check(self, requests: Sequence[Request]) -> None:
        """Assign a file to every request and decode it.

        Raises one :class:`DataError` that lists all missing, surplus, duplicate and unreadable files.
        """
        requests = _one_wording(requests)
        self._assigned = self._pair(requests) if self.paired else self._deal_out(requests)
        bad = []
        for name in sorted(self._assigned.values()):
            try:
                read_image(self.folder / name)
            except DataError as error:
                bad.append(error.message)
        if bad:
            raise DataError(
                f"{len(bad)} images in {self.folder} cannot be used:\n{listed(bad)}", "Mend or replace them."
            )

    def generate(self, requests: Sequence[Request]) -> Sequence[RGBImage]:
        """Read the images assigned to the requests.

        Without an earlier :meth:`check` of the same requests, a paired folder is looked up here, and an unpaired one
        raises :class:`DataError`.
        """
        return [read_image(self.folder / self._file_of(request)) for request in requests]

    def _file_of(self, request: Request) -> str:
        key = (request.sample_id, request.replicate)
        if key in self._assigned:
            return self._assigned[key]
        claims = self.index.claims(request, single_seed=True) if self.paired else []
        if len(claims) == 1:
            return claims[0]
        found = f"has {', '.join(claims)}" if claims else "has no image"
        raise DataError(
            f"The folder {self.folder} {found} for {request.sample_id} (replicate {request.replicate}).",
            f"It needs the one file {expected_file_name(request)}."
            if self.paired
            else "Call check() with all requests first: an unpaired folder is dealt out over the whole run.",
        )

    def _pair(self, requests: Sequence[Request]) -> dict[tuple[str, int], str]:
        single = all(r.replicate == 0 for r in requests)
        assigned: dict[tuple[str, int], str] = {}
        owners: dict[str, list[Request]] = defaultdict(list)
        missing: list[str] = []
        duplicate: list[str] = []
        for request in requests:
            claims = self.index.claims(request, single)
            if not claims:
                missing.append(expected_file_name(request))
            elif len(claims) > 1:
                duplicate.append(f"{_named(request)}: {', '.join(claims)}")
            else:
                assigned[request.sample_id, request.replicate] = claims[0]
            for name in claims:
                owners[name].append(request)
        duplicate += [
            f"{name} answers {', '.join(_named(r) for r in owned)}; tell them apart with a manifest.csv"
            for name, owned in sorted(owners.items())
            if len(owned) > 1
        ]
        surplus = [name for name in self.index.files if name not in owners]
        if missing or duplicate or (surplus and self.surplus == "error"):
            self._refuse(requests, missing, surplus, duplicate)
        return assigned

    def _refuse(
        self, requests: Sequence[Request], missing: list[str], surplus: list[str], duplicate: list[str]
    ) -> None:
        kinds = {"Missing": missing, "Surplus": surplus, "Duplicate": duplicate}
        counts = ", ".join(f"{len(names)} {kind.lower()}" for kind, names in kinds.items())
        lists = "\n".join(f"{kind}:\n{listed(names, _EXAMPLES)}" for kind, names in kinds.items() if names)
        remedy = "`unipath-bench prompts` writes every request with the file name that is expected for its image."
        if surplus and not missing and not duplicate:
            remedy += " Raise --n or --seeds to use the surplus, or accept it with --model-arg surplus=ignore."
        raise DataError(
            f"The {len(self.index.files)} images in {self.folder} do not answer the {len(requests)} "
            "requests: "
            f"{counts}.\n{lists}",
            remedy,
        )

    def _deal_out(self, requests: Sequence[Request]) -> dict[tuple[str, int], str]:
        ordered = sorted(requests, key=lambda r: (r.sample_id, r.replicate))
        have, wanted = len(self.index.files), len(ordered)
        if have < wanted or (have > wanted and self.surplus == "error"):
            seeds = len({r.replicate for r in ordered})
            raise DataError(
                f"An unpaired run of {wanted // seeds} prompts with {seeds} images each needs {wanted} "
                "images, "
                f"but {self.folder} holds {have}.",
                _fitting(have, wanted // seeds, seeds),
            )
        return {(r.sample_id, r.replicate): name for r, name in zip(ordered, self.index.files, strict=False)}


def _fitting(have: int, prompts: int, seeds: int) -> str:
    fits = []
    if have % seeds == 0 and have // seeds >= 2:
        fits.append(f"--n {have // seeds} --seeds {seeds}")
    if have % prompts == 0:
        fits.append(f"--n {prompts} --seeds {have // prompts}")
    if not fits and have >= 2:
        fits.append(f"--n {have} --seeds 1")
    if not fits:
        return "At least two images are needed."
    return f"These fit, as far as the suite has so many prompts: {' or '.join(dict.fromkeys(fits))}."


def _one_wording(requests: Sequence[Request]) -> list[Request]:
    """The requests without repeats; two wordings of one prompt are an error."""
    known: dict[tuple[str, int], Request] = {}
    for request in requests:
        first = known.setdefault((request.sample_id, request.replicate), request)
        if first.prompt != request.prompt:
            raise DataError(
                f"A folder holds one image for {_named(request)}, but two wordings of its prompt are asked for.",
                "Leave out the tasks that rephrase prompts (--tasks), or run the model itself.",
            )
    return list(known.values())


def _named(request: Request) -> str:
    return f"{request.sample_id} (replicate {request.replicate})"
