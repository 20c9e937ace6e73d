"""String tensors in the graph: cutting texts into pieces, replacing pieces, joining them again.

`StringNormalizer` is not used: it needs the en_US.UTF-8 locale where the model is loaded and follows its tables.
Tensors are [rows, 1] texts or [rows, n] pieces, padded at the end with "", which no piece is.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from onnx import NodeProto, TensorProto, helper

from edge_infer_convert.graph.builder import ML, GraphBuilder
from edge_infer_convert.text.codepoints import (
    CodePoints,
    character_class,
    code_points,
    context_classes,
    folding,
    members,
)

__all__ = [
    "END",
    "FOREIGN_TYPES",
    "MICROSOFT",
    "changed",
    "characters",
    "compacted",
    "concatenated",
    "folded",
    "found",
    "fully_matches",
    "joined",
    "marked",
    "single_spaced",
    "sliced",
    "spaced_words",
    "text_constant",
]

MICROSOFT: Final = "com.microsoft"
#: What operators of onnxruntime give that onnx's type inference does not know.
FOREIGN_TYPES: Final = {"Tokenizer": TensorProto.STRING, "MurmurHash3": TensorProto.INT32}
_STRINGS: Final = 20  # ai.onnx opset that brought StringConcat and RegexFullMatch
END: Final = 2**62  # of a slice
_HALVINGS: Final = 3  # pieces joined by one turn of the loop: 2³
_UNCHANGED: Final = "\ue000"  # no character is folded into it


def found(builder: GraphBuilder, text: str, expression: str, shortest: int = 1) -> str:
    """[rows, 1] → [rows, n]: what the RE2 expression matches, leftmost-longest; n is 0 where no row has any."""
    return _tokenised(builder, text, tokenexp=expression, mincharnum=shortest)


def characters(builder: GraphBuilder, text: str) -> str:
    """[rows, 1] → [rows, n]: one code point each."""
    return _tokenised(builder, text, separators=[""], mincharnum=1)


def _tokenised(builder: GraphBuilder, text: str, **attributes: Any) -> str:
    builder.opsets.setdefault(MICROSOFT, 1)
    cut = builder.node("Tokenizer", text, domain=MICROSOFT, mark=0, pad_value="", **attributes)
    return builder.node("Squeeze", cut, builder.constant([1], np.int64))


def concatenated(builder: GraphBuilder, left: str, right: str) -> str:
    """Element by element."""
    builder.opsets[""] = max(builder.opsets[""], _STRINGS)
    return builder.node("StringConcat", left, right)


def fully_matches(builder: GraphBuilder, pieces: str, expression: str) -> str:
    """Whether all of a piece is matched; bool."""
    builder.opsets[""] = max(builder.opsets[""], _STRINGS)
    return builder.node("RegexFullMatch", pieces, pattern=expression)


def marked(builder: GraphBuilder, pieces: str, texts: list[str]) -> str:
    """Whether a piece is one of `texts`; bool."""
    position = builder.node(
        "LabelEncoder", pieces, domain=ML, keys_strings=texts, values_int64s=[1] * len(texts), default_int64=0
    )
    return builder.node("Cast", position, to=TensorProto.BOOL)


def text_constant(builder: GraphBuilder, text: str) -> str:
    """A text to be broadcast, shape [1, 1]."""
    return builder.constant([[text]], object)


def changed(builder: GraphBuilder, pieces: str, changes: dict[str, str]) -> str:
    """Pieces that are keys of `changes` become its values; the others stay."""
    keys = sorted(changes)
    replaced = builder.node(
        "LabelEncoder",
        pieces,
        domain=ML,
        keys_strings=keys,
        values_strings=[changes[key] for key in keys],
        default_string=_UNCHANGED,
    )
    return builder.node("Where", marked(builder, replaced, [_UNCHANGED]), pieces, replaced)


def joined(builder: GraphBuilder, pieces: str) -> str:
    """[rows, n] → [rows, 1]: each row's pieces as one text; n may be 0.

    A loop: eight neighbours become one until one is left, so its turns grow with log₈ n.
    """
    builder.opsets[""] = max(builder.opsets[""], _STRINGS)
    name = builder.name()
    state, step = f"{name}_pieces", f"{name}_step"
    inner = _Inner(name)
    padded = inner.padded(builder, state)
    for _ in range(_HALVINGS):
        padded = inner.halved(builder, padded)
    width = inner.width(builder, padded)
    again = inner.node("Greater", width, builder.constant([1], np.int64))
    again = inner.node("Squeeze", again)
    text = inner.node("Identity", padded)
    body = helper.make_graph(
        inner.nodes,
        f"{name}_body",
        [
            helper.make_tensor_value_info(step, TensorProto.INT64, []),
            helper.make_tensor_value_info(f"{name}_again", TensorProto.BOOL, []),
            helper.make_tensor_value_info(state, TensorProto.STRING, [None, None]),
        ],
        [
            helper.make_tensor_value_info(again, TensorProto.BOOL, []),
            helper.make_tensor_value_info(text, TensorProto.STRING, [None, None]),
        ],
    )
    return builder.node("Loop", "", builder.constant(True, np.bool_), pieces, body=body)


class _Inner:
    """Nodes of a loop's body; they see the constants of the graph around them."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.nodes: list[NodeProto] = []

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        output = f"{self._prefix}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def width(self, builder: GraphBuilder, pieces: str) -> str:
        return self.node("Gather", self.node("Shape", pieces), builder.constant([1], np.int64))

    def padded(self, builder: GraphBuilder, pieces: str) -> str:
        """1 to 8 empty texts behind, so that 8 divides the width."""
        eight = builder.constant([2**_HALVINGS], np.int64)
        rows = self.node("Gather", self.node("Shape", pieces), builder.constant([0], np.int64))
        beyond = self.node("Mod", self.width(builder, pieces), eight)
        shape = self.node("Concat", rows, self.node("Sub", eight, beyond), axis=0)
        return self.node("Concat", pieces, self.node("Expand", text_constant(builder, ""), shape), axis=1)

    def halved(self, builder: GraphBuilder, pieces: str) -> str:
        zero, one, two = (builder.constant([i], np.int64) for i in range(3))
        end = builder.constant([END], np.int64)
        even = self.node("Slice", pieces, zero, end, one, two)
        odd = self.node("Slice", pieces, one, end, one, two)
        return self.node("StringConcat", even, odd)


def compacted(builder: GraphBuilder, pieces: str, keep: str) -> tuple[str, str]:
    """The pieces for which `keep` [rows, n] holds moved to the front, in order, and where there is one (bool)."""
    one = builder.constant(1, np.int64)
    axis = builder.constant(1, np.int64)
    kept = builder.node("Cast", keep, to=TensorProto.INT64)
    shape = builder.node("Shape", pieces)
    width = builder.node("Gather", shape, builder.constant(1, np.int64))
    rank = builder.node("Sub", builder.node("CumSum", kept, axis), one)
    target = builder.node("Where", keep, rank, width)
    place = builder.node("Expand", _range(builder, width), shape)
    empty = builder.node("Expand", width, builder.node("Add", shape, builder.constant([0, 1], np.int64)))
    order = builder.node("ScatterElements", empty, target, place, axis=1)  # the last place takes all that go
    order = sliced(builder, order, 0, -1)
    last = builder.node("Expand", text_constant(builder, ""), _column_shape(builder, shape))
    moved = builder.node("GatherElements", builder.node("Concat", pieces, last, axis=1), order, axis=1)
    return moved, builder.node("Less", order, width)


def _range(builder: GraphBuilder, stop: str) -> str:
    return builder.node("Range", builder.constant(0, np.int64), stop, builder.constant(1, np.int64))


def sliced(builder: GraphBuilder, tensor: str, start: int, stop: int) -> str:
    """tensor[:, start:stop]; END stands for no end."""
    bounds = (builder.constant([bound], np.int64) for bound in (start, stop, 1))
    return builder.node("Slice", tensor, *bounds)


def _column_shape(builder: GraphBuilder, shape: str) -> str:
    rows = builder.node("Gather", shape, builder.constant([0], np.int64))
    return builder.node("Concat", rows, builder.constant([1], np.int64), axis=0)


# --- lower-casing and accents --------------------------------------------------------------------------------------


def folded(builder: GraphBuilder, text: str, *, lower: bool, accents: str | None, sigma: bool) -> str:
    """[rows, 1] → [rows, 1]: lower-cased, then without accents ("ascii", "unicode" or None), as scikit-learn does.

    sigma: whether Σ must become ς at the end of a word; else it becomes σ everywhere.
    """
    changes = {key: value for key, value in folding(lower, accents).items() if value or accents != "ascii"}
    if not changes:
        return text
    stays = ~code_points(changes)
    if accents == "ascii":  # what matches nothing is dropped
        stays[128:] = False
    pieces = found(builder, text, _pieces(stays, sigma) + "|" + character_class(code_points(changes)))
    new = changed(builder, pieces, changes)
    if sigma:
        final = builder.node("And", marked(builder, pieces, ["Σ"]), _ends_word(builder, pieces))
        new = builder.node("Where", final, text_constant(builder, "ς"), new)
    return joined(builder, new)


def _pieces(stays: CodePoints, sigma: bool) -> str:
    """Runs of unchanged characters; of one kind each where a Σ looks at its neighbours."""
    if not sigma:
        return character_class(stays) + "+"
    classes = context_classes()
    kinds = [classes.cased, classes.ignorable, ~(classes.cased | classes.ignorable)]
    return "|".join(character_class(stays & kind) + "+" for kind in kinds)


def _ends_word(builder: GraphBuilder, pieces: str) -> str:
    """Whether the nearest piece before, ignorable ones passed over, is cased and the nearest behind is not; bool.

    Pieces that are not ignorable are numbered; `kind[number]` then tells what the neighbours are.
    """
    classes = context_classes()
    cased = fully_matches(builder, pieces, f"(?s:{character_class(classes.cased)}.*)")
    ignorable = fully_matches(builder, pieces, f"{character_class(classes.ignorable)}*")  # and the padding
    counted = builder.node("Not", ignorable)
    kinds = _kinds(builder, cased, counted)
    number = builder.node(
        "CumSum", builder.node("Cast", counted, to=TensorProto.INT64), builder.constant(1, np.int64), exclusive=1
    )
    before = builder.node("GatherElements", kinds, number, axis=1)  # kinds[0] stands before the first
    behind = builder.node("GatherElements", kinds, builder.node("Add", number, builder.constant(2, np.int64)), axis=1)
    return builder.node("And", before, builder.node("Not", behind))


def _kinds(builder: GraphBuilder, cased: str, counted: str) -> str:
    """bool [rows, n] → [rows, n + 3]: False, then `cased` of the counted pieces in order, then False."""
    shape = builder.node("Shape", cased)
    width = builder.node("Gather", shape, builder.constant(1, np.int64))
    number = builder.node("CumSum", builder.node("Cast", counted, to=TensorProto.INT64), builder.constant(1, np.int64))
    last = builder.node("Add", width, builder.constant(2, np.int64))
    target = builder.node("Where", counted, number, last)  # the last place takes False from all others
    empty = builder.node(
        "Expand", builder.constant(0, np.int64), builder.node("Add", shape, builder.constant([0, 3], np.int64))
    )
    values = builder.node("Cast", builder.node("And", cased, counted), to=TensorProto.INT64)
    numbers = builder.node("ScatterElements", empty, target, values, axis=1)
    return builder.node("Cast", numbers, to=TensorProto.BOOL)


def single_spaced(builder: GraphBuilder, text: str) -> str:
    """[rows, 1] → [rows, 1]: runs of two or more white spaces become one " "."""
    space = members("space")
    pieces = found(builder, text, f"{character_class(~space)}+|{character_class(space)}+")
    runs = fully_matches(builder, pieces, f"{character_class(space)}{{2,}}")
    return joined(builder, builder.node("Where", runs, text_constant(builder, " "), pieces))


def spaced_words(builder: GraphBuilder, text: str) -> str:
    """[rows, 1] → [rows, 1]: the words of `str.split`, each between two spaces: "a  b" → " a  b "."""
    words = found(builder, text, character_class(~members("space")) + "+")
    around = concatenated(
        builder, concatenated(builder, text_constant(builder, " "), words), text_constant(builder, " ")
    )
    absent = marked(builder, words, [""])
    return joined(builder, builder.node("Where", absent, text_constant(builder, ""), around))
