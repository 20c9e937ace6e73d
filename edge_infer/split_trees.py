"""Large ensembles of trees in parts that fit a CPU's cache: many rows run faster, one row slower.

onnxruntime takes each row through all trees; where these do not fit the cache, every row fetches them anew. In parts,
all rows go through one part before the next. The parts' sums are added up, in another order than tree by tree: the
converter's gate tells whether that holds (`Manifest.splits`). Rows without a gap need no look for NaN at each branch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_infer import wire
from edge_infer.varints import read_varints, varints
from edge_infer.wire_out import message, number

__all__ = ["LEAST_BRANCHES", "PART_BRANCHES", "PART_BRANCHES_OF_MANY", "split_trees"]

#: Branches of all trees from which on an ensemble is split, and of one part: some 32 bytes each in onnxruntime.
LEAST_BRANCHES: Final = 8192
PART_BRANCHES: Final = 4096
PART_BRANCHES_OF_MANY: Final = 512  # where there are so many rows that what each part costs does not count
_MOST_PARTS: Final = 256

_NAME, _I, _T, _INTS, _TYPE = 1, 3, 5, 8, 20  # of AttributeProto
_KINDS: Final = {_I: 2, _T: 4, _INTS: 7}  # AttributeProto.AttributeType
_DIMS, _DATA_TYPE, _RAW = 1, 2, 9  # of TensorProto
_DTYPES: Final = {1: "<f4", 2: "u1", 11: "<f8"}  # TensorProto.DataType
_UNPACKED: Final = re.compile(rb"(?:\x40[\x80-\xff]{0,9}[\x00-\x7f])+", re.DOTALL)
_AVERAGE, _SUM = 0, 1  # aggregate_function
_CHILDREN: Final = ("nodes_truenodeids", "nodes_falsenodeids", "nodes_trueleafs", "nodes_falseleafs")
_COMPARISONS: Final = 6  # nodes_modes below this compare with one number; others have sets, which stand apart
_ROUTES: Final = "nodes_missing_value_tracks_true"  # where NaN goes
_COPIES: Final = frozenset({b"Cast", b"Concat", b"Gather", b"Identity", b"Reshape"})  # of numbers give no NaN


class _Unlike(Exception):
    """An ensemble that is left as it is."""


class _Ensemble(NamedTuple):
    inputs: list[bytes]
    output: bytes
    attributes: dict[str, Any]  # whole numbers, int64 arrays, and arrays of numbers

    def ints(self, name: str) -> NDArray[np.int64]:
        found = self.attributes.get(name)
        if not isinstance(found, np.ndarray) or found.dtype != np.int64:
            raise _Unlike
        return found


def split_trees(
    model: bytes, *, gaps: bool = True, least: int = LEAST_BRANCHES, part: int = PART_BRANCHES
) -> bytes | None:
    """The model with each TreeEnsemble of at least `least` branches as several of about `part` branches, added up.

    gaps: whether the numbers that the model is given may be NaN; if not, nothing tells any more where NaN would go.
    None where there is no such ensemble, or none that can be split.
    """
    pieces: list[bytes | memoryview] = []
    view, changed = memoryview(model), False
    for field, at, value, stop in wire.fields(model, 0, len(model), wire.MODEL_WIRES):
        if field != wire.MODEL_GRAPH:
            pieces.append(view[at:stop])
            continue
        body = b"".join(
            _graph(model, value, stop, _Wish(least, part, frozenset() if gaps else _given(model, value, stop)))
        )
        changed = len(body) != stop - value
        pieces.append(message(field, body))
    return b"".join(pieces) if changed else None


class _Wish(NamedTuple):
    """What is asked for. whole: tensors that hold no NaN."""

    least: int
    part: int
    whole: frozenset[bytes]


def _graph(data: bytes, start: int, end: int, wish: _Wish) -> Iterator[bytes | memoryview]:
    view, count = memoryview(data), 0
    for field, at, value, stop in wire.fields(data, start, end, wire.GRAPH_WIRES):
        parts = None
        if field == wire.GRAPH_NODE and stop - value > wish.least:  # a branch takes more than a byte
            parts = _split(data, value, stop, wish, count)
        if parts is None:
            yield view[at:stop]
        else:
            count += 1
            yield parts


def _split(data: bytes, start: int, stop: int, wish: _Wish, count: int) -> bytes | None:
    try:
        ensemble = _read(data, start, stop)
        if len(ensemble.ints("nodes_featureids")) < wish.least:
            return None
        if wish.whole.issuperset(ensemble.inputs) or not np.any(ensemble.attributes.get(_ROUTES, 0)):
            ensemble.attributes.pop(_ROUTES, None)
        prefix = f"split{count}_"
        while prefix.encode() in data:  # a name of the graph's own may begin so
            prefix = f"_{prefix}"
        return _written(ensemble, wish.part, prefix)
    except (_Unlike, ValueError, IndexError):
        return None


# --- reading ----------------------------------------------------------------------------


def _given(data: bytes, start: int, end: int) -> frozenset[bytes]:
    """The inputs of a graph, and what only copies their values: other nodes, and tables, could give NaN."""
    given: set[bytes] = set()
    for field, _, value, stop in wire.fields(data, start, end, wire.GRAPH_WIRES):
        if field == wire.GRAPH_INPUT:
            given.update(data[at:to] for name, _, at, to in wire.fields(data, value, stop) if name == wire.VALUE_NAME)
    for field, _, value, stop in wire.fields(data, start, end, wire.GRAPH_WIRES):
        if field == wire.GRAPH_NODE:
            names, _ = _names(data, value, stop)
            copies = _COPIES.issuperset(names[wire.NODE_OP_TYPE]) and not any(names[wire.NODE_DOMAIN])
            if copies and given.issuperset(names[wire.NODE_INPUT]):
                given.update(names[wire.NODE_OUTPUT])
    return frozenset(given)


def _names(data: bytes, start: int, stop: int) -> tuple[dict[int, list[bytes]], list[tuple[int, int]]]:
    """The texts of a node by field, and where its attributes are."""
    fields = (wire.NODE_INPUT, wire.NODE_OUTPUT, wire.NODE_OP_TYPE, wire.NODE_DOMAIN)
    names: dict[int, list[bytes]] = {field: [] for field in fields}
    spans: list[tuple[int, int]] = []
    for field, _, value, end in wire.fields(data, start, stop, wire.NODE_WIRES):
        if field in names:
            names[field].append(data[value:end])
        elif field == wire.NODE_ATTRIBUTE:
            spans.append((value, end))
    return names, spans


def _read(data: bytes, start: int, stop: int) -> _Ensemble:
    names, spans = _names(data, start, stop)
    if names[wire.NODE_OP_TYPE] != [b"TreeEnsemble"] or names[wire.NODE_DOMAIN] != [b"ai.onnx.ml"]:
        raise _Unlike
    (output,) = names[wire.NODE_OUTPUT]
    ensemble = _Ensemble(names[wire.NODE_INPUT], output, dict(_attribute(data, *span) for span in spans))
    _check(ensemble)
    return ensemble


def _check(ensemble: _Ensemble) -> None:
    """All lists are there, and of one length. Raises _Unlike."""
    attributes = ensemble.attributes
    lengths = {"nodes_": len(ensemble.ints("nodes_featureids")), "leaf_": len(ensemble.ints("leaf_targetids"))}
    for name in ("nodes_splits", "nodes_modes", "leaf_weights", *_CHILDREN):
        if not isinstance(attributes.get(name), np.ndarray):
            raise _Unlike
    for name, value in attributes.items():
        for prefix, length in lengths.items():
            if name.startswith(prefix) and (not isinstance(value, np.ndarray) or value.shape != (length,)):
                raise _Unlike
    if not isinstance(attributes.get("n_targets"), int) or attributes["leaf_weights"].dtype.kind != "f":
        raise _Unlike


def _attribute(data: bytes, start: int, stop: int) -> tuple[str, Any]:
    name, position = "", start
    value: Any = None
    ints = [np.empty(0, np.int64)]
    while position < stop:
        run = _UNPACKED.match(data, position, stop)
        if run is not None:  # each number behind a tag of its own
            ints.append(read_varints(run.group())[1::2])
            position = run.end()
            continue
        field, tag, at, position = next(wire.fields(data, position, stop, wire.ATTRIBUTE_WIRES))
        if field == _NAME:
            name = data[at:position].decode()
        elif field == _I:
            value = at
        elif field == _T:
            value = _tensor(data, at, position)
        elif field == _INTS and data[tag] & 7 == wire.LENGTH:
            ints.append(read_varints(data[at:position]))
        elif field != _TYPE:
            raise _Unlike
    return name, np.concatenate(ints) if value is None else value


def _tensor(data: bytes, start: int, stop: int) -> NDArray[Any]:
    kind, raw = 0, b""
    for field, _, at, end in wire.fields(data, start, stop, wire.TENSOR_WIRES):
        if field == _DATA_TYPE:
            kind = at
        elif field == _RAW:
            raw = data[at:end]
    if kind not in _DTYPES:
        raise _Unlike
    return np.frombuffer(raw, _DTYPES[kind])


# --- parts ------------------------------------------------------------------------------


def _written(ensemble: _Ensemble, part: int, prefix: str) -> bytes:
    """The parts' nodes, and what adds them up, as fields of a graph."""
    attributes = ensemble.attributes
    weights = attributes["leaf_weights"]
    plain = attributes.get("aggregate_function", _SUM) in (_AVERAGE, _SUM) and not attributes.get("post_transform", 0)
    if not plain or (attributes["nodes_modes"] >= _COMPARISONS).any():
        raise _Unlike
    roots = ensemble.ints("tree_roots")
    branch_owner, leaf_owner = _owners(ensemble, len(weights))
    groups = _groups(np.bincount(branch_owner, minlength=len(roots)), part)
    if len(groups) < 2:
        raise _Unlike
    nodes, sums = [], []
    for place, (first, last) in enumerate(groups):
        sums.append(f"{prefix}{place}".encode())
        own = _part(ensemble, roots[first:last], (branch_owner >= first) & (branch_owner < last),
                    (leaf_owner >= first) & (leaf_owner < last))  # fmt: skip
        nodes.append(_node(b"TreeEnsemble", ensemble.inputs, sums[-1], own, b"ai.onnx.ml"))
    if attributes.get("aggregate_function", _SUM) == _SUM:
        return b"".join([*nodes, _node(b"Sum", sums, ensemble.output)])
    total, count = f"{prefix}total".encode(), f"{prefix}count".encode()
    divided = _node(b"Div", [total, count], ensemble.output)
    return b"".join([*nodes, _node(b"Sum", sums, total), divided, _constant(count, len(roots), weights.dtype)])


def _owners(ensemble: _Ensemble, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The tree of each branch and of each leaf; of leaves that no tree reaches, −1.

    Raises _Unlike where two trees share a node, a branch belongs to none, or a child is not there.
    """
    roots = ensemble.ints("tree_roots")
    yes, no, yes_leaf, no_leaf = (ensemble.ints(name) for name in _CHILDREN)
    branch_owner, leaf_owner = np.full(len(yes), -1), np.full(count, -1)
    at, tree = roots, np.arange(len(roots))
    while len(at):
        if len(np.unique(at)) < len(at) or (branch_owner[at] >= 0).any():
            raise _Unlike
        branch_owner[at] = tree
        child = np.concatenate([yes[at], no[at]])
        is_leaf = np.concatenate([yes_leaf[at], no_leaf[at]]) != 0
        owner = np.concatenate([tree, tree])
        if (child < 0).any():  # numpy would count from the end
            raise _Unlike
        leaves, owners = child[is_leaf], owner[is_leaf]
        shared = (leaf_owner[leaves] >= 0) & (leaf_owner[leaves] != owners)
        leaf_owner[leaves] = owners
        if shared.any() or (leaf_owner[leaves] != owners).any():
            raise _Unlike
        at, tree = child[~is_leaf], owner[~is_leaf]
    if (branch_owner < 0).any():
        raise _Unlike
    return branch_owner, leaf_owner


def _groups(sizes: NDArray[np.int64], part: int) -> list[tuple[int, int]]:
    """Trees in a row, of about as many branches in each group."""
    part = max(part, -(-int(sizes.sum()) // _MOST_PARTS))
    ends = np.cumsum(sizes)
    group = (ends - 1) // part
    borders = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(sizes)]
    return list(pairwise(borders))


def _part(ensemble: _Ensemble, roots: NDArray[np.int64], branch: NDArray[np.bool_], leaf: NDArray[np.bool_]) -> bytes:
    """The attributes of an ensemble of some of the trees: those whose branches and leaves are told."""
    attributes = ensemble.attributes
    branch_place, leaf_place = np.cumsum(branch) - 1, np.cumsum(leaf) - 1
    values: dict[str, Any] = {"n_targets": attributes["n_targets"], "aggregate_function": _SUM, "post_transform": 0}
    values |= {name: value[branch] for name, value in attributes.items() if name.startswith("nodes_")}
    sides = [_side(ensemble, side, branch, branch_place, leaf_place) for side in ("true", "false")]
    values["tree_roots"] = branch_place[roots]
    spare = _spare(sides, values["tree_roots"])
    for side, (places, is_leaf) in zip(("true", "false"), sides, strict=True):
        values[f"nodes_{side}nodeids"] = places + spare * is_leaf
    for name in ("leaf_targetids", "leaf_weights"):
        values[name] = np.concatenate([np.zeros(spare, attributes[name].dtype), attributes[name][leaf]])
    return b"".join(_attribute_of(name, values[name]) for name in sorted(values))


_Side = tuple[NDArray[np.int64], NDArray[np.bool_]]


def _side(
    ensemble: _Ensemble, side: str, branch: NDArray[np.bool_], branch_place: NDArray[np.int64], leaf_place: Any
) -> _Side:
    """What stands under the branches on one side: numbers within the part, and which of them are leaves."""
    child, is_leaf = ensemble.ints(f"nodes_{side}nodeids")[branch], ensemble.ints(f"nodes_{side}leafs")[branch] != 0
    return np.where(
        is_leaf, leaf_place[np.where(is_leaf, child, 0)], branch_place[np.where(is_leaf, 0, child)]
    ), is_leaf


def _spare(sides: list[_Side], roots: NDArray[np.int64]) -> int:
    """Leaves in front, so that no root has a leaf and a branch of the same number under it.

    onnxruntime 1.21 to 1.29 take such a root for a lone leaf (microsoft/onnxruntime issue 24679).
    """
    (yes, yes_leaf), (no, no_leaf) = ((places[roots], is_leaf[roots]) for places, is_leaf in sides)
    ahead = np.where(yes_leaf, no - yes, yes - no)[yes_leaf != no_leaf]
    taken = set(ahead.tolist())
    return next(count for count in range(len(taken) + 1) if count not in taken)


# --- writing ----------------------------------------------------------------------------


def _node(op: bytes, inputs: list[bytes], output: bytes, attributes: bytes = b"", domain: bytes = b"") -> bytes:
    names = b"".join(message(wire.NODE_INPUT, name) for name in inputs) + message(wire.NODE_OUTPUT, output)
    body = names + message(wire.NODE_OP_TYPE, op) + attributes + (message(wire.NODE_DOMAIN, domain) if domain else b"")
    return message(wire.GRAPH_NODE, body)


def _attribute_of(name: str, value: Any) -> bytes:
    if not isinstance(value, np.ndarray):
        field, content = _I, number(_I, int(value))
    elif value.dtype == np.int64:
        field, content = _INTS, message(_INTS, varints(value))
    else:
        field, content = _T, message(_T, _tensor_of(value))
    return message(wire.NODE_ATTRIBUTE, message(_NAME, name.encode()) + content + number(_TYPE, _KINDS[field]))


def _tensor_of(value: NDArray[Any]) -> bytes:
    kind = next(kind for kind, dtype in _DTYPES.items() if np.dtype(dtype) == value.dtype)
    dims = b"".join(number(_DIMS, size) for size in value.shape)
    return dims + number(_DATA_TYPE, kind) + message(_RAW, value.tobytes())


def _constant(name: bytes, value: float, dtype: Any) -> bytes:
    """A scalar among the graph's initializers."""
    tensor = _tensor_of(np.array(value, dtype)) + message(wire.TENSOR_NAME, name)
    return message(wire.GRAPH_INITIALIZER, tensor)
