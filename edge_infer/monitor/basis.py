"""By what a release's windows are counted: its columns, labels and scores, with the reference's own counts.

It is written once beside the windows, so that they can be read where the model's file is not.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

import numpy as np

from edge_infer.artifact import Artifact
from edge_infer.errors import DamagedStoreError, FormatError, LimitError
from edge_infer.manifest import TASKS, Column, Manifest
from edge_infer.monitor.counts import whole
from edge_infer.monitor.profile import Profile, Reference
from edge_infer.store.files import Files, Path
from edge_infer.store.names import check_name
from edge_infer.strict_json import Node, parse

__all__ = ["Basis", "ColumnBasis", "basis_of", "keep_basis", "parse_basis", "read_basis"]

_FORMAT: Final = 1
_MOST_BYTES: Final = 64 << 20
_MOST_DEPTH: Final = 6
_DIGITS: Final = 12  # of the digest, in the file's name

_MOST_CATEGORIES: Final = 1000  # of a column without a reference
_BINS: Final = 10  # of a column whose range alone is known


class ColumnBasis(NamedTuple):
    """A column, and where its values are counted. `profile`: of the reference; with no counts where there is none."""

    name: str
    kind: str
    profile: Profile
    range: tuple[float, float] | None


class Basis(NamedTuple):
    """rows: of the reference; 0 where there is none. labels: of `predict`, its classes or bins of its numbers;
    scores: of `score_method`, one for each class."""

    name: str
    version: str
    digest: str
    task: str
    rows: int
    columns: tuple[ColumnBasis, ...]
    labels: Profile | None
    score_method: str | None
    scores: tuple[Profile, ...]


def basis_of(artifact: Artifact, reference: Reference | None) -> Basis:
    """Of a model that is loaded."""
    manifest = artifact.manifest
    known = reference or Reference(0, {}, {})
    columns = tuple(_column(column, known) for column in manifest.inputs.columns if column.used)
    method, scores = _scores(manifest, known)
    return Basis(
        manifest.name, manifest.version, artifact.digest, manifest.task, known.rows, columns,
        _labels(manifest, known), method, scores,
    )  # fmt: skip


def _column(column: Column, known: Reference) -> ColumnBasis:
    limits = column.range
    profile = known.columns.get(column.name) or _unknown(column)
    return ColumnBasis(column.name, column.kind, profile, limits)


def _unknown(column: Column) -> Profile:
    """Places without counts, from what the manifest tells."""
    if column.coded:
        categories = tuple(str(each) for each in column.categories or ())[:_MOST_CATEGORIES]
        return Profile((0,) * len(categories), categories=categories)
    if column.range is None or not column.range[0] < column.range[1]:
        return Profile((0,), edges=())
    edges = np.unique(np.linspace(*column.range, _BINS + 1)[1:-1])
    return Profile((0,) * (len(edges) + 1), edges=tuple(edges.tolist()))


def _labels(manifest: Manifest, known: Reference) -> Profile | None:
    """None for answers of several columns."""
    output = manifest.output("predict")
    if output is None or output.listed or output.shape:
        return None
    found = known.answers.get("predict", ())
    if output.classes is None:
        return found[0] if found and found[0].edges is not None else Profile((0,), edges=())
    if len(output.classes) != 1:
        return None
    classes = tuple(str(label) for label in output.classes[0])
    counted = dict(zip(found[0].categories or (), found[0].counts, strict=True)) if found else {}
    return Profile(tuple(counted.get(label, 0) for label in classes), categories=classes)


def _scores(manifest: Manifest, known: Reference) -> tuple[str | None, tuple[Profile, ...]]:
    for method in ("predict_proba", "decision_function"):
        output = manifest.output(method)
        if output is None or output.listed or len(output.shape) > 1:
            continue
        width = output.shape[0] if output.shape else 1
        found = known.answers.get(method, ())
        if len(found) == width and all(each.edges is not None for each in found):
            return method, found
        if method == "predict_proba":
            edges = tuple(np.linspace(0, 1, _BINS + 1)[1:-1].tolist())
            return method, tuple(Profile((0,) * _BINS, edges=edges) for _ in range(width))
    return None, ()


# --- beside the windows -----------------------------------------------------------------


def keep_basis(files: Files, basis: Basis) -> None:
    """Written where it is not there, or was another. For writers, who hold the lock. Raises StoreWriteError."""
    path = _path(basis.name, basis.digest)
    data = _render(basis)
    try:
        if files.read(*path, most=_MOST_BYTES) == data:
            return
    except (FileNotFoundError, DamagedStoreError):
        pass
    files.replace(path, data)


def read_basis(files: Files, name: str, digest: str) -> Basis | None:
    """None where there is none. Raises DamagedStoreError, UnsafePathError."""
    path = _path(name, digest)
    try:
        return parse_basis(files.read(*path, most=_MOST_BYTES), files.shown(path))
    except FileNotFoundError:
        return None
    except (FormatError, LimitError) as error:
        raise DamagedStoreError(f"{files.shown(path)}: {error}") from error


def _path(name: str, digest: str) -> Path:
    return check_name(name), f"basis-{digest[:_DIGITS]}.json"


def _render(basis: Basis) -> bytes:
    document = {
        "format": _FORMAT,
        **basis._asdict(),
        "columns": [{**column._asdict(), "profile": column.profile._asdict()} for column in basis.columns],
        "labels": None if basis.labels is None else basis.labels._asdict(),
        "scores": [profile._asdict() for profile in basis.scores],
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace") + b"\n"


def parse_basis(text: bytes, what: str) -> Basis:
    """Raises FormatError, LimitError."""
    root = parse(text, what=what, most_bytes=_MOST_BYTES, most_depth=_MOST_DEPTH)
    if root.get("format").integer(1) > _FORMAT:
        raise root.get("format").fail(f"at most {_FORMAT}: it was written by a later edge-infer")
    digest, labels, method = root.get("digest"), root.find("labels"), root.find("score_method")
    if not re.fullmatch("[0-9a-f]{64}", digest.text()):
        raise digest.fail("a sha256 in hex")
    return Basis(
        name=root.get("name").text(),
        version=root.get("version").text(),
        digest=digest.text(),
        task=root.get("task").one_of(TASKS),
        rows=whole(root.get("rows")),
        columns=tuple(_parse_column(item) for item in root.get("columns").list()),
        labels=None if labels is None else _parse_profile(labels),
        score_method=None if method is None else method.text(),
        scores=tuple(_parse_profile(item) for item in root.get("scores").list()),
    )


def _parse_column(node: Node) -> ColumnBasis:
    limits = node.find("range")
    return ColumnBasis(
        node.get("name").text(), node.get("kind").text(), _parse_profile(node.get("profile")),
        None if limits is None else _pair(limits),
    )  # fmt: skip


def _pair(node: Node) -> tuple[float, float]:
    items = [item.number() for item in node.list(2)]
    if len(items) != 2:
        raise node.fail("two numbers")
    return items[0], items[1]


def _parse_profile(node: Node) -> Profile:
    edges, categories = node.find("edges"), node.find("categories")
    if (edges is None) == (categories is None):
        raise node.fail("edges or categories, one of both")
    profile = Profile(
        counts=tuple(whole(item) for item in node.get("counts").list()),
        other=whole(node.get("other")),
        missing=whole(node.get("missing")),
        edges=None if edges is None else tuple(item.number() for item in edges.list()),
        categories=None if categories is None else tuple(item.text() for item in categories.list()),
    )
    places: Any = profile.categories if profile.edges is None else (*profile.edges, None)
    if len(profile.counts) != len(places):
        raise node.get("counts").fail(f"{len(places)} counts")
    if profile.edges is not None and list(profile.edges) != sorted(set(profile.edges)):
        raise node.get("edges").fail("ascending numbers")
    return profile
