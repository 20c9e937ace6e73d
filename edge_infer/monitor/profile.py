"""The training data's profile, `edge_infer.reference` (FORMAT.md, section 6): read strictly. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from edge_infer.errors import FormatError
from edge_infer.limits import LIMITS, Limits
from edge_infer.manifest import KEY_REFERENCE, METHODS
from edge_infer.strict_json import Node, parse

__all__ = ["Profile", "Reference", "parse_reference"]

_MOST_COUNT: Final = 1 << 53


class Profile(NamedTuple):
    """How one column, the labels or a score are spread. Either edges or categories are there.

    counts: of the bins (one more than edges: a finite v is in the bin whose position is the number of edges ≤ v) or of
    the categories; other: texts beside the categories; missing values.
    """

    counts: tuple[int, ...]
    other: int = 0
    missing: int = 0
    edges: tuple[float, ...] | None = None
    categories: tuple[str, ...] | None = None


class Reference(NamedTuple):
    """rows: of the data that was profiled; columns: by name; answers: by method, one profile, or for scores one for
    each class."""

    rows: int
    columns: dict[str, Profile]
    answers: dict[str, tuple[Profile, ...]]


def parse_reference(text: bytes, limits: Limits = LIMITS) -> Reference:
    """Raises FormatError, LimitError, with the JSON path of the first mistake."""
    root = parse(text, what=KEY_REFERENCE, most_bytes=limits.reference_bytes, most_depth=limits.json_depth)
    answers = {}
    for method, node in root.get("answers").fields():
        if method not in METHODS:
            raise FormatError(f"{node.path}: expected one of {', '.join(METHODS)}")
        answers[method] = _answers(node)
    return Reference(
        rows=_count(root.get("rows")),
        columns={name: _profile(node) for name, node in root.get("columns").fields()},
        answers=answers,
    )


def _answers(node: Node) -> tuple[Profile, ...]:
    """A profile, none (`{}`: of answers that cannot be told by one), or a list of them."""
    if isinstance(node.value, list):
        return tuple(_profile(item) for item in node.list())
    return (_profile(node),) if node.value else ()


def _profile(node: Node) -> Profile:
    missing = node.find("missing")
    gaps = 0 if missing is None else _count(missing)
    categories = node.find("categories")
    if categories is not None:
        counted = {name: _count(item) for name, item in categories.fields()}
        rare = node.find("rare")
        other = 0 if rare is None else _count(rare)
        return Profile(tuple(counted.values()), other, gaps, categories=tuple(counted))
    edges = tuple(item.number() for item in node.get("edges").list())
    if list(edges) != sorted(set(edges)):
        raise node.get("edges").fail("numbers that ascend")
    counts = tuple(_count(item) for item in node.get("counts").list())
    if len(counts) != len(edges) + 1:
        raise node.get("counts").fail(f"{len(edges) + 1} counts, one more than edges")
    return Profile(counts, missing=gaps, edges=edges)


def _count(node: Node) -> int:
    if node.integer() > _MOST_COUNT:
        raise node.fail(f"at most {_MOST_COUNT}")
    return node.integer()
