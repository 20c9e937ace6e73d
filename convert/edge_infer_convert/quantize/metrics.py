"""What a quantized graph has lost: by the task's metric where true answers are given, else by the float graph's own.

Where true answers are given: accuracy for classes, else R² (coefficient of determination, of all numbers together).
Without them: the share of classes that are the float graph's own; of other outputs, the root of the mean square of the
difference ÷ that of the float graph's answers. Then the output that lost most counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import UsageError
from edge_infer.interface import Interface, TensorSpec, shown
from edge_infer_convert.quantize.calibration import Sample

__all__ = ["Judge", "Score"]

Run = Callable[[dict[str, NDArray[Any]]], Mapping[str, NDArray[Any]]]
Answers = dict[str, NDArray[Any]]

_AT_ONCE: Final = 64  # examples
_MOST_HELD: Final = 2**26  # elements of the float graph's answers


class Score(NamedTuple):
    """A metric of the float graph and of a quantized one, and the percentage points between them; infinite where the
    quantized one gives numbers that are not finite."""

    metric: str
    output: str
    before: float
    after: float
    loss: float
    examples: int


class Judge:
    """Asks the float graph once, and each quantized one the same."""

    def __init__(
        self, interface: Interface, sample: Sample, places: NDArray[np.int64], targets: Any, run: Run, wide: int
    ) -> None:
        """places: of the examples that judge. targets: true answers to the whole sample, or None. wide: elements that
        one example's answers have; of large ones fewer examples judge.

        Raises:
            UsageError: targets that are not answers of any output, or not to this sample.
        """
        most = max(1, _MOST_HELD // max(1, wide))
        self._sample, self._interface = sample, interface
        self.places = places if len(places) <= most else places[:: -(-len(places) // most)]
        self._truth = None if targets is None else _truth(targets, interface, sample)
        self._wanted = self._asked(run)

    def score(self, run: Run) -> Score:
        """Raises what the graph raises."""
        got = self._asked(run)
        if self._truth is not None:
            return self._against_truth(*self._truth, got)
        scores = [self._against_float(spec, got[spec.name]) for spec in self._interface.outputs]
        return max(scores, key=lambda score: score.loss)

    def _asked(self, run: Run) -> Answers:
        """All answers of an output behind each other, calls along a new or the first axis."""
        at_once = 1 if self._sample.fixed else _AT_ONCE
        calls = [
            run(self._sample.call(self.places[start : start + at_once]))
            for start in range(0, len(self.places), at_once)
        ]
        return {spec.name: _joined([call[spec.name] for call in calls]) for spec in self._interface.outputs}

    def _against_truth(self, spec: TensorSpec, truth: NDArray[Any], got: Answers) -> Score:
        truth = truth[self._sample.rows(self.places)]
        metric = "r2" if truth.dtype.kind == "f" else "accuracy"
        measure = _r2 if metric == "r2" else _accuracy
        before, after = measure(self._wanted[spec.name], truth), measure(got[spec.name], truth)
        return self._scored(metric, spec, before, after, 100 * (before - after))

    def _against_float(self, spec: TensorSpec, got: NDArray[Any]) -> Score:
        wanted = self._wanted[spec.name]
        if wanted.dtype.kind != "f":
            share = float((got == wanted).mean())
            return self._scored("agreement", spec, 1.0, share, 100 * (1 - share))
        if spec.classes is not None and np.isfinite(got).all():
            share = float((got.argmax(-1) == wanted.argmax(-1)).mean())
            return self._scored("agreement", spec, 1.0, share, 100 * (1 - share))
        error = _error(got, wanted)
        return self._scored("error", spec, 0.0, error, 100 * error)

    def _scored(self, metric: str, spec: TensorSpec, before: float, after: float, loss: float) -> Score:
        whole = math.inf if math.isnan(loss) else round(loss, 6)  # 100 × (0.98 − 0.975) is not 0.5
        return Score(metric, spec.name, before, after, whole, len(self.places))


def _joined(answers: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Along the first axis; where sizes differ otherwise (states), flat."""
    if answers[0].ndim and len({each.shape[1:] for each in answers}) == 1:
        return np.concatenate(answers)
    return np.concatenate([each.reshape(-1) for each in answers])


def _accuracy(got: NDArray[Any], truth: NDArray[Any]) -> float:
    if got.dtype.kind == "f" and not np.isfinite(got).all():
        return math.nan
    found = got.argmax(-1) if got.ndim > truth.ndim else got
    return float((found == truth).mean())


def _r2(got: NDArray[Any], truth: NDArray[Any]) -> float:
    """1 − Σ (truth − got)² ÷ Σ (truth − mean)², the mean of each column."""
    got, truth = got.reshape(truth.shape).astype(np.float64), truth.astype(np.float64)
    return float(1 - np.square(truth - got).sum() / np.square(truth - truth.mean(0)).sum())


def _error(got: NDArray[Any], wanted: NDArray[Any]) -> float:
    a, b = got.astype(np.float64), wanted.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))  # infinities too
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, a - b)
    scale = float(np.sqrt(np.mean(np.square(b[np.isfinite(b)])))) if np.isfinite(b).any() else 0.0
    spread = float(np.sqrt(np.mean(np.square(difference)))) if difference.size else 0.0
    return 0.0 if spread == 0 else spread / scale if scale else math.inf


# --- true answers -----------------------------------------------------------------------


def _truth(targets: Any, interface: Interface, sample: Sample) -> tuple[TensorSpec, NDArray[Any]]:
    """The output that they are of, and they: classes as places, numbers as fractions."""
    given = np.asarray(targets.detach().cpu().numpy() if hasattr(targets, "detach") else targets)
    count = sample.examples * sample.step
    if not given.ndim or len(given) != count:
        raise UsageError(f"targets: expected {count:,}, one for each example, got the shape {list(given.shape)}")
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise UsageError(f"targets: expected finite numbers, got {int((~np.isfinite(given)).sum()):,} that are not")
    given = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 and given.dtype.kind != "f" else given
    found = next((spec for spec in _likely(interface) if _fits(spec, given)), None)
    if found is None:
        gives = ", ".join(f"{spec.name} {shown(spec)}" for spec in interface.outputs)
        raise UsageError(
            f"targets: expected classes, or numbers shaped as an output ({gives}), got {given.dtype} "
            f"{list(given.shape)}"
        )
    if given.dtype.kind == "f":
        if given.size < 2 or not np.square(given - given.mean(0)).sum():
            raise UsageError("targets: expected numbers that differ from each other, which R² is measured by")
        return found, given
    return found, _places(given, found)


def _likely(interface: Interface) -> list[TensorSpec]:
    """Outputs with classes first."""
    return sorted(interface.outputs, key=lambda spec: spec.classes is None)


def _fits(spec: TensorSpec, given: NDArray[Any]) -> bool:
    if given.dtype.kind == "f":
        sizes = [size for size in spec.shape[1:] if isinstance(size, int)]
        known = len(sizes) == len(spec.shape) - 1
        same = math.prod(sizes) == math.prod(given.shape[1:]) if known else len(spec.shape) == given.ndim
        return spec.dtype.startswith("float") and bool(spec.shape) and same
    if spec.dtype.startswith("float"):
        return len(spec.shape) == given.ndim + 1 and spec.shape[-1] != 1
    return len(spec.shape) == given.ndim


def _places(given: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """Places in the last dimension: by the labels where they are of their type, else as they are."""
    labels = list(spec.classes or ())
    texts = given.dtype.kind in "OUT"
    if labels and texts == isinstance(labels[0], str):
        known = {label: place for place, label in enumerate(labels)}
        unknown = [each for each in given.reshape(-1).tolist() if each not in known]
        if unknown:
            raise UsageError(f"targets: expected the model's labels ({labels[:10]}), got {unknown[0]!r:.60}")
        return np.array([known[each] for each in given.reshape(-1).tolist()]).reshape(given.shape)
    if texts or given.dtype.kind not in "iub":
        raise UsageError(f"targets: expected the places of classes, from 0, got {given.dtype}")
    size = spec.shape[-1] if spec.dtype.startswith("float") else None
    least, most = int(given.min()), int(given.max())
    if isinstance(size, int) and not 0 <= least <= most < size:
        raise UsageError(f"targets: expected places of classes from 0 to {size - 1}, got {least} to {most}")
    return given
