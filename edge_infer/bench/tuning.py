"""The search for the options that suit one model on this device: one option after the other, in turns, with margins.

All candidates of an option are called in turns, so that a busy moment hits all alike, and are compared by the ratios
within each turn. What is not clearly faster, and still so in a last race with the defaults, is not taken.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np

from edge_infer.artifact import Artifact
from edge_infer.bench.comparing import differing_rows, tolerance_of
from edge_infer.bench.latency import timed
from edge_infer.bench.rows import Sample
from edge_infer.errors import InferenceError
from edge_infer.machine import usable_threads
from edge_infer.manifest import Manifest
from edge_infer.model import Model
from edge_infer.options import SessionOptions

__all__ = ["AXES", "LEAST_GAIN", "Axis", "Candidate", "Tuning", "changes", "tune"]

#: A candidate is taken where a call takes at most this part of the time.
LEAST_GAIN: Final = 0.95
_TURNS: Final = 15
_RELATIVE: Final = 1e-6  # between a candidate's numbers and the defaults'
_SINGLES: Final = 32  # records that are also asked one by one
_MOST_TIMED: Final = 100_000  # calls of one turn


class Axis(NamedTuple):
    """An option that is searched: its values on so many CPUs, and whether it matters for so many rows of a model."""

    field: str
    values: Callable[[int], Sequence[Any]]
    matters: Callable[[SessionOptions, int, Manifest], bool] = lambda options, rows, manifest: True


def _thread_counts(cpus: int) -> list[int]:
    """1, 2, 4 … and all."""
    return sorted({cpus, *(1 << power for power in range(cpus.bit_length()))})


#: What is searched, in this order.
AXES: Final = (
    Axis("threads", _thread_counts),
    Axis("spinning", lambda cpus: (False, True), lambda options, rows, manifest: options.threads != 1),
    Axis("chunk_bytes", lambda cpus: (1 << 19, 1 << 21, 1 << 23, 0), lambda options, rows, manifest: rows > 1),
    Axis(
        "split_rows",
        lambda cpus: (SessionOptions().split_rows, 1, 0),
        lambda options, rows, manifest: rows > 1 and manifest.splits,
    ),
)


class Candidate(NamedTuple):
    """seconds: the median call; ratio: to the defaults' of the same turns, the median; equal: whether answers are.

    One whose answers differ is not timed: `seconds` and `ratio` are None.
    """

    options: SessionOptions
    equal: bool
    seconds: float | None = None
    ratio: float | None = None


class Tuning(NamedTuple):
    """candidates: all that were tried, in order, the defaults first; seconds: those of the last race."""

    rows: int
    candidates: list[Candidate]
    chosen: SessionOptions
    default_seconds: float
    chosen_seconds: float


def changes(options: SessionOptions) -> dict[str, Any]:
    """Where they differ from the defaults."""
    defaults = SessionOptions()._asdict()
    return {name: value for name, value in options._asdict().items() if value != defaults[name]}


def tune(artifact: Artifact, sample: Sample, rows: int, seconds: float, *, cpus: int | None = None) -> Tuning:
    """The options with which calls of `rows` rows take least, each candidate timed for `seconds`.

    cpus: that threads may use; None: those of this process.

    Raises:
        InferenceError: the model cannot answer the rows with the defaults.
    """
    search = _Search(artifact, sample, rows, seconds)
    defaults = best = SessionOptions()
    found = {defaults: Candidate(defaults, equal=True)}
    for axis in AXES:
        if axis.matters(best, rows, artifact.manifest):
            tried = [best._replace(**{axis.field: value}) for value in axis.values(cpus or usable_threads())]
            best = search.race(best, [options for options in tried if options != best], found)
    last = search.times([defaults, best])
    best = best if _is_faster(last[best], last[defaults]) else defaults
    return Tuning(rows, list(found.values()), best, median(last[defaults]), median(last[best]))


class _Search:
    def __init__(self, artifact: Artifact, sample: Sample, rows: int, seconds: float) -> None:
        self._artifact, self._sample, self._seconds = artifact, sample, seconds
        self._case = sample.batch(rows)
        self._tolerance = tolerance_of(artifact, sample.method, _RELATIVE, scale=0.0)
        with Model(artifact, SessionOptions()) as model:
            self._wanted = list(self._answers(model))

    def race(
        self, best: SessionOptions, others: list[SessionOptions], found: dict[SessionOptions, Candidate]
    ) -> SessionOptions:
        """The fastest of these, `best` where none is clearly faster; `found` grows by all."""
        defaults = SessionOptions()
        for options in others:
            found.setdefault(options, Candidate(options, equal=self._is_equal(options)))
        equal = [options for options in others if found[options].equal]
        spent = self.times([defaults, best, *equal])
        for options, turns in spent.items():
            if found[options].seconds is None:
                found[options] = Candidate(options, True, median(turns), _ratio(turns, spent[defaults]))
        fastest = min(spent, key=lambda options: _ratio(spent[options], spent[best]))
        return fastest if _is_faster(spent[fastest], spent[best]) else best

    def times(self, all_options: Sequence[SessionOptions]) -> dict[SessionOptions, list[float]]:
        """Seconds of the median call of each, by turn."""
        with ExitStack() as models:
            calls = {
                options: self._sample.ask(models.enter_context(Model(self._artifact, options)))
                for options in all_options
            }
            for call in calls.values():
                timed(call, self._case.given, self._seconds / 10, most=_MOST_TIMED)
            spent: dict[SessionOptions, list[float]] = {options: [] for options in calls}
            for turn in range(_TURNS):
                for options in _turned(list(calls), turn):
                    nanoseconds = timed(calls[options], self._case.given, self._seconds / _TURNS, most=_MOST_TIMED)
                    spent[options].append(float(np.median(nanoseconds)) / 1e9)
        return spent

    def _is_equal(self, options: SessionOptions) -> bool:
        """Whether the answers are those of the defaults."""
        try:
            with Model(self._artifact, options) as model:
                answers = self._answers(model)
                pairs = zip(answers, self._wanted, strict=True)
                return not any(differing_rows(got, wanted, self._tolerance).size for got, wanted in pairs)
        except InferenceError:
            return False

    def _answers(self, model: Model) -> Iterator[Any]:
        """To all of the rows at once, as they are timed, and one by one."""
        ask = self._sample.ask(model)
        singles = (case.given for case in self._sample.single())
        for given in itertools.chain(self._case.given, *(each[:_SINGLES] for each in singles)):
            yield ask(given)


def _turned(items: list[Any], turn: int) -> list[Any]:
    first = turn % len(items)
    return items[first:] + items[:first]


def _ratio(turns: Sequence[float], of: Sequence[float]) -> float:
    return median(own / max(other, 1e-9) for own, other in zip(turns, of, strict=True))


def _is_faster(turns: Sequence[float], than: Sequence[float]) -> bool:
    return _ratio(turns, than) <= LEAST_GAIN
