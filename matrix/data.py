"""Small deterministic data sets, by name: each gives X and y (None where nothing is predicted)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["DATASETS", "load", "people", "sentences"]

Data = tuple[Any, Any]
DATASETS: dict[str, Callable[[], Data]] = {}

_ROWS = 200
_WORDS = [
    "red",
    "green",
    "blue",
    "small",
    "large",
    "old",
    "new",
    "pump",
    "motor",
    "valve",
    "sensor",
    "belt",
    "noise",
    "leak",
    "hot",
    "cold",
    "fast",
    "slow",
    "it",
    "is",
    "on",
    "off",
    "a",
    "7",
    "42",
    "B2",
    "x-ray",
    "don't",
    "naïve",
    "Café",
    "über",
    "façade",
    "ПРИВЕТ",
    "мир",
    "東京",
    "straße",
    "re_do",
    "e.g.",
    "3.5",
]


def _dataset(function: Callable[[], Data]) -> Callable[[], Data]:
    DATASETS[function.__name__.strip("_")] = function
    return function


def load(name: str) -> Data:
    """The data set of that name."""
    return DATASETS[name]()


def _numbers(seed: int, rows: int = _ROWS, width: int = 4) -> Any:
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(0, 2, (rows, width)) + rng.integers(-5, 6, width), 3)


def _groups(seed: int, count: int) -> Data:
    """Overlapping groups of rows, and the group of each."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(_ROWS) % count)
    centres = rng.normal(0, 1.5, (count, 4))
    return np.round(rng.normal(0, 1.2, (_ROWS, 4)) + centres[y], 3), y


def _target(X: Any) -> Any:
    rng = np.random.default_rng(3)
    return np.round(X @ np.array([1.5, -2.0, 0.5, 0.0]) + np.sin(X[:, 3]) + rng.normal(0, 0.3, len(X)), 3)


def _with_gaps(X: Any) -> Any:
    X = X.copy()
    X[np.random.default_rng(11).random(X.shape) < 0.12] = np.nan
    return X


@_dataset
def binary() -> Data:
    return _groups(1, 2)


@_dataset
def multiclass() -> Data:
    return _groups(2, 3)


@_dataset
def text_labels() -> Data:
    X, y = _groups(4, 3)
    return X, np.array(["setosa", "versicolor", "virginica"])[y]


@_dataset
def binary_text_labels() -> Data:
    X, y = _groups(5, 2)
    return X, np.array(["no", "yes"])[y]


@_dataset
def bool_labels() -> Data:
    X, y = _groups(6, 2)
    return X, y == 1


@_dataset
def multilabel() -> Data:
    X, _ = _groups(7, 3)
    return X, np.column_stack([X[:, 0] + X[:, 1] > 0, X[:, 2] > 0.3, X[:, 3] - X[:, 0] > 0]).astype(np.int64)


@_dataset
def multioutput() -> Data:
    X, y = _groups(8, 3)
    return X, np.column_stack([y, (X[:, 0] > 0) * 5 + 2])


@_dataset
def partly_labelled() -> Data:
    X, y = _groups(9, 3)
    return X, np.where(np.arange(_ROWS) % 3 == 0, y, -1)


@_dataset
def regression() -> Data:
    X = _numbers(10)
    return X, _target(X)


@_dataset
def multi_regression() -> Data:
    X = _numbers(12)
    return X, np.column_stack([_target(X), np.round(np.cos(X[:, 0]) * 3 + X[:, 1], 3)])


@_dataset
def positive_regression() -> Data:
    X = np.round(_numbers(13) / 8, 3)
    rng = np.random.default_rng(13)
    return X, np.round(np.exp(0.4 * X[:, 0] - 0.3 * X[:, 1]) * rng.gamma(5.0, 0.2, len(X)), 3) + 0.01


@_dataset
def count_regression() -> Data:
    X, y = positive_regression()
    return X, np.random.default_rng(14).poisson(y).astype(np.float64)


@_dataset
def one_column() -> Data:
    X = np.round(np.random.default_rng(15).uniform(-3, 8, (_ROWS, 1)), 3)
    return X, np.round(X[:, 0] ** 2 / 5 + np.random.default_rng(16).normal(0, 1, _ROWS), 3)


@_dataset
def two_blocks() -> Data:
    """For cross decomposition: X and Y share directions."""
    X = _numbers(17)
    return X, np.round(X[:, :3] @ np.array([[1.0, 0.3, 0], [0.2, 1.0, 0.5], [0, 0.4, 1.0]]) + _numbers(18)[:, :3], 3)


@_dataset
def binary_gaps() -> Data:
    X, y = _groups(19, 2)
    return _with_gaps(X), y


@_dataset
def multiclass_gaps() -> Data:
    X, y = _groups(20, 3)
    return _with_gaps(X), y


@_dataset
def multilabel_gaps() -> Data:
    X, y = multilabel()
    return _with_gaps(X), y


@_dataset
def regression_gaps() -> Data:
    X, y = regression()
    return _with_gaps(X), y


@_dataset
def multi_regression_gaps() -> Data:
    X, y = multi_regression()
    return _with_gaps(X), y


@_dataset
def numbers() -> Data:
    return _numbers(21), None


@_dataset
def numbers_gaps() -> Data:
    return _with_gaps(_numbers(22)), None


@_dataset
def clusters() -> Data:
    return _groups(23, 4)[0], None


@_dataset
def positive() -> Data:
    return np.round(np.random.default_rng(24).gamma(2.0, 1.5, (_ROWS, 5)), 3), None


@_dataset
def counts() -> Data:
    y = np.arange(_ROWS) % 3
    rates = np.array([[1.0, 4.0, 0.5, 2.0, 0.1], [3.0, 1.0, 2.0, 0.3, 0.6], [0.5, 0.5, 4.0, 3.0, 1.5]])
    return np.random.default_rng(25).poisson(rates[y]).astype(np.float64), y


@_dataset
def binary_counts() -> Data:
    X, y = counts()
    return X, (y > 0).astype(np.int64)


@_dataset
def bits() -> Data:
    X, y = counts()
    return (X > 1).astype(np.float64), y


@_dataset
def codes() -> Data:
    X, y = counts()
    return np.minimum(X, 3.0), y


@_dataset
def whole_numbers() -> Data:
    X, y = _groups(26, 3)
    return np.round(X * 4).astype(np.int64), y


@_dataset
def frame() -> Data:
    X, y = _groups(27, 3)
    return pd.DataFrame(X, columns=["length", "width", "depth (mm)", "Größe"]), y


@_dataset
def frame_regression() -> Data:
    X, y = regression()
    return pd.DataFrame(X, columns=["length", "width", "depth (mm)", "Größe"]), y


@_dataset
def strings() -> Data:
    rng = np.random.default_rng(28)
    X = np.empty((_ROWS, 2), dtype=object)
    X[:, 0] = rng.choice(["red", "green", "blue", "Ärmel", ""], _ROWS, p=[0.4, 0.3, 0.2, 0.07, 0.03])
    X[:, 1] = rng.choice(["S", "M", "L"], _ROWS)
    return X, (X[:, 0] == "red").astype(np.int64) ^ (rng.random(_ROWS) < 0.2)


@_dataset
def strings_regression() -> Data:
    X, y = strings()
    return X, np.round(y * 3.0 + (X[:, 1] == "M") + np.random.default_rng(29).normal(0, 1, _ROWS), 3)


@_dataset
def strings_multiclass() -> Data:
    X, _ = strings()
    return X, np.random.default_rng(30).integers(0, 3, _ROWS)


@_dataset
def strings_gaps() -> Data:
    X, y = strings()
    X[np.random.default_rng(31).random(X.shape) < 0.1] = np.nan
    return X, y


def people() -> pd.DataFrame:
    """Mixed columns: numbers with gaps, integers, booleans, categories, text."""
    rng = np.random.default_rng(32)
    age = np.round(rng.uniform(18, 90, _ROWS), 1)
    age[rng.random(_ROWS) < 0.1] = np.nan
    city = rng.choice(["Oslo", "Rome", "Łódź", "Quito"], _ROWS, p=[0.5, 0.3, 0.17, 0.03]).astype(object)
    return pd.DataFrame(
        {
            "age": age,
            "income": np.round(rng.lognormal(10, 0.5, _ROWS), 2),
            "visits": rng.integers(0, 30, _ROWS),
            "member": rng.random(_ROWS) < 0.5,
            "city": city,
            "size": pd.Categorical(rng.choice(["S", "M", "L"], _ROWS), categories=["S", "M", "L"]),
            "plan": rng.choice(["free", "pro"], _ROWS).astype(object),
            "note": sentences(_ROWS, 33),
        }
    )


@_dataset
def mixed() -> Data:
    X = people()
    y = (X["income"] > X["income"].median()).to_numpy() ^ (X["plan"] == "pro").to_numpy()
    return X, np.where(y, "buys", "leaves")


@_dataset
def mixed_gaps() -> Data:
    """Text is missing here and there too."""
    X, y = mixed()
    gaps = np.random.default_rng(37).random(len(X)) < 0.1
    return X.assign(city=X["city"].mask(gaps)), y


@_dataset
def dated() -> Data:
    X, y = mixed()
    days = np.random.default_rng(38).integers(0, 2000, _ROWS)
    return X.assign(joined=pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D")), y


@_dataset
def categories() -> Data:
    """For models that read categories natively: numbers and pandas categories only."""
    X, y = mixed()
    X = X[["age", "income", "visits", "size", "plan"]]
    return X.assign(plan=X["plan"].astype("category")), y


@_dataset
def mixed_regression() -> Data:
    X = people()
    noise = np.random.default_rng(34).normal(0, 2, _ROWS)
    return X, np.round(X["visits"] * 0.7 + (X["plan"] == "pro") * 5 + X["income"] / 9000 + noise, 3).to_numpy()


def sentences(count: int, seed: int, words: tuple[str, ...] = tuple(_WORDS)) -> list[str]:
    """Short texts with digits, punctuation, accents and other scripts; some are empty."""
    rng = np.random.default_rng(seed)
    made = []
    for length in rng.integers(0, 9, count):
        picked = [words[i] for i in rng.integers(len(words), size=length)]
        picked = [word.upper() if draw < 0.1 else word for word, draw in zip(picked, rng.random(length), strict=True)]
        joints = rng.choice([" ", " ", " ", ", ", "  ", ". ", "-", "\t"], length)
        made.append("".join(word + joint for word, joint in zip(picked, joints, strict=True)).rstrip(" "))
    return made


@_dataset
def text() -> Data:
    texts = sentences(_ROWS, 35)
    return texts, np.array(["a" if "pump" in each or "leak" in each else "b" for each in texts])


@_dataset
def ascii_text() -> Data:
    texts = sentences(_ROWS, 36, tuple(word for word in _WORDS if word.isascii()))
    return texts, np.array(["a" if "pump" in each or "leak" in each else "b" for each in texts])
