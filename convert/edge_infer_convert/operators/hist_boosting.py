"""HistGradientBoosting, node by node from its predictors, in float64 by the TreeEnsemble operator of ai.onnx.ml 5.

It compares float64 features with float64 thresholds, so that float32 nodes decide as it does only for features
that are exact in float32; the gate finds out. (skl2onnx 1.20 cannot convert it beside protobuf 7.)
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from edge_infer_convert.graph.builder import ML, GraphBuilder
from edge_infer_convert.operators.numeric import sigmoid
from edge_infer_convert.operators.registry import operator
from edge_infer_convert.operators.trees import float32_not_above

_SUM: Final = 1  # TreeEnsemble's aggregate_function
_LEQ: Final = 0  # … and nodes_modes
_LOG_LINKS: Final = ("poisson", "gamma")


def _numeric_only(model: Any) -> bool:
    return getattr(model, "is_categorical_", None) is None


@operator(HistGradientBoostingRegressor, when=_numeric_only)
def hist_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The sum of the trees, through exp for the losses with a log link."""
    raw = _raw(builder, model, reads)
    return {"predict": [builder.node("Exp", raw) if model.loss in _LOG_LINKS else raw]}


@operator(HistGradientBoostingClassifier, when=_numeric_only)
def hist_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Two classes: the sigmoid of one sum; more: the softmax of a sum for each."""
    raw = _raw(builder, model, reads)
    if len(model.classes_) == 2:
        positive = sigmoid(builder, raw)
        probabilities = builder.node("Concat", builder.node("Sub", builder.constant(1.0), positive), positive, axis=1)
        scores = builder.node("Reshape", raw, builder.constant([-1], np.int64))
    else:
        probabilities, scores = builder.node("Softmax", raw, axis=1), raw
    positions = builder.node("ArgMax", probabilities, axis=1, keepdims=0)
    return {"predict": [positions], "predict_proba": [probabilities], "decision_function": [scores]}


def _raw(builder: GraphBuilder, model: Any, reads: str) -> str:
    """Baseline and leaves summed, shape (rows, trees of one iteration)."""
    builder.opsets[ML] = max(builder.opsets.get(ML, 0), 5)
    total = builder.node("TreeEnsemble", reads, domain=ML, **_ensemble(model, builder.dtype))
    return builder.node("Add", total, builder.constant(np.ravel(model._baseline_prediction)))


def _ensemble(model: Any, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Attributes of TreeEnsemble; see https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html"""
    parts: list[dict[str, NDArray[Any]]] = []
    roots, nodes, leaves = [], 0, 0
    for iteration in model._predictors:
        for target, predictor in enumerate(iteration):
            roots.append(nodes)
            parts.append(_tree(predictor.nodes, target, nodes, leaves))
            nodes += len(parts[-1]["nodes_featureids"])
            leaves += len(parts[-1]["leaf_targetids"])
    merged = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    splits, weights = merged.pop("splits"), merged.pop("weights")
    splits = float32_not_above(splits) if dtype == np.float32 else splits
    return {
        **{key: values.tolist() for key, values in merged.items()},
        "nodes_splits": numpy_helper.from_array(splits.astype(dtype)),
        "nodes_modes": numpy_helper.from_array(np.full(nodes, _LEQ, np.uint8)),
        "leaf_weights": numpy_helper.from_array(weights.astype(dtype)),
        "tree_roots": roots,
        "n_targets": len(model._predictors[0]),
        "aggregate_function": _SUM,
        "post_transform": 0,
    }


def _tree(nodes: NDArray[Any], target: int, first_node: int, first_leaf: int) -> dict[str, NDArray[Any]]:
    """One tree; TreeEnsemble numbers branches and leaves apart. A lone leaf becomes a branch to it on both sides."""
    leaf = nodes["is_leaf"].astype(bool)
    place = np.where(leaf, first_leaf + np.cumsum(leaf) - 1, first_node + np.cumsum(~leaf) - 1)
    branches = nodes[~leaf] if not leaf.all() else nodes[:1]
    left = branches["left"].astype(np.int64) if not leaf.all() else np.zeros(1, np.int64)
    right = branches["right"].astype(np.int64) if not leaf.all() else np.zeros(1, np.int64)
    return {
        "nodes_featureids": branches["feature_idx"].astype(np.int64),
        "splits": branches["num_threshold"].astype(np.float64),
        "nodes_truenodeids": place[left],
        "nodes_falsenodeids": place[right],
        "nodes_trueleafs": leaf[left].astype(np.int64),
        "nodes_falseleafs": leaf[right].astype(np.int64),
        "nodes_missing_value_tracks_true": branches["missing_go_to_left"].astype(np.int64),
        "leaf_targetids": np.full(int(leaf.sum()), target),
        "weights": nodes["value"][leaf].astype(np.float64),
    }
