"""Golden tensors of a deep model: inputs that a recipe makes anew on any machine, and the original's answers to them.

Inputs take no room in the file, and are nobody's data: element i of an input is drawn by SplitMix64 (Steele, Lea and
Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014) from the recipe's seed, which any language
computes alike. Of large answers every n-th element is kept.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import FormatError, GraphMismatchError, LimitError
from edge_infer.goldens import Tolerance, tolerance_of
from edge_infer.interface import TENSOR_TYPES, Interface, TensorSpec, shown
from edge_infer.limits import LIMITS, Limits
from edge_infer.manifest import KEY_TENSOR_GOLDENS
from edge_infer.strict_json import Node, parse

__all__ = ["GoldenCase", "Kept", "Recipe", "TensorGoldens", "parse_tensor_goldens", "render_tensor_goldens"]

_GAMMA: Final = 0x9E3779B97F4A7C15
_MIX: Final = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_MOST_DIMENSIONS: Final = 32
_LARGEST: Final = 2**53  # of a recipe's bounds: whole numbers up to here are exact in float64


class Recipe(NamedTuple):
    """An input: numbers evenly between low and high, both included for whole numbers; 0 and 1 are false and true."""

    dtype: str
    shape: tuple[int, ...]
    seed: int
    low: float
    high: float

    def made(self) -> NDArray[Any]:
        """The tensor."""
        count = math.prod(self.shape)
        with np.errstate(over="ignore"):
            state = np.uint64(self.seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GAMMA)
            for shift, factor in _MIX:
                state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
        share = ((state ^ (state >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        if np.dtype(self.dtype).kind == "f":
            values = self.low + share * (self.high - self.low)
        else:
            values = np.minimum(self.low + np.floor(share * (self.high - self.low + 1)), self.high)
        return values.astype(self.dtype).reshape(self.shape)


class Kept(NamedTuple):
    """An answer: the elements 0, every, 2 · every, … of the flat tensor of this shape."""

    dtype: str
    shape: tuple[int, ...]
    every: int
    data: NDArray[Any]

    @classmethod
    def of(cls, tensor: NDArray[Any], most: int) -> Kept:
        """At most so many elements of a tensor."""
        every = max(1, -(-tensor.size // most))
        return cls(tensor.dtype.name, tensor.shape, every, tensor.reshape(-1)[::every].copy())


class GoldenCase(NamedTuple):
    """One call."""

    inputs: dict[str, Recipe]
    outputs: dict[str, Kept]


class TensorGoldens(NamedTuple):
    """tolerances: by output."""

    cases: tuple[GoldenCase, ...]
    tolerances: dict[str, Tolerance]


# --- reading ----------------------------------------------------------------------------


def parse_tensor_goldens(text: bytes, interface: Interface, limits: Limits = LIMITS) -> TensorGoldens:
    """Parse `edge_infer.tensor_goldens` and check it against the manifest's interface.

    Raises:
        FormatError, LimitError: with the JSON path of the first mistake.
        GraphMismatchError: tensors that are not the interface's.
    """
    root = parse(text, what=KEY_TENSOR_GOLDENS, most_bytes=limits.golden_bytes, most_depth=limits.json_depth)
    cases = tuple(_case(item, interface, limits) for item in root.get("cases").list(limits.golden_rows))
    if not cases:
        raise FormatError("$.cases: there are no golden cases")
    tolerances = {name: tolerance_of(node) for name, node in root.get("tolerances").fields()}
    for case in cases:
        absent = sorted(case.outputs.keys() - tolerances.keys())
        if absent:
            raise FormatError(f"$.tolerances: {absent[0]!r:.80} is missing")
    return TensorGoldens(cases, tolerances)


def _case(node: Node, interface: Interface, limits: Limits) -> GoldenCase:
    inputs = {name: _recipe(item, limits) for name, item in node.get("inputs").fields()}
    outputs = {name: _kept(item, limits) for name, item in node.get("outputs").fields()}
    if sum(math.prod(recipe.shape) for recipe in inputs.values()) > limits.golden_elements:
        raise LimitError(f"{node.path}.inputs: more than {limits.golden_elements:,} elements in all")
    wanted = {spec.name: spec for spec in interface.inputs}
    if inputs.keys() != wanted.keys():
        raise GraphMismatchError(f"{node.path}.inputs: {sorted(inputs)}, the manifest has {sorted(wanted)}")
    for name, recipe in inputs.items():
        _check(node.get("inputs").get(name), recipe, wanted[name])
    specs = {spec.name: spec for spec in interface.outputs}
    for name, kept in outputs.items():
        if name not in specs:
            raise GraphMismatchError(f"{node.path}.outputs: the manifest has no output {name!r:.80}")
        _check(node.get("outputs").get(name), kept, specs[name])
    if not outputs:
        raise node.get("outputs").fail("at least one output")
    return GoldenCase(inputs, outputs)


def _check(node: Node, given: Recipe | Kept, spec: TensorSpec) -> None:
    sizes = zip(given.shape, spec.shape, strict=False)
    fits = len(given.shape) == len(spec.shape) and all(not isinstance(w, int) or w == size for size, w in sizes)
    if given.dtype != spec.dtype or not fits:
        raise GraphMismatchError(f"{node.path}: {given.dtype} {list(given.shape)}, the manifest has {shown(spec)}")


def _shape(node: Node, limits: Limits) -> tuple[int, ...]:
    shape = tuple(item.integer() for item in node.get("shape").list(_MOST_DIMENSIONS))
    if math.prod(max(1, size) for size in shape) > limits.golden_elements:
        raise LimitError(f"{node.path}.shape: more than {limits.golden_elements:,} elements")
    return shape


def _dtype(node: Node) -> str:
    return node.get("dtype").one_of(tuple(name for name in TENSOR_TYPES if name != "string"))


def _recipe(node: Node, limits: Limits) -> Recipe:
    dtype, low, high = _dtype(node), node.get("low").number(), node.get("high").number()
    kind = np.dtype(dtype)
    if kind.kind == "f":
        fits = abs(low) <= float(np.finfo(kind).max) and abs(high) <= float(np.finfo(kind).max)
    else:
        least, most = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
        whole = low.is_integer() and high.is_integer() and max(abs(low), abs(high)) <= _LARGEST
        fits = whole and least <= low and high <= most
    if not (fits and low <= high):
        raise node.fail(f"low ≤ high, both numbers of {dtype}")
    seed = node.get("seed").integer()
    if seed >= 2**64:
        raise node.get("seed").fail("a whole number below 2**64")
    return Recipe(dtype, _shape(node, limits), seed, low, high)


def _kept(node: Node, limits: Limits) -> Kept:
    dtype, shape, every = _dtype(node), _shape(node, limits), node.get("every").integer(1)
    count = -(-math.prod(shape) // every)
    size = count * np.dtype(dtype).itemsize
    try:
        packed = base64.b64decode(node.get("data").text(), validate=True)
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(packed, size + 1)  # no more than is expected, whatever it would give
    except (binascii.Error, ValueError, zlib.error):
        raise node.get("data").fail("zlib's data in base64") from None
    if len(raw) != size:
        raise node.get("data").fail(f"{size:,} bytes of {dtype}, every {every} of {list(shape)}, when unpacked")
    return Kept(dtype, shape, every, np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).astype(dtype))


# --- writing ----------------------------------------------------------------------------


def render_tensor_goldens(goldens: TensorGoldens, limits: Limits = LIMITS) -> bytes:
    """Canonical JSON. Raises LimitError above the limits."""
    document = {
        "cases": [
            {
                "inputs": {name: recipe._asdict() for name, recipe in case.inputs.items()},
                "outputs": {name: _rendered(kept) for name, kept in case.outputs.items()},
            }
            for case in goldens.cases
        ],
        "tolerances": {name: value._asdict() for name, value in goldens.tolerances.items()},
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    if len(text) > limits.golden_bytes or len(goldens.cases) > limits.golden_rows:
        raise LimitError(f"the golden tensors take {len(text):,} bytes, the limit is {limits.golden_bytes:,}")
    return text


def _rendered(kept: Kept) -> Mapping[str, Any]:
    raw = kept.data.astype(kept.data.dtype.newbyteorder("<")).tobytes()
    data = base64.b64encode(zlib.compress(raw, 9)).decode()
    return {"dtype": kept.dtype, "shape": kept.shape, "every": kept.every, "data": data}
