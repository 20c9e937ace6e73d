"""Clusterers that answer new rows, and the nearest class mean: all are nearest centres."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cluster import AffinityPropagation, Birch, BisectingKMeans, KMeans, MeanShift, MiniBatchKMeans
from sklearn.neighbors import NearestCentroid

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.operators.distances import dense, expanded_squares, named_metric, ranks
from edge_infer_convert.operators.numeric import first_largest
from edge_infer_convert.operators.registry import operator


@operator(KMeans, MiniBatchKMeans)
def k_means(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The centre with the smallest |c|² − 2x·c, the first of equal ones; distances to all centres."""
    scores = _centre_scores(builder, reads, model.cluster_centers_)
    return {
        "predict": [builder.node("ArgMin", scores, axis=1, keepdims=0)],
        "transform": [_distances(builder, reads, model.cluster_centers_)],
    }


def _centre_scores(builder: GraphBuilder, reads: str, centres: Any) -> str:
    """|c|² − 2x·c, [rows, centres]: the squared distance without |x|² (`cluster/_k_means_lloyd.pyx`)."""
    centres = dense(centres)
    middle = builder.node("MatMul", reads, builder.constant(-2.0 * centres.T))
    return builder.node("Add", middle, builder.constant(np.sum(centres**2, axis=1)))


def _distances(builder: GraphBuilder, reads: str, centres: Any) -> str:
    return builder.node("Sqrt", expanded_squares(builder, reads, centres))


@operator(BisectingKMeans)
def bisecting_k_means(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Down the tree of halves, to the nearer of two centres each time, the left one of equal ones."""
    answers = {"transform": [_distances(builder, reads, model.cluster_centers_)]}
    parents = _parents(model._bisecting_tree)
    if not parents:
        return answers | {"predict": [_everywhere(builder, reads, model._bisecting_tree.label)]}
    centres = np.vstack([child.center for node in parents for child in (node.left, node.right)])
    scores = _centre_scores(builder, reads, centres + getattr(model, "_X_mean", 0.0))
    places = np.arange(2 * len(parents)).reshape(-1, 2)
    left, right = (builder.node("Gather", scores, builder.constant(side, np.int64), axis=1) for side in places.T)
    goes_right = builder.node("Less", right, left)
    labels: dict[int, str] = {}
    for place in reversed(range(len(parents))):  # children stand behind their parents
        node = parents[place]
        sides = [labels.pop(id(c)) if c.left is not None else _label(builder, c) for c in (node.right, node.left)]
        here = builder.node("Gather", goes_right, builder.constant(place, np.int64), axis=1)
        labels[id(node)] = builder.node("Where", here, *sides)
    return answers | {"predict": [labels[id(parents[0])]]}


def _label(builder: GraphBuilder, leaf: Any) -> str:
    return builder.constant(int(leaf.label), np.int64)


def _parents(node: Any) -> list[Any]:
    """The nodes that have children, each before those below it."""
    found, waiting = [], [node]
    while waiting:
        node = waiting.pop()
        if node.left is not None:
            found.append(node)
            waiting += [node.left, node.right]
    return found


def _everywhere(builder: GraphBuilder, reads: str, label: int) -> str:
    """The same label for every row, int64 [rows]."""
    rows = builder.node("Gather", builder.node("Shape", reads), builder.constant([0], np.int64), axis=0)
    return builder.node("Expand", builder.constant(int(label), np.int64), rows)


@operator(Birch)
def birch(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The label of the nearest subcluster; distances to all subclusters."""
    squares = expanded_squares(builder, reads, model.subcluster_centers_)
    nearest = builder.node("ArgMin", squares, axis=1, keepdims=0)
    labels = builder.constant(model.subcluster_labels_, np.int64)
    return {
        "predict": [builder.node("Gather", labels, nearest, axis=0)],
        "transform": [builder.node("Sqrt", squares)],
    }


@operator(MeanShift, AffinityPropagation)
def nearest_centre(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The nearest centre; −1 everywhere where affinity propagation found none."""
    centres = dense(model.cluster_centers_)
    if not len(centres):
        return {"predict": [_everywhere(builder, reads, -1)]}
    return {"predict": [builder.node("ArgMin", expanded_squares(builder, reads, centres), axis=1, keepdims=0)]}


@operator(NearestCentroid)
def nearest_centroid(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The class whose (shrunken) mean is nearest; scores −d² + 2 log prior on features scaled by their spread.

    Equal priors leave the spread out of `predict`, as scikit-learn 1.9 does.
    """
    scores = _discriminant_scores(builder, model, reads)
    if np.isclose(model.class_prior_, 1 / len(model.classes_)).all():
        metric = named_metric(model.metric, expanded=True)
        ranked = ranks(builder, reads, model.centroids_, metric)
        answers = {"predict": [builder.node("ArgMin", ranked, axis=1, keepdims=0)]}
    else:
        answers = {"predict": [first_largest(builder, scores)]}
    if model.metric != "euclidean":
        return answers
    return answers | {
        "decision_function": [_contrast(builder, model, scores)],
        "predict_proba": [_odds(builder, scores)],
    }


def _discriminant_scores(builder: GraphBuilder, model: Any, reads: str) -> str:
    """Eq. 18.2 of Hastie, Tibshirani, Friedman: The Elements of Statistical Learning, 2nd edition, p. 652."""
    spread = np.where(model.within_class_std_dev_ != 0, model.within_class_std_dev_, 1.0)
    scaled = builder.node("Div", reads, builder.constant(spread))
    ranked = ranks(builder, scaled, model.centroids_ / spread, named_metric(model.metric, expanded=True))
    squares = ranked if model.metric == "euclidean" else builder.node("Mul", ranked, ranked)
    return builder.node("Add", builder.node("Neg", squares), builder.constant(2.0 * np.log(model.class_prior_)))


def _contrast(builder: GraphBuilder, model: Any, scores: str) -> str:
    """Two classes have one score: the second's minus the first's."""
    if len(model.classes_) != 2:
        return scores
    first, second = (builder.node("Gather", scores, builder.constant(i, np.int64), axis=1) for i in (0, 1))
    return builder.node("Sub", second, first)


def _odds(builder: GraphBuilder, scores: str) -> str:
    """exp(log-likelihood − log Σ exp), as the original takes it."""
    axis = builder.constant([1], np.int64)
    relative = builder.node("Sub", scores, builder.node("ReduceMax", scores, axis, keepdims=1))
    whole = builder.node("Log", builder.node("ReduceSum", builder.node("Exp", relative), axis, keepdims=1))
    return builder.node("Exp", builder.node("Sub", relative, whole))
