"""`edge-infer predict` of a deep model: named tensors from JSON, .npy or .npz; outputs as JSON, or the best classes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.cli.array_file import ARRAY_FILES, read_arrays
from edge_infer.cli.console import dumps
from edge_infer.cli.documents import parse_json
from edge_infer.errors import InputError, Mismatch, UsageError
from edge_infer.interface import Interface, TensorSpec, shown, tensor_mismatches, tensor_of
from edge_infer.limits import LIMITS
from edge_infer.model import Model

__all__ = ["run_tensors"]


def run_tensors(model: Model, interface: Interface, data: str, *, top: int | None, json: bool) -> str:
    """The text of the answer. Raises InputError, UsageError, OSError."""
    ranked = None if top is None else _ranked(interface)
    feeds = _read(data, interface)
    wrong = tensor_mismatches(interface, feeds)
    if wrong:
        raise InputError(wrong)
    answers = model.run(feeds)
    if top is None or ranked is None:
        return dumps({name: array.tolist() for name, array in answers.items()}) + "\n"
    best = _best(answers[ranked.name], ranked, top)
    if json:
        return dumps({"top": best}) + "\n"
    return "".join(_lines(best))


def _ranked(interface: Interface) -> TensorSpec:
    """The output whose classes are ranked."""
    found = next((spec for spec in interface.outputs if spec.classes is not None), None)
    if found is None:
        raise UsageError("--top: this model's manifest names no classes; convert it with --labels FILE")
    return found


def _best(scores: NDArray[Any], spec: TensorSpec, top: int) -> list[list[dict[str, Any]]]:
    """For each row of scores the `top` largest, NaN last: a list of {"class", "score"}."""
    classes = spec.classes or ()
    rows = scores.reshape(-1, len(classes))
    order = np.argsort(np.where(np.isnan(rows), -np.inf, rows), axis=1, kind="stable")[:, ::-1][:, :top]
    return [
        [{"class": classes[place], "score": row[place].item()} for place in places]
        for row, places in zip(rows, order, strict=True)
    ]


def _lines(best: list[list[dict[str, Any]]]) -> list[str]:
    lines = []
    for number, row in enumerate(best):
        if number:
            lines.append("\n")
        room = max(len(str(each["class"])) for each in row)
        lines += [f"{each['class']!s:<{room}}  {each['score']:.6g}\n" for each in row]
    return lines


# --- reading ----------------------------------------------------------------------------


def _read(data: str, interface: Interface) -> dict[str, NDArray[Any]]:
    if data.lstrip()[:1] in ("{", "["):
        return _of_json(parse_json(data, "INPUT"), interface)
    if data == "-":
        import sys

        return _of_json(parse_json(sys.stdin.buffer.read(LIMITS.text_bytes + 1), "standard input"), interface)
    suffix = os.path.splitext(data)[1].lower()
    if suffix == ".json":
        with open(data, "rb") as file:
            return _of_json(parse_json(file.read(), data), interface)
    if suffix not in ARRAY_FILES:
        raise UsageError(f"INPUT: expected JSON text, a .json, .npy or .npz file, or -; got {data!r:.80}")
    loaded = read_arrays(data)
    return loaded if isinstance(loaded, dict) else {_only(interface).name: loaded}


def _of_json(value: Any, interface: Interface) -> dict[str, NDArray[Any]]:
    """{"input": [[…]], …}; of a model with one input also the nested list alone."""
    named = value if isinstance(value, dict) else {_only(interface).name: value}
    specs = {spec.name: spec for spec in interface.inputs}
    found, wrong = {}, []
    for name, item in named.items():
        spec = specs.get(name)
        try:
            found[name] = np.asarray(item) if spec is None else tensor_of(item, spec)
        except (ValueError, TypeError, OverflowError) as error:
            expected = "nested lists" if spec is None else f"nested lists of {shown(spec)}"
            wrong.append(Mismatch(None, name, expected, f"{error!s:.100}", "input"))
    if wrong:
        raise InputError(wrong)
    return found


def _only(interface: Interface) -> TensorSpec:
    if len(interface.inputs) != 1:
        names = ", ".join(spec.name for spec in interface.inputs)
        raise UsageError(f"INPUT: this model takes several tensors: give an object, or a .npz file, with {names}")
    return interface.inputs[0]
