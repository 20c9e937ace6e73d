"""Does the exported graph give the original's tensors? Each output of each call, element by element."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import InferenceError, ParityError, SchemaError
from edge_infer.goldens import Tolerance
from edge_infer.verification import agreeing
from edge_infer_convert.deep.inputs import Call
from edge_infer_convert.frontends.original import asked

__all__ = ["Compared", "TensorParity", "compare_tensors", "furthest"]

Answer = Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[Any]]]

#: Relative tolerance by an output's dtype; whole numbers and truth values are equal.
RELATIVE: Final = {"float16": 1e-2, "float32": 1e-4, "float64": 1e-9}
_SHOWN: Final = 5
_REMEDY: Final = (
    "A size that was taken for fixed may vary: name it in the inputs, as in 'float32[batch, length=16, 8]'. Or the "
    "export is right for one size only: give it as a number."
)


class Compared(NamedTuple):
    """A call and what both gave."""

    call: Call
    original: dict[str, NDArray[Any]]
    converted: dict[str, NDArray[Any]]


class TensorParity(NamedTuple):
    """What was found in all calls. made: the calls that are made up. kinds: examples by kind of call. tolerances,
    worst (|converted − original| ÷ max(|original|, scale)): by output."""

    made: tuple[Compared, ...]
    calls: int
    kinds: dict[str, int]
    tolerances: dict[str, Tolerance]
    worst: dict[str, float]

    @property
    def rows(self) -> int:
        """Examples in all calls: the first size of the first input."""
        return sum(self.kinds.values())

    def told(self) -> str:
        return f"{self.rows:,} examples in {self.calls} calls equal"

    def certificate(self) -> dict[str, Any]:
        """What travels in `edge_infer.parity`."""
        outputs = {
            name: {"worst": self.worst[name], "relative": tolerance.relative, "scale": tolerance.scale, "differing": 0}
            for name, tolerance in self.tolerances.items()
        }
        return {"rows": self.rows, "kinds": self.kinds, "borderline": 0, "outputs": outputs}


def compare_tensors(calls: Iterable[Call], original: Answer, converted: Answer) -> TensorParity:
    """Ask both every call. Those that are made up come first, are kept, and tell the scale of each output; of examples
    nothing is kept, however large their answers are.

    Raises:
        ParityError: with the tensors that differ, the first elements of each.
        SchemaError: the original fails on a call, other than one of kind "resized".
    """
    judge: _Judge | None = None
    made: list[Compared] = []
    for number, call in enumerate(calls):
        try:
            wanted = dict(asked(original, call))
        except SchemaError:
            if call.kind == "resized":
                continue
            raise
        found = Compared(call, wanted, _converted(converted, number, call))
        _check_shapes(number, found)
        if judge is None and call.kind == "made":
            made.append(found)
            continue
        judge = judge or _Judge.of(made)
        judge.look(number, found)
    return (judge or _Judge.of(made)).verdict(tuple(made))


def _converted(converted: Answer, number: int, call: Call) -> dict[str, NDArray[Any]]:
    try:
        return dict(converted(call.feeds))
    except InferenceError as error:
        raise ParityError(
            f"the exported graph fails on call {number} ({call.kind}; {_shapes(call)}), which the original answers: "
            f"{' '.join(str(error).split())[:300]}\n{_REMEDY}"
        ) from error


def _shapes(call: Call) -> str:
    return ", ".join(f"{feed} {list(array.shape)}" for feed, array in call.feeds.items())


class _Judge:
    """Compares call after call, and keeps what is told of them."""

    def __init__(self, tolerances: dict[str, Tolerance]) -> None:
        self._tolerances = tolerances
        self._worst = dict.fromkeys(tolerances, 0.0)
        self._kinds: dict[str, int] = {}
        self._calls, self._differing = 0, 0
        self._lines: list[str] = []

    @classmethod
    def of(cls, made: Sequence[Compared]) -> _Judge:
        """The scale of each output is the root of the mean square of the original's finite numbers in these calls."""
        judge = cls({name: _tolerance([each.original[name] for each in made]) for name in made[0].original})
        for number, each in enumerate(made):
            judge.look(number, each)
        return judge

    def look(self, number: int, each: Compared) -> None:
        self._calls += 1
        self._kinds[each.call.kind] = self._kinds.get(each.call.kind, 0) + _rows(each.call)
        for name, tolerance in self._tolerances.items():
            wanted, got = each.original[name], each.converted[name]
            self._worst[name] = max(self._worst[name], _worst(got, wanted, tolerance))
            agree = agreeing(got, wanted, tolerance)
            if not agree.all():
                self._differing += 1
                self._lines.append(_difference(name, number, each.call, got, wanted, agree))

    def verdict(self, made: tuple[Compared, ...]) -> TensorParity:
        """Raises ParityError."""
        count = self._differing
        if count:
            more = [f"… and {count - _SHOWN} more tensors"] if count > _SHOWN else []
            raise ParityError(
                f"the exported graph does not give the original's answers: {count:,} tensors of {self._calls} calls "
                "differ; nothing was written",
                "\n".join([*self._lines[:_SHOWN], *more]),
                count,
            )
        return TensorParity(made, self._calls, self._kinds, self._tolerances, self._worst)


def _rows(call: Call) -> int:
    first = next(iter(call.feeds.values()), None)
    return len(first) if first is not None and first.ndim else 1


def _check_shapes(number: int, each: Compared) -> None:
    for name, wanted in each.original.items():
        got = each.converted[name]
        if got.shape != wanted.shape or got.dtype != wanted.dtype:
            raise ParityError(
                f"output {name!r} of call {number}: the original gives {wanted.dtype} {list(wanted.shape)}, the "
                f"exported graph {got.dtype} {list(got.shape)}.\n{_REMEDY}"
            )


def _tolerance(tensors: list[NDArray[Any]]) -> Tolerance:
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


def furthest(made: Sequence[Compared], output: str, tolerance: Tolerance) -> float:
    """The largest |converted − original| ÷ max(|original|, scale) in these calls."""
    return max(_worst(each.converted[output], each.original[output], tolerance) for each in made)


def _difference(
    name: str, number: int, call: Call, got: NDArray[Any], wanted: NDArray[Any], agree: NDArray[np.bool_]
) -> str:
    place = np.unravel_index(int(agree.argmin()), agree.shape) if agree.ndim else ()
    return (
        f"{name} of call {number} ({call.kind}; {_shapes(call)}): {int((~agree).sum()):,} of {agree.size:,} differ; at "
        f"{[int(axis) for axis in place]} original {wanted[place]!s:.20}, exported {got[place]!s:.20}"
    )
