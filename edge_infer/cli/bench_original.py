"""The original beside the converted model, for `bench --vs`: the same rows, compared first, then timed. Needs the
converter's dependencies."""

from __future__ import annotations

import warnings
from typing import Any, Final, NamedTuple

from edge_infer.bench.comparing import differing_rows, tolerance_of
from edge_infer.bench.latency import Latency, measured
from edge_infer.bench.rows import MOST_ROWS, Rows
from edge_infer.cli.bench_difference import difference
from edge_infer.cli.extras import needs_converter
from edge_infer.errors import UsageError, VerificationError
from edge_infer.model import Model

__all__ = ["SIZES", "Beside", "Original", "load_original"]

SIZES: Final = (1, 100, MOST_ROWS)
_RELATIVE: Final = 1e-5


class Beside(NamedTuple):
    """compared: rows whose answers are equal; latency: by the rows of a call."""

    file: str
    compared: int
    latency: dict[int, Latency]


def load_original(path: str, *, trust_pickle: bool) -> Any:
    """The fitted estimator in a file. Raises as `edge_infer_convert.load_estimator`, and MissingExtraError."""
    with needs_converter("edge-infer bench --vs"):
        import sklearn  # noqa: F401  # what reading the file needs first

        from edge_infer_convert.boosters import adapt
        from edge_infer_convert.sources import load_estimator
    return adapt(load_estimator(path, trust_pickle=trust_pickle))


class Original:
    """A fitted estimator, given the sample's rows as it was trained: a DataFrame, an array, or a list of texts."""

    def __init__(self, path: str, estimator: Any, sample: Rows) -> None:
        """`path`: for messages. Raises UsageError where it lacks the sample's method."""
        from edge_infer_convert.original import Original as Judge

        self.path, self._estimator, self._sample = path, estimator, sample
        self._cells = sample.cells
        if not hasattr(estimator, sample.method):
            kind = type(estimator).__name__
            raise UsageError(f"--vs: expected a model with the method {sample.method}, got {path}, a {kind} without it")
        columns, style = sample.inputs.columns, sample.inputs.style
        dtype = "float32" if all(column.dtype == "float32" for column in columns) else "float64"
        self._judge = Judge(
            estimator, columns, named=style == "columns", missing={}, dtype=dtype, flat=style == "texts"
        )

    def compare(self, model: Model) -> int:
        """How many rows were compared.

        Raises:
            VerificationError: answers differ.
            UsageError: the original does not take the rows.
        """
        sample = self._sample
        wanted = self._answers()
        got = sample.ask(model)([sample.record(row) for row in range(len(sample.cells))])
        tolerance = tolerance_of(model.artifact, sample.method, _RELATIVE, scale=1.0)
        differ = differing_rows(got, wanted, tolerance)
        if differ.size:
            told = difference(got, wanted, int(differ[0]), sample, model.manifest, tolerance)
            raise VerificationError(
                f"{len(differ):,} of {len(sample.cells):,} rows have another {sample.method} than the original:\n"
                f"{told}\nNothing was measured. Is this the file that the model was converted from?\n"
                f"  {self.path}\n`edge-infer verify` replays the golden rows."
            )
        return len(sample.cells)

    def _answers(self) -> Any:
        """The original's. Where it refuses the rows, it is given known values in the columns that no answer depends on:
        this model does not look at them, so that they may be absent or hold anything."""
        from edge_infer_convert.original import REFUSALS

        refusals = (*REFUSALS, NotImplementedError)
        method = self._sample.method
        try:
            return self._judge.answer(method, self._cells)
        except refusals:
            self._cells = self._with_known_values()
        try:
            return self._judge.answer(method, self._cells)
        except refusals as error:
            raise UsageError(
                f"--vs: {self.path} does not take this model's rows: {type(error).__name__}: {error!s:.300}\n"
                "Name the file that this model was converted from."
            ) from error

    def _with_known_values(self) -> tuple[tuple[Any, ...], ...]:
        known = {
            position: "" if column.free_text else value
            for position, (column, value) in enumerate(
                zip(self._sample.inputs.columns, self._judge.typical_row(), strict=True)
            )
            if not column.used
        }
        return tuple(tuple(known.get(position, cell) for position, cell in enumerate(row)) for row in self._cells)

    def measure(self, seconds: float) -> dict[int, Latency]:
        """By the rows of a call, each size for `seconds`; warnings are not shown."""
        call = getattr(self._estimator, self._sample.method)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {rows: measured(call, self._given(rows), seconds) for rows in SIZES}

    def _given(self, rows: int) -> list[Any]:
        cells = self._cells
        if rows == 1:
            return [self._table([row]) for row in cells]
        return [self._table([cells[row % len(cells)] for row in range(rows)])]

    def _table(self, rows: list[Any]) -> Any:
        return [row[0] for row in rows] if self._judge.flat else self._judge.table(rows)
