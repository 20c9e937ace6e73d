"""Does the exported graph give the original's tensors? Each output of each call, element by element."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ParityError
from edge_infer.goldens import Tolerance
from edge_infer.verification import agreeing
from edge_infer_convert.deep.inputs import Call
from edge_infer_convert.frontends.original import asked

__all__ = ["Compared", "TensorParity", "compare_tensors"]

Answer = Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[Any]]]

#: Relative tolerance by an output's dtype; whole numbers and truth values are equal.
RELATIVE: Final = {"float16": 1e-2, "float32": 1e-4, "float64": 1e-9}
_SHOWN: Final = 5


class Compared(NamedTuple):
    """A call and what both gave."""

    call: Call
    original: dict[str, NDArray[Any]]
    converted: dict[str, NDArray[Any]]


class TensorParity(NamedTuple):
    """All calls. tolerances, worst (|converted − original| ÷ max(|original|, scale)): by output."""

    compared: tuple[Compared, ...]
    tolerances: dict[str, Tolerance]
    worst: dict[str, float]

    @property
    def rows(self) -> int:
        """Examples in all calls: the first size of the first input."""
        return sum(_rows(each.call) for each in self.compared)

    def told(self) -> str:
        return f"{self.rows:,} examples in {len(self.compared)} calls equal"

    def certificate(self) -> dict[str, Any]:
        """What travels in `edge_infer.parity`."""
        kinds: dict[str, int] = {}
        for each in self.compared:
            kinds[each.call.kind] = kinds.get(each.call.kind, 0) + _rows(each.call)
        outputs = {
            name: {"worst": self.worst[name], "relative": tolerance.relative, "scale": tolerance.scale, "differing": 0}
            for name, tolerance in self.tolerances.items()
        }
        return {"rows": self.rows, "kinds": kinds, "borderline": 0, "outputs": outputs}


def _rows(call: Call) -> int:
    first = next(iter(call.feeds.values()), None)
    return len(first) if first is not None and first.ndim else 1


def compare_tensors(calls: Iterable[Call], original: Answer, converted: Answer) -> TensorParity:
    """Ask both every call.

    Raises:
        ParityError: with the tensors that differ, the first elements of each.
        SchemaError: the original fails on a call.
    """
    compared = tuple(Compared(call, dict(asked(original, call)), dict(converted(call.feeds))) for call in calls)
    _check_shapes(compared)
    names = list(compared[0].original)
    tolerances = {name: _tolerance([each.original[name] for each in compared]) for name in names}
    worst = dict.fromkeys(names, 0.0)
    lines, differing = [], 0
    for number, each in enumerate(compared):
        for name in names:
            wanted, got = each.original[name], each.converted[name]
            worst[name] = max(worst[name], _worst(got, wanted, tolerances[name]))
            agree = agreeing(got, wanted, tolerances[name])
            if not agree.all():
                differing += 1
                lines.append(_difference(name, number, each.call, got, wanted, agree))
    if differing:
        more = [f"… and {differing - _SHOWN} more tensors"] if differing > _SHOWN else []
        raise ParityError(
            f"the exported graph does not give the original's answers: {differing:,} tensors of "
            f"{len(compared)} calls differ; nothing was written",
            "\n".join([*lines[:_SHOWN], *more]),
            differing,
        )
    return TensorParity(compared, tolerances, worst)


def _check_shapes(compared: tuple[Compared, ...]) -> None:
    for number, each in enumerate(compared):
        for name, wanted in each.original.items():
            got = each.converted[name]
            if got.shape != wanted.shape or got.dtype != wanted.dtype:
                raise ParityError(
                    f"output {name!r} of call {number}: the original gives {wanted.dtype} {list(wanted.shape)}, the "
                    f"exported graph {got.dtype} {list(got.shape)}. A size that was taken for fixed may vary: name it "
                    "in the inputs, as in 'float32[batch, length=16, 8]'."
                )


def _tolerance(tensors: list[NDArray[Any]]) -> Tolerance:
    """The scale is the root of the mean square of the original's finite numbers."""
    if tensors[0].dtype.kind != "f":
        return Tolerance(0.0, 0.0)
    flat = np.concatenate([tensor.reshape(-1).astype(np.float64) for tensor in tensors])
    finite = flat[np.isfinite(flat)]
    scale = float(np.sqrt(np.mean(np.square(finite)))) if finite.size else 0.0
    return Tolerance(RELATIVE[tensors[0].dtype.name], scale)


def _worst(got: NDArray[Any], wanted: NDArray[Any], tolerance: Tolerance) -> float:
    if wanted.dtype.kind != "f" or not wanted.size:
        return 0.0
    a, b = got.astype(np.float64), wanted.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.abs(a - b) / np.maximum(np.abs(b), tolerance.scale)
    finite = relative[np.isfinite(relative)]
    return float(finite.max()) if finite.size else 0.0


def _difference(
    name: str, number: int, call: Call, got: NDArray[Any], wanted: NDArray[Any], agree: NDArray[np.bool_]
) -> str:
    place = np.unravel_index(int(agree.argmin()), agree.shape) if agree.ndim else ()
    shapes = ", ".join(f"{feed} {list(array.shape)}" for feed, array in call.feeds.items())
    return (
        f"{name} of call {number} ({call.kind}; {shapes}): {int((~agree).sum()):,} of {agree.size:,} differ; at "
        f"{[int(axis) for axis in place]} original {wanted[place]!s:.20}, exported {got[place]!s:.20}"
    )
