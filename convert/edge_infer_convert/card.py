"""What the author tells people of a model: read from a mapping, which is also what a card's TOML file holds.

Only what is stated is recorded; nothing of it is computed or checked against the model.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np

from edge_infer.card import Metric, metric_of, text_of
from edge_infer.errors import FormatError, LimitError, UsageError
from edge_infer.limits import LIMITS
from edge_infer.manifest import Column
from edge_infer.strict_json import Node

__all__ = ["Card", "read_card"]

_MOST_NAMES: Final = 6  # columns in a message

T = TypeVar("T")


class Card(NamedTuple):
    """`units` and `descriptions` by the columns' names; the fields are those of the mapping."""

    description: str | None = None
    license: str | None = None
    units: Mapping[str, str] = {}
    descriptions: Mapping[str, str] = {}
    metrics: tuple[Metric, ...] = ()

    def on(self, columns: Sequence[Column]) -> tuple[Column, ...]:
        """The columns with what is told of each."""
        return tuple(
            column._replace(unit=self.units.get(column.name), description=self.descriptions.get(column.name))
            for column in columns
        )


def read_card(card: Mapping[str, Any], columns: Sequence[Column]) -> Card:
    """Check a mapping against a model's columns.

    Raises:
        UsageError: with every mistake, each by its key and what was expected.
    """
    reading = _Reading([column.name for column in columns])
    read = reading.card(_plain(card))
    if reading.mistakes:
        raise UsageError("\n".join(["the card is not as expected:", *(f"  {line}" for line in reading.mistakes)]))
    return read


class _Reading:
    """One reading of a card, which goes on behind a mistake."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self.mistakes: list[str] = []

    def card(self, value: Any) -> Card:
        root = Node(value, "card")
        if not isinstance(value, dict):
            self.mistakes.append(str(root.fail("an object")))
            return Card()
        self._check_keys(root, Card._fields)
        return Card(
            description=self._field(root, "description", lambda node: text_of(node, LIMITS.description_bytes)),
            license=self._field(root, "license", lambda node: text_of(node, LIMITS.description_bytes)),
            units=self._field(root, "units", lambda node: self._by_column(node, LIMITS.unit_bytes)) or {},
            descriptions=self._field(root, "descriptions", lambda node: self._by_column(node, LIMITS.description_bytes))
            or {},
            metrics=self._field(root, "metrics", self._metrics) or (),
        )

    def _field(self, root: Node, key: str, read: Callable[[Node], T]) -> T | None:
        node = root.find(key)
        return None if node is None else self._tried(node, read)

    def _tried(self, node: Node, read: Callable[[Node], T]) -> T | None:
        try:
            return read(node)
        except (FormatError, LimitError) as error:
            self.mistakes.append(str(error))
            return None

    def _check_keys(self, node: Node, allowed: Sequence[str]) -> None:
        for key, _ in node.fields():
            if key not in allowed:
                self.mistakes.append(f"{node.path}: expected the keys {', '.join(allowed)}, got {key!r:.80}")

    def _by_column(self, table: Node, most_bytes: int) -> dict[str, str]:
        texts: dict[str, str] = {}
        for name, node in table.fields():
            if name not in self._names:
                self.mistakes.append(f"{table.path}: expected columns of the model, got {name!r:.80}{self._near(name)}")
            elif text := self._tried(node, lambda node: text_of(node, most_bytes)):
                texts[name] = text
        return texts

    def _metrics(self, node: Node) -> tuple[Metric, ...]:
        tried = [self._tried(item, self._metric) for item in node.list(LIMITS.metrics)]
        return tuple(metric for metric in tried if metric is not None)

    def _metric(self, node: Node) -> Metric:
        self._check_keys(node, Metric._fields)
        return metric_of(node, LIMITS)

    def _near(self, name: Any) -> str:
        """The column that was meant, or those that there are."""
        near = difflib.get_close_matches(str(name), self._names, 1)
        if near:
            return f"; did you mean {near[0]!r}?"
        more = f", … ({len(self._names):,})" if len(self._names) > _MOST_NAMES else ""
        return f"; it has {', '.join(map(repr, self._names[:_MOST_NAMES]))}{more}"


def _plain(value: Any) -> Any:
    """Mappings, sequences and NumPy's scalars as JSON's own types; a Metric may be a tuple already."""
    if isinstance(value, Metric):
        return _plain(value._asdict())
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
