"""Models of one node, written as bytes, that show what onnxruntime runs here. numpy and onnxruntime are there.

Source of the field numbers: onnx.proto of onnx 1.23; of the operators: ONNX's Operators.md and Operators-ml.md.
"""

from __future__ import annotations

from typing import Any

from edge_infer.wire_out import message, number

__all__ = ["RUNS", "newest_opsets"]

_FLOAT, _UINT8, _INT64, _STRING, _DOUBLE = 1, 2, 7, 8, 11
_INT, _TEXT, _TENSOR, _INTS, _TEXTS = 2, 3, 4, 7, 8  # AttributeProto.AttributeType
#: What the converter writes; all that a release since 1.21 runs.
_OPSET, _ML_OPSET, _IR = 18, 5, 10


def _model(node: bytes, types: tuple[int, int], *, opset: int = _OPSET, ml: int = _ML_OPSET, ir: int = _IR) -> bytes:
    """x [n, 1] → y; `types`: of both."""
    graph = (
        message(1, node)
        + message(2, b"tiny")
        + message(11, _value(b"x", types[0]))
        + message(12, _value(b"y", types[1]))
    )
    imports = message(8, message(1, b"") + number(2, opset)) + message(8, message(1, b"ai.onnx.ml") + number(2, ml))
    return number(1, ir) + message(7, graph) + imports


def _value(name: bytes, kind: int) -> bytes:
    dims = message(1, message(2, b"n")) + message(1, number(1, 1))
    return message(1, name) + message(2, message(1, number(1, kind) + message(2, dims)))


def _node(operator: bytes, attributes: bytes = b"", *, inputs: int = 1, ml: bool = False) -> bytes:
    domain = message(7, b"ai.onnx.ml") if ml else b""
    return message(1, b"x") * inputs + message(2, b"y") + message(4, operator) + attributes + domain


def _attribute(name: bytes, kind: int, value: bytes) -> bytes:
    return message(5, message(1, name) + value + number(20, kind))


def _int(name: bytes, value: int) -> bytes:
    return _attribute(name, _INT, number(3, value))


def _ints(name: bytes, *values: int) -> bytes:
    return _attribute(name, _INTS, b"".join(number(8, value) for value in values))


def _tensor(name: bytes, array: Any, kind: int) -> bytes:
    return _attribute(name, _TENSOR, message(5, number(1, len(array)) + number(2, kind) + message(9, array.tobytes())))


def _answer(model: bytes, x: Any) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


def _expect(got: Any, wanted: list[Any]) -> None:
    if got.ravel().tolist() != wanted:
        raise ValueError(f"a wrong answer: expected {wanted}, got {got.ravel().tolist()}")


# --- what must run ----------------------------------------------------------------------


def _run_float32() -> None:
    _run_sum("float32", _FLOAT)


def _run_float64() -> None:
    _run_sum("float64", _DOUBLE)


def _run_sum(dtype: str, kind: int) -> None:
    import numpy as np

    third = np.array([[1 / 3]], dtype)
    _expect(_answer(_model(_node(b"Add", inputs=2), (kind, kind)), third), [float(third[0, 0] * 2)])


def _run_strings() -> None:
    import numpy as np

    texts = _attribute(b"keys_strings", _TEXTS, message(9, b"a") + message(9, "Köln".encode()))
    encoder = _node(b"LabelEncoder", texts + _ints(b"values_int64s", 3, 4) + _int(b"default_int64", 9), ml=True)
    _expect(_answer(_model(encoder, (_STRING, _INT64)), np.array([["Köln"], ["?"]], dtype=object)), [4, 9])


def _run_trees() -> None:
    """x ≤ 0.5: 10, else 20, as one tree with a branch and two leaves."""
    import numpy as np

    attributes = (
        _int(b"n_targets", 1)
        + _ints(b"tree_roots", 0)
        + _ints(b"nodes_featureids", 0)
        + _tensor(b"nodes_splits", np.array([0.5]), _DOUBLE)
        + _tensor(b"nodes_modes", np.array([0], np.uint8), _UINT8)
        + _ints(b"nodes_truenodeids", 0)
        + _ints(b"nodes_falsenodeids", 1)
        + _ints(b"nodes_trueleafs", 1)
        + _ints(b"nodes_falseleafs", 1)
        + _ints(b"leaf_targetids", 0, 0)
        + _tensor(b"leaf_weights", np.array([10.0, 20.0]), _DOUBLE)
    )
    tree = _model(_node(b"TreeEnsemble", attributes, ml=True), (_DOUBLE, _DOUBLE))
    _expect(_answer(tree, np.array([[0.5], [0.75]])), [10.0, 20.0])


RUNS = {"float32": _run_float32, "float64": _run_float64, "strings": _run_strings, "trees": _run_trees}


# --- how new a model may be -------------------------------------------------------------


def newest_opsets() -> str:
    """The newest opset, opset of ai.onnx.ml and IR version that load, "23, 5, 11": found by trying."""
    return ", ".join(
        str(next((value for value in tries if _loads(**{name: value})), "none"))
        for name, tries in (("opset", range(40, 12, -1)), ("ml", range(12, 0, -1)), ("ir", range(24, 7, -1)))
    )


def _loads(**versions: int) -> bool:
    import numpy as np

    try:
        _answer(_model(_node(b"Identity"), (_FLOAT, _FLOAT), **versions), np.zeros((1, 1), np.float32))
    except Exception:  # noqa: BLE001 - onnxruntime's own kinds
        return False
    return True
