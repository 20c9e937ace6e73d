"""scikeras: KerasClassifier and KerasRegressor, around a Keras model."""

from __future__ import annotations

from typing import Any, Final

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.networks import keras as wrappers
from edge_infer_convert.networks.keras import answered, outputs_of, refusal, taken
from edge_infer_convert.operators.numeric import column, first_largest, flat, two_columns

__all__ = ["answered", "join", "refusal", "taken", "versions"]

_ONE_LABEL: Final = ("binary", "multiclass")


def join(builder: GraphBuilder, wrapper: Any, reads: str, width: int) -> dict[str, list[str]]:
    """By scikeras.utils.transformers: one output of two classes is the second's share; the label is the largest."""
    outputs = outputs_of(builder, wrapper, reads)
    if not hasattr(wrapper, "predict_proba"):
        return {"predict": [flat(builder, outputs) if len(wrapper.target_encoder_._y_shape) == 1 else outputs]}
    kind = getattr(wrapper.target_encoder_, "_target_type", "unknown")
    if kind not in _ONE_LABEL:
        raise UnsupportedModelError(
            f"its targets are {kind}, and {' and '.join(_ONE_LABEL)} ones are expected: one label column of whole "
            "numbers or texts"
        )
    if wrapper.model_.output_shape[-1] == 1:
        outputs = two_columns(builder, column(builder, outputs))
    return {"predict": [first_largest(builder, outputs)], "predict_proba": [outputs]}


def versions() -> dict[str, str]:
    import scikeras

    return {**wrappers.versions(), "scikeras": scikeras.__version__}
