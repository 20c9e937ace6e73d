"""Several nodes that one operator of onnxruntime can do: each costs a call of one row some tenths of a microsecond.

A forest's average is its sum divided by its trees, which TreeEnsemble does itself. A product and what is added to it
are one Gemm (onnxruntime makes one by itself in float32 only). The two probabilities of a logistic model, 1 / (1 +
exp(±z)), are softmax(±z / 2). Both round differently in the last bits: the gate judges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

from edge_infer_convert.graph.builder import ML
from edge_infer_convert.passes.view import Known, View

__all__ = ["make_average", "make_gemm", "make_softmax"]

_SUM, _AVERAGE = 1, 0  # of TreeEnsemble's aggregate_function


def make_average(view: View, known: Known) -> bool:
    """A forest's sums, divided by the number of its trees. Whether anything changed."""
    changed = False
    for quotient in view.nodes:
        sums = quotient.input[0] if quotient.op_type == "Div" and not quotient.domain else ""
        flat = view.maker(sums, "Reshape")
        if flat is not None and view.only_reader(sums, "Div") is not None:
            sums, last = flat.input[0], flat
        else:
            last = quotient
        forest = view.maker(sums, "TreeEnsemble", domain=ML)
        by = view.constant(quotient.input[1]) if forest is not None else None
        if forest is None or by is None or by.size != 1 or view.is_output(sums):
            continue
        options = {attribute.name: attribute for attribute in forest.attribute}
        # The largest sum is the largest average; scikit-learn compares averages.
        others = {node.op_type for node in view.readers(sums) if node.output != last.output}
        all_trees = float(by.reshape(())) == len(options["tree_roots"].ints)
        if all_trees and options["aggregate_function"].i == _SUM and others <= {"ArgMax"}:
            options["aggregate_function"].i = _AVERAGE
            view.make_identity(quotient)
            changed = True
    return changed


def make_gemm(view: View, known: Known) -> bool:
    """A·W and the one sum that reads it. Whether anything changed."""
    changed = False
    for product in view.nodes:
        if product.op_type != "MatMul" or product.domain or len(known.shapes.get(product.input[0], [])) != 2:
            continue
        weights = view.constant(product.input[1])
        added = view.only_reader(product.output[0], "Add")
        if weights is None or added is None or weights.ndim != 2 or weights.dtype not in (np.float32, np.float64):
            continue
        (other,) = [name for name in added.input if name != product.output[0]] or [""]
        constant, columns = view.constant(other), weights.shape[1]
        fits = known.shapes.get(other) == [None, columns] if constant is None else constant.shape in ((columns,), (1,))
        if fits:
            added.op_type = "Gemm"
            added.input[:] = [product.input[0], product.input[1], other]
            changed = True
    return changed


def make_softmax(view: View, known: Known) -> bool:
    """Only where they are an output of the graph, which nothing else reads: 0 where exp(z) overflows is a tiny number
    then, and what divides by sums of such would tell. Only in float64: in float32 onnxruntime's Softmax gives 0 for
    5e-15. Whether anything changed.
    """
    changed = False
    for node in view.nodes:
        if known.types.get(next(iter(node.output), "")) != TensorProto.DOUBLE or not view.is_last(node.output[0]):
            continue
        halved = _halved_columns(view, node) or _halved_score(view, node, known)
        if halved is not None:
            node.op_type = "Softmax"
            node.input[:] = [halved]
            view.set_attributes(node, axis=-1)
            changed = True
    return changed


def _halved_columns(view: View, node: NodeProto) -> str | None:
    """−x / 2, where a node makes 1 / (1 + exp(x)) of two columns x that are opposites, as two linear models are."""
    scores = _exponent(view, node)
    halves: list[tuple[NodeProto, int]] = []
    if scores is None or not _opposite(view, scores, "Exp", halves):
        return None
    for reader, place in halves:
        half: Any = view.constant(reader.input[place])
        reader.input[place] = view.add_constant(half * half.dtype.type(-0.5))
    return scores


def _halved_score(view: View, node: NodeProto, known: Known) -> str | None:
    """±z / 2 as two columns, where a node joins 1 − p and p = 1 / (1 + exp(−z)), of one score z a row."""
    if node.op_type != "Concat" or len(node.input) != 2:
        return None
    rest, share = view.maker(node.input[0], "Sub"), node.input[1]
    if rest is None or rest.input[1] != share or not _is_one(view.constant(rest.input[0])):
        return None
    flat = view.maker(share, "Reshape")
    quotient = view.maker(flat.input[0] if flat else share, "Div")
    negative = None if quotient is None else view.maker(_exponent(view, quotient) or "", "Neg")
    score = None if negative is None else negative.input[0]
    if score is None or known.types.get(score) != TensorProto.DOUBLE or known.shapes.get(share) != [None, 1]:
        return None
    inner = score  # of Reshapes in a row the last counts
    while (made := view.maker(inner, "Reshape", "Identity")) is not None:
        inner = made.input[0]
    if known.shapes.get(inner) != [None, 1]:
        inner = view.before(node, "Reshape", inner, view.add_constant(np.array([-1, 1])))
    return view.before(node, "MatMul", inner, view.add_constant(np.array([[-0.5, 0.5]])))


def _exponent(view: View, quotient: NodeProto) -> str | None:
    """x, where a node makes 1 / (1 + exp(x)), and what stands between is read by nothing else."""
    if quotient.op_type != "Div" or quotient.domain or not _is_one(view.constant(quotient.input[0])):
        return None
    total = view.maker(quotient.input[1], "Add")
    if total is None:
        return None
    one, power = total.input if view.constant(total.input[0]) is not None else reversed(total.input)
    scores = view.maker(power, "Exp")
    lone = view.only_reader(total.output[0], "Div") and view.only_reader(power, "Add")
    return scores.input[0] if scores is not None and lone and _is_one(view.constant(one)) else None


def _is_one(value: NDArray[Any] | None) -> bool:
    return value is not None and value.size == 1 and float(value.reshape(())) == 1.0


def _opposite(view: View, tensor: str, reader: str, halves: list[tuple[NodeProto, int]]) -> bool:
    """Whether a tensor is two columns, one the other's negative, made of constants that only it uses.

    halves: is given the constants, as nodes and places among their inputs.
    """
    node = view.maker(tensor, "Gemm", "MatMul", "Add", "ReduceSum", "Gather")
    if node is None or view.only_reader(tensor, reader) is None:
        return False
    if node.op_type == "Gemm" and node.attribute:
        return False
    places = {"Gemm": (1, 2), "MatMul": (1,), "Add": (0, 1), "ReduceSum": (0,), "Gather": (0,)}[node.op_type]
    for place in places:
        constant = view.constant(node.input[place])
        if constant is None:
            if node.op_type == "Gather" or not _opposite(view, node.input[place], node.op_type, halves):
                return False
        elif constant.shape[-1:] != (2,) or not np.array_equal(constant[..., 0], -constant[..., 1]):
            return False
        else:
            halves.append((node, place))
    return True
