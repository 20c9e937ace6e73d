"""Keras 3 models: functional, sequential and subclassed ones, on the backends PyTorch and TensorFlow.

What `model.export(format="onnx")` of Keras 3.15 does traces with a batch of one where PyTorch is the backend, which
bakes sizes in; so the exporters are called here: torch.onnx.export of what torch.export follows, or tf2onnx. Answers
are the model's own, with training=False.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import keras
from numpy.typing import NDArray
from onnx import ModelProto

from edge_infer.errors import SchemaError, UnsupportedModelError, UsageError
from edge_infer.interface import TENSOR_TYPES, TensorSpec
from edge_infer_convert.deep.inputs import BATCH, TensorInput, clean_name, given_inputs, usual_range
from edge_infer_convert.frontends.own_inputs import held

__all__ = ["FlatModel", "KerasOriginal", "keras_original"]

_COUNTED: Final = re.compile(r"(keras_tensor|input_layer)(_[0-9]+)?")  # names that Keras gives where nobody does
_NO_INPUTS: Final = ("training", "mask")


def keras_original(source: Any) -> KerasOriginal:
    """Raises UsageError for something else of Keras, UnsupportedModelError for a backend that is not exported."""
    if not isinstance(source, keras.Model):
        raise UsageError(f"expected a keras.Model, got {type(source).__name__}; put it into keras.Sequential([…])")
    return KerasOriginal(source)


class _Graph(Protocol):
    """What each backend does with a `FlatModel`."""

    versions: dict[str, str]

    def export(self, inputs: Sequence[TensorInput]) -> ModelProto: ...

    def answer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]: ...


class KerasOriginal:
    """`Original` of a keras.Model, which knows its inputs."""

    framework = "Keras"

    def __init__(self, model: Any) -> None:
        self.described = type(model).__name__
        flat = FlatModel(model)
        self._slots = flat.slots
        self.names = list(flat.slots)
        self._graph = _graph_of(flat, self.described)
        self.versions = {"keras": keras.__version__, **self._graph.versions}

    def inputs(self, given: Any) -> list[TensorInput]:
        unknown = [name for name, slot in self._slots.items() if slot.shape is None]
        if unknown and given is None:
            raise SchemaError(
                f"{self.described} does not say what it is given ({', '.join(self.names)}): inputs={{"
                f"{unknown[0]!r}: 'float32[batch, 10]', …}}, or an example of each"
            )
        if unknown:
            return given_inputs(given, self.names)
        return held(given, [_of_slot(name, slot) for name, slot in self._slots.items()], "the model")

    def export(self, inputs: Sequence[TensorInput]) -> ModelProto:
        return self._graph.export(inputs)

    def answer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return self._graph.answer(feeds)


def _graph_of(flat: FlatModel, described: str) -> _Graph:
    backend = keras.config.backend()
    if backend == "torch":
        from edge_infer_convert.frontends.keras_torch import KerasModule

        return KerasModule(flat, described)
    if backend == "tensorflow":
        from edge_infer_convert.frontends.tensorflow_graph import TensorflowGraph

        return TensorflowGraph(flat, list(flat.slots), described)
    raise UnsupportedModelError(
        f"Keras runs on {backend} here, whose models are not exported yet. Save the model and convert the file: "
        "model.save('model.keras'), then KERAS_BACKEND=torch edge-infer convert model.keras"
    )


# --- a model as a function of tensors ---------------------------------------------------


@dataclass(frozen=True)  # no NamedTuple: it stands in nested tuples, as a leaf
class Slot:
    """What Keras says of an input. shape: None for a size that varies; None for all where Keras has not kept it.
    name: where somebody gave one."""

    dtype: str
    shape: tuple[int | None, ...] | None
    name: str | None = None


class FlatModel:
    """Calls a model with tensors by place, whatever nested lists and dicts it takes, and gives its tensors by name.

    slots: of its inputs, by name: that of keras.Input, the key of a dict, or the parameter of `call`.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._arguments = _arguments(model)
        self.slots = _by_name(pair for name, structure in self._arguments for pair in _leaves(structure, name))
        self._outputs = _given_names(model)

    def __call__(self, *tensors: Any) -> dict[str, Any]:
        left = iter(tensors)
        arguments = [_packed(structure, left) for _, structure in self._arguments]
        leaves = list(_leaves(self.model(*arguments, training=False), "output"))
        if self._outputs is not None and len(self._outputs) == len(leaves):
            return {name: tensor for name, (_, tensor) in zip(self._outputs, leaves, strict=True)}
        return dict(leaves)


def _arguments(model: Any) -> list[tuple[str, Any]]:
    """What `model(…)` takes by position: for each a name, and slots in nested lists and dicts."""
    if isinstance(model, keras.Sequential) and model.built:
        return [("input", _slot(model.inputs[0]))]
    if getattr(model, "inputs", None):  # a functional model
        return [("input", _mapped(model.input, _slot))]
    shapes = model.get_build_config() if model.built else None
    if not shapes:
        raise SchemaError(
            f"{type(model).__name__} does not know what it is given: call it with an example before it is converted "
            "or saved, or begin it with keras.Input(shape=…)"
        )
    known = list(shapes["shapes_dict"].values()) if "shapes_dict" in shapes else [shapes["input_shape"]]
    dtype = str(model.input_dtype)
    found = [_mapped(shape, lambda sizes: Slot(dtype, (None, *sizes[1:])), _is_shape) for shape in known]
    kept = itertools.chain(found, itertools.repeat(Slot(dtype, None)))
    return list(zip(_taken(model, len(found)), kept, strict=False))


def _taken(model: Any, least: int) -> list[str]:
    """What `call` of a subclassed model takes: all that it needs, and as many as Keras has kept shapes of."""
    parameters = [each for each in inspect.signature(model.call).parameters.values() if each.name not in _NO_INPUTS]
    needed = [each for each in parameters if each.default is inspect.Parameter.empty]
    return [each.name for each in parameters[: max(least, len(needed))]]


def _slot(tensor: Any) -> Slot:
    if getattr(tensor, "sparse", False) or getattr(tensor, "ragged", False):
        raise UnsupportedModelError(f"input {tensor.name!r}: expected a dense tensor, got a sparse or ragged one")
    return Slot(str(tensor.dtype), tuple(tensor.shape), None if _COUNTED.fullmatch(tensor.name) else tensor.name)


def _is_shape(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(size is None or isinstance(size, int) for size in value)


def _mapped(structure: Any, change: Callable[[Any], Any], is_leaf: Callable[[Any], bool] = lambda value: False) -> Any:
    """Nested dicts and lists with other leaves."""
    if is_leaf(structure):
        return change(structure)
    if isinstance(structure, Mapping):
        return {key: _mapped(each, change, is_leaf) for key, each in structure.items()}
    if isinstance(structure, list | tuple):
        return [_mapped(each, change, is_leaf) for each in structure]
    return change(structure)


def _packed(structure: Any, leaves: Iterator[Any]) -> Any:
    return _mapped(structure, lambda _: next(leaves))


def _leaves(structure: Any, default: str, path: str = "") -> Iterator[tuple[str, Any]]:
    """With names: of what stands in a dict its key, else `default`, numbered in lists."""
    if isinstance(structure, Mapping):
        for key, each in structure.items():
            yield from _leaves(each, default, f"{path}_{key}" if path else str(key))
    elif isinstance(structure, list | tuple):
        numbered = len(structure) > 1
        for place, each in enumerate(structure):
            yield from _leaves(each, default, f"{path or default}_{place}" if numbered else path)
    else:
        yield path or default, structure


def _by_name(named: Iterable[tuple[str, Slot]]) -> dict[str, Slot]:
    """Names of letters, digits, `.`, `_` and `-`, each once."""
    found: dict[str, Slot] = {}
    for path, slot in named:
        name = clean = clean_name(slot.name or path)
        count = 1
        while name in found:
            count += 1
            name = f"{clean}_{count}"
        found[name] = slot
    return found


def _given_names(model: Any) -> list[str] | None:
    """Of the layers that give a functional model's outputs, where somebody named all of them: Keras counts others."""
    if isinstance(getattr(model, "output", None), Mapping) or len(names := getattr(model, "output_names", [])) < 2:
        return None
    layers = {layer.name: type(layer).__name__ for layer in model.layers}
    counted = [re.sub(r"_[0-9]+$", "", name) == _snake(layers.get(name, "")) for name in names]
    return None if any(counted) or len(set(names)) < len(names) else [clean_name(name) for name in names]


def _snake(name: str) -> str:
    """As Keras makes a layer's name of its class: BatchNormalization, batch_normalization."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name)).lower()


def _of_slot(name: str, slot: Slot) -> TensorInput:
    if slot.dtype not in TENSOR_TYPES:
        raise UnsupportedModelError(f"input {name!r}: expected {', '.join(TENSOR_TYPES)}, the model takes {slot.dtype}")
    shape = tuple(
        size if size is not None else BATCH if axis == 0 else f"{name}_{axis}"
        for axis, size in enumerate(slot.shape or ())
    )
    return TensorInput(TensorSpec(name, slot.dtype, shape), *usual_range(slot.dtype))
