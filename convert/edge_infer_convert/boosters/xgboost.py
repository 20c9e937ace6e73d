"""XGBoost, read from the model's own JSON.

It casts features to float32, compares x < t in float32, and adds float32 leaves in the order of the trees: so do the
nodes written here, whatever the precision around them.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.boosters.adapter import FittedBooster
from edge_infer_convert.boosters.codes import CategoryCodes, whole_codes
from edge_infer_convert.boosters.reading import read_once
from edge_infer_convert.boosters.ubjson import check_whole
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import first_largest, flat, two_columns
from edge_infer_convert.operators.registry import operator
from edge_infer_convert.operators.tree_ensemble import (
    LEAF,
    LT,
    MEMBER,
    Trees,
    casted,
    computing_in,
    joined,
    tree_sums,
    vector_sums,
)

__all__ = ["XGBoostBooster", "category_codes", "split_points"]

_LOGISTIC: Final = ("binary:logistic", "reg:logistic")
_EXPONENTIAL: Final = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
_IDENTITY: Final = (
    "reg:squarederror",
    "reg:linear",
    "reg:squaredlogerror",
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "reg:quantileerror",
    "reg:expectileerror",
    "binary:logitraw",
    "rank:pairwise",
    "rank:ndcg",
    "rank:map",
)
_CATEGORY: Final = "c"  # a feature's type
#: What is read of a tree, by what it holds.
_PER_NODE: Final = (
    "left_children",
    "right_children",
    "split_indices",
    "split_type",
    "split_conditions",
    "default_left",
)
_WHOLE: Final = (*_PER_NODE[:4], "categories", "categories_nodes", "categories_segments", "categories_sizes")
_REAL: Final = ("split_conditions", "leaf_weights")
_FLAGS: Final = ("default_left",)


class XGBoostBooster(FittedBooster, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """An `xgboost.Booster` as a fitted estimator: `predict` gives what Booster.predict gives for all its trees."""

    def __init__(self, booster: xgboost.Booster) -> None:
        self.booster = booster
        self.n_features_in_ = int(booster.num_features())
        self.name_features(booster.feature_names)

    def predict(self, X: Any) -> Any:
        """The predictions of rows given as a DataFrame or an array."""
        kinds = None if hasattr(X, "dtypes") else self.booster.feature_types
        names = getattr(self, "feature_names_in_", None)
        data = xgboost.DMatrix(
            X,
            feature_types=kinds,
            feature_names=None if names is None else list(names),
            enable_categorical=True,
            nthread=1,
        )
        return self.booster.predict(data)


class _Model(NamedTuple):
    """`start`: the margin of each output before the first tree. `vectors`: leaves with a value for each output."""

    trees: Trees
    vectors: NDArray[np.float32] | None
    weights: NDArray[np.float32] | None  # of gblinear, [features + 1, outputs]
    start: NDArray[np.float32]
    objective: str
    coded: NDArray[np.bool_]  # by feature: compared as a category


@operator(xgboost.XGBRegressor, xgboost.XGBRFRegressor, xgboost.XGBRanker)
def xgboost_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The link of the margin."""
    with computing_in(builder, "float32"):
        answer = _values(builder, _read_estimator(model), _features(builder, model, reads))[0]
    return {"predict": [casted(builder, answer)]}


@operator(XGBoostBooster)
def xgboost_booster(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The same of the whole booster; class positions as numbers for multi:softmax."""
    with computing_in(builder, "float32"):
        answer = _values(builder, _read(model.booster, None), casted(builder, reads))[0]
    return {"predict": [casted(builder, answer)]}


@operator(xgboost.XGBClassifier, xgboost.XGBRFClassifier)
def xgboost_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """By XGBClassifier.predict: more than two classes, the largest; else, and for several labels, above one half."""
    with computing_in(builder, "float32"):
        read = _read_estimator(model)
        values, margin = _values(builder, read, _features(builder, model, reads))
        half = builder.constant(0.5)
        if read.objective == "multi:softmax":
            probabilities, positions = builder.node("Softmax", margin, axis=1), _whole(builder, flat(builder, values))
        elif len(read.start) == 1:
            probabilities = two_columns(builder, values)
            positions = _whole(builder, builder.node("Greater", flat(builder, values), half))
        elif model.n_classes_ != 2:
            probabilities, positions = values, first_largest(builder, values)
        else:
            probabilities, positions = values, builder.node("Greater", values, half)
    if len(read.start) > 1 and model.n_classes_ == 2 and read.objective != "multi:softmax":
        positions = casted(builder, positions)  # a column of numbers for each label
    return {"predict": [positions], "predict_proba": [casted(builder, probabilities)]}


def _whole(builder: GraphBuilder, x: str) -> str:
    from onnx import TensorProto

    return builder.node("Cast", x, to=TensorProto.INT64)


def _features(builder: GraphBuilder, model: Any, reads: str) -> str:
    """Float32 rows in which the value that stands for a missing one is NaN."""
    x = casted(builder, reads)
    if model.missing is None or np.isnan(model.missing):
        return x
    absent = builder.node("Equal", x, builder.constant(model.missing))
    return builder.node("Where", absent, builder.constant(np.nan), x)


def _values(builder: GraphBuilder, model: _Model, x: str) -> tuple[str, str]:
    """What Booster.predict gives, [rows, outputs], and the margin behind it."""
    margin = _margin(builder, model, x)
    name = model.objective
    if name in _LOGISTIC:
        return _sigmoid(builder, margin), margin
    if name in _EXPONENTIAL:
        return builder.node("Exp", margin), margin
    if name == "multi:softprob":
        return builder.node("Softmax", margin, axis=1), margin
    if name == "multi:softmax":
        return casted(builder, first_largest(builder, margin)), margin
    if name == "binary:hinge":
        return casted(builder, builder.node("Greater", margin, builder.constant(0.0))), margin
    if name in _IDENTITY:
        return margin, margin
    raise UnsupportedModelError(f"the objective {name!r} is not known to the converter; use a built-in one of XGBoost")


def _sigmoid(builder: GraphBuilder, x: str) -> str:
    """1 / (1 + e⁻ˣ) with XGBoost's cut at e^88.7 (src/common/math.h)."""
    cut = builder.node("Min", builder.node("Neg", x), builder.constant(88.7))
    one = builder.constant(1.0)
    return builder.node("Div", one, builder.node("Add", builder.node("Exp", cut), one))


def _margin(builder: GraphBuilder, model: _Model, x: str) -> str:
    if model.weights is not None:
        present = builder.node("Where", builder.node("IsNaN", x), builder.constant(0.0), x)
        total = builder.node("MatMul", present, builder.constant(model.weights[:-1]))
        return builder.node("Add", total, builder.constant(model.weights[-1] + model.start))
    x = whole_codes(builder, x, model.coded, toward_zero=False)
    if model.vectors is not None:
        return vector_sums(builder, model.trees, model.vectors, x, model.start)
    return tree_sums(builder, model.trees, x, len(model.start), model.start)


# --- reading ----------------------------------------------------------------------------


def _read_estimator(model: Any) -> _Model:
    try:
        rounds = int(model.best_iteration) + 1
    except AttributeError:  # no early stopping
        rounds = None
    return _read(model.get_booster(), rounds)


def _learner(booster: xgboost.Booster) -> dict[str, Any]:
    learner: dict[str, Any] = json.loads(booster.save_raw("json"), object_hook=_compact)["learner"]
    return learner


def _compact(read: dict[str, Any]) -> dict[str, Any]:
    """A tree's lists as arrays, as soon as it is read: thousands of trees as lists of Python's numbers take much."""
    if "left_children" not in read:
        return read
    kinds = ((_WHOLE, np.int64), (_FLAGS, bool), (_REAL, np.float32))
    arrays = {key: np.asarray(read[key], kind) for keys, kind in kinds for key in keys if key in read}
    return {"tree_param": read["tree_param"], **arrays}


@read_once
def _read(booster: xgboost.Booster, rounds: int | None) -> _Model:
    """The first `rounds` iterations of a booster; all where that is None."""
    learner = _learner(booster)
    objective = learner["objective"]["name"]
    params = learner["learner_model_param"]
    outputs = max(int(params["num_class"]), int(params.get("num_target", 1)), 1)
    base = np.asarray(json.loads(params["base_score"]), np.float32)
    start = np.broadcast_to(_margin_of(objective, base), outputs).astype(np.float32)
    coded = np.zeros(int(params["num_feature"]), bool)
    kind = learner["gradient_booster"]
    if kind["name"] == "gblinear":
        weights = np.asarray(kind["model"]["weights"], np.float32).reshape(-1, outputs)
        alike = np.full(outputs, start[0])  # XGBoost 3.2 starts each output of gblinear with the first base score
        return _Model(_no_trees(), None, weights, alike, objective, coded)
    dropped = kind.get("weight_drop")
    model = (kind["gbtree"] if kind["name"] == "dart" else kind)["model"]
    count = len(model["trees"]) if rounds is None else model["iteration_indptr"][rounds]
    parts = [_tree(tree, group) for tree, group in zip(model["trees"][:count], model["tree_info"], strict=False)]
    vectors = [part[1] for part in parts if part[1] is not None]
    trees = joined([part[0] for part in parts]) if parts else _no_trees()
    if dropped is not None:
        trees = _weighted(trees, np.asarray(dropped[:count], np.float32))
    coded[trees.feature[trees.mode == MEMBER]] = True
    return _Model(trees, np.concatenate(vectors) if vectors else None, None, start, objective, coded)


def _margin_of(objective: str, base: NDArray[np.float32]) -> NDArray[np.float32]:
    """ProbToMargin of the objective, in float32 as there."""
    if objective in _LOGISTIC:
        return np.asarray(-np.log(np.float32(1) / base - np.float32(1)), np.float32)
    return np.log(base) if objective in _EXPONENTIAL else base


def _weighted(trees: Trees, weights: NDArray[np.float32]) -> Trees:
    """DART multiplies each leaf by its tree's weight, in float32."""
    tree = np.searchsorted(trees.roots, np.arange(len(trees.mode)), side="right") - 1
    values = trees.value.astype(np.float32) * weights[tree]
    return trees._replace(value=values.astype(np.float64))


def _no_trees() -> Trees:
    none = np.zeros(0, np.int64)
    empty = np.zeros(0)
    return Trees(none, none, none.astype(np.uint8), empty, none, none, none.astype(bool), none, empty)


def _tree(tree: dict[str, Any], group: int) -> tuple[Trees, NDArray[np.float32] | None]:
    """One tree, and its leaves' vectors where a leaf has several values."""
    tree = _alive(tree)
    left, right = tree["left_children"], tree["right_children"]
    leaf = left == -1
    numbers = tree["split_conditions"].astype(np.float64)
    coded = (tree["split_type"] == 1) & ~leaf
    mode = np.where(leaf, LEAF, np.where(coded, MEMBER, LT)).astype(np.uint8)
    default_left = tree["default_left"]
    width = int(tree["tree_param"]["size_leaf_vector"])
    vectors = None
    if width > 1:
        vectors = tree["leaf_weights"].reshape(-1, width)[right[leaf]]
    none = np.zeros(len(leaf), np.int64)
    trees = Trees(
        roots=np.zeros(1, np.int64),
        feature=np.where(leaf, 0, tree["split_indices"]),
        mode=mode,
        threshold=np.where(leaf | coded, 0.0, numbers),
        yes=np.where(leaf, 0, np.where(coded, right, left)),  # the chosen categories go right
        no=np.where(leaf, 0, np.where(coded, left, right)),
        missing_yes=np.where(coded, ~default_left, default_left) & ~leaf,
        target=none + group,
        value=np.where(leaf, numbers, 0.0) if vectors is None else none.astype(np.float64),
        members=_members(tree),
    )
    return trees, vectors


def _members(tree: dict[str, Any]) -> tuple[NDArray[np.float64], ...]:
    codes = tree["categories"].astype(np.float64)
    starts, sizes = tree["categories_segments"], tree["categories_sizes"]
    order = np.argsort(tree["categories_nodes"], kind="stable")
    return tuple(codes[starts[i] : starts[i] + sizes[i]] for i in order.tolist())


def _alive(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree without the nodes that pruning has left behind; later numbers move up."""
    if not int(tree["tree_param"]["num_deleted"]):
        return tree
    left, right = tree["left_children"], tree["right_children"]
    keep, ahead = [], [0]
    while ahead:
        node = ahead.pop()
        keep.append(node)
        ahead += [] if left[node] == -1 else [int(left[node]), int(right[node])]
    keep.sort()
    place = np.full(len(left), -1)
    place[keep] = np.arange(len(keep))
    alive = {key: tree[key][keep] for key in _PER_NODE}
    inner = alive["left_children"] != -1  # a leaf's right child is its place among the vectors
    for key in ("left_children", "right_children"):
        alive[key] = np.where(inner, place[alive[key]], alive[key])
    return {**tree, **alive, "categories_nodes": place[tree["categories_nodes"]]}


# --- what other stages ask --------------------------------------------------------------


def category_codes(model: Any) -> CategoryCodes | None:
    """The categories of columns that came as pandas categories, by code.

    XGBoost refuses unseen ones; 3.2 takes some unseen texts for known ones ("nope", where "w", "x", "zz" are known).
    """
    booster = model.booster if isinstance(model, XGBoostBooster) else model.get_booster()
    if _CATEGORY not in (booster.feature_types or ()):
        return None
    learner = _learner(booster)
    gradient = learner["gradient_booster"]
    inner = (gradient.get("gbtree") or gradient)["model"]
    encoded = inner.get("cats", {}).get("enc", [])
    known = {i: _category_values(own) for i, own in enumerate(encoded) if own.get("values")}
    return CategoryCodes(known, refuses_unknown=True) if known else None


def _category_values(encoded: dict[str, Any]) -> list[Any]:
    if "offsets" not in encoded:
        return list(encoded["values"])
    if min(encoded["values"]) < 0:
        raise UnsupportedModelError(
            "a category has letters beyond ASCII, and XGBoost cuts such texts short when it keeps them, so that they "
            "cannot be found again; give it categories in ASCII or whole numbers"
        )
    text, ends = bytes(encoded["values"]), encoded["offsets"]
    return [text[start:end].decode() for start, end in itertools.pairwise(ends)]


def split_points(model: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Feature and threshold of every numeric split."""
    read = _read(model.booster, None) if isinstance(model, XGBoostBooster) else _read_estimator(model)
    numeric = read.trees.mode == LT
    return read.trees.feature[numeric], read.trees.threshold[numeric]


def from_file(path: Path) -> XGBoostBooster:
    """The booster in a .json or .ubj file."""
    if path.suffix.lower() == ".ubj":
        check_whole(path.read_bytes())
    return XGBoostBooster(xgboost.Booster(model_file=str(path)))
