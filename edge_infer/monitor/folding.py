"""Rows and answers that calls have left behind → counts by column and answer, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from edge_infer.artifact import Artifact
from edge_infer.errors import InputError
from edge_infer.manifest import Column, Cut
from edge_infer.monitor.basis import Basis
from edge_infer.monitor.counts import Counts, positions
from edge_infer.monitor.summary import Summary
from edge_infer.tensors import Packer

if TYPE_CHECKING:
    from numpy.typing import NDArray  # takes more than half a millisecond to import

__all__ = ["Folder", "Kept"]

Add = Callable[[Counts, "NDArray[Any]"], None]
_PROBABILITIES: Final = "predict_proba"


class Kept(NamedTuple):
    """A call that is looked at. `rows`: of data and answer, None for one record."""

    method: str
    data: Any
    answer: Any
    rows: int | None


class Folder:
    """Prepared once for a model; holds nothing of what it folds."""

    def __init__(self, artifact: Artifact, basis: Basis) -> None:
        inputs = artifact.manifest.inputs
        self._packer = Packer(inputs)
        self._basis = basis
        places = {column.name: place for place, column in enumerate(inputs.columns)}
        self._columns = [
            (
                each.name,
                places[each.name],
                len(each.profile.counts),
                _adder(inputs.columns[places[each.name]], each, inputs.cut),
            )
            for each in basis.columns
        ]
        self._where = {
            member: (group.tensor, position)
            for group in self._packer.groups
            for position, member in enumerate(group.members)
        }

    def fold(self, kept: Sequence[Kept], summary: Summary) -> None:
        """Counts all of it. What cannot be read any more (the caller's own kinds of rows) is not looked at."""
        for calls in _alike(kept):
            self._fold(calls, summary)

    def _fold(self, calls: list[Kept], summary: Summary) -> None:
        data = [call.data for call in calls]
        try:
            feeds = self._packer.pack(data if calls[0].rows is None else data[0]).feeds
        except (InputError, TypeError, ValueError, AttributeError):
            if len(calls) > 1:
                for call in calls:
                    self._fold([call], summary)
            return
        rows = len(next(iter(feeds.values())))
        summary.looked_at += rows
        for name, place, width, add in self._columns:
            tensor, position = self._where[place]
            add(summary.columns.setdefault(name, Counts(width)), feeds[tensor][:, position])
        self._fold_answers(calls, rows, summary)

    def _fold_answers(self, calls: list[Kept], rows: int, summary: Summary) -> None:
        method, basis = calls[0].method, self._basis
        answers = calls[0].answer if calls[0].rows is not None else [call.answer for call in calls]
        if method == "predict" and basis.labels is not None:
            found = np.asarray(answers).reshape(rows)
            summary.labels = summary.labels or Counts(len(basis.labels.counts))
            if basis.labels.categories is None:
                summary.labels.add_numbers(found, np.array(basis.labels.edges))
            else:
                distinct, inverse = np.unique(found.astype(str), return_inverse=True)
                summary.labels.add_places(positions(distinct.tolist(), basis.labels.categories)[inverse])
        elif method == basis.score_method:
            self._fold_scores(np.asarray(answers, np.float64).reshape(rows, -1), summary)

    def _fold_scores(self, scores: NDArray[np.float64], summary: Summary) -> None:
        """scores: of shape (rows, classes)."""
        profiles = self._basis.scores
        if scores.shape[1] != len(profiles):
            return
        summary.scores = summary.scores or [Counts(len(profile.counts)) for profile in profiles]
        for counts, profile, values in zip(summary.scores, profiles, scores.T, strict=True):
            counts.add_numbers(values, np.array(profile.edges))
        if self._basis.score_method == _PROBABILITIES:
            largest = scores.max(axis=1)
            largest = largest[np.isfinite(largest)]
            summary.confident += len(largest)
            summary.confidence += float(largest.sum())
            summary.doubt += float((largest * (1 - largest)).sum())


def _alike(kept: Sequence[Kept]) -> list[list[Kept]]:
    """Calls of one record by method and kind of record, so that they can be packed together; batches alone."""
    groups: dict[Any, list[Kept]] = {}
    for number, call in enumerate(kept):
        key: Any = (call.method, type(call.data)) if call.rows is None else number
        groups.setdefault(key, []).append(call)
    return list(groups.values())


def _adder(column: Column, basis: Any, cut: Cut | None) -> Add:
    """How a column's values in its tensor are counted."""
    profile = basis.profile
    if column.coded and cut is not None and profile.categories is not None:
        return _code_adder(column, cut.first[column.index], profile.categories)
    edges = np.array(profile.edges or (), np.float64)
    if column.free_text:
        return lambda counts, texts: counts.add_numbers(np.array([len(text) for text in texts], np.float64), edges)
    return lambda counts, values: counts.add_numbers(values, edges, basis.range)


def _code_adder(column: Column, first: int, among: Sequence[str]) -> Add:
    """Of codes by the rule of `manifest.Cut`."""
    known = len(column.categories or ())
    places = positions([str(each) for each in column.categories or ()], among)

    def add(counts: Counts, codes: NDArray[np.int64]) -> None:
        own = codes - first
        counts.add_places(
            places[own[own < known]], unseen=int((own == known + 1).sum()), missing=int((own == known).sum())
        )

    return add
