"""A deep model's call beside onnxruntime's own: what `run` adds to it, and that a large input is not copied."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import edge_infer
from benchmarks.measure import QUICK, Settings, run_process, side_by_side
from benchmarks.results import Part, spent
from edge_infer_convert import convert

__all__ = ["largest", "run"]

#: Targets: seconds of a call above the native session's, bytes at the peak above the bare session's.
MOST_SECONDS: Final = 3e-6
MOST_BYTES: Final = 1 << 20
_ROWS: Final = 64  # of a million numbers each
_NOTE: Final = (
    "A network of one convolution on an image of 8 × 8, and a recurrent cell of 4 numbers, one thread. native: the "
    "session below onnxruntime's Python layer (`_sess.run`), feeds and names ready. onnxruntime: `session.run`. "
    "edge_infer: `Model.run`, and `Stateful.run`, which feeds the state back; all of one session, in turns; answers "
    "are compared. Memory: fresh processes (benchmarks/large_input.py), the growth of the peak in a call with "
    f"{_ROWS} rows of 2²⁰ float32 numbers. Targets: at most 3 µs above native; at most 1 MiB more at the peak."
)


def run(settings: Settings) -> Part:
    """Raises AssertionError if the sides answer differently."""
    rows: list[tuple[str, ...]] = []
    measured: list[dict[str, Any]] = []
    for name, found in (("image", _of_image(settings)), ("recurrent", _of_states(settings))):
        native = found["native"]
        for side, seconds in found.items():
            more = seconds - native
            each: dict[str, Any] = {"model": name, "case": side, "seconds": seconds, "above_native_seconds": more}
            if side == "edge_infer":
                each["target_met"] = more <= MOST_SECONDS
            measured.append(each)
            told = "" if side == "native" else f"{more * 1e6:+.2f} µs"
            rows.append((f"{name}: {side}", spent(seconds), told, f"{seconds / native:.2f} ×", _met(each)))
    memory = _memory(1 if settings == QUICK else _ROWS)
    measured += memory
    rows += [(each["case"], f"{each['growth_bytes'] / (1 << 20):.1f} MiB", "", "", _met(each)) for each in memory]
    headers = ("model, side", "a call, or memory", "above native", "÷ native", "target")
    return Part("deep", "Deep models", _NOTE, headers, rows, measured)


def _met(each: dict[str, Any]) -> str:
    return {True: "met", False: "MISSED", None: ""}[each.get("target_met")]


def _of_image(settings: Settings) -> dict[str, float]:
    model = edge_infer.load(convert(_network(), name="image").data)
    image = np.random.default_rng(0).uniform(0, 1, (1, 1, 8, 8)).astype(np.float32)
    return _timed(model, {"image": image}, lambda: model.run({"image": image}), settings)


def _of_states(settings: Settings) -> dict[str, float]:
    model = edge_infer.load(convert(_cell(), states={"hidden": "next"}, name="cell").data)
    step, hidden = np.ones((1, 3), np.float32), np.zeros((1, 4), np.float32)
    stream = model.stateful()
    found = _timed(
        model, {"step": step, "hidden": hidden}, lambda: model.run({"step": step, "hidden": hidden}), settings
    )
    return found | side_by_side({"edge_infer, a stream": lambda: stream.run({"step": step})}, settings)


def _timed(
    model: edge_infer.Model, feeds: dict[str, Any], ours: Callable[[], dict[str, Any]], settings: Settings
) -> dict[str, float]:
    session: onnxruntime.InferenceSession = model._graphs.whole._session  # the same one on all sides
    names = [output.name for output in session.get_outputs()]
    native = session._sess
    for name, wanted in zip(names, session.run(names, feeds), strict=True):
        if not np.array_equal(ours()[name], wanted):
            raise AssertionError(f"{name}: edge_infer answers differently")
    cases: dict[str, Callable[[], Any]] = {
        "native": lambda: native.run(names, feeds, None),
        "onnxruntime": lambda: session.run(names, feeds),
        "edge_infer": ours,
    }
    return side_by_side(cases, settings)


def _memory(rows: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    script = str(Path(__file__).with_name("large_input.py"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "largest-1.0.0.onnx"
        convert(largest(), inputs="float32[batch, 1048576]", name="largest", output=path)
        told = {
            side: json.loads(run_process([sys.executable, script, side, str(path), str(rows)])[1])
            for side in ("bare", "edge_infer")
        }
    if told["bare"]["answer"] != told["edge_infer"]["answer"]:
        raise AssertionError("edge_infer answers differently")
    for side, each in told.items():
        case = f"growth in a call with {4 * rows} MiB, {side}"
        found.append({"case": case, "memory_bytes": each["memory_bytes"], "growth_bytes": each["growth_bytes"]})
    found[1]["target_met"] = found[1]["growth_bytes"] - found[0]["growth_bytes"] <= MOST_BYTES
    return found


# --- models -----------------------------------------------------------------------------


def largest() -> onnx.ModelProto:
    """Rows of 2²⁰ numbers → the largest of each."""
    node = helper.make_node("ReduceMax", ["x", "axis"], ["y"], keepdims=0)
    return _model([node], [("x", ["batch", 1 << 20])], [("y", ["batch"])], {"axis": np.array([1])})


def _network() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "g", "b"], ["scores"]),
    ]
    weights = {"w": rng.normal(size=(8, 1, 3, 3)), "g": rng.normal(size=(8 * 36, 10)), "b": rng.normal(size=10)}
    weights = {name: value.astype(np.float32) for name, value in weights.items()}
    return _model(nodes, [("image", ["batch", 1, 8, 8])], [("scores", ["batch", 10])], weights)


def _cell() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("MatMul", ["step", "wx"], ["a"]),
        helper.make_node("MatMul", ["hidden", "wh"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["s"]),
        helper.make_node("Tanh", ["s"], ["next"]),
    ]
    weights = {"wx": rng.normal(size=(3, 4)).astype(np.float32), "wh": rng.normal(size=(4, 4)).astype(np.float32)}
    return _model(nodes, [("step", ["batch", 3]), ("hidden", ["batch", 4])], [("next", ["batch", 4])], weights)


def _model(nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: dict[str, Any]) -> onnx.ModelProto:
    def values(told: list[Any]) -> list[Any]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in told]

    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "graph", values(inputs), values(outputs), tensors)
    made: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return made
