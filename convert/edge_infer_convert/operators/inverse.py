"""`inverse_transform` of the transformers that people put around a target."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder

__all__ = ["invert"]


def invert(builder: GraphBuilder, transformer: Any, x: str) -> str:
    """Numbers [rows, outputs] back in the units before `transformer`.

    Raises:
        UnsupportedModelError: the transformer's inverse has no formula here.
    """
    if isinstance(transformer, Pipeline):
        for _, step in reversed(transformer.steps):
            x = invert(builder, step, x)
        return x
    if transformer == "passthrough":
        return x
    inverse = _INVERSES.get(type(transformer))
    if inverse is None:
        raise UnsupportedModelError(
            f"the inverse of {type(transformer).__name__} cannot be expressed; use func/inverse_func of numpy, "
            f"or one of {', '.join(kind.__name__ for kind in _INVERSES)}"
        )
    return str(inverse(builder, transformer, x))


def _scaled_back(builder: GraphBuilder, x: str, scale: Any, shift: Any) -> str:
    """x × scale + shift."""
    if scale is not None:
        x = builder.node("Mul", x, builder.constant(scale))
    return x if shift is None else builder.node("Add", x, builder.constant(shift))


def _standard(builder: GraphBuilder, scaler: StandardScaler, x: str) -> str:
    return _scaled_back(
        builder, x, scaler.scale_ if scaler.with_std else None, scaler.mean_ if scaler.with_mean else None
    )


def _robust(builder: GraphBuilder, scaler: RobustScaler, x: str) -> str:
    scale = scaler.scale_ if scaler.with_scaling else None
    return _scaled_back(builder, x, scale, scaler.center_ if scaler.with_centering else None)


def _max_abs(builder: GraphBuilder, scaler: MaxAbsScaler, x: str) -> str:
    return _scaled_back(builder, x, scaler.scale_, None)


def _min_max(builder: GraphBuilder, scaler: MinMaxScaler, x: str) -> str:
    """(x − min) / scale."""
    return builder.node("Div", builder.node("Sub", x, builder.constant(scaler.min_)), builder.constant(scaler.scale_))


def _function(builder: GraphBuilder, transformer: FunctionTransformer, x: str) -> str:
    if transformer.inverse_func is None:
        return x
    from edge_infer_convert.tracing import trace_function

    return trace_function(builder, transformer.inverse_func, x, transformer.n_features_in_, transformer.inv_kw_args)


_INVERSES: dict[type, Any] = {
    StandardScaler: _standard,
    RobustScaler: _robust,
    MaxAbsScaler: _max_abs,
    MinMaxScaler: _min_max,
    FunctionTransformer: _function,
}
