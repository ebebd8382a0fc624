"""Inputs for the fuzzers: bytes from nothing, and valid documents with damage done to them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

INTERESTING = (
    b"",
    b"\x00",
    b"\xff" * 8,
    b"\x00" * 8,
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x80\x00\x00\x00",
    b"-1",
    b"1e999",
    b"NaN",
    b"9" * 400,
    b"null",
    b"[]",
    b"{}",
    b'"',
    b"\\ud800",
    b"\\u0000",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\n\n",
    b"*a",
    b"&a ",
    b"<<: ",
    b"? ",
    b"!!int ",
    b"../../",
    b"/etc/passwd",
    b"{0.__class__}",
    b"%s%n",
    b"true",
    b"0x10",
    b"[" * 200,
    b'{"a":' * 70,
    b"a: " * 70,
    b"- " * 70,
    b"\x1b[2J",
    "\u202e\u2028\x85".encode(),
)
"""Bytes that parsers stumble over: extreme numbers, broken text, aliases, depth, format strings."""


@st.composite
def damaged(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of ``seeds`` with one to six pieces changed, cut out, doubled, put in or taken from another seed."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 64))
        end = min(len(data), start + length)
        kind = draw(st.sampled_from(("flip", "cut", "double", "put", "over", "splice", "end")))
        if kind == "flip" and start < len(data):
            data = data[:start] + bytes([data[start] ^ draw(st.integers(1, 255))]) + data[start + 1 :]
        elif kind == "cut":
            data = data[:start] + data[end:]
        elif kind == "double":
            data = data[:end] + data[start:]
        elif kind == "put":
            data = data[:start] + draw(st.sampled_from(INTERESTING)) + data[start:]
        elif kind == "over":
            piece = draw(st.sampled_from(INTERESTING) | st.binary(min_size=1, max_size=8))
            data = data[:start] + piece + data[start + len(piece) :]
        elif kind == "splice":
            other = draw(st.sampled_from(seeds))
            data = data[:start] + other[draw(st.integers(0, len(other))) :]
        else:
            data = data[:start]
    return data


def inputs(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Mostly damaged documents; now and then bytes from nothing."""
    return st.one_of(damaged(seeds), damaged(seeds), damaged(seeds), st.binary(max_size=200))
