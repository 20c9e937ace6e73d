"""Text vectorisers: the same terms, counts and weights as the original, in every script; refusals with reasons."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

import edge_infer
from edge_infer.errors import SchemaError, UnsupportedModelError
from edge_infer_convert import Conversion, convert
from edge_infer_convert.operators.text import VECTORISERS
from edge_infer_convert.text.codepoints import ALL_TEXT, folding
from edge_infer_convert.text.patterns import find_tokens
from tests.convert.operators.drawn import assert_converted, matrix, seeds
from tests.convert.operators.texts import drawn_texts, labels_of

_few = settings(max_examples=3)
_TEXTS = drawn_texts(1, count=80)
_FRESH = [*drawn_texts(2), "a" * 300, "Σ", "ΑΣ'", "\x00a\x00", "one two  three\u2028four"]


def assert_same_texts(estimator: Any, texts: Any = None, *, precision: str = "auto") -> Conversion:
    """Convert; every method answers as the original on fresh texts, one by one and all at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        conversion = convert(estimator, data=texts, name="texts", precision=precision)
    assert conversion.manifest.missing_methods == {}
    model = edge_infer.load(conversion.data)
    for output in conversion.manifest.outputs:
        wanted = getattr(estimator, output.method)(_FRESH)
        wanted = np.asarray(wanted.toarray() if hasattr(wanted, "toarray") else wanted)
        got = getattr(model, output.method)(_FRESH)
        assert got.dtype == wanted.dtype
        one = np.array([getattr(model, output.method)(text) for text in _FRESH[:3]])
        for have, want in ((got, wanted), (one, wanted[:3])):
            if want.dtype.kind == "f":
                limit = 1e-5 if conversion.manifest.precision == "float32" else 1e-9
                assert np.allclose(have, want, rtol=limit, atol=limit)
            else:
                assert (have == want).all()
    return conversion


WORDS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "bigrams": {"ngram_range": (1, 2)},
    "trigrams alone without English stop words": {"ngram_range": (3, 3), "stop_words": "english"},
    "stop words of a list": {"stop_words": ["the", "cat", "λόγος"], "ngram_range": (1, 2)},
    "case kept": {"lowercase": False},
    "accents to ASCII": {"strip_accents": "ascii"},
    "accents of Unicode": {"strip_accents": "unicode", "ngram_range": (1, 2)},
    "accents, case kept": {"strip_accents": "unicode", "lowercase": False},
    "letters a to z only": {"token_pattern": r"\b[a-z]{2,}\b", "ngram_range": (1, 2)},
    "words of one character": {"token_pattern": r"(?u)\b\w+\b"},
    "words of two to five": {"token_pattern": r"\b\w{2,5}\b"},
    "no digits": {"token_pattern": r"(?u)\b[^\W\d_]+\b"},
    "split at white space": {"tokenizer": str.split, "token_pattern": None},
    "all but white space": {"token_pattern": r"\S+"},
    "words with inner signs": {"token_pattern": r"\w+(?:[-']\w+)*"},
    "words and signs": {"token_pattern": r"\w+|[^\w\s]", "ngram_range": (2, 2)},
    "any case by flag": {"token_pattern": r"(?i)[a-k]+", "lowercase": False},
    "limits of frequency": {"min_df": 2, "max_df": 0.5, "max_features": 12},
    "a vocabulary given": {"vocabulary": ["good", "very good", "cat", "nowhere"], "ngram_range": (1, 2)},
    "binary": {"binary": True},
}
CHARACTERS: dict[str, dict[str, Any]] = {
    "char": {"analyzer": "char", "ngram_range": (1, 3)},
    "char, case kept": {"analyzer": "char", "ngram_range": (2, 2), "lowercase": False},
    "char without accents": {"analyzer": "char", "ngram_range": (2, 2), "strip_accents": "unicode"},
    "char_wb": {"analyzer": "char_wb", "ngram_range": (2, 4)},
    "char_wb, longer than most words": {"analyzer": "char_wb", "ngram_range": (5, 6)},
    "char_wb of one": {"analyzer": "char_wb"},
}


@pytest.mark.parametrize("case", [*WORDS, *CHARACTERS])
def test_terms_are_counted_as_by_the_original(case: str) -> None:
    conversion = assert_same_texts(CountVectorizer(**(WORDS | CHARACTERS)[case]).fit(_TEXTS))
    assert conversion.manifest.inputs.style == "texts"


@_few
@given(
    seed=seeds,
    norm=st.sampled_from(["l1", "l2", None]),
    sublinear=st.booleans(),
    idf=st.booleans(),
    smooth=st.booleans(),
    analyzer=st.sampled_from(["word", "char_wb"]),
)
def test_weights_are_those_of_the_original(
    seed: int, norm: str | None, sublinear: bool, idf: bool, smooth: bool, analyzer: Any
) -> None:
    vectoriser = TfidfVectorizer(
        norm=norm, sublinear_tf=sublinear, use_idf=idf, smooth_idf=smooth, analyzer=analyzer, ngram_range=(1, 2)
    )
    assert_same_texts(vectoriser.fit(drawn_texts(seed, count=40)), precision="float64")


@_few
@given(seed=seeds, norm=st.sampled_from(["l1", "l2", None]), sublinear=st.booleans())
def test_counts_given_as_numbers_are_weighted(seed: int, norm: str | None, sublinear: bool) -> None:
    counts = np.abs(matrix(seed)) * (np.random.default_rng(seed).random((60, 3)) < 0.6)
    assert_converted(TfidfTransformer(norm=norm, sublinear_tf=sublinear).fit(counts), counts, rows=counts * 7)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"alternate_sign": False, "norm": None, "stop_words": "english"},
        {"binary": True, "norm": "l1", "ngram_range": (1, 2)},
        {"analyzer": "char_wb", "ngram_range": (3, 4), "strip_accents": "unicode"},
    ],
)
def test_hashed_terms_fall_into_the_same_features(options: dict[str, Any]) -> None:
    assert_same_texts(HashingVectorizer(n_features=61, **options))


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_pipeline(TfidfVectorizer(), LogisticRegression()),
        lambda: make_pipeline(CountVectorizer(), TfidfTransformer(), LinearSVC()),
        lambda: make_pipeline(CountVectorizer(ngram_range=(1, 2)), MultinomialNB()),
        lambda: make_pipeline(TfidfVectorizer(max_features=20), RandomForestClassifier(5, random_state=0)),
        lambda: make_pipeline(make_union(TfidfVectorizer(), CountVectorizer(analyzer="char")), LogisticRegression()),
        lambda: CalibratedClassifierCV(make_pipeline(TfidfVectorizer(), LinearSVC()), cv=2),
        lambda: VotingClassifier(
            [
                ("a", make_pipeline(TfidfVectorizer(), LogisticRegression())),
                ("b", make_pipeline(CountVectorizer(), MultinomialNB())),
            ],
            voting="soft",
        ),
    ],
)
def test_models_behind_a_vectoriser_answer_as_the_original(make: Any) -> None:
    X = np.array(_TEXTS, dtype=object)
    assert_same_texts(make().fit(X, labels_of(_TEXTS)), X)


def _frame(texts: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "review": texts,
            "stars": [len(text) % 5 + 0.5 for text in texts],
            "lang": [("de", "en")[len(text) % 2] for text in texts],
            "title": [text[:15] for text in texts],
        }
    )


def test_text_columns_stand_beside_categories_and_numbers() -> None:
    columns = ColumnTransformer(
        [
            ("words", TfidfVectorizer(), "review"),
            ("letters", CountVectorizer(analyzer="char"), "title"),
            ("lang", OneHotEncoder(handle_unknown="ignore"), ["lang"]),
        ],
        remainder=StandardScaler(),
    )
    model = make_pipeline(columns, LogisticRegression()).fit(_frame(_TEXTS), labels_of(_TEXTS))
    conversion = convert(model, data=_frame(_TEXTS), name="mixed")
    widths = {tensor.name: tensor.width for tensor in conversion.manifest.inputs.tensors}
    assert widths == {"numbers": 1, "strings": 1, "texts": 2}
    fresh = _frame(_FRESH)
    got = edge_infer.load(conversion.data).predict_proba(fresh)
    assert np.allclose(got, model.predict_proba(fresh), rtol=1e-5, atol=1e-6)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a function as preprocessor": ({"preprocessor": lambda text: text}, "Python function"),
    "a function as tokenizer": ({"tokenizer": lambda text: text.split(), "token_pattern": None}, "Python function"),
    "a function as analyzer": ({"analyzer": lambda text: text.split()}, "Python function"),
    "a function for accents": ({"strip_accents": lambda text: text}, "Python function"),
    "a lookbehind": ({"token_pattern": r"(?<=a)\w+"}, "it uses assert"),
    "a captured group": ({"token_pattern": r"(\w)\w+"}, "captures a group"),
    "a back reference": ({"token_pattern": r"(\w)\1+"}, "captures a group"),
    "a lazy repeat": ({"token_pattern": r"\w+?"}, "not always the longest"),
    "the first alternative, not the longest": ({"token_pattern": r"go|good"}, "not always the longest"),
    "a boundary within": ({"token_pattern": r"\w+\b-\b\w+|a"}, r"\\b elsewhere"),
    "a boundary around signs": ({"token_pattern": r"\b\w[\w-]+\b"}, r"\\b around characters"),
    "an anchor": ({"token_pattern": r"^\w+"}, "it uses at"),
}


@pytest.mark.filterwarnings("ignore:The parameter 'token_pattern' will not be used")
@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_exact_form_is_refused_with_the_reason(case: str) -> None:
    options, message = REFUSED[case]
    with pytest.raises(UnsupportedModelError, match=message):
        convert(CountVectorizer(**options).fit([*_TEXTS, "ab aab good a-b"]), name="refused")


def test_too_many_hashed_features_are_refused_with_a_remedy() -> None:
    with pytest.raises(UnsupportedModelError, match=r"1,048,576.*\n.*n_features=2\*\*14"):
        convert(HashingVectorizer(), name="refused")


def test_data_that_is_no_column_of_texts_is_refused() -> None:
    model = make_pipeline(TfidfVectorizer(), Ridge()).fit(_TEXTS, range(len(_TEXTS)))
    for data, message in (("one text", "one text"), ([["a", "b"]], "one column"), (["a", 3], "row 1: expected text")):
        with pytest.raises(SchemaError, match=message):
            convert(model, data=data, name="refused")


def test_a_column_both_read_and_encoded_is_refused() -> None:
    columns = ColumnTransformer([("a", TfidfVectorizer(), "lang"), ("b", OneHotEncoder(), ["lang"])])
    columns.fit(_frame(_TEXTS))
    with pytest.raises(SchemaError, match="copy of the column"):
        convert(columns, data=_frame(_TEXTS), name="refused")


def test_every_vectoriser_of_the_family_is_known() -> None:
    assert {kind.__name__ for kind in VECTORISERS} == {"CountVectorizer", "TfidfVectorizer", "HashingVectorizer"}


# --- code points and patterns --------------------------------------------------------------------------------------


def test_lower_casing_by_code_point_is_that_of_whole_texts() -> None:
    changes = folding(True, None)
    folded = "".join(changes.get(character, character) for character in ALL_TEXT)
    assert folded == "σ".join(part.lower() for part in ALL_TEXT.split("Σ"))


@pytest.mark.parametrize("pattern", [r"\b\w\w+\b", r"\b\w+\b", r"\b\w+", r"\w+\b", r"(?u)\b(?:\w)\w{1,}\b"])
def test_boundaries_around_runs_of_words_are_redundant(pattern: str) -> None:
    assert find_tokens(pattern).whole is None


@cache
def _letters_hashed() -> tuple[Any, Any]:
    vectoriser = HashingVectorizer(n_features=32, analyzer="char", norm=None)
    return vectoriser, edge_infer.load(convert(vectoriser, name="letters").data)


@settings(max_examples=60)
@given(st.text(alphabet="aΣσ'\u00ad \u0345Α.", max_size=12))
def test_a_final_sigma_is_told_by_its_neighbours(text: str) -> None:
    vectoriser, model = _letters_hashed()
    variants = [text, text + "Σ", "ΑΣ" + text]
    assert (model.transform(variants) == vectoriser.transform(variants).toarray()).all()


# --- machines ------------------------------------------------------------------------------------------------------


def test_answers_are_the_same_without_any_locale(tmp_path: Path) -> None:
    texts = ["ÄRGER Über Москва", "ΟΔΟΣ good"]
    vectoriser = TfidfVectorizer(strip_accents="unicode", ngram_range=(1, 2)).fit([*_TEXTS, *texts])
    convert(vectoriser, name="texts", output=tmp_path / "texts.onnx")
    script = (
        "import sys, json, locale, edge_infer\n"
        "locale.setlocale(locale.LC_ALL, '')\n"
        f"model = edge_infer.load({str(tmp_path / 'texts.onnx')!r})\n"
        "print(json.dumps(model.transform(json.loads(sys.argv[1])).tolist()))\n"
    )
    environment = {"LC_ALL": "C", "LOCPATH": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(texts)],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert np.allclose(json.loads(done.stdout), vectoriser.transform(texts).toarray(), rtol=1e-5)


def test_the_same_model_gives_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    script = (
        "import hashlib\n"
        "from sklearn.feature_extraction.text import TfidfVectorizer\n"
        "from edge_infer_convert import convert\n"
        "v = TfidfVectorizer(stop_words='english', ngram_range=(1, 2)).fit(['a good cat', 'Die Straße'])\n"
        "print(hashlib.sha256(convert(v, name='texts').data).hexdigest())\n"
    )
    digests = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout)
    assert len(digests) == 1
