"""The README's figures: lines of results.md, between two comments. `python -m benchmarks` brings them up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["figures", "quote"]

_FIRST: Final = "a test compares -->\n"
_LAST: Final = "<!-- end of figures -->"
_SECTIONS: Final = (
    "One record",
    "10,000 rows",
    "1,000,000 rows",
    "300 boosted trees",
    "Start-up",
    "Resources",
    "Large ensembles, converted",
)


def figures(results: str) -> str:
    """What the README shows of results.md: the machine, the statistic, and some of the tables with their notes.

    A table that the run has not made is left out.
    """
    head, *sections = results.split("\n## ")
    facts = [line for line in head.splitlines() if line.startswith(("Machine:", "Statistic:"))]
    tables = dict(section.split("\n", 1) for section in sections)
    return "\n\n".join([*facts, *(tables[title].strip() for title in _SECTIONS if title in tables)])


def quote(results: Path, readme: Path) -> None:
    """Put the figures of `results` into `readme`."""
    before, rest = readme.read_text(encoding="utf-8").split(_FIRST)
    after = rest.split(_LAST)[1]
    shown = figures(results.read_text(encoding="utf-8"))
    readme.write_text(f"{before}{_FIRST}\n{shown}\n\n{_LAST}{after}", encoding="utf-8")
