"""`convert`: sees what a model is, and which way it goes: `estimators.py`, or `deep/conversion.py`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from edge_infer.errors import UsageError
from edge_infer.labels import Label
from edge_infer_convert.arguments import check_arguments
from edge_infer_convert.deep.conversion import Shrinking, convert_tensors
from edge_infer_convert.estimators import convert_estimator
from edge_infer_convert.frontends import original_of
from edge_infer_convert.networks import find_network
from edge_infer_convert.result import Conversion, Progress
from edge_infer_convert.targets import Target

__all__ = ["Conversion", "convert", "to_onnx"]


def convert(
    estimator: Any,
    *,
    data: Any = None,
    reference: Any = None,
    inputs: Any = None,
    labels: Sequence[Label] | None = None,
    states: Mapping[str, str] | None = None,
    opset: int | None = None,
    target: str | None = None,
    simplify: bool = False,
    quantize: str | Sequence[str] | None = None,
    calibration: Any = None,
    targets: Any = None,
    max_loss: float | None = None,
    name: str,
    version: str = "1.0.0",
    output: str | os.PathLike[str] | None = None,
    release: int = 1,
    precision: str = "auto",
    report: str | os.PathLike[str] | None = None,
    strict_privacy: bool = False,
    card: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Turn a fitted scikit-learn estimator, or a deep model, into one proven ONNX file.

    Args:
        estimator: a fitted estimator or Pipeline, with or without a ColumnTransformer; or a deep model: a
            torch.nn.Module (also TorchScript; it is set to evaluation mode), a torch.export.ExportedProgram, or an
            onnx.ModelProto.
        data: the training data without the target, or some hundred rows of it (DataFrame or 2-D array). Tells
            kinds, categories and ranges, and makes the reference for drift; no row of it is stored.
        reference: some hundred rows that it was not fitted on, as `data`: they make the reference instead, and
            scores are watched too, which would mislead if they came from training rows.
        inputs: of a deep model, what it is given: for each input by its name (or by place) an example, whose first
            dimension is the batch, or a text such as "float32[batch, 3, 224, 224]" or
            "int64[batch, length=16] 0..29999": the range at the end is what calls are made up of. No example is stored.
        labels: of a deep model, the classes of the last dimension of an output.
        states: of a deep model, input → output: what `Model.stateful` feeds back.
        opset: of a deep model's graph; None: as it was exported.
        target: the release that the graph shall run on, such as "onnxruntime==1.17": its opset, IR version and
            operators are held against what that release takes (from 1.16 on), and a deep model's graph is brought to
            its opset.
        simplify: simplify a deep model's graph by onnxslim (extra `simplify`) before it is compared.
        quantize: make a deep model smaller or faster: "int8", "uint8", "fp16", "weights-int4", the name of one variant
            ("int8-static", …), several of these, or "all". The one with the least size × time of a call is kept, of
            those that are measured smaller or faster than float32 and lose no more than `max_loss`; where none is,
            float32 is written. `Conversion.variants` and `Conversion.table` tell of all that were tried.
        calibration: examples for that, an array for each input as `inputs` takes them; None: the examples of `inputs`.
            Half of them, at most 512, set ranges, and the others judge. No example is stored.
        targets: true answers to the examples: places or labels of classes, judged by accuracy, or numbers, by R². None:
            what is judged is how far the answers are from the float32 model's.
        max_loss: percentage points that may be lost; None: 0.5.
        name, version: letters, digits, `.`, `_`, `-`; the version is free text of these.
        release: a number that grows with each published artifact of this name.
        precision: "auto": float32 where the worst probe row takes at most a tenth of its tolerance (1e-5), else
            float64 (1e-9). "float32" may take the whole tolerance.
        output: where to write the artifact; written whole or not at all.
        report: where to write a self-contained HTML page about the comparison; written also when it fails.
        strict_privacy: refuse models that carry training rows inside the graph.
        card: what people are told of the model, recorded as it is stated: any of `description`, `license` (texts),
            `units`, `descriptions` (column's name → text) and `metrics`, a list of
            {"type": "accuracy", "value": 0.98, "dataset": "held-out 20 %"}.
        progress: called with a stage (schema, convert, probe, package) and a detail.

    Raises:
        ConversionError: SchemaError, UnsupportedModelError or ParityError; nothing is written then.
        UsageError: an argument is wrong.
    """
    check_arguments(name, version, precision)
    goal = None if target is None else Target.of(target)
    path = None if output is None else Path(output)
    original = None if find_network(estimator) else original_of(estimator)  # an estimator around a network is none
    shrinking = Shrinking(quantize, calibration, targets, max_loss, simplify)
    if original is not None:
        _check_deep(data=data, reference=reference, report=report, precision=precision, strict_privacy=strict_privacy)
        return convert_tensors(
            original, inputs=inputs, labels=labels, states=states, opset=opset, target=goal, shrinking=shrinking,
            name=name, version=version, release=release, output=path, card=card, progress=progress,
        )  # fmt: skip
    _check_estimator(inputs=inputs, labels=labels, states=states, opset=opset, shrinking=shrinking)
    return convert_estimator(
        estimator, data=data, reference=reference, target=goal, name=name, version=version, release=release,
        precision=precision, output=path, report=report, strict_privacy=strict_privacy, card=card, progress=progress,
    )  # fmt: skip


def _check_deep(**options: Any) -> None:
    """What is for estimators only must be as it is when nobody gives it. Raises UsageError."""
    usual = ("auto", False)
    given = [
        name
        for name, value in options.items()
        if value is not None and not (isinstance(value, str | bool) and value in usual)
    ]
    if given:
        raise UsageError(f"{', '.join(given)}: for estimators; of a deep model, inputs tells what it is given")


def _check_estimator(*, shrinking: Shrinking, **options: Any) -> None:
    """What is for deep models only. Raises UsageError."""
    if any(option is not None for option in options.values()):
        raise UsageError(f"{', '.join(options)}: for deep models; of an estimator, data tells the columns")
    if shrinking.given:
        raise UsageError(f"{', '.join(shrinking.given)}: for deep models")


def to_onnx(estimator: Any, data: Any = None, *, precision: str = "auto") -> onnx.ModelProto:
    """The proven graph alone, without edge_infer metadata. See `convert`."""
    model = onnx.ModelProto()
    model.ParseFromString(convert(estimator, data=data, name="model", precision=precision).data)
    del model.metadata_props[:]
    return model
