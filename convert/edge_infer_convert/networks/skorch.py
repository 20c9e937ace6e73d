"""skorch: its nets are scikit-learn estimators around a PyTorch module.

What is exported is not the module alone but what skorch's `predict_proba` makes of it
(https://skorch.readthedocs.io/en/stable/user/neuralnet.html#predict-nonlinearity): `infer`, the first of several
outputs, and the nonlinearity that goes with the criterion, skorch's own code and a user's included.
"""

from __future__ import annotations

import inspect
from typing import Any, Final

import numpy as np
import skorch
import torch
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto
from sklearn.exceptions import NotFittedError

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.boosters.reading import read_once
from edge_infer_convert.frontends.torch_program import torch_original
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.networks.joining import as_rows, export_of, join_graph, spec_of_rows
from edge_infer_convert.operators.numeric import first_largest

__all__ = ["answered", "join", "refusal", "taken", "versions"]

_ROWS_AT_ONCE: Final = 4096


class _Answers(torch.nn.Module):  # type: ignore[misc, unused-ignore]
    """`predict_proba` of a fitted net as a module: features [rows, features] → [rows, outputs].

    By skorch.NeuralNet.predict_proba, without its batches.
    """

    def __init__(self, net: Any) -> None:
        super().__init__()
        net._set_training(False)
        self.parts = torch.nn.ModuleList([getattr(net, f"{name}_") for name in net._modules])
        self._net = [net]  # in a list, so that it is no part of the module
        self._nonlinearity = net._get_predict_nonlinearity()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        found = self._net[0].infer(features)
        found = self._nonlinearity(found[0] if isinstance(found, tuple) else found)
        assert isinstance(found, torch.Tensor)
        return found


def join(builder: GraphBuilder, net: Any, reads: str, width: int) -> dict[str, list[str]]:
    """A classifier's label is the position of its largest probability, or whether the second is above the threshold."""
    _check(net, width)
    (answers,) = join_graph(builder, _exported(net, width), reads)
    if isinstance(net, skorch.NeuralNetBinaryClassifier):
        return {"predict": [_above(builder, answers, float(net.threshold))], "predict_proba": [answers]}
    if isinstance(net, skorch.NeuralNetClassifier):
        return {"predict": [first_largest(builder, answers)], "predict_proba": [answers]}
    if isinstance(net, skorch.NeuralNetRegressor):
        return {"predict": [answers]}
    return {"predict": [answers], "predict_proba": [answers]}


def _above(builder: GraphBuilder, answers: str, threshold: float) -> str:
    """skorch compares float32 probabilities with the threshold, which numpy rounds to float32 for it."""
    second = builder.node("Gather", answers, builder.constant(1, np.int64), axis=1)
    above = builder.node("Greater", second, builder.constant(float(np.float32(threshold))))
    return builder.node("Cast", above, to=TensorProto.INT64)


def _check(net: Any, width: int) -> None:
    """skorch's `predict` gives positions, whatever `classes_` says: both are the same where these are 0, 1, 2 …"""
    try:
        net.check_is_fitted()
    except NotFittedError as error:
        raise UnsupportedModelError("it is not fitted: call fit, or initialize and load_params, before") from error
    if not isinstance(net, skorch.NeuralNetClassifier):
        return
    classes = np.asarray(getattr(net, "classes_", ()))
    count = answered(net, np.zeros((2, width), taken(net))).shape[1]
    if classes.dtype.kind in "iu" and not np.array_equal(classes, np.arange(count)):
        raise UnsupportedModelError(
            f"its classes_ are {classes.tolist()[:12]}, its module has {count} outputs, and skorch's predict gives the "
            f"position of the largest of them\nSay which classes there are: net.classes = list(range({count}))."
        )


@read_once
def _exported(net: Any, width: int) -> ModelProto:
    told = {"features": spec_of_rows(width, taken(net))}
    return export_of(torch_original(_Answers(net)), told, type(net).__name__)


# --- what other stages ask --------------------------------------------------------------


def refusal(net: Any) -> tuple[str, str] | None:
    """A module that takes several tensors gets a dict of them from skorch, which is no table."""
    module = getattr(net, "module_", None)
    if module is None:
        return None
    wanted = [
        each.name
        for each in inspect.signature(module.forward).parameters.values()
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) and each.default is each.empty
    ]
    if len(wanted) < 2:
        return None
    return (
        f"its module takes {len(wanted)} tensors ({', '.join(wanted)}), as a dict, which is no table",
        "Convert the module itself, which has inputs by name: convert(net.module_, inputs={…}); or let it take one "
        "matrix and part its columns.",
    )


def taken(net: Any) -> np.dtype[Any]:
    """As its parameters are."""
    parameters = (each for name in net._modules for each in getattr(net, f"{name}_").parameters())
    double = next((each.dtype == torch.float64 for each in parameters if each.is_floating_point()), False)
    return np.dtype(np.float64 if double else np.float32)


def answered(net: Any, rows: NDArray[Any]) -> NDArray[Any]:
    module = _Answers(net)
    with torch.no_grad():
        parts = [
            module(torch.from_numpy(np.ascontiguousarray(rows[start : start + _ROWS_AT_ONCE]))).cpu().numpy()
            for start in range(0, len(rows), _ROWS_AT_ONCE)
        ]
    return as_rows(np.concatenate(parts))


def versions() -> dict[str, str]:
    return {"skorch": skorch.__version__, "torch": torch.__version__.partition("+")[0]}
