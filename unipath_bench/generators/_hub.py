"""Where a model's files come from: a local folder, or one commit of a Hugging Face Hub repository."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unipath_bench.contracts import Context
from unipath_bench.core.digest import digest_file, digest_strings
from unipath_bench.core.errors import BenchError, DataError, MissingError, UsageError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.msgpack", "*.h5", "*.onnx*")
_SAFETENSORS_REMEDY = (
    "Only safetensors weights are loaded. Convert with pipeline.save_pretrained(FOLDER, "
    "safe_serialization=True) "
    "in a place where you trust the original files."
)


@dataclass(frozen=True)
class LocalFiles:
    """A folder or a file on this machine."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def revision(self) -> str:
        return "by content"

    def fingerprint(self) -> dict[str, Any]:
        """Digest of the bytes of all files, hidden ones excepted; read anew at each call."""
        if self.path.is_file():
            return {"sha256": digest_file(self.path)}
        files = sorted(
            p.relative_to(self.path).as_posix()
            for p in self.path.rglob("*")
            if p.is_file() and not any(part.startswith(".") for part in p.relative_to(self.path).parts)
        )
        return {"sha256": digest_strings(part for n in files for part in (n, digest_file(self.path / n)))}


@dataclass(frozen=True)
class HubCommit:
    """One commit of a repository on the Hub: its content cannot change."""

    repository: str
    commit: str

    @property
    def name(self) -> str:
        return self.repository.split("/")[-1]

    @property
    def revision(self) -> str:
        return self.commit

    def fingerprint(self) -> dict[str, Any]:
        """Repository and commit."""
        return {"repository": self.repository, "commit": self.commit}


Source = LocalFiles | HubCommit


def parse_source(argument: str, value: str, revision: str | None) -> Source:
    """Take a local path that exists, or ``owner/name`` with a full commit.

    Raises :class:`UsageError` for anything else.
    """
    path = Path(value).expanduser()
    if path.exists():
        if revision is not None:
            raise UsageError(
                f"{argument}={value} is on this machine, so it has no revision.",
                "Leave the revision out: a local model is identified by its files' bytes.",
            )
        return LocalFiles(path)
    if not _HUB_ID.fullmatch(value):
        raise UsageError(
            f"{argument}={value}: there is no such path, and it is no Hub id of the form owner/name.",
            "Give the path of a saved model, or a Hub id and its revision.",
        )
    if revision is None or not _COMMIT.fullmatch(revision):
        wrong = "has no revision" if revision is None else f"has revision {revision!r}, a name that can move"
        raise UsageError(
            f"{argument}={value} is no path on this machine, and as a Hub id it {wrong}.",
            "Write the full commit (40 hex digits). This prints it:\n"
            f"  python -c \"from huggingface_hub import model_info; print(model_info('{value}'"
            f'{f", revision={revision!r}" if revision else ""}).sha)"',
        )
    return HubCommit(value, revision)


def parse_pinned(argument: str, value: str) -> Source:
    """As :func:`parse_source`, for one string: a path that exists, or ``owner/name@commit``."""
    if Path(value).expanduser().exists():
        return parse_source(argument, value, None)
    name, _, commit = value.partition("@")
    return parse_source(argument, name, commit or None)


def is_offline(context: Context) -> bool:
    """Whether the run, or the hub's own environment variable, forbids the network."""
    from huggingface_hub import constants

    return context.offline or bool(constants.HF_HUB_OFFLINE)


def where(source: HubCommit, context: Context) -> dict[str, Any]:
    """The arguments by which every loader of the hub finds ``source``."""
    cache = None if context.cache_dir is None else str(context.cache_dir)
    return {"revision": source.commit, "local_files_only": is_offline(context), "cache_dir": cache}


def local_copy(source: Source, context: Context, what: str, patterns: Sequence[str] | None = None) -> Path:
    """Return the folder with the files of ``source`` that match ``patterns`` (None: all but pickles).

    Files that are not on this machine are fetched, unless the run is offline.
    """
    if isinstance(source, LocalFiles):
        return source.path
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(  # nosec B615  # where() gives the revision
                source.repository,
                allow_patterns=None if patterns is None else list(patterns),
                ignore_patterns=list(_PICKLES) if patterns is None else None,
                **where(source, context),
            )
        )
    except (OSError, ValueError) as error:
        raise explain(error, source, what) from error


def unread_code(source: Source) -> str:
    """The remedy where a repository's own Python code would have to be run, and the user has not said so."""
    page = (
        source.path
        if isinstance(source, LocalFiles)
        else (f"https://huggingface.co/{source.repository}/tree/{source.commit}")
    )
    return f"{source.name} brings Python code of its own. Read it at {page}, then give --trust-remote-code."


def lacking_file(source: Source, file: str, context: Context) -> str | None:
    """The remedy where one file of ``source`` is not on this machine and may not be fetched."""
    if isinstance(source, LocalFiles):
        return None if (source.path / file).is_file() else f"{source.path} holds no {file}: correct the path."
    if not is_offline(context):
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(source.repository, file, cache_dir=context.cache_dir, revision=source.commit)
    if isinstance(found, str):
        return None
    return (
        f"{source.repository} at {source.commit[:12]} is not in the local cache, and this run is offline. "
        f"Fetch it once while online: hf download {source.repository} --revision {source.commit}"
    )


def lacking_locally(source: LocalFiles) -> str | None:
    """The remedy where a folder is no saved pipeline with safetensors weights."""
    if not (source.path / "model_index.json").is_file():
        return f"{source.path} holds no model_index.json: name the folder that pipeline.save_pretrained() wrote."
    if not any(source.path.rglob("*.safetensors")):
        return f"{source.path} holds no safetensors file. {_SAFETENSORS_REMEDY}"
    return None


def lacking_in_cache(source: HubCommit, cache: Path | None) -> str | None:
    """The remedy where the cache does not hold this commit's pipeline. Imports no model code."""
    from huggingface_hub import try_to_load_from_cache

    index = try_to_load_from_cache(source.repository, "model_index.json", cache_dir=cache, revision=source.commit)
    remedy = (
        f"Fetch it once while online: hf download {source.repository} --revision {source.commit}"
        f"{f' --cache-dir {cache}' if cache else ''}"
    )
    if not isinstance(index, str):
        return (
            f"{source.repository} at {source.commit[:12]} is not in the local cache, and this run is offline. {remedy}"
        )
    folder = Path(index).parent
    absent = [name for name in _components(Path(index)) if not any((folder / name).glob("*"))]
    if absent:
        return f"The cache holds {source.repository} without {', '.join(absent)}, and this run is offline. {remedy}"
    return None


def explain(error: BaseException, source: Source, what: str) -> BenchError:
    """The mendable error behind a failure to load ``source``, found along the chain of causes."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(source, HubCommit):
        page = f"https://huggingface.co/{source.repository}"
        for link in _chain(error):
            status = link.response.status_code if isinstance(link, HfHubHTTPError) and link.response is not None else 0
            if isinstance(link, GatedRepoError) or (status == 403 and not isinstance(link, RepositoryNotFoundError)):
                return MissingError(
                    f"{source.repository} is gated: the Hub refuses its files to this account ({status}).",
                    f"Accept its licence at {page}, then set HF_TOKEN to a token of that account "
                    "(https://huggingface.co/settings/tokens).",
                )
            if isinstance(link, RepositoryNotFoundError) or status == 401:
                return MissingError(
                    f"The Hub has no public repository {source.repository}.",
                    f"Check the id at {page}; for a private one set HF_TOKEN to a token that may read it.",
                )
            if isinstance(link, RevisionNotFoundError):
                return UsageError(
                    f"{source.repository} has no commit {source.commit}.", f"Look it up at {page}/commits."
                )
            if isinstance(link, LocalEntryNotFoundError | OfflineModeIsEnabled | ConnectionError):
                return MissingError(
                    f"{source.repository} is not wholly in the local cache, and the Hub was not reached: {link}",
                    f"Check the connection, or fetch it elsewhere: hf download {source.repository} "
                    f"--revision {source.commit}",
                )
    if any("safetensors" in str(link) for link in _chain(error)):
        return MissingError(f"The {what} {source.name} has no safetensors weights: {error}", _SAFETENSORS_REMEDY)
    return DataError(
        f"The {what} {source.name} cannot be loaded: {type(error).__name__}: {error}",
        "Check that diffusers loads it: DiffusionPipeline.from_pretrained(...). A repository's own Python code runs "
        "only with --model-arg remote_code=true and --trust-remote-code, once you have read it.",
    )


def _components(index: Path) -> list[str]:
    """Sub-folders that a pipeline's ``model_index.json`` names, the safety checker's left out."""
    entries = json.loads(index.read_text(encoding="utf-8"))
    return [
        name
        for name, value in entries.items()
        if isinstance(value, list) and len(value) == 2 and value[0] is not None and name != "safety_checker"
    ]


def _chain(error: BaseException) -> list[BaseException]:
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or link.__context__
    return links
