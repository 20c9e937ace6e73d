"""A plan → ONNX nodes: input tensors, string codes, tables, leaves, and the answers' tensors."""

from __future__ import annotations

from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

from edge_infer.errors import UnsupportedModelError
from edge_infer.manifest import Column, Cut, Inputs, Tensor
from edge_infer_convert.composites import find_composite
from edge_infer_convert.graph.builder import ML, GraphBuilder
from edge_infer_convert.graph.leaf import at_step, convert_leaf
from edge_infer_convert.graph.plan import Feature, Plan, Raw, Step
from edge_infer_convert.graph.tables import Table, step_table

__all__ = ["CODES", "MISSING_TEXT", "Emitted", "Trace", "emit", "emit_on_matrix", "lay_out"]

NUMBERS, STRINGS, TEXTS, CODES = "numbers", "strings", "texts", "codes"
#: What stands for a missing value in the string tensor: a private-use character, so that no text is taken for it.
MISSING_TEXT = "\ue000"
_LARGEST_TABLE = 1 << 18  # elements; above it a column gets a table of its own


class Trace(NamedTuple):
    """A leaf and the tensors around it, to find the step to blame for a difference."""

    path: str
    estimator: BaseEstimator
    reads: str
    writes: dict[str, list[str]]


class Emitted(NamedTuple):
    """`answers`: tensor names by method of the original."""

    answers: dict[str, list[str]]
    trace: list[Trace]


def lay_out(columns: list[Column], precision: str) -> Inputs:
    """Give each column its place: coded strings into one tensor, free texts into one, numbers into one."""
    places = {STRINGS: 0, TEXTS: 0, NUMBERS: 0}
    placed, first, code = [], [], 0
    for column in columns:
        tensor = STRINGS if column.coded else TEXTS if column.free_text else NUMBERS
        placed.append(column._replace(tensor=tensor, index=places[tensor]))
        places[tensor] += 1
        if column.coded:
            first.append(code)
            code += len(column.categories or ()) + 2
    tensors = []
    if places[NUMBERS]:
        tensors.append(Tensor(NUMBERS, precision, places[NUMBERS]))
    if places[STRINGS]:
        tensors.append(Tensor(STRINGS, "string", places[STRINGS], _free_sentinel(columns)))
    if places[TEXTS]:
        tensors.append(Tensor(TEXTS, "string", places[TEXTS]))
    style = "columns"
    return Inputs(style, tuple(placed), tuple(tensors), Cut(CODES, tuple(first)) if first else None)


def emit(builder: GraphBuilder, plan: Plan, inputs: Inputs, missing: dict[int, Any]) -> Emitted:
    """Add the whole plan to `builder`. `missing`: what a missing value looks like, by text column.

    Raises:
        UnsupportedModelError: a leaf has no converter.
    """
    return _Emitter(builder, inputs, missing).run(plan)


def emit_on_matrix(builder: GraphBuilder, plan: Plan, reads: str, width: int) -> dict[str, list[str]]:
    """Add a plan whose raw columns are those of the tensor `reads` [rows, width], all numbers; its answers."""
    columns = tuple(Column(str(i), "number", "float64", reads, i, missing=True) for i in range(width))
    inputs = Inputs("array", columns, (Tensor(reads, builder.dtype.name, width),))
    return _Emitter(builder, inputs, {}, numbers=reads).run(plan).answers


def _free_sentinel(columns: list[Column]) -> str:
    """MISSING_TEXT, made longer until no category is the same text."""
    taken = {category for column in columns if column.kind == "string" for category in column.categories or ()}
    sentinel = MISSING_TEXT
    while sentinel in taken:
        sentinel += MISSING_TEXT
    return sentinel


class _Emitter:
    def __init__(self, builder: GraphBuilder, inputs: Inputs, missing: dict[int, Any], numbers: str = NUMBERS) -> None:
        self.builder, self.inputs, self.missing, self.numbers = builder, inputs, missing, numbers
        self.sentinel = next((t.missing or "" for t in inputs.tensors if t.name == STRINGS), "")
        self.categories = {
            i: [str(value) for value in column.categories or ()]
            for i, column in enumerate(inputs.columns)
            if column.coded
        }
        self.places: dict[Step, list[tuple[str, int]]] = {}
        self.writes: dict[Step, dict[str, list[str]]] = {}
        self.trace: list[Trace] = []

    def run(self, plan: Plan) -> Emitted:
        if self.inputs.cut:
            self._encode_strings()
        for step in plan.steps:
            if step.kind == "table":
                self.places[step] = self._table(step)
            elif step.kind in ("leaf", "vectoriser"):
                self._leaf(step)
            elif step.kind == "composite":
                self._composite(step)
        return Emitted(self._answers(plan.features, plan.final), self.trace)

    def _answers(self, features: tuple[Feature, ...], final: Step | None) -> dict[str, list[str]]:
        """The tensors by method of a plan or of a composite's member."""
        if final is None or final not in self.writes:
            return {"transform": [self.gather(list(features))]}
        return self.writes[final]

    def _encode_strings(self) -> None:
        """strings [rows, k] → Split → a LabelEncoder each → Concat → codes [rows, k].

        StringConcat and one LabelEncoder is faster for one row and needs opset 20 where this needs 13; only other
        hosts run these nodes (ARCHITECTURE.md, benchmarks/string_entry.py).
        """
        assert self.inputs.cut is not None
        texts = [column for column in self.inputs.columns if column.coded]
        split = [STRINGS]
        if len(texts) > 1:
            sizes = self.builder.constant(np.ones(len(texts)), np.int64)
            split = self.builder.nodes_of("Split", STRINGS, sizes, outputs=len(texts), axis=1)
        codes = [
            self._label_encoder(name, column, first)
            for name, column, first in zip(split, texts, self.inputs.cut.first, strict=True)
        ]
        joined = self.builder.node("Concat", *codes, axis=1) if len(codes) > 1 else codes[0]
        self.builder.rename(joined, CODES)

    def _label_encoder(self, tensor: str, column: Column, first: int) -> str:
        keys = [str(category) for category in column.categories or ()] + [self.sentinel]
        return self.builder.node(
            "LabelEncoder",
            tensor,
            domain=ML,
            keys_strings=keys,
            values_int64s=[first + i for i in range(len(keys))],
            default_int64=first + len(keys),
        )

    # --- features ---

    def place(self, feature: Feature) -> tuple[str, int]:
        """The tensor that holds a numeric feature, and its column there."""
        if isinstance(feature, Raw):
            return self.numbers, self.inputs.columns[feature.column].index
        step = feature.step
        if step not in self.places:
            raise UnsupportedModelError(
                f"step {step.path!r} ({type(step.estimator).__name__}): its transform cannot be converted; "
                "replace the step, or leave it out of the pipeline and do its work before the model"
            )
        return self.places[step][feature.index]

    def gather(self, features: list[Feature]) -> str:
        """One tensor [rows, len(features)] of numeric features in this order."""
        if not features:
            raise UnsupportedModelError("a step gets no columns at all: an encoder before it dropped them all")
        runs = [
            (tensor, [index for _, index in run])
            for tensor, run in groupby([self.place(feature) for feature in features], key=lambda place: place[0])
        ]
        parts = [self._columns(tensor, indices) for tensor, indices in runs]
        return parts[0] if len(parts) == 1 else self.builder.node("Concat", *parts, axis=1)

    def _columns(self, tensor: str, indices: list[int]) -> str:
        if indices == list(range(self._width(tensor))):
            return tensor
        return self.builder.node("Gather", tensor, self.builder.constant(indices, np.int64), axis=1)

    def _width(self, tensor: str) -> int:
        if tensor == self.numbers:
            return next(t.width for t in self.inputs.tensors if t.name == tensor)
        return sum(place[0] == tensor for places in self.places.values() for place in places)

    # --- steps ---

    def _leaf(self, step: Step) -> None:
        reads = self._text(step) if step.kind == "vectoriser" else self.gather(list(step.inputs))
        writes = convert_leaf(self.builder, step.path, step.estimator, reads, len(step.inputs))
        self.trace.append(Trace(step.path, step.estimator, reads, writes))
        self._wrote(step, writes)

    def _text(self, step: Step) -> str:
        """The one column of texts that a vectoriser reads, string [rows, 1]."""
        (feature,) = step.inputs
        assert isinstance(feature, Raw)
        column = self.inputs.columns[feature.column]
        width = next(tensor.width for tensor in self.inputs.tensors if tensor.name == column.tensor)
        if width == 1:
            return column.tensor
        return self.builder.node("Gather", column.tensor, self.builder.constant([column.index], np.int64), axis=1)

    def _composite(self, step: Step) -> None:
        composite = find_composite(step.estimator)
        assert composite is not None
        members = [self._answers(*member) for member in step.members]
        reads = self.gather(list(step.inputs)) if step.inputs else ""
        with at_step(step.path, step.estimator):
            self._wrote(step, composite.combine(self.builder, step.estimator, members, reads))

    def _wrote(self, step: Step, writes: dict[str, list[str]]) -> None:
        self.writes[step] = writes
        if "transform" in writes:
            self.places[step] = [(writes["transform"][0], i) for i in range(step.width)]

    def _table(self, step: Step) -> list[tuple[str, int]]:
        tables = step_table(step, self.categories, self.missing)
        places: list[tuple[str, int]] = [("", 0)] * step.width
        texts = [table for table in tables if step.inputs[table.position].text]
        if texts and self._code_count() * sum(len(table.outputs) for table in texts) <= _LARGEST_TABLE:
            self._joint_table(step, texts, places)
            tables = [table for table in tables if table not in texts]
        for table in tables:
            tensor = self._own_table(step, table)
            for i, output in enumerate(table.outputs):
                places[output] = (tensor, i)
        return places

    def _code_count(self) -> int:
        return sum(len(values) + 2 for values in self.categories.values())

    def _first_code(self, step: Step, table: Table) -> tuple[int, int]:
        """Position among the string columns, and the first code, of a text feature's column."""
        from edge_infer_convert.graph.tables import root

        assert self.inputs.cut is not None
        index = self.inputs.columns[root(step.inputs[table.position])].index
        return index, self.inputs.cut.first[index]

    def _joint_table(self, step: Step, tables: list[Table], places: list[tuple[str, int]]) -> None:
        """All text columns of a step at once: a row of one block-diagonal table for each code, summed."""
        width = sum(len(table.outputs) for table in tables)
        rows = np.zeros((self._code_count(), width))
        columns, start = [], 0
        for table in tables:
            index, first = self._first_code(step, table)
            columns.append(index)
            rows[first : first + len(table.rows), start : start + len(table.outputs)] = table.rows
            start += len(table.outputs)
        tensor = self._summed(rows, columns)
        outputs = [output for table in tables for output in table.outputs]
        for i, output in enumerate(outputs):
            places[output] = (tensor, i)

    def _summed(self, rows: np.ndarray[Any, Any], columns: list[int]) -> str:
        codes = CODES
        if columns != list(range(len(self.categories))):
            codes = self.builder.node("Gather", CODES, self.builder.constant(columns, np.int64), axis=1)
        picked = self.builder.node("Gather", self.builder.constant(rows), codes, axis=0)
        axis = self.builder.constant([1], np.int64)
        return self.builder.node("ReduceSum", picked, axis, keepdims=0)

    def _own_table(self, step: Step, table: Table) -> str:
        """One column: local codes [rows] → rows of its table [rows, outputs]."""
        feature = step.inputs[table.position]
        if feature.text:
            index, first = self._first_code(step, table)
            codes = self.builder.node("Gather", CODES, self.builder.constant(index, np.int64), axis=1)
            codes = self.builder.node("Sub", codes, self.builder.constant(first, np.int64))
        else:
            codes = self._number_codes(feature, table)
        if _is_one_hot(table.rows) and table.rows.size > _LARGEST_TABLE:
            return self._one_hot(codes, table)
        return self.builder.node("Gather", self.builder.constant(table.rows), codes, axis=0)

    def _number_codes(self, feature: Feature, table: Table) -> str:
        from onnx import numpy_helper

        tensor, index = self.place(feature)
        column = self.builder.node("Gather", tensor, self.builder.constant(index, np.int64), axis=1)
        keys = np.array([*table.categories, np.nan], self.builder.dtype)
        self.builder.opsets[ML] = max(self.builder.opsets.get(ML, 0), 4)
        return self.builder.node(
            "LabelEncoder",
            column,
            domain=ML,
            keys_tensor=numpy_helper.from_array(keys, "keys"),
            values_tensor=numpy_helper.from_array(np.arange(len(keys), dtype=np.int64), "values"),
            default_tensor=numpy_helper.from_array(np.array([len(keys)], np.int64), "default"),
        )

    def _one_hot(self, codes: str, table: Table) -> str:
        width = len(table.outputs)
        hot = np.where(table.rows.any(axis=1), table.rows.argmax(axis=1), width)  # width: no column at all
        position = self.builder.node("Gather", self.builder.constant(hot, np.int64), codes, axis=0)
        depth, values = self.builder.constant(width, np.int64), self.builder.constant([0, 1])
        return self.builder.node("OneHot", position, depth, values, axis=-1)


def _is_one_hot(rows: np.ndarray[Any, Any]) -> bool:
    return bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) <= 1).all())
