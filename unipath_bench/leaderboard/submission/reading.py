"""Reading a zip file that somebody else made: nothing is unpacked, and nothing is read before its size is known.

Members are stored, so a member's size is what it takes in the file: what claims more than the file holds is refused
before a byte of it is read. Nothing may lie before, between or behind the members.
"""

from __future__ import annotations

import hashlib
import stat
import struct
import zipfile
from collections import Counter
from pathlib import Path
from typing import BinaryIO

from unipath_bench.core.errors import DataError
from unipath_bench.leaderboard.submission.layout import (
    CARD,
    FEATURES_NAME,
    IMAGE_NAME,
    MANIFEST,
    MAX_BYTES,
    MAX_DOCUMENT,
    MAX_MEMBERS,
    MAX_NAME,
    RECORD,
    SAMPLES,
)

_END = struct.Struct("<4s4H2LH")
_LOCAL, _CENTRAL = 30, 46
_DOCUMENTS = (CARD, MANIFEST, RECORD, SAMPLES)
_REMEDY = "Only what `unipath-bench submit` writes is taken."
_BROKEN = (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, EOFError, OSError, RuntimeError)
"""What the zip reader raises on damaged files."""


class Refused(DataError):
    """An archive that is not read any further."""


def read_members(path: Path) -> dict[str, bytes]:
    """Every member of an archive by name; raises :class:`Refused` naming the member and what is wrong with it."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise Refused(f"It has {size:,} bytes; at most {MAX_BYTES:,} are read.", _REMEDY)
    with path.open("rb") as stream:
        _check_end(stream.read(4), _tail(stream, size), size)
        try:
            with zipfile.ZipFile(stream) as archive:
                members = archive.infolist()
                _check_members(members, size)
                return {member.filename: archive.read(member) for member in members}
        except _BROKEN as error:
            raise Refused(f"It is damaged: {error}.", _REMEDY) from error


def archive_digest(path: Path) -> str:
    """SHA-256 of the file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _tail(stream: BinaryIO, size: int) -> bytes:
    stream.seek(max(0, size - _END.size))
    return stream.read()


def _check_end(head: bytes, tail: bytes, size: int) -> None:
    """The end of the table of contents, before it is read: how many members it claims to list."""
    if head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise Refused("It is a pickle, which is code.", _REMEDY)
    if not head.startswith(b"PK\x03\x04") or len(tail) < _END.size or not tail.startswith(b"PK\x05\x06"):
        raise Refused("It is not a zip file of members alone, or something lies before or behind them.", _REMEDY)
    _, disk, start, here, members, length, offset, comment = _END.unpack(tail)
    if disk or start or here != members or comment:
        raise Refused("It is a zip file in parts, or with a comment.", _REMEDY)
    if members > MAX_MEMBERS:
        raise Refused(f"It lists {members:,} members; at most {MAX_MEMBERS:,} are read.", _REMEDY)
    if length > members * (_CENTRAL + MAX_NAME) or offset + length + _END.size != size:
        raise Refused("Its table of contents does not fit its members.", _REMEDY)


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    names = [member.filename for member in members]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise Refused(f"It holds {twice[0]!r} twice.", _REMEDY)
    for member in members:
        reason = _objection(member)
        if reason:
            raise Refused(f"{member.filename[:MAX_NAME]!r} {reason}.", _REMEDY)
    if names != sorted(names):
        raise Refused("Its members are not in order of name.", _REMEDY)
    offset = 0
    for member in members:
        if member.header_offset != offset:
            raise Refused(f"Something lies before {member.filename!r}, or members overlap.", _REMEDY)
        offset += _LOCAL + len(member.filename) + member.file_size
    if offset + sum(_CENTRAL + len(name) for name in names) + _END.size != size:
        raise Refused("Its members claim more or fewer bytes than it holds.", _REMEDY)


def _objection(member: zipfile.ZipInfo) -> str:
    """What is wrong with a member, by its entry in the table of contents."""
    name, original = member.filename, getattr(member, "orig_filename", member.filename)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a symbolic link"
    if name != original or not name.isascii() or not name.isprintable():
        return "has a name that systems read differently"
    if name.startswith(("/", "\\")) or (len(name) > 1 and name[1] == ":"):
        return "is an absolute path"
    if ".." in name.replace("\\", "/").split("/"):
        return "leads out of the archive"
    if kind not in (0, stat.S_IFREG) or name.endswith("/"):
        return "is not a file"
    if name.endswith((".pkl", ".pickle", ".pt", ".pth", ".npy", ".npz", ".joblib", ".ckpt")):
        return "is of a kind that may hold a pickle, which is code; features are safetensors"
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        ratio = member.file_size / max(1, member.compress_size)
        return f"is compressed ({member.file_size:,} bytes from {member.compress_size:,}, {ratio:.0f} to 1)"
    if member.flag_bits or member.extra or member.comment:
        return "is encrypted, or carries more than its content"
    if name not in _DOCUMENTS and not FEATURES_NAME.fullmatch(name) and not IMAGE_NAME.fullmatch(name):
        return "is no member of a submission"
    if name in _DOCUMENTS and member.file_size > MAX_DOCUMENT:
        return f"has {member.file_size:,} bytes; at most {MAX_DOCUMENT:,} of JSON are read"
    return ""
