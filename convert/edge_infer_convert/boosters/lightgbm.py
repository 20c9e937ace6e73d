"""LightGBM, read from its model text (https://github.com/microsoft/LightGBM, src/io/tree.cpp writes it).

It compares float64 features with float64 thresholds (x ≤ t) and adds float64 leaves; so do the nodes written here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.boosters.adapter import FittedBooster
from edge_infer_convert.boosters.codes import CategoryCodes, whole_codes
from edge_infer_convert.boosters.reading import read_once
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.numeric import first_largest, flat, log1p, sigmoid, two_columns
from edge_infer_convert.operators.registry import operator
from edge_infer_convert.operators.tree_ensemble import (
    LEAF,
    LEQ,
    MEMBER,
    Trees,
    casted,
    computing_in,
    joined,
    leaf_numbers,
    tree_sums,
)

__all__ = ["LightGBMBooster", "category_codes", "from_file", "split_points"]

_ZERO: Final = float(np.float32(1e-35))  # kZeroThreshold: values this near to 0 count as 0
_MISSING_NONE, _MISSING_ZERO = 0, 1  # else NaN is the missing value
_EXPONENTIAL: Final = ("poisson", "gamma", "tweedie")
_IDENTITY: Final = (
    "",
    "custom",
    "regression",
    "regression_l1",
    "huber",
    "fair",
    "quantile",
    "mape",
    "lambdarank",
    "rank_xendcg",
)


class LightGBMBooster(FittedBooster, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A `lightgbm.Booster` as a fitted estimator: `predict` gives what Booster.predict gives (the best iteration)."""

    def __init__(self, booster: lightgbm.Booster) -> None:
        self.booster = booster
        self.n_features_in_ = int(booster.num_feature())
        names = list(booster.feature_name())
        unnamed = names == [f"Column_{i}" for i in range(len(names))]
        self.name_features(None if unnamed else names)

    def predict(self, X: Any) -> Any:
        """The predictions of rows given as a DataFrame or an array."""
        return self.booster.predict(X, num_threads=1)


class _Linear(NamedTuple):
    """The linear models of the leaves, in the order of leaf nodes: constant + Σ weights · x, or `value` at a NaN."""

    constant: NDArray[np.float64]
    weights: NDArray[np.float64]  # [leaves, features]
    reads: NDArray[np.bool_]  # [leaves, features]


class _Model(NamedTuple):
    trees: Trees
    linear: _Linear | None
    outputs: int
    objective: list[str]  # its name, then parameters such as sigmoid:1
    averaged_over: int  # iterations; 1 for sums
    zero_missing: NDArray[np.bool_]  # by feature
    coded: NDArray[np.bool_]  # by feature


@operator(lightgbm.LGBMRegressor, lightgbm.LGBMRanker)
def lightgbm_regressor(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The link of the sums."""
    return {"predict": [_predicted(builder, model.booster_, reads)]}


@operator(LightGBMBooster)
def lightgbm_booster(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The same of a raw booster."""
    return {"predict": [_predicted(builder, model.booster, reads)]}


@operator(lightgbm.LGBMClassifier)
def lightgbm_classifier(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The first largest probability; decision_function (of LightGBM 4.7) is the sum before the link."""
    if callable(model.objective_):
        raise UnsupportedModelError(
            "a classifier with an objective of your own has no probabilities; use a built-in objective, "
            "or convert its booster_, which gives raw scores"
        )
    with computing_in(builder, "float64"):
        read = _read(model.booster_)
        raw = _raw(builder, read, casted(builder, reads))
        values = _linked(builder, read, raw)
        probabilities = values if read.outputs > 1 else two_columns(builder, values)
        positions = first_largest(builder, probabilities)
        scores = raw if read.outputs > 1 else flat(builder, raw)
    return {
        "predict": [positions],
        "predict_proba": [casted(builder, probabilities)],
        "decision_function": [casted(builder, scores)],
    }


def _predicted(builder: GraphBuilder, booster: lightgbm.Booster, reads: str) -> str:
    with computing_in(builder, "float64"):
        read = _read(booster)
        answer = _linked(builder, read, _raw(builder, read, casted(builder, reads)))
    return casted(builder, answer)


def _raw(builder: GraphBuilder, model: _Model, x: str) -> str:
    """Sums of the leaves [rows, outputs]."""
    ready = _with_missing(builder, model, whole_codes(builder, x, model.coded, toward_zero=True))
    if model.linear is not None:
        return _linear_sums(builder, model, ready, x)
    return tree_sums(builder, model.trees, ready, model.outputs)


def _with_missing(builder: GraphBuilder, model: _Model, x: str) -> str:
    """Zero becomes NaN in the features where zero means missing."""
    if not model.zero_missing.any():
        return x
    small = builder.node("LessOrEqual", builder.node("Abs", x), builder.constant(_ZERO))
    absent = builder.node("And", small, builder.constant(model.zero_missing, np.bool_))
    return builder.node("Where", absent, builder.constant(np.nan), x)


def _linear_sums(builder: GraphBuilder, model: _Model, ready: str, x: str) -> str:
    """Each tree's leaf says which linear model of the raw features holds. [rows, outputs]"""
    assert model.linear is not None
    leaf = leaf_numbers(builder, model.trees, ready)  # [rows, trees]
    zero, one = builder.constant(0.0), builder.constant(1.0)
    last, middle = builder.constant([2], np.int64), builder.constant([1], np.int64)

    def picked(table: NDArray[Any]) -> str:
        return builder.node("Gather", builder.constant(table, table.dtype), leaf, axis=0)

    features = builder.node("Unsqueeze", x, middle)
    reads = picked(model.linear.reads)  # [rows, trees, features]
    products = builder.node("Where", reads, builder.node("Mul", picked(model.linear.weights), features), zero)
    line = builder.node("Add", picked(model.linear.constant), builder.node("ReduceSum", products, last, keepdims=0))
    gaps = builder.node("Where", builder.node("And", reads, builder.node("IsNaN", features)), one, zero)
    broken = builder.node("Greater", builder.node("ReduceSum", gaps, last, keepdims=0), zero)
    own = model.trees.value[model.trees.mode == LEAF]
    values = builder.node("Where", broken, picked(own), line)
    shape = builder.constant([0, -1, model.outputs], np.int64)  # iterations, then the trees of one
    return builder.node("ReduceSum", builder.node("Reshape", values, shape), middle, keepdims=0)


def _linked(builder: GraphBuilder, model: _Model, raw: str) -> str:
    """ConvertOutput of the objective (src/objective/*.hpp)."""
    name, params = model.objective[0], model.objective[1:]
    if model.averaged_over > 1:  # random forests
        raw = builder.node("Div", raw, builder.constant(float(model.averaged_over)))
    if name == "regression" and "sqrt" in params:
        return builder.node("Mul", builder.node("Sign", raw), builder.node("Mul", raw, raw))
    if name in _EXPONENTIAL:
        return builder.node("Exp", raw)
    if name in ("binary", "multiclassova"):
        return sigmoid(builder, builder.node("Mul", raw, builder.constant(_parameter(params, "sigmoid"))))
    if name == "cross_entropy":
        return sigmoid(builder, raw)
    if name == "cross_entropy_lambda":
        return log1p(builder, builder.node("Exp", raw))
    if name == "multiclass":
        return builder.node("Softmax", raw, axis=1)
    if name in _IDENTITY:
        return raw
    raise UnsupportedModelError(f"the objective {name!r} is not known to the converter; use a built-in one of LightGBM")


def _parameter(params: list[str], name: str) -> float:
    values = dict(part.split(":", 1) for part in params if ":" in part)
    return float(values.get(name, 1.0))


# --- reading ----------------------------------------------------------------------------


def _sections(booster: lightgbm.Booster) -> list[dict[str, str]]:
    """The header of the model text and its trees, as key → text."""
    body = booster.model_to_string().partition("\nend of trees")[0]
    header, *trees = body.split("\nTree=")
    return [_keys(part) for part in (header, *trees)]


def _keys(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {key: value for key, _, value in pairs}


@read_once
def _read(booster: lightgbm.Booster) -> _Model:
    header, *sections = _sections(booster)
    outputs = int(header["num_tree_per_iteration"])
    features = int(header["max_feature_idx"]) + 1
    parts = [_tree(own, number % outputs) for number, own in enumerate(sections)]
    trees = joined([part[0] for part in parts])
    linear = None
    if any(own.get("is_linear") == "1" for own in sections):
        linear = _joined_linear([_leaf_models(own, features) for own in sections])
    kinds = np.concatenate([part[1] for part in parts])  # missing type by node
    numeric = trees.mode == LEQ
    zero = np.zeros(features, bool)
    zero[trees.feature[numeric & (kinds == _MISSING_ZERO)]] = True
    if (numeric & zero[trees.feature] & (kinds != _MISSING_ZERO)).any():
        raise UnsupportedModelError(
            "zero means missing in some trees and not in others (training continued with another zero_as_missing); "
            "train all of them with one setting"
        )
    coded = np.zeros(features, bool)
    coded[trees.feature[trees.mode == MEMBER]] = True
    averaged = len(sections) // outputs if "average_output" in header else 1
    return _Model(trees, linear, outputs, header.get("objective", "").split(" "), averaged, zero, coded)


def _numbers(text: str, dtype: Any) -> NDArray[Any]:
    return np.array(text.split(), dtype=dtype)


def _tree(own: dict[str, str], target: int) -> tuple[Trees, NDArray[np.int64]]:
    """Inner nodes first, then leaves; and the kind of missing value of each node."""
    value = _numbers(own["leaf_value"], np.float64)
    inner = int(own["num_leaves"]) - 1
    value, leaves = value[: inner + 1], inner + 1
    read = {key: own[key] if inner else "" for key in ("split_feature", "threshold", "decision_type")}
    decision = _numbers(read["decision_type"], np.int64)
    threshold = _numbers(read["threshold"], np.float64)
    left, right = (_numbers(own[key] if inner else "", np.int64) for key in ("left_child", "right_child"))
    coded, kind = decision & 1 == 1, (decision >> 2) & 3
    default_left = np.where(kind == _MISSING_NONE, threshold >= 0, decision & 2 == 2)  # without a kind, NaN is 0

    def padded(values: NDArray[Any], fill: Any = 0) -> NDArray[Any]:
        return np.concatenate([values, np.full(leaves, fill, values.dtype)])

    trees = Trees(
        roots=np.zeros(1, np.int64),
        feature=padded(_numbers(read["split_feature"], np.int64)),
        mode=padded(np.where(coded, MEMBER, LEQ).astype(np.uint8), LEAF),
        threshold=padded(np.where(coded, 0.0, _around_zero(threshold))),
        yes=padded(np.where(left < 0, inner + ~left, left)),
        no=padded(np.where(right < 0, inner + ~right, right)),
        missing_yes=padded(default_left & ~coded),
        target=np.full(inner + leaves, target),
        value=np.concatenate([np.zeros(inner), value]),
        members=_members(own, threshold[coded].astype(np.int64)),
    )
    return trees, padded(kind)


def _around_zero(threshold: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values within ±_ZERO are read as 0, so that a threshold among them stands at an end of that interval."""
    below = np.where((threshold >= -_ZERO) & (threshold < 0), np.nextafter(-_ZERO, -np.inf), threshold)
    return np.where((threshold >= 0) & (threshold <= _ZERO), _ZERO, below)


def _members(own: dict[str, str], sets: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
    """The set bits of each categorical node's bitset."""
    if not len(sets):
        return ()
    ends = _numbers(own["cat_boundaries"], np.int64)
    words = _numbers(own["cat_threshold"], np.uint32)
    bits = [np.unpackbits(words[ends[i] : ends[i + 1]].view(np.uint8), bitorder="little") for i in sets.tolist()]
    return tuple(np.flatnonzero(own_bits).astype(np.float64) for own_bits in bits)


def _leaf_models(own: dict[str, str], features: int) -> _Linear:
    """Of a tree without linear leaves: its constants."""
    leaves = int(own["num_leaves"])
    weights = np.zeros((leaves, features))
    reads = np.zeros((leaves, features), bool)
    if own.get("is_linear") != "1":
        return _Linear(_numbers(own["leaf_value"], np.float64)[:leaves], weights, reads)
    counts = _numbers(own["num_features"], np.int64)
    leaf = np.repeat(np.arange(leaves), counts)
    columns = _numbers(own["leaf_features"], np.int64)
    np.add.at(weights, (leaf, columns), _numbers(own["leaf_coeff"], np.float64))
    reads[leaf, columns] = True
    return _Linear(_numbers(own["leaf_const"], np.float64), weights, reads)


def _joined_linear(parts: list[_Linear]) -> _Linear:
    return _Linear(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


# --- what other stages ask --------------------------------------------------------------


def _booster(model: Any) -> lightgbm.Booster:
    return model.booster if isinstance(model, LightGBMBooster) else model.booster_


def category_codes(model: Any) -> CategoryCodes | None:
    """pandas categories by column. The model keeps them in the columns' order, without saying which columns."""
    booster = _booster(model)
    known = booster.pandas_categorical
    if not known:
        return None
    infos = _sections(booster)[0]["feature_infos"].split(" ")
    coded = [i for i, info in enumerate(infos) if info != "none" and not info.startswith("[")]
    maybe = [i for i, info in enumerate(infos) if not info.startswith("[")]
    columns = next((own for own in (coded, maybe) if len(own) == len(known)), None)
    if columns is None:
        raise UnsupportedModelError(
            f"{len(known)} columns were pandas categories, but {len(coded)} features are categorical: which is which "
            "is not in the model; give all categorical columns as pandas categories, without categorical_feature"
        )
    return CategoryCodes(dict(zip(columns, known, strict=True)))


def split_points(model: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Feature and threshold of every numeric split."""
    trees = _read(_booster(model)).trees
    numeric = trees.mode == LEQ
    return trees.feature[numeric], trees.threshold[numeric]


def from_file(path: Any) -> LightGBMBooster:
    """The booster in a model text file.

    Raises:
        ValueError: the text is none of LightGBM's, or not whole: LightGBM itself ends the process there.
    """
    text = Path(path).read_bytes().decode()
    if not text.startswith("tree\n"):
        raise ValueError("expected a first line 'tree', as in the model text that save_model writes")
    header = text.partition("\nTree=")[0].partition("\nend of trees")[0]  # it may have no tree at all
    at = len(header) + 1
    for number, size in enumerate(_keys(header).get("tree_sizes", "").split()):
        if not text.startswith(f"Tree={number}\n", at):
            raise ValueError(f"tree {number} is not where the header says: the text was cut or edited")
        at += int(size)
    if not text.startswith("end of trees", at):
        raise ValueError("the text ends before its last tree does: it was cut or edited")
    if "\nparameters:\n" in text[at:] and "\nend of parameters\n" not in text[at:]:
        raise ValueError("the text ends within its parameters: it was cut")
    return LightGBMBooster(lightgbm.Booster(model_str=text))
