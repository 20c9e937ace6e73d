"""The gate: a converted model gives the original's answers on every probe, or the conversion fails."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import InputError, ParityError
from edge_infer.goldens import Tolerance
from edge_infer.model import Model
from edge_infer.verification import within
from edge_infer_convert.original import Original
from edge_infer_convert.probes import Probes

__all__ = ["RELATIVE", "Comparison", "Parity", "compare", "require_equal"]

#: |converted − original| ≤ RELATIVE × max(|original|, in-range size of the output)
RELATIVE: Final = {"float32": 1e-5, "float64": 1e-9}
_TABLE_LINES = 20


class Comparison(NamedTuple):
    """One method on all probes. Arrays have a row for each probe."""

    method: str
    original: NDArray[Any]
    converted: NDArray[Any]
    tolerance: Tolerance
    differs: NDArray[np.bool_]  # outside the tolerance, borderline rows left out
    borderline: NDArray[np.bool_]  # labels that differ where the original's own top two scores tie
    worst: float  # largest |converted − original| / max(|original|, size); 0 for labels


class Parity(NamedTuple):
    """The whole comparison."""

    probes: Probes
    comparisons: list[Comparison]

    @property
    def equal(self) -> bool:
        return not any(comparison.differs.any() for comparison in self.comparisons)

    def certificate(self) -> dict[str, Any]:
        """What travels in `edge_infer.parity`."""
        kinds: dict[str, int] = {}
        for kind in self.probes.kinds:
            kinds[kind] = kinds.get(kind, 0) + 1
        return {
            "rows": len(self.probes.rows),
            "kinds": kinds,
            "borderline": int(sum(comparison.borderline.sum() for comparison in self.comparisons)),
            "outputs": {
                c.method: {
                    "worst": c.worst,
                    "relative": c.tolerance.relative,
                    "scale": c.tolerance.scale,
                    "differing": int(c.differs.sum()),
                }
                for c in self.comparisons
            },
        }


def compare(model: Model, original: Original, probes: Probes, precision: str) -> Parity:
    """Run all probes through both.

    Raises:
        ParityError: the converted model refuses rows that the original takes.
    """
    table = original.table(probes.rows)
    records = _records(model, probes)
    in_range = np.array([kind == "in range" for kind in probes.kinds])
    expected = {output.method: original.answer_table(output.method, table) for output in model.manifest.outputs}
    ties = _ties(expected, RELATIVE[precision])
    comparisons = []
    for method, wanted in expected.items():
        try:
            got = model._answer(method, records)
        except InputError as error:
            raise ParityError(f"the converted model refuses rows that the original takes:\n{error}") from error
        comparisons.append(_compared(method, _joined(wanted), _joined(got), in_range, ties, precision))
    return Parity(probes, comparisons)


def _joined(answer: Any) -> NDArray[Any]:
    """Shape (rows, …). The arrays of a list (one for each label column) are put side by side."""
    return np.concatenate(answer, axis=1) if isinstance(answer, list) else np.asarray(answer)


def _records(model: Model, probes: Probes) -> list[dict[str, Any]]:
    names = [column.name for column in model.manifest.inputs.columns]
    return [dict(zip(names, row, strict=True)) for row in probes.rows]


def _compared(
    method: str,
    wanted: NDArray[Any],
    got: NDArray[Any],
    in_range: NDArray[np.bool_],
    ties: NDArray[np.bool_] | None,
    precision: str,
) -> Comparison:
    if got.shape != wanted.shape:
        raise ParityError(f"{method}: the original's answers have the shape {wanted.shape}, the converted {got.shape}")
    if method == "predict" and wanted.dtype.kind not in "f":
        return _labels(method, wanted, got, ties)
    tolerance = Tolerance(RELATIVE[precision], _size(method, wanted, in_range))
    agree = within(got.astype(np.float64), wanted.astype(np.float64), tolerance)
    differs: NDArray[np.bool_] = ~np.asarray(agree.reshape(len(agree), -1).all(axis=1))
    return Comparison(
        method, wanted, got, tolerance, differs, np.zeros_like(differs), _worst(got, wanted, tolerance.scale)
    )


def _labels(method: str, wanted: NDArray[Any], got: NDArray[Any], ties: NDArray[np.bool_] | None) -> Comparison:
    unequal: NDArray[np.bool_] = np.asarray(
        (got.astype(object) != wanted.astype(object)).reshape(len(wanted), -1).any(axis=1)
    )
    borderline: NDArray[np.bool_] = unequal & ties if ties is not None else np.zeros_like(unequal)
    return Comparison(method, wanted, got, Tolerance(0.0, 0.0), unequal & ~borderline, borderline, 0.0)


def _ties(expected: dict[str, Any], relative: float) -> NDArray[np.bool_] | None:
    """Rows where the original's top two scores lie within the tolerance: there its own answer is arbitrary."""
    for method in ("decision_function", "predict_proba"):
        scores = expected.get(method)
        if not isinstance(scores, np.ndarray):
            continue
        if scores.ndim == 1:  # one score, decided at 0
            return np.abs(scores) <= relative * max(1.0, float(np.median(np.abs(scores))))
        if scores.ndim == 2 and scores.shape[1] > 1:
            top = np.sort(scores, axis=1)[:, -2:]
            size = np.maximum(np.abs(top).max(axis=1), 1.0 if method == "predict_proba" else 0.0)
            ties: NDArray[np.bool_] = np.diff(top, axis=1)[:, 0] <= relative * size
            return ties
    return None


def _size(method: str, wanted: NDArray[Any], in_range: NDArray[np.bool_]) -> float:
    """The output's size in range: 1 for probabilities, else the largest finite absolute value there."""
    if method == "predict_proba":
        return 1.0
    usual = np.abs(wanted[in_range].astype(np.float64))
    usual = usual[np.isfinite(usual)]
    return float(usual.max()) if usual.size else 1.0


def _worst(got: NDArray[Any], wanted: NDArray[Any], scale: float) -> float:
    got, wanted = got.astype(np.float64), wanted.astype(np.float64)
    with np.errstate(all="ignore"):
        share = np.abs(got - wanted) / np.maximum(np.abs(wanted), scale or 1.0)
    share = share[np.isfinite(share)]
    return float(f"{share.max():.3g}") if share.size else 0.0


def require_equal(parity: Parity, columns: list[str], blame: str | None) -> None:
    """Raises ParityError with the rows that differ (at most 20 lines) and the step most likely to blame."""
    if parity.equal:
        return
    count = sum(int(comparison.differs.sum()) for comparison in parity.comparisons)
    message = (
        f"the converted model differs from the original in {count} answers on {len(parity.probes.rows)} probe rows"
    )
    if blame:
        message += f"; the step most likely to blame: {blame}"
    raise ParityError(message, _table(parity, columns))


def _table(parity: Parity, columns: list[str]) -> str:
    lines = [f"{'row kind':<10} {'method':<17} {'original':>14} {'converted':>14}  input"]
    for comparison in parity.comparisons:
        for row in np.flatnonzero(comparison.differs):
            if len(lines) >= _TABLE_LINES - 1:
                return "\n".join([*lines, "…"])
            lines.append(_line(parity, comparison, int(row), columns))
    return "\n".join(lines)


def _line(parity: Parity, comparison: Comparison, row: int, columns: list[str]) -> str:
    original, converted = _first_difference(comparison, row)
    cells = ", ".join(f"{name}={_short(value)}" for name, value in zip(columns, parity.probes.rows[row], strict=True))
    return f"{parity.probes.kinds[row]:<10} {comparison.method:<17} {original:>14} {converted:>14}  {cells:.42}"


def _first_difference(comparison: Comparison, row: int) -> tuple[str, str]:
    a, b = np.ravel(comparison.original[row]), np.ravel(comparison.converted[row])
    if comparison.original.dtype.kind != "f":
        place = int(np.argmax(a.astype(object) != b.astype(object)))
    else:
        with np.errstate(all="ignore"):
            place = int(np.argmax(np.nan_to_num(np.abs(a - b), nan=np.inf)))
    return _short(a[place]), _short(b[place])


def _short(value: Any) -> str:
    return f"{value:.7g}" if isinstance(value, float | np.floating) else f"{value!s:.14}"
