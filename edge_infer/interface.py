"""The tensors that a deep model takes and gives, as its manifest tells: pure data, and what of given tensors differs.

A size that varies has a name, the same one wherever it is the same size: `batch`, `length`. A *state* is an output that
is the next call's input, as a recurrent network's hidden state is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_infer.card import text_of
from edge_infer.errors import FormatError, Mismatch
from edge_infer.image_spec import ImageSpec, image_of
from edge_infer.labels import Label, labels_of
from edge_infer.limits import Limits
from edge_infer.sounds import AudioSpec, audio_of
from edge_infer.strict_json import Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "TENSOR_TYPES",
    "Interface",
    "State",
    "TensorSpec",
    "interface_of",
    "shown",
    "tensor_mismatches",
    "tensor_of",
]

#: numpy's name of an element type → its number in TensorProto.DataType.
TENSOR_TYPES: Final = {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "string": 8, "bool": 9,
    "float16": 10, "float64": 11, "uint32": 12, "uint64": 13,
}  # fmt: skip
_MOST_DIMENSIONS: Final = 32


class TensorSpec(NamedTuple):
    """An input or output of the graph. shape: a number for a size that is fixed, a name for one that varies.

    classes: of an output, the labels of its last dimension's places. image: of an input that files may be given for.
    """

    name: str
    dtype: str  # one of TENSOR_TYPES
    shape: tuple[int | str, ...]
    description: str | None = None
    classes: tuple[Label, ...] | None = None
    image: ImageSpec | None = None
    audio: AudioSpec | None = None  # likewise of sound


class State(NamedTuple):
    """The output that is fed to the input in the next call; in the first one, that is zeros."""

    input: str
    output: str


class Interface(NamedTuple):
    """What a deep model takes and gives."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    states: tuple[State, ...] = ()

    @property
    def given(self) -> tuple[TensorSpec, ...]:
        """The inputs that are no states."""
        states = {state.input for state in self.states}
        return tuple(spec for spec in self.inputs if spec.name not in states)

    @property
    def images(self) -> dict[str, TensorSpec]:
        """The inputs that are images, by name."""
        return {spec.name: spec for spec in self.inputs if spec.image is not None}


# --- reading ----------------------------------------------------------------------------


def interface_of(node: Node, limits: Limits) -> Interface:
    """Raises FormatError and LimitError, with the JSON path of the first mistake."""
    inputs = _specs(node.get("inputs"), limits)
    outputs = _specs(node.get("outputs"), limits)
    if not outputs:
        raise node.get("outputs").fail("at least one output")
    states = node.find("states")
    found = tuple(_state(item, inputs, outputs) for item in states.list(limits.graph_values)) if states else ()
    if len({state.input for state in found}) < len(found) or len({state.output for state in found}) < len(found):
        raise FormatError(f"{node.path}.states: an input or an output stands twice")
    return Interface(inputs, outputs, found)


def _specs(node: Node, limits: Limits) -> tuple[TensorSpec, ...]:
    specs = tuple(_spec(item, limits) for item in node.list(limits.graph_values))
    if len({spec.name for spec in specs}) < len(specs):
        raise FormatError(f"{node.path}: a tensor's name stands twice")
    return specs


def _spec(node: Node, limits: Limits) -> TensorSpec:
    description, classes = node.find("description"), node.find("classes")
    shape = tuple(_size(item) for item in node.get("shape").list(_MOST_DIMENSIONS))
    labels = None if classes is None else labels_of(classes, "object", limits)
    if classes is not None and labels is not None and (not shape or shape[-1] != len(labels)):
        raise classes.fail(f"as many labels as the last dimension of {list(shape)} has places, got {len(labels)}")
    image, audio, dtype = node.find("image"), node.find("audio"), node.get("dtype").one_of(tuple(TENSOR_TYPES))
    return TensorSpec(
        name=node.get("name").text(),
        dtype=dtype,
        shape=shape,
        description=None if description is None else text_of(description, limits.description_bytes),
        classes=labels,
        image=None if image is None else image_of(image, dtype, shape),
        audio=None if audio is None else audio_of(audio, dtype, shape),
    )


def _size(node: Node) -> int | str:
    if isinstance(node.value, str):
        if not node.value:
            raise node.fail("a size, or the name of one")
        return node.value
    return node.integer()


def _state(node: Node, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> State:
    state = State(node.get("input").text(), node.get("output").text())
    into = next((spec for spec in inputs if spec.name == state.input), None)
    out = next((spec for spec in outputs if spec.name == state.output), None)
    if into is None or out is None:
        raise node.fail("the names of an input and an output")
    if into.dtype != out.dtype or into.dtype == "string" or len(into.shape) != len(out.shape):
        raise node.fail(f"an output like the input: {into.dtype} {list(into.shape)}, not {out.dtype} {list(out.shape)}")
    return state


# --- looking at what is given -----------------------------------------------------------


def tensor_of(value: Any, spec: TensorSpec) -> NDArray[Any]:
    """Plain Python numbers in nested lists, which have no types: the input's, where it holds what is written.

    Raises ValueError, TypeError, OverflowError.
    """
    import numpy as np  # `inspect` reads manifests without it

    if spec.dtype == "string":
        return np.array(value, dtype=object)
    array = np.array(value)
    if not array.size:
        return array.astype(spec.dtype)
    wanted = np.dtype(spec.dtype)
    if array.dtype.kind not in {"f": "fiu", "b": "b"}.get(wanted.kind, "iu"):
        raise ValueError(f"{array.dtype} values")
    cast = array.astype(wanted)
    if wanted.kind in "iu" and not np.array_equal(cast, array):
        raise ValueError(f"whole numbers that {spec.dtype} does not hold")
    return cast


def tensor_mismatches(interface: Interface, feeds: Mapping[str, NDArray[Any]]) -> list[Mismatch]:
    """Every way in which these tensors are not what the graph takes; none where they are."""
    found: list[Mismatch] = []
    sizes: dict[str, tuple[int, str]] = {}
    for spec in interface.inputs:
        if spec.name not in feeds:
            found.append(Mismatch(None, spec.name, f"a tensor {shown(spec)}", "no such tensor", "input"))
            continue
        wrong = _mismatch(spec, feeds[spec.name], sizes)
        if wrong is not None:
            found.append(Mismatch(None, spec.name, *wrong, "input"))
    names = [spec.name for spec in interface.inputs]
    found += [
        Mismatch(None, name, f"no tensor but {', '.join(names)}", f"one of the name {name!r:.80}", "input")
        for name in feeds
        if name not in names
    ]
    return found


def shown(spec: TensorSpec) -> str:
    """Such as "float32 [batch, 1, 28, 28]"."""
    return f"{spec.dtype} [{', '.join(map(str, spec.shape))}]"


def _mismatch(spec: TensorSpec, array: NDArray[Any], sizes: dict[str, tuple[int, str]]) -> tuple[str, str] | None:
    """Expected and got. sizes: those that names stand for, and the input that said so; is added to."""
    text = array.dtype.kind in "OUT"
    if (spec.dtype == "string") != text or (not text and array.dtype.name != spec.dtype):
        cast = "" if text or spec.dtype == "string" else f"; write .astype({spec.dtype!r})"
        return shown(spec) + cast, f"{array.dtype} {list(array.shape)}"
    if array.ndim != len(spec.shape):
        return shown(spec), f"{array.ndim} dimension{'s'[: array.ndim != 1]}: {list(array.shape)}"
    for wanted, size in zip(spec.shape, array.shape, strict=True):
        if isinstance(wanted, int) and wanted != size:
            return shown(spec), f"{list(array.shape)}"
        if isinstance(wanted, str):
            known, where = sizes.setdefault(wanted, (size, spec.name))
            if known != size:
                return f"{shown(spec)} with {wanted} = {known}, as in {where!r}", f"{list(array.shape)}"
    return None
