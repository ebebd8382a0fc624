"""The one way to print: what a name, a path or a prompt holds can neither style nor steer what shows it.

Lines and tables go through :class:`Console`, documents for programs through :func:`write_json` and :func:`write_csv`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable
from typing import IO, Any, Literal, cast

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, HighlighterType, JustifyMethod, OverflowMethod, RenderableType
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from unipath_bench.core.errors import UsageError

_HIDDEN = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""Control characters past ASCII, separators of lines, and marks that turn the direction of writing."""
_STEERING = re.compile(f"\r\n|[\x00-\x08\x0b-\x1f{_HIDDEN}]|[\ud800-\udfff]")
"""Those, the control characters of ASCII but tab and line feed, and the bytes of file names that are no UTF-8."""
_IN_JSON = re.compile(f"[{_HIDDEN}\ud800-\udfff]")
_BEYOND_ASCII = re.compile("[^\x00-\x7e]")
_COMMAND = re.compile(r"(?m)^[^\S\n]*(?=::)|##(?=\w*\[)")
"""Where a line of a job's log becomes a command: ``::add-mask::`` after any white space, ``##[group]`` anywhere."""
SHOWN = "\N{REPLACEMENT CHARACTER}"


def neutral(text: str) -> str:
    """``text`` with its control characters replaced by :data:`SHOWN`, and what is no Unicode written as an escape."""
    return _STEERING.sub(_replaced, text)


class Console(RichConsole):
    """Rich's console, which takes a string literally wherever it stands: in a line, a cell, a head or a title.

    Nothing in a string is markup or an emoji, and styled text is :class:`rich.text.Text`. Escape sequences in a text
    would move the cursor, retitle the window or hide lines, so control characters are replaced as :func:`neutral`
    says; Rich's own sequences are not part of the text and are kept. A line that would be a command to the runner of
    continuous integration is marked with :data:`SHOWN`, and what the stream's encoding lacks is printed as an escape.
    """

    def __init__(
        self,
        *,
        stderr: bool = False,
        file: IO[str] | None = None,
        width: int | None = None,
        force_terminal: bool | None = None,
        color_system: Literal["auto", "standard", "256", "truecolor", "windows"] | None = "auto",
    ) -> None:
        super().__init__(
            stderr=stderr,
            file=file,
            width=width,
            force_terminal=force_terminal,
            color_system=color_system,
            markup=False,
            emoji=False,
            highlight=False,
        )

    @property
    def file(self) -> IO[str]:
        """The stream, which takes every text."""
        return cast(IO[str], _Shielded(super().file))

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    @property
    def encoding(self) -> str:
        """Encoding of the stream, by which tables choose their rules."""
        return _encoding(self.file).lower()

    def print_line(self, text: str | Text, style: str | None = None) -> None:
        """Print a line without breaking it at the width, so that paths and commands in it can be copied."""
        self.print(text, style=style, soft_wrap=True)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield Rich's segments of ``renderable``, their text made :func:`neutral`."""
        for segment in super().render(renderable, options):
            if segment.control is None and _STEERING.search(segment.text):
                yield Segment(neutral(segment.text), segment.style)
            else:
                yield segment

    def render_str(
        self,
        text: str,
        *,
        style: str | Style = "",
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        emoji: bool | None = None,
        markup: bool | None = None,
        highlight: bool | None = None,
        highlighter: HighlighterType | None = None,
    ) -> Text:
        """Return ``text`` as it is, made :func:`neutral`; asking for markup, emoji or highlights has no effect."""
        return Text(neutral(text), style=style, justify=justify, overflow=overflow)


class ConsoleHandler(logging.Handler):
    """Prints the messages of a log on a console."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        self._console.print_line(self.format(record))


def write_json(text: str) -> None:
    """Write a JSON document and a line feed to standard output: the same document with what could steer escaped.

    What the encoding of standard output lacks is escaped too.
    """
    text = _IN_JSON.sub(_json_escape, text.removesuffix("\n"))
    if not _fits(text, sys.stdout):
        text = _BEYOND_ASCII.sub(_json_escape, text)
    sys.stdout.write(text + "\n")


def write_csv(text: str) -> None:
    """Write a CSV document to standard output: to the letter for programs, neutral on a terminal.

    Raises :class:`~unipath_bench.UsageError` where the encoding of standard output lacks a character of it.
    """
    if sys.stdout.isatty():
        Console().print(text, end="", soft_wrap=True)
        return
    if not _fits(text, sys.stdout):
        raise UsageError(
            f"Standard output is in {_encoding(sys.stdout)}, which lacks characters of the table.",
            "Write to a file instead, or set PYTHONIOENCODING=utf-8.",
        )
    sys.stdout.write(text)


class _Shielded:
    """A text stream, to which no line is a command and no character too strange."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        text = _COMMAND.sub(_disarmed, text)
        if not _fits(text, self._stream):
            encoding = _encoding(self._stream)
            text = text.encode(encoding, "backslashreplace").decode(encoding)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _replaced(found: re.Match[str]) -> str:
    text = found.group()
    if text == "\r\n":
        return "\n"
    return f"\\u{ord(text):04x}" if "\ud800" <= text <= "\udfff" else SHOWN


def _disarmed(found: re.Match[str]) -> str:
    text = found.group()
    return f"#{SHOWN}#" if text == "##" else text + SHOWN


def _json_escape(found: re.Match[str]) -> str:
    return json.dumps(found.group())[1:-1]


def _encoding(stream: IO[str]) -> str:
    return getattr(stream, "encoding", None) or "utf-8"


def _fits(text: str, stream: IO[str]) -> bool:
    try:
        text.encode(_encoding(stream))
    except UnicodeEncodeError:
        return False
    return True
