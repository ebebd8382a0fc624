"""What ``doctor`` examines."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.table import Table
from rich.text import Text

from unipath_bench.core.console import Console
from unipath_bench.core.errors import MissingError
from unipath_bench.schema.base import Document

if TYPE_CHECKING:
    from unipath_bench.contracts import Context

Verdict = Literal["ok", "note", "missing"]


class Finding(Document):
    """One thing that was examined."""

    subject: str
    verdict: Verdict
    found: str
    remedy: str = ""


class EncoderState(Document):
    """Whether one encoder would load."""

    name: str
    loader: str
    dimension: int | None
    gated: bool
    place: str
    """Where its files were found."""
    remedy: str | None
    """What it lacks; None where it would load."""


def examine(out: Path, offline: bool) -> list[Finding]:
    """Versions, device, disk, cached weights and, unless offline, whether the hub answers."""
    findings = [Finding(subject="Python", verdict="ok", found=platform.python_version())]
    findings += _packages()
    findings += [_device(), _disk(out)]
    findings += _encoders(offline)
    findings.append(_token())
    findings.append(_hub(offline))
    return findings


def print_findings(findings: list[Finding], console: Console) -> None:
    """A table, then what to do about each thing that is missing."""
    table = Table()
    for column in ("Subject", "", "Found"):
        table.add_column(column, overflow="fold")
    colour = {"ok": "green", "note": "yellow", "missing": "red"}
    for f in findings:
        table.add_row(f.subject, Text(f.verdict, colour[f.verdict]), f.found)
    console.print(table)
    for f in findings:
        if f.remedy:
            console.print_line(f"{f.subject}: {f.remedy}")


def _packages() -> list[Finding]:
    from unipath_bench.core.packages import package_versions

    return [
        Finding(
            subject=name,
            verdict="missing" if version == "absent" else "ok",
            found=version,
            remedy=f"pip install {name}" if version == "absent" else "",
        )
        for name, version in package_versions().items()
    ]


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding(subject="Device", verdict="ok", found=f"cuda: {torch.cuda.get_device_name(0)}")
    if torch.backends.mps.is_available():
        return Finding(subject="Device", verdict="ok", found="mps")
    return Finding(subject="Device", verdict="note", found=f"no GPU; {os.cpu_count()} CPU cores")


def _disk(out: Path) -> Finding:
    existing = next(p for p in (out.absolute(), *out.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    writable = os.access(existing, os.W_OK)
    return Finding(
        subject=f"Output folder {out}",
        verdict="ok" if writable and free > 2**30 else "missing",
        found=f"{free / 2**30:.1f} GiB free, {'writable' if writable else 'not writable'}",
        remedy="" if writable and free > 2**30 else "Choose another folder with --out.",
    )


def examine_encoders(offline: bool, trust_remote_code: bool = False) -> list[EncoderState]:
    """Whether each registered encoder would load now, from where or why not. Loads none."""
    from unipath_bench.contracts import Context
    from unipath_bench.core.registries import ENCODERS

    context = Context(offline=offline, trust_remote_code=trust_remote_code)
    return [_state(entry.name, entry.provider, context) for entry in ENCODERS.entries()]


def print_encoders(states: list[EncoderState], console: Console) -> None:
    """A table of encoders, then what to do about each that would not load."""
    table = Table()
    for column in ("Encoder", "Loader", "Dim.", "Gated", "Would load"):
        table.add_column(column, overflow="fold")
    for s in states:
        verdict = Text("no", "red") if s.remedy is not None else Text.assemble(("yes", "green"), f", {s.place}")
        table.add_row(s.name, s.loader, str(s.dimension or ""), "yes" if s.gated else "no", verdict)
    console.print(table)
    for s in states:
        if s.remedy is not None:
            console.print_line(f"{s.name}: {s.remedy}")


def _state(name: str, provider: str, context: Context) -> EncoderState:
    from unipath_bench.core.registries import ENCODERS
    from unipath_bench.encoders.loading import find
    from unipath_bench.encoders.pretrained import Pretrained

    try:
        encoder = ENCODERS.get(name)()
    except MissingError as error:
        return EncoderState(name=name, loader=provider, dimension=None, gated=False, place="", remedy=str(error))
    remedy = encoder.missing(context)
    found = find(encoder.spec, context.cache_dir) if isinstance(encoder, Pretrained) and remedy is None else None
    return EncoderState(
        name=name,
        loader=encoder.spec.loader if isinstance(encoder, Pretrained) else provider,
        dimension=encoder.card.dimension,
        gated=encoder.card.gated,
        place=found.place if found is not None else "" if remedy is not None else "comes with the package",
        remedy=remedy,
    )


def _encoders(offline: bool) -> list[Finding]:
    states = examine_encoders(offline)
    ready = [s for s in states if s.remedy is None]
    findings = [Finding(subject=f"Encoder {s.name}", verdict="ok", found=f"would load, {s.place}") for s in ready]
    if len(ready) < len(states):
        found = f"{len(states) - len(ready)} of {len(states)} lack weights, a package or your trust"
        remedy = "`unipath-bench doctor --encoders` says what each of them needs."
        findings.append(Finding(subject="Other encoders", verdict="note", found=found, remedy=remedy))
    return findings


def _token() -> Finding:
    from huggingface_hub import get_token

    if get_token() is None:
        remedy = "For gated encoders: accept the licence on the model's page, then set HF_TOKEN or run `hf auth login`."
        return Finding(subject="Hub token", verdict="note", found="none", remedy=remedy)
    return Finding(subject="Hub token", verdict="ok", found="set")


def _hub(offline: bool) -> Finding:
    if offline or os.environ.get("HF_HUB_OFFLINE"):
        return Finding(subject="Hub access", verdict="note", found="offline: not asked")
    import httpx
    from huggingface_hub.constants import ENDPOINT

    try:
        status = httpx.head(ENDPOINT, timeout=5).status_code
    except httpx.HTTPError as error:
        remedy = "Check the network, or work with --offline and local weights."
        return Finding(subject="Hub access", verdict="note", found=f"no answer ({type(error).__name__})", remedy=remedy)
    return Finding(subject="Hub access", verdict="ok", found=f"{ENDPOINT} answers ({status})")
