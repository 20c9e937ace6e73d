"""The recorded results: what support.json holds, and whether new ones are worse."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from matrix.case import GROUPS, Case
from matrix.judge import RANK

__all__ = ["MARKDOWN", "RECORD", "described", "document", "merged", "read", "rendered", "worse"]

_ARTIFACTS: Final = Path(__file__).parent.parent / "artifacts"
RECORD: Final = _ARTIFACTS / "support.json"
MARKDOWN: Final = _ARTIFACTS / "SUPPORT.md"
_PACKAGES: Final = [
    "scikit-learn",
    "skl2onnx",
    "onnx",
    "onnxruntime",
    "numpy",
    "pandas",
    "protobuf",
    "xgboost-cpu",
    "xgboost",
    "lightgbm",
    "catboost",
    "onnxmltools",
]
_KEPT: Final = ("methods", "outcome", "precision", "rows", "worst", "borderline", "error", "reason", "documented")


def described(case: Case, result: dict[str, Any]) -> dict[str, Any]:
    """A case's entry: what it is, then its result without times."""
    named = {"group": case.group, "subject": case.subject, "case": case.name}
    return named | {key: result[key] for key in _KEPT if key in result}


def document(entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """All entries in a fixed order, and the versions they were made with."""
    order = sorted(entries, key=lambda entry: (GROUPS.index(entry["group"]), entry["subject"].lower(), entry["case"]))
    return {"versions": _versions(), "cases": order}


def merged(recorded: dict[str, Any], entries: Iterable[dict[str, Any]], cases: Iterable[Case]) -> dict[str, Any]:
    """The recorded document with these entries in the place of their older ones; of what are no `cases` now, none."""
    both = {_key(entry): entry for entry in (*recorded["cases"], *entries)}
    known = {(case.group, case.subject, case.name) for case in cases}
    return document(entry for key, entry in both.items() if key in known)


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def rendered(made: dict[str, Any]) -> str:
    """One line for each case, so that a diff shows which ones changed."""
    lines = [json.dumps(entry, ensure_ascii=False) for entry in made["cases"]]
    versions = json.dumps(made["versions"])
    return '{\n"versions": ' + versions + ',\n"cases": [\n' + ",\n".join(lines) + "\n]\n}\n"


def read(path: Path = RECORD) -> dict[str, Any]:
    """The recorded document; an empty one where there is none."""
    if not path.exists():
        return {"versions": {}, "cases": []}
    made: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return made


def worse(recorded: dict[str, Any], entries: Iterable[dict[str, Any]]) -> list[str]:
    """A line for each case whose outcome is worse than the recorded one; a new case must not be wrong."""
    before = {_key(entry): entry["outcome"] for entry in recorded["cases"]}
    return [
        f"{'/'.join(_key(entry))}: {before.get(_key(entry), 'new')} → {entry['outcome']}: {entry.get('reason', '')}"
        for entry in entries
        if RANK[entry["outcome"]] < RANK[before.get(_key(entry), "refused")]
    ]


def _key(entry: dict[str, Any]) -> tuple[str, str, str]:
    return entry["group"], entry["subject"], entry["case"]
