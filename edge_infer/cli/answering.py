"""A model's answers as JSON has them: which methods to ask, and numpy values → plain ones."""

from __future__ import annotations

import json
import os
from typing import Any

from edge_infer.cli.documents import Request
from edge_infer.errors import MethodError
from edge_infer.manifest import Label, Manifest
from edge_infer.model import Model
from edge_infer.observed import Observing

__all__ = ["answer", "chosen_methods", "chosen_monitor", "default_methods", "label_key"]


def chosen_monitor(folder: str | None) -> Observing | None:
    """What `--monitor` names; the folder is made at once, so that one that cannot be is told. Raises OSError."""
    if folder is None:
        return None
    os.makedirs(folder, exist_ok=True)
    from edge_infer.monitor import Monitor

    return Monitor(folder)


def chosen_methods(model: Model, asked: str | None) -> list[str]:
    """The methods that `--method` stands for: a name, "all", or left out for the model's first.

    Raises:
        MethodError: the model has no such method, or none that takes columns.
    """
    present = [output.method for output in model.manifest.outputs]
    if model.manifest.interface is not None:
        raise MethodError(
            "this model takes and gives tensors: edge-infer predict MODEL '{\"name\": [[…]]}', or "
            "edge_infer.load(path).run({name: array})"
        )
    if not present:
        raise MethodError(
            "this file has no edge_infer manifest, and its inputs are not columns of numbers; "
            "run it with tensors: edge_infer.load(path).run({name: array}), or convert it: edge-infer convert FILE"
        )
    if asked is None:
        return ["predict" if "predict" in present else present[0]]
    if asked != "all":
        getattr(model, asked)  # raises MethodError with the reason
    return present if asked == "all" else [asked]


def default_methods(model: Model) -> list[str]:
    """What is shown where nothing was asked for: the first method, and probabilities where there are any."""
    first = chosen_methods(model, None)
    return first + (["predict_proba"] if model.manifest.output("predict_proba") else [])


def answer(model: Model, method: str, request: Request) -> Any:
    """One plain value for a single record, a list of them for many; probabilities as {label: p}."""
    if not request.rows:
        return []
    raw = getattr(model, method)(request.data)
    if method == "predict_proba":
        return _labelled(raw, model.manifest, single=request.single)
    if isinstance(raw, list):  # an array for each label column
        return _rows([part.tolist() for part in raw], single=request.single)
    return raw.tolist() if hasattr(raw, "tolist") else raw


def _labelled(raw: Any, manifest: Manifest, *, single: bool) -> Any:
    predict = manifest.output("predict")
    classes = predict.classes if predict else None
    if isinstance(raw, list):
        labels = classes or [()] * len(raw)
        parts = [_by_label(part.tolist(), of, single=single) for part, of in zip(raw, labels, strict=True)]
        return _rows(parts, single=single)
    return _by_label(raw.tolist(), classes[0] if classes and len(classes) == 1 else (), single=single)


def _by_label(values: list[Any], classes: tuple[Label, ...], *, single: bool) -> Any:
    keys = [label_key(label) for label in classes]
    rows = [values] if single else values
    if any(len(row) != len(keys) for row in rows) or len(set(keys)) < len(keys):
        return values
    named = [dict(zip(keys, row, strict=True)) for row in rows]
    return named[0] if single else named


def _rows(parts: list[Any], *, single: bool) -> list[Any]:
    """Answers by label column → answers by row."""
    return parts if single else [list(row) for row in zip(*parts, strict=True)]


def label_key(label: Label) -> str:
    """A label as a key of JSON: true rather than True, text as it is."""
    return label if isinstance(label, str) else json.dumps(label)
