"""The tensors that a deep model is given: told by a text, by an example, or by its graph; and calls made of them.

A text such as "float32[batch, 3, 224, 224]" or "int64[batch, length=16] 0..29999": a size that varies has a name, after
`=` one that it may have; then the range that values lie in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import SchemaError, UsageError
from edge_infer.image_spec import ImageSpec
from edge_infer.interface import TENSOR_TYPES, TensorSpec
from edge_infer.tensor_goldens import Recipe
from edge_infer_convert.deep.audio import Audio, audio_input, audio_of_text, is_audio_text
from edge_infer_convert.deep.images import Image, image_of_text, image_spec, is_image_text, network_spec, pixel_range

__all__ = [
    "BATCH",
    "Call",
    "TensorInput",
    "calls_of",
    "check_examples",
    "clean_name",
    "given_inputs",
    "recipes_of",
    "spec_of",
    "usual_range",
]

BATCH: Final = "batch"
_BATCHES: Final = (1, 2, 5, 1, 3, 1, 2, 1)  # sizes of the first dimension in the calls that are made up
_OTHER_SIZE: Final = 16  # of a size that nothing tells
_ROWS_AT_ONCE: Final = 64  # of given examples
_OTHERS_SEED: Final = 20_000  # of what is made up beside given examples
_TEXT: Final = re.compile(
    r"\s*(?P<dtype>[a-z]+[0-9]*)\s*\[(?P<sizes>[^\]]*)\]\s*(?:(?P<low>[-+.0-9e]+)\s*\.\.\s*(?P<high>[-+.0-9e]+))?\s*"
)
_SIZE: Final = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)(?:\s*=\s*(?P<size>[0-9]+))?|(?P<fixed>[0-9]+)")


class TensorInput(NamedTuple):
    """low, high: the range that values lie in. sizes: one that each name may stand for, or several in turn. example:
    what was given. image: what is made of images before; the rest is of the tensor that the network is given then."""

    spec: TensorSpec
    low: float
    high: float
    sizes: Mapping[str, int | tuple[int, ...]] = {}
    example: NDArray[Any] | None = None
    image: ImageSpec | None = None
    pictures: NDArray[Any] | None = None  # examples of the image

    @property
    def name(self) -> str:
        return self.spec.name


class Call(NamedTuple):
    """One call of model and original. recipes: where the inputs are made up."""

    kind: str  # "made", "resized" (other sizes, which the original need not take) or "given"
    feeds: dict[str, NDArray[Any]]
    recipes: dict[str, Recipe] | None = None


def spec_of(name: str, text: str) -> TensorInput:
    """An input as a text tells it. Raises UsageError."""
    found = _TEXT.fullmatch(text)
    if found is None or found["dtype"] not in TENSOR_TYPES:
        raise UsageError(
            f"input {name!r}: expected a type and sizes such as 'float32[batch, 3, 224, 224]' or "
            f"'int64[batch, length=16] 0..29999' (types: {', '.join(TENSOR_TYPES)}), got {text!r:.100}"
        )
    shape: list[int | str] = []
    sizes: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in found["sizes"].split(","))):
        size = _SIZE.fullmatch(part)
        if size is None:
            raise UsageError(
                f"input {name!r}: expected a size, a name, or a name=size, got {part!r:.60} in {text!r:.100}"
            )
        shape.append(int(size["fixed"]) if size["fixed"] else size["name"])
        if size["size"]:
            sizes[size["name"]] = int(size["size"])
    dtype = found["dtype"]
    low, high = usual_range(dtype)
    if found["low"] is not None:
        try:
            low, high = float(found["low"]), float(found["high"])
        except ValueError:
            raise UsageError(f"input {name!r}: expected a range such as 0..1, got {text!r:.100}") from None
        if not low <= high:
            raise UsageError(f"input {name!r}: expected the lower end of the range first, got {text!r:.100}")
    return TensorInput(TensorSpec(name, dtype, tuple(shape)), low, high, sizes)


def clean_name(name: str) -> str:
    """Of letters, digits, `.`, `_` and `-`, as other names here: "serving_default_x:0" gives "serving_default_x"."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", re.sub(r":[0-9]+$", "", name)).strip("_.-") or "tensor"


def usual_range(dtype: str) -> tuple[float, float]:
    """Where nothing tells one."""
    return (-1.0, 1.0) if np.dtype(dtype if dtype != "string" else "O").kind == "f" else (0.0, 1.0)


def given_inputs(inputs: Any, names: Sequence[str]) -> list[TensorInput]:
    """What the caller gives: a text or an array for each of `names`, by name or, of a sequence, by place.

    An array is an example: its first dimension, if it has one, is the batch and varies, the others are fixed.

    Raises:
        UsageError: other names, or another kind of thing.
    """
    if not isinstance(inputs, Mapping):
        values = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
        if len(values) != len(names):
            raise UsageError(f"inputs: expected {len(names)} ({', '.join(names)}), got {len(values)}")
        inputs = dict(zip(names, values, strict=True))
    unknown = [name for name in inputs if name not in names]
    absent = [name for name in names if name not in inputs]
    if unknown or absent:
        raise UsageError(f"inputs: expected {', '.join(names)}, got {', '.join(map(str, inputs)) or 'none'}")
    return [_given(name, inputs[name]) for name in names]


def _given(name: str, value: Any) -> TensorInput:
    if isinstance(value, TensorInput):
        return value
    if isinstance(value, str) and is_image_text(value):
        value = image_of_text(name, value)
    if isinstance(value, Image):
        return _image_of(name, value)
    if isinstance(value, str) and is_audio_text(value):
        value = audio_of_text(name, value)
    if isinstance(value, Audio):
        return TensorInput(audio_input(name, value, BATCH), -1.0, 1.0)
    if isinstance(value, str):
        return spec_of(name, value)
    array = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)  # a torch.Tensor
    if array.dtype.name not in TENSOR_TYPES:
        raise UsageError(
            f"input {name!r}: expected an array of numbers or a text such as 'float32[batch, 10]', got "
            f"{type(value).__name__} of {array.dtype}"
        )
    if not array.size:
        raise UsageError(f"input {name!r}: expected at least one example, got the shape {list(array.shape)}")
    shape = (BATCH, *array.shape[1:]) if array.ndim else ()
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return TensorInput(TensorSpec(name, array.dtype.name, shape), low, high, {}, array)


def _image_of(name: str, image: Image) -> TensorInput:
    spec = image_spec(name, image)
    pictures = None if image.examples is None else np.asarray(image.examples)
    if pictures is not None and (pictures.dtype != np.uint8 or pictures.ndim != 4 or not pictures.size):
        raise UsageError(
            f"input {name!r}: examples: expected images uint8 [count, height, width, channels], got {pictures.dtype} "
            f"{list(pictures.shape)}"
        )
    return TensorInput(network_spec(name, spec, BATCH), *pixel_range(spec), image=spec, pictures=pictures)


def check_examples(inputs: Sequence[TensorInput]) -> None:
    """Raises UsageError unless there are as many of each input."""
    counts = {
        each.name: each.example.shape[axis]
        for each in inputs
        if each.example is not None and (axis := _example_axis(each)) is not None
    }
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{count:,} of {name!r}" for name, count in counts.items())
        raise UsageError(
            f"inputs: expected as many examples of each, got {told}. An input whose batch is not its first size can be "
            "told as a text: 'float32[1, batch, 64]'"
        )


# --- calls ------------------------------------------------------------------------------


def calls_of(inputs: Sequence[TensorInput], most_given: int = 1000) -> Iterator[Call]:
    """Calls that are made up, with other sizes of the batch, then of all that varies; then the given examples, at
    most so many rows.

    Raises:
        SchemaError: an input that numbers cannot be made up for.
    """
    for seed, batch in enumerate(_BATCHES):
        recipes = recipes_of(inputs, {BATCH: batch}, 1000 * seed, turn=seed)
        yield Call("made", {name: recipe.made() for name, recipe in recipes.items()}, recipes)
        if not any(BATCH in each.spec.shape for each in inputs) and seed == 2:
            break
    yield from _resized_calls(inputs)
    if any(each.example is not None for each in inputs):
        yield from _given_calls(inputs, most_given)


def _resized_calls(inputs: Sequence[TensorInput]) -> Iterator[Call]:
    """Where sizes beside the batch vary: all of them larger, then smaller. A loop that an exporter unrolled is right
    for one size only."""
    names = {size for each in inputs for size in each.spec.shape if isinstance(size, str) and size != BATCH}
    told = dict.fromkeys(names, _OTHER_SIZE) | {
        name: _in_turn(size, 0) for each in inputs for name, size in each.sizes.items()
    }
    larger, smaller = ({name: told[name] + 3 for name in names}, {name: (told[name] + 1) // 2 for name in names})
    for seed, sizes in enumerate((larger, smaller) if names else ()):
        recipes = [(each.name, _recipe(each, {BATCH: 2} | sizes, 10_000 + seed)) for each in inputs]
        yield Call("resized", {name: recipe.made() for name, recipe in recipes})


def recipes_of(inputs: Sequence[TensorInput], sizes: Mapping[str, int], seed: int, turn: int = 0) -> dict[str, Recipe]:
    """A call that is made up, by input. sizes: of names, before those that the inputs tell, of which several take
    turns. Raises SchemaError."""
    own = {name: size for each in inputs for name, size in each.sizes.items()}
    told = {**sizes, **{name: _in_turn(size, turn) for name, size in own.items()}}
    return {each.name: _recipe(each, told, seed + place) for place, each in enumerate(inputs)}


def _in_turn(size: int | tuple[int, ...], turn: int) -> int:
    return size if isinstance(size, int) else size[turn % len(size)]


def _recipe(each: TensorInput, sizes: Mapping[str, int], seed: int) -> Recipe:
    spec = each.spec
    if spec.dtype == "string":
        raise SchemaError(
            f"input {spec.name!r}: texts cannot be made up, and deep models of texts are not supported yet"
        )
    shape = tuple(sizes.get(size, _OTHER_SIZE) if isinstance(size, str) else size for size in spec.shape)
    return Recipe(spec.dtype, shape, seed, each.low, each.high)


def _given_calls(inputs: Sequence[TensorInput], most: int) -> Iterator[Call]:
    """Some examples a call, or of a model whose batch is fixed as many as that. Inputs without examples are made up."""
    examples = {each.name: each.example for each in inputs if each.example is not None}
    axes = {each.name: _example_axis(each) for each in inputs if each.example is not None}
    others = [each for each in inputs if each.example is None]
    varies = any(BATCH in each.spec.shape for each in inputs)
    step = (
        _ROWS_AT_ONCE if varies else max((_first_size(each) for each in inputs if axes.get(each.name) == 0), default=1)
    )
    rows = min((examples[name].shape[axis] for name, axis in axes.items() if axis is not None), default=step)
    for start in range(0, min(rows, most), step):
        stop = min(rows, most, start + step) if varies else start + step
        feeds = {
            name: array if axes[name] is None else array.take(range(start, stop), axes[name])
            for name, array in examples.items()
        }
        made = recipes_of(others, {BATCH: stop - start}, _OTHERS_SEED + start)
        feeds |= {name: recipe.made() for name, recipe in made.items()}
        yield Call("given", {each.name: feeds[each.name] for each in inputs})


def _example_axis(each: TensorInput) -> int | None:
    """Along which examples lie one behind the other; None: the same array in every call."""
    assert each.example is not None
    if BATCH in each.spec.shape:
        return each.spec.shape.index(BATCH)
    return 0 if _first_size(each) and len(each.example) > _first_size(each) else None


def _first_size(each: TensorInput) -> int:
    """Where it is fixed, else 0."""
    size = each.spec.shape[0] if each.spec.shape else 0
    return size if isinstance(size, int) else 0
