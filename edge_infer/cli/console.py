"""How things are printed: JSON, plain aligned text, and tables and colour where a terminal is watching."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

__all__ = [
    "WIDTH",
    "Grid",
    "dumps",
    "encodes",
    "is_terminal",
    "plain_grid",
    "printable",
    "say",
    "show_grid",
    "width",
    "wrapped",
    "write",
]

WIDTH = 80  # columns of plain output
_WIDEST: Final = 100  # columns that prose is folded to on a wider terminal
_LEAST: Final = 20

#: What no line is broken in: `…`, and a command with the options, NAMES and files that follow.
_COMMAND: Final = re.compile(
    r"`[^`]+`|(?<!\S)edge-infer [a-z-]+(?: (?:-\S+(?: \d\S*)?|[A-Z]{2}\S*|\S+[./@]\S+))*"
    r"|(?:python -m )?pip install (?:-\S+ )*\S+"
)
_GLUE: Final = "\0"  # stands for a blank that no line ends at; `printable` text has none

_ASCII = str.maketrans(
    {
        "✓": "+",
        "✗": "x",
        "–": "-",
        "…": "...",
        "≤": "<=",
        "≥": ">=",
        "×": "x",
        "→": "->",
        "µ": "u",
        "─": "-",
        "█": "#",
        "▏": ".",
    }
)


class Grid(NamedTuple):
    """A table: `right` names the columns (by position) that are aligned to the right."""

    headers: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    right: frozenset[int] = frozenset()


# --- text -------------------------------------------------------------------------------


def is_terminal() -> bool:
    return sys.stdout.isatty()


def encodes(text: str) -> bool:
    """Whether standard output's encoding has these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def printable(text: str) -> str:
    """Text from a file or a caller without control characters, which could drive the terminal."""
    if text.isprintable():
        return text
    return "".join(c if c == "\n" or not (ord(c) < 32 or 127 <= ord(c) < 160) else f"\\x{ord(c):02x}" for c in text)


def write(text: str = "", *, end: str = "\n") -> None:
    """A line on standard output, with plainer signs where its encoding has no others."""
    if not text.isascii() and not encodes(text):
        text = text.translate(_ASCII)
    sys.stdout.write(text + end)


def width(text: str) -> int:
    """Columns that a terminal takes for the text: wide characters take two, marks none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 1 + (east_asian_width(c) in "WF") for c in text)


def wrapped(text: str, indent: int, room: int = WIDTH) -> str:
    """Paragraphs folded to `room` columns, all lines but the first indented. Commands and options stay whole."""
    lines = [line for paragraph in printable(text).split("\n") for line in _folded(paragraph, room - indent, cut=True)]
    return ("\n" + " " * indent).join(lines)


def _folded(paragraph: str, room: int, *, cut: bool) -> list[str]:
    """Lines that go on under the paragraph's own indent; cut: a word longer than a line is broken too."""
    import textwrap

    lead = paragraph[: len(paragraph) - len(paragraph.lstrip())]
    glued = _COMMAND.sub(lambda command: command[0].replace(" ", _GLUE), paragraph)
    lines = textwrap.wrap(
        glued, max(_LEAST, room), subsequent_indent=lead, break_long_words=cut, break_on_hyphens=False
    )
    return [line.replace(_GLUE, " ") for line in lines] or [""]


def say(text: str) -> None:
    """Lines on standard error. A terminal gets them folded at words, but for those with a gap of two blanks: rows of a
    table, and commands to copy. A file or pipe gets them as they are, for programs that look for words."""
    if sys.stderr.isatty():
        from shutil import get_terminal_size

        room = min(get_terminal_size().columns, _WIDEST)
        lines = text.split("\n")
        folded = [[line] if "  " in line.strip() else _folded(line, room, cut=False) for line in lines]
        text = "\n".join(line for part in folded for line in part)
    print(text, file=sys.stderr, flush=True)


# --- JSON -------------------------------------------------------------------------------


def dumps(value: Any, indent: int | None = None) -> str:
    """Strict JSON, in ASCII unless standard output is UTF-8; numbers that are not finite are null."""
    import json

    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, indent=indent)
    if text.isascii() or (text.isprintable() and _is_utf8()):
        return text
    return json.dumps(_finite(value), allow_nan=False, indent=indent)


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


# --- tables -----------------------------------------------------------------------------


def show_grid(grid: Grid) -> None:
    """With rich on a terminal, as aligned text elsewhere."""
    if is_terminal():
        _rich_grid(grid)
    else:
        for line in plain_grid(grid, "…" if encodes("…") else "..."):
            write(line)


def _rich_grid(grid: Grid) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.width = min(console.width, 100)
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for position, header in enumerate(grid.headers):
        justify: Any = "right" if position in grid.right else "left"
        table.add_column(Text(printable(header)), justify=justify, overflow="ellipsis", no_wrap=True)
    for row in grid.rows:
        table.add_row(*(_styled(Text(printable(cell))) for cell in row))
    console.print(table)


def _styled(cell: Any) -> Any:
    cell.stylize({"✓": "bold green", "✗": "bold red", "–": "dim"}.get(cell.plain, ""))
    return cell


def plain_grid(grid: Grid, ellipsis: str = "…", room: int = WIDTH) -> list[str]:
    """Lines of at most `room` columns: the widest columns are cut first."""
    cells = [[printable(cell) for cell in row] for row in [grid.headers, *grid.rows]]
    widths = _fitting([max(map(width, column)) for column in zip(*cells, strict=True)], room)
    lines = []
    for row in cells:
        padded = (
            _padded(_shortened(cell, room_of, ellipsis), room_of, right=position in grid.right)
            for position, (cell, room_of) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(padded).rstrip())
    return lines


def _fitting(widths: list[int], room: int) -> list[int]:
    gaps = 2 * (len(widths) - 1)
    fitting = list(widths)
    while sum(fitting) + gaps > room and max(fitting) > 6:
        fitting[fitting.index(max(fitting))] -= 1
    return fitting


def _shortened(text: str, room: int, ellipsis: str) -> str:
    if width(text) <= room:
        return text
    kept: Iterable[str] = text
    shown = ""
    for character in kept:
        if width(shown + character) > room - len(ellipsis):
            break
        shown += character
    return shown + ellipsis


def _padded(text: str, room: int, *, right: bool) -> str:
    space = " " * (room - width(text))
    return space + text if right else text + space
