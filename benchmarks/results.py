"""What a part gives: a table for people and the same numbers as JSON; and what machine it was measured on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import Settings

__all__ = ["Part", "machine", "plain", "shown", "spent", "write_results"]

_PACKAGES = ("onnxruntime", "numpy", "scikit-learn", "pandas", "onnx")


class Part(NamedTuple):
    """One table. `measured` are the plain numbers behind it, in seconds; `note` says how they were taken."""

    name: str
    title: str
    note: str
    headers: tuple[str, ...]
    rows: list[tuple[str, ...]]
    measured: list[dict[str, Any]]


def spent(seconds: float) -> str:
    """A time in a unit that reads well, three digits."""
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}" if seconds / size < 1000 else f"{seconds / size:,.0f} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def plain(times: dict[str, float], **about: Any) -> list[dict[str, Any]]:
    """Seconds by case as numbers of their own, each with what they are about."""
    return [about | {"case": case, "seconds": seconds} for case, seconds in times.items()]


def machine() -> dict[str, str]:
    """CPU, cores, system and versions. No date, no name of the host."""
    from edge_infer import __version__

    return {
        "CPU": _cpu(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "edge-infer": __version__,
        **{package: version(package) for package in _PACKAGES},
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def shown(part: Part) -> str:
    """Aligned plain text."""
    cells = [part.headers, *part.rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(part.headers))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    return "\n".join([part.title, *lines, f"({part.note})", ""])


def write_results(
    parts: Sequence[Part],
    settings: Settings,
    folder: Path,
    name: str = "results",
    command: str = "python -m benchmarks",
) -> None:
    """NAME.md and NAME.json."""
    facts = machine()
    about = ", ".join(f"{key} {value}" if key != "CPU" else value for key, value in facts.items())
    statistic = (
        f"Statistic: median of {settings.batches} batches of at least {settings.seconds * 1e3:g} ms of calls, cases in "
        f"turns; for processes, median of {settings.pairs} pairs of fresh ones."
    )
    text = [
        "# Measured side by side",
        "",
        f"Machine: {about}.",
        "",
        statistic,
        "",
        f"Written by `{command}`.",
    ]
    for part in parts:
        text += ["", f"## {part.title}", "", *_markdown(part), "", part.note]
    (folder / f"{name}.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    document = {
        "machine": facts,
        "statistic": settings._asdict(),
        "parts": {part.name: part.measured for part in parts},
    }
    (folder / f"{name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _markdown(part: Part) -> list[str]:
    rule = "|".join(["---", *["---:"] * (len(part.headers) - 1)])
    return [f"| {' | '.join(part.headers)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in part.rows)]
