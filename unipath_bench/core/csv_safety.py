"""CSV cells that a spreadsheet would take for formulas, made plain texts; and back.

A cell that begins with ``= + - @``, a tab or a line break is run when somebody opens the file in a spreadsheet (OWASP,
"CSV Injection"). Where a cell holds text that others chose, it is therefore written with an apostrophe before it, and
so is a text that begins with apostrophes and then one of these, so that reading can take away exactly one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_ESCAPED = re.compile(r"''*[=+\-@\t\r\n＝＋－＠]")


def escape_formula(text: str) -> str:
    """``text`` as a cell that no spreadsheet runs; most texts are their own. :func:`unescape_formula` gives it back.

    Examples:
        >>> escape_formula("=1+1"), escape_formula("A gland.")
        ("'=1+1", 'A gland.')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unescape_formula(cell: str) -> str:
    """The text that :func:`escape_formula` made ``cell`` of.

    Examples:
        >>> unescape_formula("'=1+1"), unescape_formula("'quoted'")
        ('=1+1', "'quoted'")
    """
    return cell[1:] if _ESCAPED.match(cell) else cell


def escaped_row(cells: Iterable[object]) -> list[object]:
    """A row with its texts escaped; numbers and None stay as they are."""
    return [escape_formula(cell) if isinstance(cell, str) else cell for cell in cells]
