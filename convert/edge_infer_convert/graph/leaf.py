"""One estimator on a numeric matrix → nodes: our own operators first, skl2onnx for all others."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.composites import find_composite, find_wrapped
from edge_infer_convert.graph.builder import ML, GraphBuilder
from edge_infer_convert.networks import find_network
from edge_infer_convert.operators import find_operator

__all__ = ["at_step", "convert_leaf"]


def convert_leaf(
    builder: GraphBuilder, path: str, estimator: Any, reads: str, width: int, *, final: bool = True
) -> dict[str, list[str]]:
    """Add an estimator that reads the tensor `reads` [rows, width]; its tensors by method.

    A classifier's `predict` is an int64 position in its classes. Pipelines, column transformers and composites
    are followed, so that an operator can convert the estimators inside its own by this function.

    Raises:
        UnsupportedModelError: naming the step, the estimator, the reason and a remedy.
    """
    with at_step(path, estimator):
        operator = find_operator(estimator)
        if operator is not None:
            return operator(builder, estimator, reads)
        network = find_network(estimator)
        if network is not None:
            return network.join(builder, estimator, reads, width)
        if _is_composed(estimator):
            return _composed(builder, estimator, reads, width)
    return _by_skl2onnx(builder, path, estimator, reads, width)


@contextmanager
def at_step(path: str, estimator: Any) -> Iterator[None]:
    """Errors from inside name the step."""
    try:
        yield
    except UnsupportedModelError as error:
        if error.blockers:  # an inner step is named
            raise
        raise UnsupportedModelError.at(path, type(estimator).__name__, str(error)) from error


def _is_composed(estimator: Any) -> bool:
    containers = (Pipeline, ColumnTransformer, FeatureUnion)
    return isinstance(estimator, containers) or bool(find_wrapped(estimator) or find_composite(estimator))


def _composed(builder: GraphBuilder, estimator: Any, reads: str, width: int) -> dict[str, list[str]]:
    from edge_infer_convert.graph.emit import emit_on_matrix  # both look steps up here: a ring otherwise
    from edge_infer_convert.graph.plan import make_plan

    plan, _ = make_plan(estimator, width, set())
    return emit_on_matrix(builder, plan, reads, width)


def _by_skl2onnx(builder: GraphBuilder, path: str, estimator: Any, reads: str, width: int) -> dict[str, list[str]]:
    subject = _with_integer_classes(estimator) if is_classifier(estimator) else estimator
    try:
        model = _skl2onnx(subject, builder, width)
    except Exception as error:
        raise _unsupported(path, estimator, error) from error
    outputs = builder.inline(model, {model.graph.input[0].name: reads})
    if is_classifier(estimator):
        return _classifier(builder, estimator, model, outputs, renumbered=subject is not estimator)
    return _by_method(builder, estimator, outputs)


def _skl2onnx(estimator: Any, builder: GraphBuilder, width: int) -> ModelProto:
    kind = FloatTensorType if builder.dtype == np.float32 else DoubleTensorType
    initial_types = [("X", kind([None, width]))]
    options: dict[int, dict[str, bool]] | None = None
    if is_classifier(estimator):
        options = {id(estimator): {"zipmap": False}}
        if not hasattr(estimator, "predict_proba"):
            options[id(estimator)]["raw_scores"] = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = convert_sklearn(
                estimator, initial_types=initial_types, options=options, target_opset=builder.opsets
            )
        except NameError:  # an option that this converter does not know
            model = convert_sklearn(estimator, initial_types=initial_types, target_opset=builder.opsets)
    assert isinstance(model, ModelProto)
    return model


def _with_integer_classes(classifier: Any) -> Any:
    """A shallow copy whose labels are their own positions; the classifier itself where that cannot be set."""
    classes = getattr(classifier, "classes_", None)
    if not isinstance(classes, np.ndarray) or classes.ndim != 1:
        return classifier
    twin = copy.copy(classifier)
    try:
        twin.classes_ = np.arange(len(classes))
    except AttributeError:  # a property: derived from inner estimators
        return classifier
    return twin


def _classifier(
    builder: GraphBuilder, estimator: Any, model: ModelProto, outputs: list[str], *, renumbered: bool
) -> dict[str, list[str]]:
    answers = {"predict": [_positions(builder, estimator, model, outputs[0], renumbered)]}
    if len(outputs) < 2:
        return answers
    if not hasattr(estimator, "predict_proba"):
        return answers | {"decision_function": [_scores(builder, estimator, model, outputs[1])]}
    return answers | {"predict_proba": _probabilities(builder, estimator, model, outputs[1])}


def _positions(builder: GraphBuilder, estimator: Any, model: ModelProto, label: str, renumbered: bool) -> str:
    """Labels as positions in `classes_`; several label columns stay as they are."""
    classes = getattr(estimator, "classes_", None)
    if renumbered or not isinstance(classes, np.ndarray) or _is_multilabel(model):
        return label
    if model.graph.output[0].type.tensor_type.elem_type == TensorProto.STRING:
        keys: dict[str, Any] = {"keys_strings": [str(name) for name in classes]}
    else:
        keys = {"keys_int64s": [int(name) for name in classes]}
    return builder.node("LabelEncoder", label, domain=ML, values_int64s=list(range(len(classes))), **keys)


def _is_multilabel(model: ModelProto) -> bool:
    return len(model.graph.output[0].type.tensor_type.shape.dim) == 2


def _scores(builder: GraphBuilder, estimator: Any, model: ModelProto, scores: str) -> str:
    """Two classes: skl2onnx gives a column for each, scikit-learn only the second."""
    dims = model.graph.output[1].type.tensor_type.shape.dim
    if len(getattr(estimator, "classes_", ())) == 2 and len(dims) == 2 and dims[1].dim_value != 1:
        return builder.node("Gather", scores, builder.constant(1, np.int64), axis=1)
    return scores


def _probabilities(builder: GraphBuilder, estimator: Any, model: ModelProto, output: str) -> list[str]:
    """One tensor, or one for each label column where scikit-learn gives a list."""
    kind = model.graph.output[1].type
    count = len(estimator.classes_)
    if kind.WhichOneof("value") == "sequence_type":
        return [builder.node("SequenceAt", output, builder.constant(i, np.int64)) for i in range(count)]
    if len(kind.tensor_type.shape.dim) == 3:
        return [builder.node("Gather", output, builder.constant(i, np.int64), axis=0) for i in range(count)]
    return [output]


def _by_method(builder: GraphBuilder, estimator: Any, outputs: list[str]) -> dict[str, list[str]]:
    if is_clusterer(estimator) and len(outputs) == 2:
        return {"predict": [outputs[0]], "transform": [outputs[1]]}
    if is_outlier_detector(estimator) and len(outputs) >= 2:
        return _outlier_scores(builder, estimator, outputs)
    if hasattr(estimator, "transform") and not is_regressor(estimator):
        return {"transform": [outputs[0]]}
    return {"predict": [outputs[0]]}


def _outlier_scores(builder: GraphBuilder, estimator: Any, outputs: list[str]) -> dict[str, list[str]]:
    """scikit-learn's decision_function is score_samples − offset_."""
    answers = {"predict": [outputs[0]], "decision_function": [outputs[1]]}
    if hasattr(estimator, "score_samples") and hasattr(estimator, "offset_"):
        offset = builder.constant(np.ravel(estimator.offset_)[0])
        answers["score_samples"] = [builder.node("Add", outputs[1], offset)]
    return answers


def _unsupported(path: str, estimator: Any, error: Exception) -> UnsupportedModelError:
    kind = type(estimator).__name__
    if isinstance(error, MissingShapeCalculator | MissingConverter):
        return UnsupportedModelError.at(
            path,
            kind,
            "there is no converter for this estimator\n"
            "Replace it by another kind, or teach edge-infer to convert it (edge_infer_convert.register_converter).",
        )
    reason = " ".join(str(error).split()).partition(" and attributes=")[0]  # pages of attributes may follow
    return UnsupportedModelError.at(path, kind, f"cannot be expressed as ONNX: {reason[:300] or type(error).__name__}")
