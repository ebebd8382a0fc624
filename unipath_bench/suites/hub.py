"""Fetching a data set repository from the Hugging Face hub, or finding it in the cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import httpx
from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from unipath_bench.core.errors import MissingError, UsageError

_TRUE = {"1", "ON", "YES", "TRUE"}


def is_offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` or ``HF_DATASETS_OFFLINE`` is set, now or when ``huggingface_hub`` was imported."""
    names = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
    return bool(constants.HF_HUB_OFFLINE) or any(os.environ.get(name, "").upper() in _TRUE for name in names)


def snapshot(name: str, revision: str, files: Sequence[str] | None = None, *, offline: bool = False) -> Path:
    """Folder of the data set repository ``name`` at ``revision``, downloaded unless it is in the hub's cache.

    With ``offline`` (or :func:`is_offline`) only the cache is looked at and nothing is reached for. Raises
    :class:`~unipath_bench.MissingError` with the remedy where it is not cached, not there, gated, or the hub
    cannot be reached.
    """
    offline = offline or is_offline()
    page = f"https://huggingface.co/datasets/{name}"
    fetch = f"hf download {name} --repo-type dataset --revision {revision}"
    try:
        return Path(
            snapshot_download(
                name,
                repo_type="dataset",
                revision=revision,
                allow_patterns=list(files) if files else None,
                local_files_only=offline,
            )
        )
    except HFValidationError as error:
        raise UsageError(f"{name} is no hub id: {error}", "Hub ids have the form owner/name.") from error
    except GatedRepoError as error:
        raise MissingError(
            f"The data set {name} is gated.", f"Accept its terms at {page} and set HF_TOKEN, or run `hf auth login`."
        ) from error
    except RevisionNotFoundError as error:
        raise MissingError(f"{name} has no revision {revision!r}.", f"{page}/commits/main lists them.") from error
    except RepositoryNotFoundError as error:
        raise MissingError(
            f"There is no data set {name} on the hub, or it is private.",
            "Check the name; for a private one set HF_TOKEN, or run `hf auth login`.",
        ) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        if offline:
            raise MissingError(
                f"The data set {name} at revision {revision} is not in the cache, and this run is offline.",
                f"With a network: {fetch}; or copy it here and give its path as --data.",
            ) from error
        raise MissingError(f"{name} is not in the cache and the hub cannot be reached.", f"Later: {fetch}") from error
    except (HfHubHTTPError, httpx.HTTPError, OSError) as error:
        raise MissingError(f"Fetching {name} failed: {error}", f"Try again: {fetch}") from error
