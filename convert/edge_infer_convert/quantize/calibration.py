"""The sample that quantization is given: some of it calibrates, the rest judges. Without one, one is made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import UsageError
from edge_infer.interface import Interface, TensorSpec, tensor_mismatches
from edge_infer.tensor_goldens import Recipe
from edge_infer_convert.deep.inputs import BATCH, TensorInput, recipes_of

__all__ = ["Sample", "Split", "given_sample", "made_sample", "split"]

_LEAST_HALF: Final = 20  # of examples: where there are fewer than two halves of them, the same calibrate and judge
_MOST_CALIBRATING: Final = 512
_MOST_JUDGING: Final = 1000
_MADE: Final = 256
_SEED: Final = 1_000_000  # far from those of golden calls


class Sample(NamedTuple):
    """Examples of all inputs. An example is one row of the batch, or, of a graph whose batch is fixed to b, b rows.

    feeds: as the graph takes them, all examples in one. axes: the axis that examples lie along; None: the same array in
    every call. step: b, or 1. made: they are made up.
    """

    feeds: dict[str, NDArray[Any]]
    axes: dict[str, int | None]
    step: int
    examples: int
    made: bool

    @property
    def fixed(self) -> bool:
        """Whether a call takes one example, neither more nor less."""
        return self.step > 1 or not any(axis is not None for axis in self.axes.values())

    def call(self, examples: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """What a call with these examples is fed; copies. Of a graph whose batch is fixed, one example at a time."""
        rows = self.rows(examples)
        return {
            name: array if self.axes[name] is None else np.ascontiguousarray(np.take(array, rows, self.axes[name]))
            for name, array in self.feeds.items()
        }

    def rows(self, examples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places of these examples along their axis, which are also places in the targets."""
        return np.asarray((examples[:, None] * self.step + np.arange(self.step)).reshape(-1))


class Split(NamedTuple):
    """Places of examples. sample: which ones judge, as the manifest calls them."""

    calibrating: NDArray[np.int64]
    judging: NDArray[np.int64]
    sample: str


def given_sample(given: Any, told: Sequence[TensorInput]) -> Sample | None:
    """Of `calibration`: an array, or one for each input by name or by place. None: of the examples among the inputs,
    where each input has some.

    Raises:
        UsageError: other names, types or sizes than the model takes, as many examples of one input as not of another,
            or numbers that are not finite.
    """
    if given is None:
        if not told or any(each.example is None for each in told):
            return None
        given = {each.name: each.example for each in told}
    arrays = {name: _array(value) for name, value in _named(given, [each.name for each in told]).items()}
    sample = _sample(arrays, [each.spec for each in told])
    for name, array in sample.feeds.items():
        wrong = 0 if array.dtype.kind != "f" else int((~np.isfinite(array)).sum())
        if wrong:
            raise UsageError(
                f"calibration: expected finite numbers, got {wrong:,} of {array.size:,} that are not, in {name!r}"
            )
    return sample


def made_sample(told: Sequence[TensorInput], count: int = _MADE) -> Sample:
    """Examples that are made up in the range of each input. Raises SchemaError for texts."""
    batched = any(BATCH in each.spec.shape for each in told)
    made = recipes_of(told, {BATCH: count}, _SEED)
    arrays = {name: recipe.made() for name, recipe in made.items()}
    if not batched:  # calls of a fixed size, one behind the other
        arrays = {each.name: _stacked(made[each.name], count) for each in told}
    return _sample(arrays, [each.spec for each in told])._replace(made=True)


def split(count: int, *, calibrated: bool) -> Split:
    """calibrated: whether any variant needs examples; else all judge. Both are spread over the sample evenly, since
    samples come sorted."""
    every = np.arange(count)
    if not calibrated:
        return Split(every[:0], _spread(every, _MOST_JUDGING), "held-out")
    if count < 2 * _LEAST_HALF:
        return Split(every, every, "calibration")
    calibrating = every[:: max(2, -(-count // _MOST_CALIBRATING))]
    return Split(calibrating, _spread(np.setdiff1d(every, calibrating), _MOST_JUDGING), "held-out")


def _spread(places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    return places if len(places) <= most else places[np.linspace(0, len(places) - 1, most).astype(np.int64)]


# --- from arrays to a sample ------------------------------------------------------------


def _named(given: Any, names: list[str]) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    values = list(given) if isinstance(given, tuple | list) and len(names) > 1 else [given]
    if len(values) != len(names):
        raise UsageError(f"calibration: expected an array for each of {', '.join(names)}, got {len(values)}")
    return dict(zip(names, values, strict=True))


def _array(value: Any) -> NDArray[Any]:
    return np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)  # a torch.Tensor


def _sample(arrays: dict[str, NDArray[Any]], specs: Sequence[TensorSpec]) -> Sample:
    axes: dict[str, int | None]
    if any(BATCH in spec.shape for spec in specs):
        relaxed, step = list(specs), 1
        axes = {spec.name: spec.shape.index(BATCH) if BATCH in spec.shape else None for spec in specs}
    else:
        step = max((_first(spec) for spec in specs), default=0) or 1
        stacked = {spec.name for spec in specs if _first(spec) == step}
        relaxed = [spec._replace(shape=(BATCH, *spec.shape[1:])) if spec.name in stacked else spec for spec in specs]
        axes = {spec.name: 0 if spec.name in stacked else None for spec in specs}
    wrong = tensor_mismatches(Interface(tuple(relaxed), ()), arrays)
    if wrong:
        raise UsageError("calibration: " + "; ".join(map(str, wrong[:5])))
    counts = [arrays[name].shape[axis] for name, axis in axes.items() if axis is not None]
    rows = min(counts, default=step)
    if not rows or rows % step:
        raise UsageError(f"calibration: expected examples, {step:,} rows each, got {rows:,} rows")
    return Sample(arrays, axes, step, rows // step, made=False)


def _first(spec: TensorSpec) -> int:
    """The first size where it is fixed, else 0."""
    size = spec.shape[0] if spec.shape else 0
    return size if isinstance(size, int) else 0


def _stacked(recipe: Recipe, count: int) -> NDArray[Any]:
    if not recipe.shape:
        return recipe.made()
    return recipe._replace(shape=(recipe.shape[0] * count, *recipe.shape[1:])).made()
