"""A model without its weights: enough for the inference of shapes, which would copy them four times."""

from __future__ import annotations

from math import prod
from typing import Final

from onnx import ModelProto, NodeProto, TensorProto, helper

__all__ = ["light_copy"]

_LARGE: Final = 1024  # elements; the inference reads values of small tensors only (shapes, axes)


def light_copy(model: ModelProto) -> ModelProto:
    """The same inputs, outputs, nodes and types. Large initializers have no data, tree ensembles one node."""
    copy = helper.make_model(
        helper.make_graph(
            [], model.graph.name, model.graph.input, model.graph.output, value_info=model.graph.value_info
        ),
        opset_imports=model.opset_import,
        functions=model.functions,
        ir_version=model.ir_version,
    )
    for node in model.graph.node:
        copy.graph.node.append(_one_tree(node) if node.op_type == "TreeEnsemble" else node)
    for tensor in model.graph.initializer:
        large = prod(tensor.dims) > _LARGE
        bare = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims) if large else tensor
        copy.graph.initializer.append(bare)
    return copy


def _one_tree(node: NodeProto) -> NodeProto:
    """A TreeEnsemble of the same type and targets with one node and one leaf."""
    attributes = {attribute.name: attribute for attribute in node.attribute}
    kind = attributes["nodes_splits"].t.data_type
    return helper.make_node(
        "TreeEnsemble",
        node.input,
        node.output,
        domain=node.domain,
        n_targets=attributes["n_targets"].i,
        nodes_splits=helper.make_tensor("", kind, [1], [0.0]),
        nodes_modes=helper.make_tensor("", TensorProto.UINT8, [1], [0]),
        nodes_featureids=[0],
        nodes_truenodeids=[0],
        nodes_falsenodeids=[0],
        nodes_trueleafs=[1],
        nodes_falseleafs=[1],
        leaf_targetids=[0],
        leaf_weights=helper.make_tensor("", kind, [1], [0.0]),
        tree_roots=[0],
    )
