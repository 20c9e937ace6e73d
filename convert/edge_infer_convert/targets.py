"""Releases of onnxruntime: what each of them takes, and which one a graph needs.

The table is what the releases themselves answered (`python -m matrix.releases`).
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_infer.errors import UnsupportedModelError, UsageError

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["RELEASES_FILE", "Target", "oldest_release", "operators_of"]

RELEASES_FILE: Final = Path(__file__).with_name("onnxruntime_releases.json")
_TEXT: Final = re.compile(r"(?:onnxruntime\s*==\s*)?(\d+)\.(\d+)(?:\.(?:\d+|\*))?")


class Target(NamedTuple):
    """A release of onnxruntime that a graph shall run on. opsets: the newest of each domain that it takes; ir: the
    newest IR version."""

    release: str  # "1.17"
    opsets: dict[str, int]
    ir: int

    @classmethod
    def of(cls, text: str) -> Target:
        """From "onnxruntime==1.17", "1.17" or "1.17.3". Raises UsageError."""
        found = _TEXT.fullmatch(text.strip())
        known = _table()["releases"]
        release = f"{found[1]}.{found[2]}" if found else ""
        if release not in known:
            raise UsageError(
                f"target: expected a release of onnxruntime such as 'onnxruntime==1.17' (known: {next(iter(known))} to "
                f"{list(known)[-1]}), got {text!r:.80}"
            )
        return cls(release, dict(known[release]["opsets"]), known[release]["ir"])

    def check(self, model: ModelProto) -> None:
        """Raises UnsupportedModelError with all that the release does not take."""
        wrong = self.missing(model)
        if wrong:
            raise UnsupportedModelError(
                f"onnxruntime {self.release} does not run this graph, which needs {oldest_release(model)}: it takes "
                f"{'; '.join(wrong)}.\nName a newer --target, or replace the steps that need these operators."
            )

    def missing(self, model: ModelProto) -> list[str]:
        """What this release takes and the graph goes beyond, in words."""
        wrong = [
            f"opset {self.opsets[domain]} of {domain or 'ai.onnx'}, not {version}"
            for domain, version in _opsets(model).items()
            if version > self.opsets.get(domain, version)
        ]
        if model.ir_version > self.ir:
            wrong.append(f"IR version {self.ir}, not {model.ir_version}")
        late = {name: release for name, release in _late(model) if _numbers(release) > _numbers(self.release)}
        return wrong + [f"no {name} (since {release})" for name, release in sorted(late.items())]


def oldest_release(model: ModelProto) -> str:
    """The first release in the table that runs the graph, such as "1.17"; the newest of the table where none does."""
    releases: dict[str, Any] = _table()["releases"]
    return next(
        (release for release in releases if not Target(release, **releases[release]).missing(model)),
        list(releases)[-1],
    )


def operators_of(model: ModelProto) -> list[str]:
    """The graph's operators, also those of inner graphs and functions: "Gather", "ai.onnx.ml:LabelEncoder"."""
    found: set[str] = set()
    waiting: list[Any] = [model.graph, *model.functions]
    while waiting:
        for node in waiting.pop().node:
            found.add(f"{node.domain}:{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type)
            for attribute in node.attribute:
                waiting += [graph for graph in (attribute.g, *attribute.graphs) if graph.node]
    return sorted(found)


def _late(model: ModelProto) -> list[tuple[str, str]]:
    """Operators whose kernel is newer than the opset that they are of, and its first release."""
    operators: dict[str, str] = _table()["operators"]
    return [(name, operators[name]) for name in operators_of(model) if name in operators]


def _opsets(model: ModelProto) -> dict[str, int]:
    return {"" if each.domain == "ai.onnx" else each.domain: each.version for each in model.opset_import}


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(RELEASES_FILE.read_text(encoding="utf-8"))
    return table
