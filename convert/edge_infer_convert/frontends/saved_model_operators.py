"""A SavedModel is a program: what it could do is looked at before TensorFlow loads it, which already runs a part of it.

Operators without side effects may run, and of the others those of variables, tables and randomness. All else is
refused: what reads and writes files, calls Python, opens connections. Saving and restoring variables is allowed where
the file says how that is done, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from google.protobuf import message
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from edge_infer.errors import UntrustedSourceError

__all__ = ["check_operators"]

#: Of the operators that TensorFlow calls stateful, those that touch the model's own state alone.
_HARMLESS: Final = frozenset(
    {
        # variables
        "AssignAddVariableOp", "AssignSubVariableOp", "AssignVariableOp", "DestroyResourceOp", "DisableCopyOnRead",
        "ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VarHandleOp", "VarIsInitializedOp",
        "VariableShape",
        # control flow
        "Assert", "Case", "If", "StatefulPartitionedCall", "While",
        # tables
        "HashTableV2", "InitializeTableV2", "LookupTableExportV2", "LookupTableFindV2", "LookupTableImportV2",
        "LookupTableInsertV2", "LookupTableSizeV2", "MutableHashTableV2",
        # lists in loops
        "StackCloseV2", "StackPopV2", "StackPushV2", "StackV2", "TensorArrayCloseV3", "TensorArrayConcatV3",
        "TensorArrayGatherV3", "TensorArrayReadV3", "TensorArrayScatterV3", "TensorArraySizeV3",
        "TensorArraySplitV3", "TensorArrayV3", "TensorArrayWriteV3",
        # randomness
        "Multinomial", "RandomShuffle", "RandomStandardNormal", "RandomUniform", "RandomUniformInt",
        "StatefulStandardNormalV2", "StatefulUniform", "TruncatedNormal",
    }
)  # fmt: skip
_FILES: Final = frozenset({"MatchingFiles", "PyFuncStateless", "ReadFile"})  # which TensorFlow does not call stateful
_SAVING: Final = frozenset({"MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename"})
_SHOWN: Final = 10


def check_operators(folder: Path, *, trusted: bool = False) -> None:
    """Raises UntrustedSourceError for a file that is no SavedModel, and, if it is not trusted, with the operators in it
    that could do more than compute."""
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    except message.DecodeError as error:
        raise UntrustedSourceError(
            f"{folder}: saved_model.pb cannot be read as a SavedModel: it may be torn"
        ) from error
    if not saved.meta_graphs:
        raise UntrustedSourceError(f"{folder}: saved_model.pb holds no graph: it may be torn")
    if not any(graph.HasField("object_graph_def") for graph in saved.meta_graphs):
        raise UntrustedSourceError(
            f"{folder} is a SavedModel of TensorFlow 1: load it in TensorFlow 2 and save it anew: tf.saved_model.save"
        )
    found = [place for graph in saved.meta_graphs for place in _reaching_out(graph)]
    if found and not trusted:
        listed = "\n".join(f"  {name} ({operator})" for name, operator in found[:_SHOWN])
        more = f"\n  … and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise UntrustedSourceError(
            f"{folder} holds operators that reach beyond the model (files, Python, a network), or that TensorFlow does "
            f"not have:\n{listed}{more}\nLoading it may run them. Leave these steps out of the model, or, if you made "
            "it or trust who did, say so: --trust-pickle (trust_pickle=True)."
        )


def _reaching_out(meta: Any) -> Iterator[tuple[str, str]]:
    """Name and operator of each such node."""
    functions = {function.signature.name: function.node_def for function in meta.graph_def.library.function}
    saving = _saving(meta, functions)
    for node in meta.graph_def.node:
        if not _harmless(node.op, functions):
            yield node.name, node.op
    for name, nodes in functions.items():
        for node in nodes:
            if not _harmless(node.op, functions) and not (name in saving and node.op in _SAVING):
                yield f"{name}/{node.name}", node.op


def _harmless(operator: str, functions: Mapping[str, Any]) -> bool:
    if operator in functions or operator in _HARMLESS:
        return True
    known = op_def_registry.get(operator)
    return known is not None and not known.is_stateful and operator not in _FILES | _SAVING


def _saving(meta: Any, functions: Mapping[str, Any]) -> set[str]:
    """The functions that only save and restore variables: called by the nodes that the file names for it."""
    saver = meta.saver_def
    named = {name.partition(":")[0] for name in (saver.save_tensor_name, saver.restore_op_name)}
    savers = [node for node in meta.graph_def.node if node.name in named]
    others = [node for node in meta.graph_def.node if node.name not in named]
    objects = set(meta.object_graph_def.concrete_functions)
    return _called(_of(savers), functions) - _called(objects | _of(others), functions)


def _called(names: Iterable[str], functions: Mapping[str, Any]) -> set[str]:
    """These functions and all that they call."""
    found: set[str] = set()
    left = [name for name in names if name in functions]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [other for other in _of(functions[name]) if other in functions]
    return found


def _of(nodes: Iterable[Any]) -> set[str]:
    """The functions that nodes name: as their operator, or in an attribute."""
    names = set()
    for node in nodes:
        names.add(node.op)
        for attribute in node.attr.values():
            names |= {attribute.func.name, *(each.name for each in attribute.list.func)}
    return names
