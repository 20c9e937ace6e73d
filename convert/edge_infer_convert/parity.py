"""The gate: a converted model gives the original's answers on every probe, or the conversion fails."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer.artifact import Artifact
from edge_infer.errors import InputError, ParityError
from edge_infer.goldens import Tolerance
from edge_infer.graphs import Graphs
from edge_infer.model import Model
from edge_infer.options import SessionOptions
from edge_infer.split_trees import LEAST_BRANCHES
from edge_infer.tensors import Batch, whole_feeds
from edge_infer.verification import within
from edge_infer_convert.answers import Answers
from edge_infer_convert.doubt import ROUNDING, SINGLE, TIE
from edge_infer_convert.probes import Probes
from edge_infer_convert.structural_proof import Proof

__all__ = ["RELATIVE", "Comparison", "Parity", "Rounded", "compare", "holds_in_parts", "near_ties", "require_equal"]

#: |converted − original| ≤ RELATIVE × max(|original|, in-range size of the output)
RELATIVE: Final = {"float32": 1e-5, "float64": 1e-9}
_FEW_DIGITS: Final = 1e-3  # the same of rows that few digits of float32 are left of: see `doubt.SINGLE`
_TABLE_LINES = 20
_WHOLE_ROW: Final = 4000  # characters of the row that is shown in full
_SURE_IN_PARTS: Final = 0.1  # of the tolerance
_LEAST_BYTES: Final = 8  # of a branch in a file: it has seven numbers and a threshold


class Comparison(NamedTuple):
    """One method on all probes. Arrays have a row for each probe."""

    method: str
    original: NDArray[Any]
    converted: NDArray[Any]
    tolerance: Tolerance
    differs: NDArray[np.bool_]  # outside the tolerance, borderline rows left out
    borderline: NDArray[np.bool_]  # labels that differ where the original's own top two scores tie
    worst: float  # largest |converted − original| / max(|original|, size); 0 for labels


class Rounded(NamedTuple):
    """The second reference: the original's answers on the same rows, their numbers rounded to float32 first."""

    rows: int
    differing: int  # rows where the converted model differs from it
    original: int  # rows where the original differs from itself, asked with rounded and with unrounded numbers


class Parity(NamedTuple):
    """The whole comparison. `exact`: no label may differ, ties included."""

    probes: Probes
    comparisons: list[Comparison]
    exact: bool = False
    ties: int = 0  # rows where the original's own top two scores are equal or nearly so
    rounded: Rounded | None = None
    proof: Proof | None = None  # of trees, node by node; None where the graph was not looked at
    few_digits: NDArray[np.bool_] | None = None  # rows that the original itself tells few digits of, or none

    def __repr__(self) -> str:
        return f"<Parity: {self.told()}>"

    def told(self) -> str:
        """How many rows are equal, in a few words."""
        rows, differing, borderline = len(self.probes.rows), self.differing_rows, self.borderline_rows
        if differing:
            return f"{differing:,} of {rows:,} probe rows differ"
        if borderline:
            return f"{rows - borderline:,} of {rows:,} probe rows equal, the others near ties"
        return f"{rows:,} probe rows equal"

    @property
    def equal(self) -> bool:
        return not any(comparison.differs.any() for comparison in self.comparisons)

    @property
    def differing_rows(self) -> int:
        """Rows in which some answer is not the original's."""
        return _rows_with([comparison.differs for comparison in self.comparisons])

    @property
    def borderline_rows(self) -> int:
        """Rows in which some answer is not the original's and counts as right, for rounding decides there."""
        return _rows_with([comparison.borderline for comparison in self.comparisons])

    def certificate(self) -> dict[str, Any]:
        """What travels in `edge_infer.parity`."""
        kinds: dict[str, int] = {}
        for kind in self.probes.kinds:
            kinds[kind] = kinds.get(kind, 0) + 1
        return {
            "rows": len(self.probes.rows),
            "kinds": kinds,
            "exact": self.exact,
            "ties": self.ties,
            "borderline": int(sum(comparison.borderline.sum() for comparison in self.comparisons)),
            **({} if self.rounded is None else {"rounded": self.rounded._asdict()}),
            **(
                {"proof": {"trees": self.proof.trees, "nodes": self.proof.nodes}}
                if self.proof and self.proof.trees
                else {}
            ),
            "outputs": {
                c.method: {
                    "worst": c.worst,
                    "relative": c.tolerance.relative,
                    "scale": c.tolerance.scale,
                    "differing": int(c.differs.sum()),
                    "borderline": int(c.borderline.sum()),
                }
                for c in self.comparisons
            },
        }


def compare(
    model: Model, answers: Answers, precision: str, *, exact: bool = False, single: bool = False, hasty: bool = False
) -> Parity:
    """Run all probes through the original and through the converted model, as the runtime runs it and as others do.

    `single`: a step of the original computes in float32, so that no better is asked of any precision. `hasty`: without
    the second reference, for another precision comes next.

    Raises:
        ParityError: the converted model refuses rows that the original takes.
    """
    methods = [output.method for output in model.manifest.outputs]
    expected = {method: answers.given(method) for method in methods}
    relative = RELATIVE["float32" if single else precision]
    ties = near_ties(expected, relative, answers.original.task)
    kept = _true_boundaries(answers.probes, ties, precision)
    probes, expected = answers.probes.chosen(kept), {m: _rows_of(answer, kept) for m, answer in expected.items()}
    ties = None if ties is None else ties[kept]
    doubt = answers.doubt(methods)[kept]
    in_range = np.array([kind == "in range" for kind in probes.kinds])
    whole: dict[str, Any] = {}
    comparisons: list[Comparison] = []

    def judged(method: str, wanted: Any, got: Any) -> Comparison:
        forgiven = None if exact else ties
        found = _compared(method, _joined(wanted), _joined(got), in_range, forgiven, relative)
        return _with_doubt(found, doubt)

    records = _records(model, probes)
    for method, wanted in expected.items():
        try:
            got = model._answer(method, records)
        except InputError as error:
            raise ParityError(f"the converted model refuses rows that the original takes:\n{error}") from error
        found = judged(method, wanted, got)
        if not found.differs.any():
            whole = whole or _whole_answers(model, probes)
            other = judged(method, wanted, whole[method])
            found = other if other.differs.any() else found
        comparisons.append(found)
    rounded = None if hasty else _rounded(answers, kept, comparisons, ties)
    tied = 0 if ties is None else int(ties.sum())
    return Parity(probes, comparisons, exact, tied, rounded, few_digits=doubt >= SINGLE if single else None)


def _rows_with(flags: list[NDArray[np.bool_]]) -> int:
    """Rows that are flagged by at least one method."""
    return int(np.any(flags, axis=0).sum()) if flags else 0


def holds_in_parts(artifact: Artifact, parity: Parity) -> bool:
    """Whether all probes get the same labels, and numbers well within the tolerance, from trees that run in parts.

    artifact: one whose manifest says that it splits. False where there is nothing to split.
    """
    if len(artifact.data) < LEAST_BRANCHES * _LEAST_BYTES:
        return False
    with Model(artifact, SessionOptions(split_rows=1)) as model:
        batch = model._packer.pack(_records(model, parity.probes))
        gaps = batch.gaps()  # rows with one take another way than those without
        halves = [rows for rows in (np.flatnonzero(gaps), np.flatnonzero(~gaps)) if len(rows)]
        forms = [model._graphs.splitting_from(1, many) for many in (1, batch.rows + 1)]
        return all(
            _same_in_parts(model, graphs, parity, batch.chosen(rows), rows) for graphs in forms for rows in halves
        )


def _same_in_parts(model: Model, graphs: Graphs, parity: Parity, batch: Batch, rows: NDArray[np.int64]) -> bool:
    """All methods by one run of these rows of the probes."""
    decoders = [model._decoders[comparison.method] for comparison in parity.comparisons]
    names = list(dict.fromkeys(name for decoder in decoders for name in decoder.tensors))
    session = graphs.for_batch(batch, frozenset(names))
    if session is graphs.giving(frozenset(names)):  # there is nothing to split
        return False
    feeds = {name: batch.feeds[name] for name in session.inputs}
    told = dict(zip(names, session.run(names, feeds), strict=True))
    for comparison, decoder in zip(parity.comparisons, decoders, strict=True):
        answer = decoder.decode([told[name] for name in decoder.tensors], rows=len(rows), single=False)
        if not _close_in_parts(comparison, rows, answer):
            return False
    return True


def _close_in_parts(comparison: Comparison, rows: NDArray[np.int64], answer: Any) -> bool:
    got, wanted = _joined(answer), comparison.converted[rows]
    if not comparison.tolerance.relative:
        return bool(np.array_equal(got, wanted))
    sure = Tolerance(_SURE_IN_PARTS * comparison.tolerance.relative, comparison.tolerance.scale)
    return bool(within(got.astype(np.float64), wanted.astype(np.float64), sure).all())


def _with_doubt(comparison: Comparison, doubt: NDArray[np.int8]) -> Comparison:
    """Differences on doubtful rows are borderline: after a tie any, after rounding those within float32's tolerance,
    where few digits are left those within 1e-3."""
    wanted, got = comparison.original, comparison.converted
    forgiven = comparison.differs & (doubt == TIE)
    for level, relative in ((ROUNDING, RELATIVE["float32"]), (SINGLE, _FEW_DIGITS)):
        close = np.ones(len(doubt), bool)
        if comparison.tolerance.relative:
            tolerance = Tolerance(relative, comparison.tolerance.scale)
            loose = within(got.astype(np.float64), wanted.astype(np.float64), tolerance)
            close = np.asarray(loose.reshape(len(loose), -1).all(axis=1))
        forgiven |= comparison.differs & (doubt == level) & close
    if not forgiven.any() and not (doubt >= SINGLE).any():
        return comparison
    sure = doubt == 0
    worst = _worst(got[sure], wanted[sure], comparison.tolerance.scale) if comparison.tolerance.relative else 0.0
    return comparison._replace(
        differs=comparison.differs & ~forgiven, borderline=comparison.borderline | forgiven, worst=worst
    )


def _true_boundaries(probes: Probes, ties: NDArray[np.bool_] | None, precision: str) -> NDArray[np.int64]:
    """All rows but the bisected ones where the original's scores do not tie.

    Those stand at a jump rather than at a boundary: there the last bit of a sum inside the original decides between
    two distant answers, which is no test of ours. Rows beside jumps are asked of float32 only: where a feature hardly
    changes with its column (a spline near its end, a flat power), the last bits of float64 decide there too.
    """
    tied = np.zeros(len(probes.kinds), bool) if ties is None else ties
    left_out = ("boundary",) if precision == "float32" else ("boundary", "jump")
    return np.flatnonzero(np.array([kind not in left_out for kind in probes.kinds]) | tied)


def _rows_of(answer: Any, rows: NDArray[np.int64]) -> Any:
    return [part[rows] for part in answer] if isinstance(answer, list) else answer[rows]


def _whole_answers(model: Model, probes: Probes) -> dict[str, Any]:
    """The answers of the graph as any other host runs it, by its own inputs and outputs."""
    found = model.run(whole_feeds(model.manifest.inputs, probes.rows))
    answers = {}
    for output in model.manifest.outputs:
        parts = [found[name] for name in output.tensors]
        answers[output.method] = parts if output.listed else parts[0]
    return answers


def _rounded(
    answers: Answers, kept: NDArray[np.int64], comparisons: list[Comparison], ties: NDArray[np.bool_] | None
) -> Rounded | None:
    """None where there is no second reference: see `Answers.rounded`. `kept`: the probes that were compared."""
    rows, compared, asked = np.intersect1d(kept, answers.rounded_rows, assume_unique=True, return_indices=True)
    forgiven = np.zeros(len(rows), bool) if ties is None else ties[compared]
    differing, itself = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    for c in comparisons:
        given = answers.rounded(c.method)
        if given is None:
            return None
        answer = _joined(_rows_of(given, asked))
        differing |= _unequal(c.converted[compared], answer, c.tolerance, forgiven)
        itself |= _unequal(c.original[compared], answer, c.tolerance, forgiven)
    return Rounded(len(rows), int(differing.sum()), int(itself.sum()))


def _unequal(a: NDArray[Any], b: NDArray[Any], tolerance: Tolerance, forgiven: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if a.dtype.kind == "f":
        agree = within(a.astype(np.float64), b.astype(np.float64), tolerance)
        return ~np.asarray(agree.reshape(len(agree), -1).all(axis=1))
    return np.asarray((a.astype(object) != b.astype(object)).reshape(len(a), -1).any(axis=1)) & ~forgiven


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
    relative: float,
) -> Comparison:
    if got.shape != wanted.shape:
        raise ParityError(f"{method}: the original's answers have the shape {wanted.shape}, the converted {got.shape}")
    if method == "predict" and wanted.dtype.kind not in "f":
        return _labels(method, wanted, got, ties)
    relative = max(relative, RELATIVE.get(wanted.dtype.name, 0.0))  # some originals answer in float32
    tolerance = Tolerance(relative, _size(method, wanted, in_range))
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


def near_ties(expected: dict[str, Any], relative: float, task: str) -> NDArray[np.bool_] | None:
    """Rows where the original's top two scores lie within the tolerance: there its own answer is arbitrary.

    Of several label columns one tie is enough. None where the original gives no scores.
    """
    several = np.ndim(expected.get("predict", ())) == 2
    scores = expected.get("decision_function")
    if scores is not None:
        size = max(1.0, float(np.median(np.abs(scores))))
        if scores.ndim == 1 or several or scores.shape[1] == 1:  # decided at 0
            return np.asarray((np.abs(scores) <= relative * size).reshape(len(scores), -1).any(axis=1))
        return _top_two_meet(scores, relative, 0.0)
    shares = expected.get("predict_proba")
    if isinstance(shares, list):
        return np.asarray(np.any([_top_two_meet(part, relative, 1.0) for part in shares], axis=0))
    if shares is not None:
        if several:
            return np.asarray((np.abs(shares - 0.5) <= relative).any(axis=1))
        return _top_two_meet(shares, relative, 1.0)
    distances = expected.get("transform")
    if task == "clustering" and distances is not None and np.ndim(distances) == 2:
        return _top_two_meet(-distances, relative, 0.0)
    return None


def _top_two_meet(scores: NDArray[Any], relative: float, least: float) -> NDArray[np.bool_]:
    """Within `relative` × max(|best|, `least`)."""
    if scores.shape[1] < 2:
        return np.zeros(len(scores), bool)
    top = np.sort(scores, axis=1)[:, -2:]
    size = np.maximum(np.abs(top).max(axis=1), least)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.diff(top, axis=1)[:, 0] <= relative * size)


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
    """Raises ParityError with the rows that differ (at most 20 lines, the last one row in full) and the step most
    likely to blame."""
    if parity.equal:
        return
    count = parity.differing_rows
    message = f"the converted model differs from the original in {count:,} of {len(parity.probes.rows):,} probe rows"
    if blame:
        message += f"; the step most likely to blame: {blame}"
    raise ParityError(message, _table(parity, columns), count)


def _table(parity: Parity, columns: list[str]) -> str:
    lines = [f"{'row kind':<10} {'method':<17} {'original':>14} {'converted':>14}  input"]
    rows = [(comparison, int(row)) for comparison in parity.comparisons for row in np.flatnonzero(comparison.differs)]
    most = _TABLE_LINES - 3
    lines += [_line(parity, comparison, row, columns) for comparison, row in rows[:most]]
    lines += ["…"] if len(rows) > most else []
    worst = parity.probes.rows[_worst_row(next(c for c in parity.comparisons if c.differs.any()))]
    return "\n".join([*lines, f"the worst row: {_cut(_as_json(worst, columns), _WHOLE_ROW)}"])


def _worst_row(comparison: Comparison) -> int:
    """The row with the largest difference; of labels the first that differs."""
    rows = np.flatnonzero(comparison.differs)
    if comparison.tolerance.relative == 0.0:
        return int(rows[0])
    got, wanted = comparison.converted[rows].astype(np.float64), comparison.original[rows].astype(np.float64)
    with np.errstate(all="ignore"):
        share = np.abs(got - wanted) / np.maximum(np.abs(wanted), comparison.tolerance.scale or 1.0)
    share = np.nan_to_num(share, nan=np.inf).reshape(len(rows), -1)
    return int(rows[int(np.argmax(share.max(axis=1)))])


def _as_json(row: Sequence[Any], columns: list[str]) -> str:
    """A record that `predict` takes, every digit of it."""
    return json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _line(parity: Parity, comparison: Comparison, row: int, columns: list[str]) -> str:
    original, converted = _first_difference(comparison, row)
    cells = ", ".join(f"{name}={_short(value)}" for name, value in zip(columns, parity.probes.rows[row], strict=True))
    return f"{parity.probes.kinds[row]:<10} {comparison.method:<17} {original:>14} {converted:>14}  {_cut(cells, 42)}"


def _first_difference(comparison: Comparison, row: int) -> tuple[str, str]:
    a, b = np.ravel(comparison.original[row]), np.ravel(comparison.converted[row])
    if comparison.original.dtype.kind != "f":
        place = int(np.argmax(a.astype(object) != b.astype(object)))
    else:
        with np.errstate(all="ignore"):
            place = int(np.argmax(np.nan_to_num(np.abs(a - b), nan=np.inf)))
    return _short(a[place]), _short(b[place])


def _short(value: Any) -> str:
    return f"{value:.7g}" if isinstance(value, float | np.floating) else _cut(str(value), 14)
