"""PathMMU (Sun et al., ECCV 2024, arXiv 2401.16355) in the layout of huggingface.co/datasets/jamessyx/PathMMU."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unipath_bench.core.arrays import RGBImage
from unipath_bench.core.digest import digest, digest_file
from unipath_bench.core.errors import DataError, MissingError, UsageError, listed
from unipath_bench.core.files import escaping_paths, is_file_below
from unipath_bench.core.images import read_image
from unipath_bench.core.parsing import parse_json
from unipath_bench.understanding.contracts import LETTERS, Question, QuestionSet
from unipath_bench.understanding.record import QuestionSetCard
from unipath_bench.understanding.run import check_questions

SPLITS = {"val": ("val",), "test": ("test", "test_tiny"), "test_tiny": ("test_tiny",)}
"""Of which lists of the file a split is made. Test is both, as its authors count it (``DOMAIN_CAT2SUB_CAT`` in
eval/utils/data_utils.py of github.com/PathMMU-Benchmark/PathMMU): 9,677 questions."""
QUESTIONS_FILE = "data.json"
_LETTERED = re.compile(r"([A-Z])[).]\s*(.*)", re.DOTALL)
_PAGE = "https://huggingface.co/datasets/jamessyx/PathMMU"


class PathMMU(QuestionSet):
    """``data``: a folder with ``data.json`` as published, and the images.

    The file maps subset (PubMed, SocialPath, EduContent, Atlas, PathCLS) to split (``val``, ``test``, ``test_tiny``)
    to a list of objects with ``question``, ``options`` ("A) ..."), ``answer`` (one of them, or its letter) and the
    image's file: ``image_columns``, the first of which an object has, looked for in ``data`` and in its folder
    ``images``. ``split``: which; ``subsets``: only these.
    """

    card = QuestionSetCard(
        name="pathmmu",
        title="PathMMU",
        kind="tissue",
        licence="CC-BY-ND-4.0; the images keep their sources' licences",
        citation="Sun et al., ECCV 2024, arXiv 2401.16355",
    )

    def __init__(
        self,
        *,
        data: str | Path,
        split: str = "test",
        subsets: str | Sequence[str] = (),
        image_columns: str | Sequence[str] = ("img", "source_img"),
    ) -> None:
        if split not in SPLITS:
            raise UsageError(f"PathMMU has no split {split!r}.", f"Choose one of {', '.join(SPLITS)}.")
        self.folder = Path(data).expanduser()
        path = self.folder / QUESTIONS_FILE
        if not path.is_file():
            raise MissingError(
                f"{path} is not there.",
                f"PathMMU is gated: accept its terms at {_PAGE}, then: hf download jamessyx/PathMMU "
                "--repo-type dataset --local-dir DIR, with the images of its sources in DIR or DIR/images.",
            )
        wanted = (subsets,) if isinstance(subsets, str) else tuple(subsets)
        columns = (image_columns,) if isinstance(image_columns, str) else tuple(image_columns)
        self.split, self._digest = split, digest_file(path)
        self._questions = tuple(_questions(path, split, wanted, columns))
        check_questions(self._questions, str(path))
        self._files = _found(self.folder, {q.image for q in self._questions})

    @property
    def revision(self) -> str:
        """Digest of the file of questions, the split, the chosen questions' ids and the bytes of their images."""
        images = {name: digest_file(path) for name, path in sorted(self._files.items())}
        return digest(
            {"questions": self._digest, "split": self.split, "ids": [q.id for q in self._questions], "images": images}
        )

    def questions(self) -> Sequence[Question]:
        """The questions, by subset in the order asked for (else in the file's), then in the order of the file."""
        return self._questions

    def load(self, question: Question) -> RGBImage:
        """Decode the question's image from its file: uint8 (H, W, 3)."""
        return read_image(self._files[question.image])


def _questions(path: Path, split: str, subsets: Sequence[str], columns: Sequence[str]) -> Iterable[Question]:
    try:
        document = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not JSON: {error}", "Fetch it again.") from error
    if not isinstance(document, dict):
        raise DataError(f"{path} is no object of subsets.", f"Fetch it again: {_PAGE}.")
    unknown = sorted(set(subsets) - set(document))
    if unknown:
        raise UsageError(f"{path} has no subset {unknown[0]!r}.", f"It has {', '.join(document)}.")
    for subset in subsets or document:
        for part in SPLITS[split]:
            lists = document[subset]
            if not isinstance(lists, dict) or not isinstance(lists.get(part), list):
                raise DataError(
                    f"{path}: {subset} has no list {part!r}.", "Fetch it again, or name other --set-arg subsets."
                )
            for number, entry in enumerate(lists[part]):
                yield _question(entry, f"{subset}/{part}/{number}", subset, columns)


def _question(entry: Any, name: str, subset: str, columns: Sequence[str]) -> Question:
    text = entry.get("question") if isinstance(entry, dict) else None
    options = entry.get("options") if isinstance(entry, dict) else None
    if not isinstance(text, str) or not isinstance(options, list) or not all(isinstance(o, str) for o in options):
        raise DataError(f"PathMMU {name} has no question with a list of options.", "Fetch data.json again.")
    image = next((entry[c] for c in columns if isinstance(entry.get(c), str)), None)
    if image is None:
        raise DataError(
            f"PathMMU {name} names no image under {' or '.join(columns)}.",
            f"Name the field: --set-arg image_columns=[NAME]. It has {', '.join(map(str, entry))}.",
        )
    lettered = [_LETTERED.fullmatch(option.strip()) for option in options]
    plain = [m[2].strip() if m else o.strip() for m, o in zip(lettered, options, strict=True)]
    if not all(m and m[1] == LETTERS[i] for i, m in enumerate(lettered)):
        plain = [option.strip() for option in options]
    return Question(name, text.strip(), tuple(plain), _answer(entry, options, name), subset, image, image)


def _answer(entry: Mapping[str, Any], options: Sequence[str], name: str) -> int:
    answer = str(entry.get("answer", "")).strip()
    same = [i for i, option in enumerate(options) if option.strip() == answer]
    led = re.fullmatch(r"([A-Z])(?:[).].*)?", answer, re.DOTALL)
    if len(same) == 1:
        return same[0]
    if led and led[1] in LETTERS[: len(options)]:
        return LETTERS.index(led[1])
    raise DataError(f"PathMMU {name}: the answer {answer!r} is none of its options.", "Fetch data.json again.")


def _found(folder: Path, names: set[str]) -> dict[str, Path]:
    """Where each image lies; names that lead out of the folder are refused."""
    places = {}
    absent = []
    for name in sorted(names):
        candidates = [name, f"images/{name}"]
        if escaping_paths(folder, candidates):
            raise DataError(
                f"{folder / QUESTIONS_FILE} names the image {name!r}, outside its folder.", "Fetch it again."
            )
        here = [candidate for candidate in candidates if is_file_below(folder, candidate)]
        if here:
            places[name] = folder / here[0]
        else:
            absent.append(name)
    if absent:
        raise DataError(
            f"{len(absent)} of {len(names)} images are not under {folder}:\n{listed(absent)}",
            f"Place the images of PathMMU's sources there ({_PAGE}), or ask fewer: --set-arg subsets=[PubMed]",
        )
    return places
