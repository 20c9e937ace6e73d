"""Graphs simplified before they are compared."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper

import edge_infer
from edge_infer.errors import MissingExtraError, UnsupportedModelError, UsageError
from edge_infer_convert import convert
from edge_infer_convert.deep import simplifying
from edge_infer_convert.deep.simplifying import simplified
from tests.deep.graphs import FLOAT, convnet, model_of, reference, value

POINTS = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)


def roundabout() -> ModelProto:
    """Twice a point [N, 3] plus one, by constants that are computed and steps that do nothing."""
    nodes = [
        helper.make_node("Identity", ["x"], ["same"]),
        helper.make_node("Add", ["one", "one"], ["two"]),
        helper.make_node("Mul", ["same", "two"], ["doubled"]),
        helper.make_node("Reshape", ["doubled", "shape"], ["as before"]),
        helper.make_node("Add", ["as before", "one"], ["y"]),
    ]
    weights = {"one": np.ones(1, np.float32), "shape": np.array([-1, 3])}
    return model_of(nodes, [value("x", FLOAT, ["N", 3])], [value("y", FLOAT, ["N", 3])], weights)


def test_fewer_nodes_give_the_same_answers() -> None:
    pytest.importorskip("onnxslim", reason="onnxslim is not installed: the extra simplify brings it")
    plain, slim = (convert(roundabout(), name="x", simplify=choice) for choice in (False, True))
    nodes = [edge_infer.load(made.data).artifact.facts.nodes for made in (plain, slim)]
    assert nodes[1] < nodes[0] == 5
    wanted = reference(roundabout(), {"x": POINTS})["y"]
    np.testing.assert_allclose(edge_infer.load(slim.data).run({"x": POINTS})["y"], wanted, rtol=1e-6)


def test_the_callers_model_stays() -> None:
    pytest.importorskip("onnxslim", reason="onnxslim is not installed: the extra simplify brings it")
    model, copy = roundabout(), roundabout()
    simplified(model)
    assert model == copy


def test_without_onnxslim_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxslim", None)
    with pytest.raises(MissingExtraError, match=r"edge-infer\[simplify\]"):
        convert(convnet(), name="net", simplify=True)
    assert convert(convnet(), name="net").size


def test_a_graph_that_it_cannot_simplify_is_told() -> None:
    pytest.importorskip("onnxslim", reason="onnxslim is not installed: the extra simplify brings it")
    model = convnet()
    model.graph.node[1].input[0] = "nothing"
    with pytest.raises(UnsupportedModelError, match="Convert it without --simplify"):
        simplified(model)


def test_estimators_are_not_simplified() -> None:
    from sklearn.linear_model import LinearRegression

    fitted: Any = LinearRegression().fit(POINTS, POINTS[:, 0])
    with pytest.raises(UsageError, match="simplify: for deep models"):
        convert(fitted, data=POINTS, name="x", simplify=True)
    assert simplifying.__all__ == ["simplified"]
