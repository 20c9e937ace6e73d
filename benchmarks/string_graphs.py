"""The same small model with four ways for text to come in: codes → a row of weights each → sum, plus numbers."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

__all__ = [
    "MISSING",
    "NUMBERS",
    "TEXTS",
    "Graph",
    "Sizes",
    "codes_in",
    "column_inputs",
    "joint_encoder",
    "split_encoders",
]

TEXTS, NUMBERS, CATEGORIES = 8, 6, 12
MISSING: Final = "\ue000"
_WIDTH = CATEGORIES + 2  # codes of a column: its categories, a missing and an unknown value
_ML = "ai.onnx.ml"
_SEPARATOR = "\x1f"


class Sizes:
    """Names of the categories, and the code of each text by column."""

    categories: Final = [[f"c{column}_{i}" for i in range(CATEGORIES)] for column in range(TEXTS)]
    codes: Final = [
        {text: column * _WIDTH + i for i, text in enumerate([*names, MISSING])}
        for column, names in enumerate(categories)
    ]
    unknown: Final = [column * _WIDTH + CATEGORIES + 1 for column in range(TEXTS)]


class Graph(NamedTuple):
    """The head of a graph: it makes the tensors `codes` and `numbers`, or takes them as inputs."""

    inputs: list[ValueInfoProto]
    nodes: list[NodeProto]
    constants: dict[str, NDArray[Any]]

    def model(self) -> bytes:
        """Head and tail as ONNX, weights seeded."""
        rng = np.random.default_rng(0)
        weights = {
            "by_code": rng.normal(size=(TEXTS * _WIDTH, 1)).astype(np.float32),
            "by_number": rng.normal(size=(NUMBERS, 1)).astype(np.float32),
            "axis": np.array([1]),
        }
        constants = [numpy_helper.from_array(value, name) for name, value in (self.constants | weights).items()]
        output = helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])
        graph = helper.make_graph([*self.nodes, *_tail()], "model", self.inputs, [output], constants)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(_ML, 3)]
        return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())


def _tail() -> list[NodeProto]:
    return [
        helper.make_node("Gather", ["by_code", "codes"], ["rows"]),
        helper.make_node("ReduceSum", ["rows", "axis"], ["text_part"], keepdims=0),
        helper.make_node("MatMul", ["numbers", "by_number"], ["number_part"]),
        helper.make_node("Add", ["text_part", "number_part"], ["score"]),
        helper.make_node("Sigmoid", ["score"], ["probability"]),
    ]


def _input(name: str, kind: int, width: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, [None, width])


def _numbers() -> ValueInfoProto:
    return _input("numbers", TensorProto.FLOAT, NUMBERS)


def _encoder(column: int, source: str) -> NodeProto:
    codes = Sizes.codes[column]
    return helper.make_node(
        "LabelEncoder",
        [source],
        [f"code{column}"],
        domain=_ML,
        keys_strings=list(codes),
        values_int64s=list(codes.values()),
        default_int64=Sizes.unknown[column],
    )


def _joined() -> NodeProto:
    return helper.make_node("Concat", [f"code{column}" for column in range(TEXTS)], ["codes"], axis=1)


def joint_encoder() -> Graph:
    """One string tensor → a prefix by column → one LabelEncoder for all."""
    pairs = {f"{j}{_SEPARATOR}{text}": code for j, codes in enumerate(Sizes.codes) for text, code in codes.items()}
    nodes = [
        helper.make_node("StringConcat", ["prefix", "strings"], ["prefixed"]),
        helper.make_node(
            "LabelEncoder",
            ["prefixed"],
            ["known"],
            domain=_ML,
            keys_strings=list(pairs),
            values_int64s=list(pairs.values()),
            default_int64=-1,
        ),
        helper.make_node("Less", ["known", "zero"], ["is_unknown"]),
        helper.make_node("Where", ["is_unknown", "unknown", "known"], ["codes"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        "prefix": np.array([f"{j}{_SEPARATOR}" for j in range(TEXTS)], dtype=object),
        "zero": np.array(0),
        "unknown": np.array([Sizes.unknown]),
    }
    return Graph([_numbers(), _input("strings", TensorProto.STRING, TEXTS)], nodes, constants)


def split_encoders() -> Graph:
    """One string tensor → Split → a LabelEncoder for each column. What the converter writes."""
    parts = [f"text{column}" for column in range(TEXTS)]
    nodes = [helper.make_node("Split", ["strings", "sizes"], parts, axis=1)]
    nodes += [_encoder(column, part) for column, part in enumerate(parts)] + [_joined()]
    return Graph([_numbers(), _input("strings", TensorProto.STRING, TEXTS)], nodes, {"sizes": np.ones(TEXTS, np.int64)})


def column_inputs() -> Graph:
    """One input for each column, text or number."""
    texts = [f"text{column}" for column in range(TEXTS)]
    numbers = [f"number{column}" for column in range(NUMBERS)]
    inputs = [_input(name, TensorProto.STRING, 1) for name in texts]
    inputs += [_input(name, TensorProto.FLOAT, 1) for name in numbers]
    nodes = [_encoder(column, text) for column, text in enumerate(texts)] + [_joined()]
    nodes.append(helper.make_node("Concat", numbers, ["numbers"], axis=1))
    return Graph(inputs, nodes, {})


def codes_in() -> Graph:
    """The graph cut behind its encoders: codes come in."""
    return Graph([_numbers(), _input("codes", TensorProto.INT64, TEXTS)], [], {})
