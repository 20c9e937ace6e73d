"""Text alone, and text beside other columns."""

from __future__ import annotations

from typing import Any

from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from matrix.cases.collect import Cases
from matrix.pipelines.columns import ENCODED, FILLED, NUMBERS, TEXTS, model

__all__ = ["CASES"]

CASES = Cases("pipelines")


def _add(name: str, *steps: Any, on: str = "text", final: Any = None) -> None:
    CASES.add(make_pipeline(*steps, final or LogisticRegression()), on, subject=name)


_add("words counted", CountVectorizer())
_add("words weighed", TfidfVectorizer())
_add("words weighed, ASCII", TfidfVectorizer(), on="ascii_text")
_add("words counted, then weighed", CountVectorizer(), TfidfTransformer(), final=MultinomialNB())
_add("words in pairs", TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True))
_add("English stop words", TfidfVectorizer(stop_words="english"), final=LinearSVC())
_add("letters within words", TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3)))
_add("accents stripped", CountVectorizer(strip_accents="unicode"))
_add("words hashed", HashingVectorizer(n_features=64))
_add("words and letters", make_union(CountVectorizer(), TfidfVectorizer(analyzer="char", ngram_range=(1, 2))))
_add("topics of words", TfidfVectorizer(), TruncatedSVD(4, random_state=0))
_WORDS = TfidfVectorizer(max_features=30)
CASES.add(
    make_pipeline(make_column_transformer((_WORDS, "note"), (FILLED, NUMBERS), (ENCODED, TEXTS)), model()),
    "mixed",
    subject="text beside other columns",
)
