"""Which input columns the answers of a graph depend on: followed node by node, column by column where that is plain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from onnx import ModelProto, NodeProto, helper

from edge_infer.manifest import Column, Inputs
from edge_infer_convert.graph.builder import ML
from edge_infer_convert.graph.ensemble_node import EnsembleNode
from edge_infer_convert.passes.view import Known, View

__all__ = ["mark_unused"]

#: What a tensor depends on: of each of its columns, or, where these are not told apart, of all together.
_All = frozenset[tuple[str, int]]
_Depends = list[_All] | _All

_BY_COLUMN: Final = frozenset(
    {"Abs", "Add", "And", "Cast", "Div", "Equal", "Exp", "Floor", "Greater", "GreaterOrEqual", "Identity", "IsInf"}
    | {"IsNaN", "Less", "LessOrEqual", "Log", "Max", "Min", "Mul", "Neg", "Not", "Or", "Sign", "Sqrt", "Sub", "Where"}
)


def mark_unused(model: ModelProto, inferred: ModelProto, inputs: Inputs) -> Inputs:
    """The inputs, those columns marked that no output of the graph depends on.

    inferred: the model, or a light copy of it, with the shapes of its tensors.
    """
    found = _Follower(View(model), Known.of(inferred), inputs).run()
    columns = tuple(column._replace(used=_place(column, inputs) in found) for column in inputs.columns)
    return inputs._replace(columns=columns)


def _place(column: Column, inputs: Inputs) -> tuple[str, int]:
    """A text column is read by its codes."""
    return (inputs.cut.tensor if column.coded and inputs.cut else column.tensor), column.index


class _Follower:
    def __init__(self, view: View, known: Known, inputs: Inputs) -> None:
        self._view, self._known = view, known
        places = [_place(column, inputs) for column in inputs.columns]
        self._begin: dict[str, _Depends] = {
            tensor: [frozenset({place}) for place in sorted(set(places)) if place[0] == tensor]
            for tensor in {tensor for tensor, _ in places}
        }

    def run(self) -> _All:
        """What the outputs depend on."""
        told = dict(self._begin)
        for node in self._view.nodes:
            for name, depends in self._node(node, told).items():
                told.setdefault(name, depends)  # codes begin where they are made
        return _together(told.get(output.name, frozenset()) for output in self._view.model.graph.output)

    def _node(self, node: NodeProto, told: Mapping[str, _Depends]) -> dict[str, _Depends]:
        if node.op_type == "Split" and not node.domain:
            parts = self._split(node, told)
            if parts is not None:
                return parts
        if node.op_type == "Shape" and not node.domain:  # how many rows there are
            return dict.fromkeys(node.output, frozenset())
        depends: _Depends | None = None
        if node.op_type == "TreeEnsemble" and node.domain == ML:
            depends = self._chosen(told.get(node.input[0]), np.unique(EnsembleNode(node).feature).tolist())
        elif not node.domain and node.op_type in _BY_COLUMN:
            depends = self._by_column(node, told)
        elif not node.domain and node.op_type in ("MatMul", "Gemm"):
            depends = self._product(node, told)
        elif not node.domain and node.op_type in ("Concat", "Gather") and _option(node, "axis") in (1, -1):
            depends = self._concat(node, told) if node.op_type == "Concat" else self._gather(node, told)
        elif not node.domain and node.op_type == "Gather":
            depends = self._looked_up(node, told)
        if depends is None:
            depends = _together(told.get(name, frozenset()) for name in View.reads(node))
        return dict.fromkeys(node.output, depends)

    @staticmethod
    def _chosen(depends: _Depends | None, columns: Sequence[int]) -> _All | None:
        return _together(depends[column] for column in columns) if isinstance(depends, list) else None

    def _by_column(self, node: NodeProto, told: Mapping[str, _Depends]) -> _Depends | None:
        """Elementwise on matrices of one width, and on constants that are not higher."""
        matrices = []
        for name in node.input:
            constant = self._view.constant(name)
            depends = told.get(name)
            if constant is not None and (constant.ndim < 2 or constant.shape[:-1] == (1,)):
                continue
            if not isinstance(depends, list):
                return None
            matrices.append(depends)
        width = self._width(node.output[0])
        if not matrices or any(len(matrix) != width for matrix in matrices):
            return None
        return [_together(column) for column in zip(*matrices, strict=True)]

    def _product(self, node: NodeProto, told: Mapping[str, _Depends]) -> _All | None:
        """By a constant matrix: a column whose weights are all 0 adds nothing."""
        weights, depends = self._view.constant(node.input[1]), told.get(node.input[0])
        plain = not node.attribute and weights is not None and weights.ndim == 2
        if weights is None or not plain or not isinstance(depends, list) or len(depends) != len(weights):
            return None
        added = (told.get(name, frozenset()) for name in node.input[2:])
        columns = np.flatnonzero((weights != 0).any(axis=1)).tolist()
        return _together([*(depends[column] for column in columns), *added])

    def _concat(self, node: NodeProto, told: Mapping[str, _Depends]) -> _Depends | None:
        columns: list[_All] = []
        for name in node.input:
            depends, width = told.get(name, frozenset()), self._width(name)
            if width is None:
                return None
            columns += depends if isinstance(depends, list) else [depends] * width
        return columns

    def _gather(self, node: NodeProto, told: Mapping[str, _Depends]) -> _Depends | None:
        places, depends = self._view.constant(node.input[1]), told.get(node.input[0])
        if places is None or not isinstance(depends, list) or places.ndim > 1:
            return None
        return depends[int(places)] if places.ndim == 0 else [depends[place] for place in places.tolist()]

    def _looked_up(self, node: NodeProto, told: Mapping[str, _Depends]) -> _Depends | None:
        """A number for each code, by a list of them."""
        table = self._view.constant(node.input[0])
        return told.get(node.input[1]) if table is not None and table.ndim == 1 else None

    def _split(self, node: NodeProto, told: Mapping[str, _Depends]) -> dict[str, _Depends] | None:
        depends = told.get(node.input[0])
        sizes: Any = self._view.constant(node.input[1]) if len(node.input) > 1 else None
        if sizes is None or not isinstance(depends, list) or _option(node, "axis") not in (1, -1):
            return None
        ends = np.cumsum(sizes).tolist()
        starts = [0, *ends[:-1]]
        return {name: depends[start:end] for name, start, end in zip(node.output, starts, ends, strict=True)}

    def _width(self, tensor: str) -> int | None:
        shape = self._known.shapes.get(tensor, [])
        return shape[1] if len(shape) == 2 else None


def _together(parts: Iterable[_Depends]) -> _All:
    found: set[tuple[str, int]] = set()
    for part in parts:
        found.update(*part) if isinstance(part, list) else found.update(part)
    return frozenset(found)


def _option(node: NodeProto, name: str) -> int:
    found = next((attribute for attribute in node.attribute if attribute.name == name), None)
    return 0 if found is None else int(helper.get_attribute_value(found))
