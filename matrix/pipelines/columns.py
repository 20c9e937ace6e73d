"""ColumnTransformer: how columns are chosen, what happens to the rest, and columns of all kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from matrix.cases.collect import Cases

__all__ = ["CASES", "model", "prepared"]

CASES = Cases("pipelines")

NUMBERS = ["age", "income", "visits"]
TEXTS = ["city", "plan"]
FILLED = make_pipeline(SimpleImputer(), StandardScaler())
ENCODED = OneHotEncoder(handle_unknown="ignore")


def model() -> LogisticRegression:
    """The classifier behind most of them."""
    return LogisticRegression(max_iter=500)


def prepared(*more: Any, **options: Any) -> ColumnTransformer:
    """The usual preparation: numbers filled and scaled, text one-hot."""
    return make_column_transformer((FILLED, NUMBERS), (ENCODED, TEXTS), *more, **options)


def _add(name: str, prepare: Any, *, on: str = "mixed", final: Any = None) -> None:
    CASES.add(make_pipeline(prepare, model() if final is None else final), on, subject=name)


def _numeric(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame.columns if frame[name].dtype.kind == "f"]


# --- which columns ---
_add("columns by name", prepared())
_add("columns by index", make_column_transformer((FILLED, [0, 1, 2]), (ENCODED, [4, 6])))
_add("columns by negative index", make_column_transformer((FILLED, [0, 1]), (ENCODED, [-2])))
_add("columns by boolean mask", make_column_transformer((FILLED, [True, True, True] + [False] * 5)))
_add("columns by slice of positions", make_column_transformer((FILLED, slice(0, 3))))
_add("columns by slice of names", make_column_transformer((FILLED, slice("age", "visits"))))
_add("columns by callable", make_column_transformer((FILLED, _numeric), (ENCODED, TEXTS)))
_add("columns by selector of dtype", make_column_transformer((FILLED, make_column_selector(dtype_include="number"))))
_add(
    "columns by selector of category",
    make_column_transformer((ENCODED, make_column_selector(dtype_include="category"))),
)
_add("columns by selector of pattern", make_column_transformer((FILLED, make_column_selector(pattern="^(age|inc)"))))
_add(
    "columns by selector without objects",
    make_column_transformer(
        (FILLED, make_column_selector(dtype_include="number")), (ENCODED, make_column_selector(pattern="city|size"))
    ),
)
_add("positions of a matrix", make_column_transformer((StandardScaler(), [0, 2]), (MinMaxScaler(), [1])), on="binary")
_add("a column twice", make_column_transformer((FILLED, NUMBERS), (MinMaxScaler(), ["income"]), (ENCODED, ["city"])))

# --- the rest ---
_REST = make_column_transformer((FILLED, ["length"]), remainder="passthrough")
_add("remainder passed through", _REST, on="frame")
_add("remainder dropped", make_column_transformer((FILLED, ["length", "width"]), remainder="drop"), on="frame")
_add("remainder transformed", make_column_transformer((FILLED, ["length"]), remainder=MinMaxScaler()), on="frame")
_add("some dropped", make_column_transformer((FILLED, NUMBERS), ("drop", ["note"]), (ENCODED, TEXTS)))
_add("some passed through", make_column_transformer((FILLED, NUMBERS), ("passthrough", ["member"])))
_add("only passed through", make_column_transformer(("passthrough", ["length", "width"])), on="frame")
_add("nothing left of a part", ColumnTransformer([("none", StandardScaler(), []), ("some", FILLED, NUMBERS)]))
_add(
    "weights of parts",
    ColumnTransformer(
        [("numbers", FILLED, NUMBERS), ("texts", ENCODED, TEXTS)], transformer_weights={"numbers": 0.5, "texts": 2.0}
    ),
)

# --- sparse and pandas ---
_add("sparse output", prepared(sparse_threshold=1.0))
_add("dense output", prepared(sparse_threshold=0.0))
_add("dense encoder", make_column_transformer((OneHotEncoder(sparse_output=False), ["plan"]), (FILLED, NUMBERS)))
_PANDAS = make_column_transformer(
    (FILLED, NUMBERS), (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), TEXTS)
)
_add("pandas between the steps", _PANDAS.set_output(transform="pandas"))
_add("names without prefix", make_column_transformer((FILLED, NUMBERS), verbose_feature_names_out=False))

# --- kinds of columns ---
_add("integers", make_column_transformer((StandardScaler(), ["visits"])))
_add("booleans passed through", make_column_transformer(("passthrough", ["member", "visits"])))
_add("booleans scaled", make_column_transformer((StandardScaler(), ["member", "visits"])))
_add("booleans encoded", make_column_transformer((OneHotEncoder(), ["member"]), (FILLED, NUMBERS)))
_add("integers encoded", make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["visits"])))
_add("pandas categories", make_column_transformer((OneHotEncoder(), ["size"]), (FILLED, NUMBERS)))
_add(
    "ordered categories",
    make_column_transformer((OrdinalEncoder(categories=[["S", "M", "L"]]), ["size"]), (FILLED, NUMBERS)),
)
_add(
    "dates passed through as numbers",
    make_column_transformer((FunctionTransformer(lambda X: X.astype("int64") / 1e15), ["joined"]), (FILLED, NUMBERS)),
    on="dated",
)
_add("dates", make_column_transformer((StandardScaler(), ["joined"])), on="dated")
_add("names with blanks and accents", make_column_transformer((FILLED, ["depth (mm)", "Größe"])), on="frame")
_add("columns that are not used", make_column_transformer((FILLED, ["age"])))
_add(
    "nested",
    make_column_transformer(
        (
            make_pipeline(
                make_column_transformer((SimpleImputer(), ["age"]), remainder="passthrough"), StandardScaler()
            ),
            NUMBERS,
        ),
        (ENCODED, TEXTS),
    ),
)
_add("scaled again behind", make_pipeline(prepared(sparse_threshold=0.0), StandardScaler()))

# --- other models behind ---
_add("forest behind", prepared(), final=RandomForestClassifier(10, random_state=0))
_add("boosting behind", prepared(sparse_threshold=0.0), final=HistGradientBoostingClassifier(max_iter=8))
_add(
    "boosting of native categories",
    make_column_transformer((OrdinalEncoder(encoded_missing_value=np.nan), ["city", "size"]), ("passthrough", NUMBERS)),
    final=HistGradientBoostingClassifier(max_iter=8, categorical_features=[0, 1]),
)
CASES.add(
    HistGradientBoostingClassifier(max_iter=8, categorical_features="from_dtype"),
    "categories",
    subject="boosting of a frame's categories",
)
CASES.add(prepared(), "mixed", subject="only transformed")
