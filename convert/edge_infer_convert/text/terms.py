"""Texts → the terms that a vectoriser counts: words, characters, and n-grams of them, as tensors of strings."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from onnx import TensorProto

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.text import strings
from edge_infer_convert.text.patterns import Tokens, find_tokens

__all__ = ["Terms", "check_options", "find_terms", "uses_sigma"]


class Terms(NamedTuple):
    """`texts`: string [rows, n]; `present`: bool of the same shape, whether there is a term."""

    texts: str
    present: str


def check_options(model: Any) -> None:
    """Refuse what has no exact form in the graph.

    Raises:
        UnsupportedModelError: with the option, the reason and a remedy.
    """
    kind = type(model).__name__
    if model.input != "content":
        raise UnsupportedModelError(f"{kind}(input={model.input!r}) reads files\nUse input='content'.")
    for option in ("analyzer", "preprocessor", "tokenizer", "strip_accents"):
        if callable(value := getattr(model, option)) and not (option == "tokenizer" and value is str.split):
            raise UnsupportedModelError(
                f"{kind}({option}={getattr(value, '__name__', 'a function')}): a Python function cannot run in the "
                "graph\nUse the built-in options (analyzer, token_pattern, lowercase, strip_accents, stop_words), or "
                "apply the function to the texts before the model."
            )


def _pattern(model: Any) -> str:
    return r"\S+" if model.tokenizer is str.split else str(model.token_pattern)


def uses_sigma(model: Any, known: set[str]) -> bool:
    """Whether Σ → σ or ς makes a difference: not if no known term has either and no pattern tells them apart."""
    if not model.lowercase or model.strip_accents == "ascii":
        return False
    if any("σ" in text or "ς" in text for text in known):
        return True
    tokens = find_tokens(_pattern(model)) if model.analyzer == "word" else Tokens("")
    return any(members[ord("σ")] != members[ord("ς")] for members in tokens.classes)


def find_terms(builder: GraphBuilder, model: Any, text: str, *, sigma: bool) -> Terms:
    """What `model.build_analyzer()` gives for each text of the tensor [rows, 1].

    Raises:
        UnsupportedModelError: an option has no exact form in the graph.
    """
    check_options(model)
    text = strings.folded(builder, text, lower=model.lowercase, accents=model.strip_accents, sigma=sigma)
    lowest, highest = model.ngram_range
    if model.analyzer == "word":
        return _word_terms(builder, model, text, range(lowest, highest + 1))
    if model.analyzer == "char":
        pieces = strings.characters(builder, strings.single_spaced(builder, text))
        return _joined_terms(builder, _grams(builder, _present(builder, pieces), range(lowest, highest + 1)))
    return _bounded_terms(builder, text, lowest, highest)


def _present(builder: GraphBuilder, pieces: str) -> Terms:
    return Terms(pieces, builder.node("Not", strings.marked(builder, pieces, [""])))


def _joined_terms(builder: GraphBuilder, grams: list[Terms]) -> Terms:
    if len(grams) == 1:
        return grams[0]
    texts = builder.node("Concat", *(gram.texts for gram in grams), axis=1)
    return Terms(texts, builder.node("Concat", *(gram.present for gram in grams), axis=1))


# --- words ---------------------------------------------------------------------------------------------------------


def _word_terms(builder: GraphBuilder, model: Any, text: str, lengths: range) -> Terms:
    tokens = find_tokens(_pattern(model))
    words = strings.found(builder, text, tokens.expression, tokens.shortest)
    keep = builder.node("Not", strings.marked(builder, words, ["", *sorted(model.get_stop_words() or ())]))
    if tokens.whole is not None:
        keep = builder.node("And", keep, strings.fully_matches(builder, words, tokens.whole))
    if lengths[-1:] == range(1, 2):
        return Terms(words, keep)
    if tokens.whole is not None or model.stop_words:
        words, keep = strings.compacted(builder, words, keep)
    return _joined_terms(builder, _grams(builder, Terms(words, keep), lengths, " "))


def _grams(builder: GraphBuilder, pieces: Terms, lengths: range, between: str = "") -> list[Terms]:
    """n neighbouring pieces joined, for each n of `lengths`. The absent ones stand at the end of a row."""
    behind = pieces.texts
    if between:
        behind = strings.concatenated(builder, strings.text_constant(builder, between), behind)
    gram, grams = pieces, [pieces]
    for n in range(2, lengths.stop):
        first = strings.sliced(builder, gram.texts, 0, -1)
        texts = strings.concatenated(builder, first, strings.sliced(builder, behind, n - 1, strings.END))
        gram = Terms(texts, strings.sliced(builder, pieces.present, n - 1, strings.END))
        grams.append(gram)
    return grams[lengths.start - 1 :]


# --- characters within words ---------------------------------------------------------------------------------------


def _bounded_terms(builder: GraphBuilder, text: str, lowest: int, highest: int) -> Terms:
    """The n-grams within words between two spaces; of a word shorter than the lowest n, all of it once.

    Between words stand two spaces, so the number of spaces before a place, halved, is the number of its word.
    """
    pieces = _present(builder, strings.characters(builder, strings.spaced_words(builder, text)))
    space = strings.marked(builder, pieces.texts, [" "])
    before = builder.node(
        "CumSum", builder.node("Cast", space, to=TensorProto.INT64), builder.constant(1, np.int64), exclusive=1
    )
    word = builder.node("Div", before, builder.constant(2, np.int64))
    opens = builder.node("Equal", builder.node("Mul", word, builder.constant(2, np.int64)), before)
    opens = builder.node("And", space, opens)
    closes = builder.node("And", space, builder.node("Not", opens))
    terms = []
    for n, gram in enumerate(_grams(builder, pieces, range(1, highest + 1)), 1):
        if n < min(lowest, 3):
            continue
        ends = _both(builder, "Equal", word, word, n)
        if n < lowest:
            ends = builder.node("And", ends, _both(builder, "And", opens, closes, n))
        terms.append(Terms(gram.texts, builder.node("And", gram.present, ends)))
    return _joined_terms(builder, terms)


def _both(builder: GraphBuilder, op: str, first: str, last: str, n: int) -> str:
    """`op` of the first and the last place of each n-gram."""
    if n == 1:
        return builder.node(op, first, last)
    return builder.node(op, strings.sliced(builder, first, 0, 1 - n), strings.sliced(builder, last, n - 1, strings.END))
