"""What is no table of columns is refused by name, with what to use instead; look-alikes are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import DBSCAN
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import LabelBinarizer, LabelEncoder, MultiLabelBinarizer, OrdinalEncoder

from edge_infer.errors import SchemaError, UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.judging import assert_same
from tests.convert.operators.drawn import blobs

_DICTS = [{"a": 1.0}, {"b": 2.0}]

REFUSED: dict[str, tuple[Any, Any, str]] = {
    "dicts": (DictVectorizer().fit(_DICTS), _DICTS, "dicts of any keys"),
    "hashed dicts": (FeatureHasher(4).fit(_DICTS), _DICTS, "HashingVectorizer"),
    "a target's codes": (LabelEncoder().fit(["a", "b"]), None, "gives a classifier's own labels back"),
    "a target's columns": (LabelBinarizer().fit(["a", "b"]), None, "gives a classifier's own labels back"),
    "sets": (MultiLabelBinarizer().fit([{"a"}, {"a", "b"}]), None, "sets of labels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_is_refused_with_a_remedy(name: str) -> None:
    model, data, message = REFUSED[name]
    with pytest.raises(UnsupportedModelError, match=message) as caught:
        convert(model, data=data, name="m")
    assert len(str(caught.value).splitlines()) <= 3


def test_what_cannot_answer_new_rows_is_refused() -> None:
    X, _ = blobs(1)
    with pytest.raises(SchemaError, match="cannot answer new rows"):
        convert(DBSCAN().fit(X), data=X, name="m")


def test_the_encoder_for_columns_is_not_refused() -> None:
    frame = pd.DataFrame({"a": ["x", "y", "z"] * 10})
    model = OrdinalEncoder().fit(frame)
    assert_same(convert(model, data=frame, name="m"), model, frame)


def test_labels_of_several_lengths_keep_the_longest_width() -> None:
    """A constant answer is as wide as itself, the classes as wide as the longest."""
    from sklearn.dummy import DummyClassifier

    X, y = blobs(2)
    model = DummyClassifier(strategy="prior").fit(X, np.array(["a", "lengthy", "b"])[y])
    answer = convert(model, data=X, name="m")
    assert answer.manifest.output("predict") is not None
    line = LogisticRegression(max_iter=500).fit(X, np.array(["a", "lengthy", "b"])[y])
    assert_same(convert(line, data=X, name="m"), line, X)
