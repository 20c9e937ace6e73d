"""The judge: the original and its conversion asked the same fresh rows, method by method."""

from __future__ import annotations

import warnings
from typing import Any, Final, NamedTuple

import numpy as np

import edge_infer
from edge_infer.errors import EdgeInferError, ParityError
from edge_infer_convert import convert
from edge_infer_convert.doubt import NONE, ROUNDING, recorded_doubt
from matrix.case import Case, Fitted
from matrix.fresh import fresh_rows

__all__ = ["FULL", "QUICK", "RANK", "Compared", "answering", "asked", "borderline", "compare", "judge"]

FULL: Final = 1400  # rows drawn, so that at least 1,000 stay where the original refuses some
QUICK: Final = 300
RELATIVE: Final = {"float32": 1e-5, "float64": 1e-9}
#: Outcomes, the worst first.
RANK: Final = {"wrong": 0, "crash": 0, "timeout": 0, "refused": 1, "partial": 2, "equal": 3}


class Compared(NamedTuple):
    """One method: rows outside the tolerance, borderline labels, and the largest relative difference."""

    differing: int
    borderline: int
    worst: float
    note: str = ""


def judge(case: Case, fitted: Fitted, count: int = FULL) -> dict[str, Any]:
    """The recorded result of a case: outcome, precision, worst difference, borderline rows, reason."""
    result: dict[str, Any] = {"methods": list(fitted.methods())}
    try:
        conversion = convert(fitted.model, data=fitted.data, name="case")
    except EdgeInferError as error:
        return result | {"outcome": "refused", "error": type(error).__name__, "reason": _reason(error)}
    result["precision"] = conversion.manifest.precision
    rows, near = fresh_rows(fitted.data, lambda rows: _takes(fitted, rows), count, known=fitted.known)
    result["rows"] = len(rows)
    try:
        compared = _methods(conversion.data, conversion.manifest, fitted, rows, near)
    except EdgeInferError as error:
        return result | {"outcome": "wrong", "reason": f"refuses rows that the original takes: {_first_line(error)}"}
    missing = [name for name in answering(fitted) if name in conversion.manifest.missing_methods]
    return result | _outcome(compared, missing)


def _methods(data: bytes, manifest: Any, fitted: Fitted, rows: Any, near: Any) -> dict[str, Compared]:
    model = edge_infer.load(data)
    relative = RELATIVE[manifest.precision]
    names = list(answering(fitted))
    with recorded_doubt(fitted.model, len(rows)) as doubt:
        methods = fitted.methods()  # looked up here: what records stands in their place
        answers = {name: asked(methods[name], rows) for name in names}
    ties = borderline(answers, len(rows), relative)
    table = _as_table(rows)
    return {
        name: _forgiven(want, getattr(model, name)(table), near, relative, ties, doubt.rows, name == "predict_proba")
        for name, want in answers.items()
        if name not in manifest.missing_methods
    }


def answering(fitted: Fitted) -> dict[str, Any]:
    """Without methods that are there and always raise (GaussianProcessClassifier's predict_proba for one_vs_one)."""
    return {name: method for name, method in fitted.methods().items() if _answers(method, fitted.data[:3])}


def _forgiven(want: Any, got: Any, near: Any, relative: float, ties: Any, doubt: Any, probability: bool) -> Compared:
    """As `compare`; where rounding or the order of its training rows decides the original's answer, rows are counted
    as borderline: see `edge_infer_convert.doubt`."""
    if _dtypes(want) == {"float32"}:  # the original computes no better itself
        relative = max(relative, RELATIVE["float32"])
    strict = compare(want, got, near, relative, ties, probability=probability)
    if not strict.differing or not doubt.any() or strict.note:
        return strict
    sure, loose = (
        compare(_rows(want, some), _rows(got, some), near[some], limit, ties[some], probability=probability)
        for some, limit in ((doubt == NONE, relative), (doubt == ROUNDING, RELATIVE["float32"]))
    )
    differing = sure.differing + loose.differing
    return Compared(differing, strict.borderline + strict.differing - differing, sure.worst)


def _rows(answer: Any, chosen: Any) -> Any:
    return [part[chosen] for part in answer] if isinstance(answer, list) else np.asarray(answer)[chosen]


def _outcome(compared: dict[str, Compared], missing: list[str]) -> dict[str, Any]:
    wrong = {name: each for name, each in compared.items() if each.differing}
    numbers = {
        "worst": max((each.worst for each in compared.values()), default=0.0),
        "borderline": sum(each.borderline for each in compared.values()),
    }
    if wrong:
        told = "; ".join(f"{name}: {each.note or f'{each.differing} rows differ'}" for name, each in wrong.items())
        return numbers | {"outcome": "wrong", "reason": told[:300]}
    if missing:
        return numbers | {"outcome": "partial", "reason": f"no {', '.join(sorted(missing))}"}
    return numbers | {"outcome": "equal"}


def _reason(error: EdgeInferError) -> str:
    """Its first line; of a parity error also which precision failed."""
    return _first_line(error)[:300]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if isinstance(error, ParityError) and lines[0].endswith(":") and len(lines) > 1:
        return f"{lines[0]} {lines[1].strip()}"
    return lines[0]


def _as_table(rows: Any) -> Any:
    """Texts and other single values as a column; a flat list would be one row."""
    if isinstance(rows, list) and rows and isinstance(rows[0], str):
        column = np.empty((len(rows), 1), dtype=object)
        column[:, 0] = rows
        return column
    return rows


def _takes(fitted: Fitted, rows: Any) -> bool:
    return _answers(next(iter(fitted.methods().values())), rows)


def _answers(method: Any, rows: Any) -> bool:
    try:
        asked(method, rows)
    except Exception:  # noqa: BLE001  # whatever it raises, it does not answer
        return False
    return True


def asked(method: Any, rows: Any) -> Any:
    """The original's answer: an array, dense, or a list of arrays."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        answer = method(rows)
    if isinstance(answer, tuple | list) and answer and np.ndim(answer[0]):
        return [np.asarray(part) for part in answer]
    return np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)


def _dtypes(answer: Any) -> set[str]:
    return {part.dtype.name for part in (answer if isinstance(answer, list) else [answer])}


def borderline(answers: dict[str, Any], count: int, relative: float) -> Any:
    """Rows where the original's own top two scores lie within the tolerance: its label is arbitrary there."""
    several = np.ndim(answers.get("predict", ())) == 2
    for name in ("decision_function", "predict_proba"):
        scores = answers.get(name)
        if scores is None:
            continue
        if isinstance(scores, list):
            return np.logical_or.reduce([_tied(part, relative) for part in scores])
        if several:  # a score or probability for each label
            parts = scores.T - 0.5 if name == "predict_proba" else scores.T
            return np.logical_or.reduce([_tied(part, relative) for part in parts])
        return _tied(scores, relative)
    return np.zeros(count, bool)


def _tied(scores: Any, relative: float) -> Any:
    """[rows] or [rows, classes]. One score is decided at 0."""
    if scores.ndim == 1 or scores.shape[1] == 1:
        size = max(1.0, float(np.median(np.abs(scores))))
        return np.abs(scores.reshape(len(scores))) <= relative * size
    top = np.sort(scores, axis=1)[:, -2:]
    return top[:, 1] - top[:, 0] <= relative * np.maximum(1.0, np.abs(top).max(axis=1))


def compare(want: Any, got: Any, near: Any, relative: float, ties: Any, *, probability: bool) -> Compared:
    """One method's answers. A list holds an array for each label column."""
    if isinstance(want, list) != isinstance(got, list) or (isinstance(want, list) and len(want) != len(got)):
        return Compared(len(ties), 0, 0.0, "the original gives a list of arrays, the conversion not")
    pairs = zip(want, got, strict=True) if isinstance(want, list) else [(want, got)]
    parts = [_compared(a, np.asarray(b), near, relative, ties, probability) for a, b in pairs]
    return Compared(
        sum(part.differing for part in parts),
        sum(part.borderline for part in parts),
        max(part.worst for part in parts),
        next((part.note for part in parts if part.note), ""),
    )


def _compared(want: Any, got: Any, near: Any, relative: float, ties: Any, probability: bool) -> Compared:
    if want.shape != got.shape:
        return Compared(len(want), 0, 0.0, f"shape {list(got.shape)}, the original's is {list(want.shape)}")
    if not want.size:
        return Compared(0, 0, 0.0)
    if want.dtype.kind not in "f":
        unequal = (want.astype(object) != got.astype(object)).reshape(len(want), -1).any(axis=1)
        return Compared(int((unequal & ~ties).sum()), int((unequal & ties).sum()), 0.0)
    if got.dtype.kind not in "fiu":
        return Compared(len(want), 0, 0.0, f"{got.dtype} answers, the original's are {want.dtype}")
    want, got = want.astype(np.float64), got.astype(np.float64)
    with np.errstate(all="ignore"):
        share = np.abs(want - got) / np.maximum(np.abs(want), _size(want, near, probability))
    share[(want == got) | (np.isnan(want) & np.isnan(got))] = 0.0
    share[np.isnan(share)] = np.inf
    differing = (share > relative).reshape(len(want), -1).any(axis=1)
    finite = share[np.isfinite(share)]
    return Compared(int(differing.sum()), 0, float(f"{finite.max():.2g}") if finite.size else 0.0)


def _size(want: Any, near: Any, probability: bool) -> float:
    """The output's size in range; 1 for probabilities."""
    if probability:
        return 1.0
    usual = np.abs(want[near])
    usual = usual[np.isfinite(usual)]
    return (float(usual.max()) if usual.size else 0.0) or 1.0
