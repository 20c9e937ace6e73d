"""Text vectorisers: terms found as strings, counted by one LabelEncoder (or hashed) and one ScatterElements."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from onnx import TensorProto
from sklearn.feature_extraction import text as vectorisers

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph.builder import ML, GraphBuilder
from edge_infer_convert.operators.registry import operator
from edge_infer_convert.text.strings import MICROSOFT
from edge_infer_convert.text.terms import Terms, find_terms, uses_sigma

__all__ = ["VECTORISERS", "count_vectoriser", "hashing_vectoriser", "tfidf_transformer", "tfidf_vectoriser"]

#: They read one column of texts: the tensor is string [rows, 1].
VECTORISERS: Final = (
    vectorisers.CountVectorizer,
    vectorisers.TfidfVectorizer,
    vectorisers.HashingVectorizer,
)
_MOST_HASHED: Final = 2**15  # features: each is a column of a dense matrix, and of the goldens


@operator(vectorisers.CountVectorizer)
def count_vectoriser(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """How often each term of the vocabulary occurs; 0 or 1 if `binary`."""
    return {"transform": [_counts(builder, model, reads)]}


@operator(vectorisers.TfidfVectorizer)
def tfidf_vectoriser(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """The counts, weighted as by TfidfTransformer."""
    return {"transform": [_weighted(builder, model._tfidf, _counts(builder, model, reads))]}


@operator(vectorisers.TfidfTransformer)
def tfidf_transformer(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """tf (or 1 + ln tf) · idf, then each row divided by its norm; a row of zeros stays one."""
    return {"transform": [_weighted(builder, model, reads)]}


@operator(vectorisers.HashingVectorizer)
def hashing_vectoriser(builder: GraphBuilder, model: Any, reads: str) -> dict[str, list[str]]:
    """Feature |h| mod n, sign of h, where h is the 32-bit MurmurHash3 of a term in UTF-8."""
    if model.n_features > _MOST_HASHED:
        raise UnsupportedModelError(
            f"HashingVectorizer(n_features={model.n_features:,}) would make a dense matrix that wide for each text "
            f"(the limit is {_MOST_HASHED:,})\nFit it with n_features=2**14 or so, or use a TfidfVectorizer."
        )
    terms = find_terms(builder, model, reads, sigma=model.lowercase and model.strip_accents != "ascii")
    hashed = builder.node("MurmurHash3", terms.texts, domain=MICROSOFT, seed=0, positive=0)
    hashed = builder.node("Cast", hashed, to=TensorProto.INT64)
    size = builder.constant(model.n_features, np.int64)
    feature = builder.node("Mod", builder.node("Abs", hashed), size)
    if model.alternate_sign and not model.binary:
        negative = builder.node("Less", hashed, builder.constant(0, np.int64))
        amount = builder.node("Where", negative, builder.constant(-1.0), builder.constant(1.0))
    else:
        amount = builder.node("Expand", builder.constant(1.0), builder.node("Shape", feature))
    sums = _scattered(builder, builder.node("Where", terms.present, feature, size), amount, model.n_features)
    return {"transform": [_divided(builder, model.norm, _at_most_one(builder, sums) if model.binary else sums)]}


def _counts(builder: GraphBuilder, model: Any, reads: str) -> str:
    places = sorted((int(place), str(term)) for term, place in model.vocabulary_.items())
    width = len(places)
    known = {term for _, term in places} | set(model.get_stop_words() or ())
    terms = find_terms(builder, model, reads, sigma=uses_sigma(model, known))
    place = builder.node(
        "LabelEncoder",
        terms.texts,
        domain=ML,
        keys_strings=[term for _, term in places],
        values_int64s=[place for place, _ in places],
        default_int64=width,
    )
    counts = _scattered(builder, *_ones(builder, terms, place, width), width)
    return _at_most_one(builder, counts) if model.binary else counts


def _ones(builder: GraphBuilder, terms: Terms, place: str, width: int) -> tuple[str, str]:
    """Unknown and absent terms are counted in a place of their own, behind the last."""
    place = builder.node("Where", terms.present, place, builder.constant(width, np.int64))
    return place, builder.node("Expand", builder.constant(1.0), builder.node("Shape", place))


def _scattered(builder: GraphBuilder, place: str, amount: str, width: int) -> str:
    """Sums of `amount` [rows, terms] by `place`, shape [rows, width]; what is at `width` is left out."""
    rows = builder.node("Gather", builder.node("Shape", place), builder.constant([0], np.int64))
    shape = builder.node("Concat", rows, builder.constant([width + 1], np.int64), axis=0)
    zeros = builder.node("Expand", builder.constant(0.0), shape)
    sums = builder.node("ScatterElements", zeros, place, amount, axis=1, reduction="add")
    bounds = (builder.constant([bound], np.int64) for bound in (0, width, 1))
    # The shape tells onnx what its inference does not know behind operators of com.microsoft.
    return builder.node("Reshape", builder.node("Slice", sums, *bounds), builder.constant([-1, width], np.int64))


def _at_most_one(builder: GraphBuilder, counts: str) -> str:
    return builder.node("Min", counts, builder.constant(1.0))


def _weighted(builder: GraphBuilder, model: Any, counts: str) -> str:
    """TfidfTransformer.transform. Zeros are not stored there, so that neither logarithm nor weight meets them."""
    zero = builder.constant(0.0)
    absent = builder.node("Equal", counts, zero)
    weighted = counts
    if model.sublinear_tf:
        one = builder.constant(1.0)
        logarithm = builder.node("Log", builder.node("Where", absent, one, counts))
        weighted = builder.node("Where", absent, zero, builder.node("Add", logarithm, one))
    if hasattr(model, "idf_"):
        weighted = builder.node("Mul", weighted, builder.constant(model.idf_))
        if not np.isfinite(model.idf_).all():
            weighted = builder.node("Where", absent, zero, weighted)
    return _divided(builder, model.norm, weighted)


def _divided(builder: GraphBuilder, norm: str | None, rows: str) -> str:
    """Each row divided by its norm, rows of zeros left as they are (sklearn.preprocessing.normalize)."""
    if norm is None:
        return rows
    sizes = builder.node("Abs", rows) if norm == "l1" else builder.node("Mul", rows, rows)
    total = builder.node("ReduceSum", sizes, builder.constant([1], np.int64), keepdims=1)
    if norm == "l2":
        total = builder.node("Sqrt", total)
    empty = builder.node("Equal", total, builder.constant(0.0))
    return builder.node("Div", rows, builder.node("Where", empty, builder.constant(1.0), total))
