"""`edge-infer predict` of a deep model: named tensors from JSON, .npy or .npz; outputs as JSON, or the best classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.cli.array_file import ARRAY_FILES, read_arrays
from edge_infer.cli.console import dumps, in_line
from edge_infer.cli.documents import parse_json
from edge_infer.cli.predict_sounds import run_sound, sound_of
from edge_infer.errors import InputError, Mismatch, UsageError
from edge_infer.images import IMAGE_FILES, images_of, is_encoded, is_image_source
from edge_infer.interface import Interface, TensorSpec, shown, tensor_mismatches, tensor_of
from edge_infer.limits import LIMITS
from edge_infer.model import Model

__all__ = ["run_tensors"]


def run_tensors(model: Model, interface: Interface, data: Sequence[str], *, top: int | None, json: bool) -> str:
    """The text of the answer. data: one input, or several files of images, each of which is asked alone: then every
    answer has its file's name. Raises InputError, UsageError, OSError."""
    ranked = None if top is None else _ranked(interface)
    if len(data) > 1:
        _check_files(data, interface)
    sound = sound_of(data[0], interface)
    if sound is not None:
        best_of = None if ranked is None or top is None else lambda found: _best(found[ranked.name], ranked, top)
        return run_sound(model, interface, sound, best_of, json=json)
    answers = [_answer(model, interface, each) for each in data]
    if ranked is None or top is None:
        return _objects([{name: array.tolist() for name, array in each.items()} for each in answers], data, "outputs")
    best = [_best(each[ranked.name], ranked, top) for each in answers]
    if json:
        return _objects([{"top": each} for each in best], data)
    texts = ["".join(_lines(each)) for each in best]
    if len(data) > 1:
        texts = [f"{in_line(file)}\n{text}" for file, text in zip(data, texts, strict=True)]
    return "\n".join(texts)


def _answer(model: Model, interface: Interface, data: str) -> dict[str, NDArray[Any]]:
    feeds = _read(data, interface)
    wrong = tensor_mismatches(interface, feeds)
    if wrong:
        raise InputError(wrong)
    return model.run(feeds)


def _objects(answers: Sequence[dict[str, Any]], data: Sequence[str], within: str | None = None) -> str:
    """The one answer; of several a list with the files' names, each answer in the field `within` or beside the name."""
    if len(data) == 1:
        return dumps(answers[0]) + "\n"
    named = [
        {"file": file, **(answer if within is None else {within: answer})}
        for file, answer in zip(data, answers, strict=True)
    ]
    return dumps({"files": named}) + "\n"


def _check_files(data: Sequence[str], interface: Interface) -> None:
    """Raises UsageError unless every one is a file of an image for a model that takes one."""
    _image_input(interface)
    other = [each for each in data if each == "-" or each.lstrip()[:1] in ("{", "[")]
    if other:
        raise UsageError(f"INPUT: expected one input, or files of images, got {len(data)} with {other[0]!r:.60}")


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
        return _of_stdin(interface)
    suffix = os.path.splitext(data)[1].lower()
    if suffix == ".json":
        with open(data, "rb") as file:
            return _of_json(parse_json(file.read(), data), interface)
    if suffix not in ARRAY_FILES and (suffix in IMAGE_FILES or _takes_image(interface)):
        spec = _image_input(interface)
        return {spec.name: images_of(data, spec)}
    if suffix not in ARRAY_FILES:
        raise UsageError(f"INPUT: expected JSON text, a .json, .npy or .npz file, or -; got {data!r:.80}")
    loaded = read_arrays(data)
    return loaded if isinstance(loaded, dict) else {_only(interface).name: loaded}


def _of_stdin(interface: Interface) -> dict[str, NDArray[Any]]:
    """JSON; or the bytes of an image, where the model takes one."""
    import sys

    takes = _takes_image(interface)
    given = sys.stdin.buffer.read((LIMITS.image_bytes if takes else LIMITS.text_bytes) + 1)
    if takes and is_encoded(given):
        spec = _image_input(interface)
        return {spec.name: images_of(given, spec)}
    return _of_json(parse_json(given, "standard input"), interface)


def _takes_image(interface: Interface) -> bool:
    return len(interface.given) == 1 and interface.given[0].image is not None


def _image_input(interface: Interface) -> TensorSpec:
    """The input that one file is given for."""
    if _takes_image(interface):
        return interface.given[0]
    names = list(interface.images)
    if names:
        raise UsageError(
            f'INPUT: this model takes more than an image: give an object, its files by name, as in \'{{"{names[0]}": '
            '"cat.png", …}\''
        )
    takes = ", ".join(f"{spec.name}: {shown(spec)}" for spec in interface.given)
    raise UsageError(
        f"INPUT: this model takes no image ({takes}); convert it with --inputs 'NAME=image[HEIGHT, WIDTH] …', which "
        "says what is made of one"
    )


def _of_json(value: Any, interface: Interface) -> dict[str, NDArray[Any]]:
    """{"input": [[…]], …}; of a model with one input also the nested list alone. An image may be a file's path."""
    named = value if isinstance(value, dict) else {_only(interface).name: value}
    specs = {spec.name: spec for spec in interface.inputs}
    found, wrong = {}, []
    for name, item in named.items():
        spec = specs.get(name)
        try:
            if spec is not None and spec.image is not None and is_image_source(item):
                found[name] = images_of(item, spec)
            else:
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
