"""Releases of onnxruntime: what a graph needs, and that a target is kept to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from packaging.version import Version
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

import edge_infer
from edge_infer.errors import UnsupportedModelError, UsageError
from edge_infer_convert import convert
from edge_infer_convert.targets import Target, oldest_release, operators_of
from tests.deep.graphs import FLOAT, convnet, model_of, reference, value

RNG = np.random.default_rng(0)


def relu(opset: int = 18, ir: int = 8, op: str = "Relu", domain: str = "") -> Any:
    node = helper.make_node(op, ["x"], ["y"], domain=domain)
    return model_of([node], [value("x", FLOAT, ["N", 3])], [value("y", FLOAT, ["N", 3])], {}, opset, ir)


@pytest.mark.parametrize(
    ("opset", "ir", "release"),
    [(18, 8, "1.16"), (19, 9, "1.16"), (20, 9, "1.17"), (21, 9, "1.18"), (18, 10, "1.18"), (22, 8, "1.21"),
     (23, 11, "1.23")],
)  # fmt: skip
def test_the_oldest_release_that_runs_a_graph(opset: int, ir: int, release: str) -> None:
    assert oldest_release(relu(opset, ir)) == release


def test_operators_that_came_after_their_opset_count() -> None:
    model = relu()
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.graph.node[0].domain, model.graph.node[0].op_type = "com.microsoft", "GroupQueryAttention"
    assert oldest_release(model) == "1.18"
    with pytest.raises(UnsupportedModelError, match=r"no com\.microsoft:GroupQueryAttention \(since 1\.18\)"):
        Target.of("1.17").check(model)
    Target.of("1.18").check(model)


def test_operators_of_inner_graphs_count() -> None:
    branch = helper.make_graph([helper.make_node("Neg", ["x"], ["z"])], "branch", [], [value("z", FLOAT, None)])
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    inputs = [value("c", TensorProto.BOOL, []), value("x", FLOAT, [2])]
    model = model_of([node], inputs, [value("y", FLOAT, [2])], {})
    assert operators_of(model) == ["If", "Neg"]


def test_a_graph_is_brought_down_to_its_target() -> None:
    newest = onnx.version_converter.convert_version(convnet(), 22)
    newest.ir_version = 10
    made = convert(newest, target="onnxruntime==1.17", name="net")
    assert made.manifest.needs.opsets[""] == 20
    assert made.manifest.needs.ir_version == 9
    assert made.manifest.needs.onnxruntime == "1.17"
    images = RNG.uniform(0, 1, (1000, 1, 8, 8)).astype(np.float32)
    got = edge_infer.load(made.data).run({"image": images})["scores"]
    np.testing.assert_allclose(got, reference(newest, {"image": images})["scores"], rtol=1e-4, atol=1e-5)
    assert convert(newest, name="net").manifest.needs.onnxruntime == "1.21"


def test_an_older_graph_stays_as_it_is() -> None:
    made = convert(convnet(), target="1.32", name="net")
    assert made.data == convert(convnet(), name="net").data


def test_what_has_no_form_there_is_refused() -> None:
    x, y = value("x", FLOAT, ["N", 1, 8, 8]), value("y", FLOAT, ["N", 1, 4, 4])
    theta = np.zeros((1, 2, 3), np.float32)
    nodes = [
        helper.make_node("AffineGrid", ["theta", "size"], ["grid"]),
        helper.make_node("GridSample", ["x", "grid"], ["y"]),
    ]
    model = model_of(nodes, [x], [y], {"theta": theta, "size": np.array([1, 1, 4, 4])}, 20, 9)
    with pytest.raises(UnsupportedModelError, match="opset"):
        convert(model, inputs="float32[1, 1, 8, 8]", target="onnxruntime==1.16", name="net")


@pytest.mark.parametrize("text", ["onnxruntime", "onnxruntime>=1.17", "1", "0.9", "1.99", "tensorflow==1.17", ""])
def test_other_texts_are_no_targets(text: str) -> None:
    with pytest.raises(UsageError, match=r"target: expected a release of onnxruntime such as 'onnxruntime==1\.17'"):
        convert(convnet(), target=text, name="net")


@pytest.mark.parametrize("text", ["onnxruntime==1.17", "onnxruntime == 1.17.3", "1.17", "1.17.*", " 1.17.1 "])
def test_a_release_and_its_patches_are_targets(text: str) -> None:
    assert Target.of(text).release == "1.17"


def test_estimators_are_held_against_a_target_too() -> None:
    X = RNG.normal(size=(200, 3))
    forest = RandomForestRegressor(5, max_depth=4, random_state=0).fit(X, X[:, 0])
    with pytest.raises(UnsupportedModelError, match=r"onnxruntime 1\.20 does not run this graph, which needs 1\.21"):
        convert(forest, data=X, target="1.20", precision="float64", name="forest")
    linear = LinearRegression().fit(X, X[:, 0])
    assert convert(linear, data=X, target="1.20", name="line").manifest.needs.onnxruntime == "1.16"


def test_the_table_says_what_the_installed_release_takes() -> None:
    """Of a release that is newer than the table, at least what the newest in the table takes."""
    installed = Version(onnxruntime.__version__)
    release = f"{installed.major}.{installed.minor}"
    known = Target.of(release if installed < Version("1.33") else "1.32").opsets[""]
    onnxruntime.InferenceSession(relu(known).SerializeToString(), providers=["CPUExecutionProvider"])
    if installed < Version("1.33"):
        newer = relu()
        newer.opset_import[0].version = known + 1
        with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.Fail, match="opset"):
            onnxruntime.InferenceSession(newer.SerializeToString(), providers=["CPUExecutionProvider"])


def test_on_the_command_line(tmp_path: Path) -> None:
    newest = onnx.version_converter.convert_version(convnet(), 22)
    onnx.save(newest, tmp_path / "net.onnx")
    command = [sys.executable, "-m", "edge_infer.cli", "convert", "net.onnx", "--target"]
    for text, code, told in (("onnxruntime==1.17", 0, ""), ("1.2", 2, "expected a release")):
        done = subprocess.run(
            [*command, text], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=120, check=False
        )
        assert done.returncode == code, done.stderr
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    assert edge_infer.load(tmp_path / "net-1.0.0.onnx").manifest.needs.onnxruntime == "1.17"
