"""The models whose answers are compared, made on this machine by the converter; the device only runs them.

python -m tests.arm.models FOLDER [--short] writes NAME.onnx, and its rows as NAME.rows.json (a list of rows, their
values in the columns' order): of the samples the golden rows, of the others rows that conversion did not see.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

import edge_infer
from edge_infer_convert import convert
from matrix.__main__ import chosen_cases
from matrix.case import Fitted
from matrix.data import load
from matrix.fresh import fresh_rows
from matrix.judge import asked

__all__ = ["FULL", "SHORT", "make"]

ROOT: Final = Path(__file__).parents[2]
ROWS: Final = 1000


class Made(NamedTuple):
    """A fitted model by the name of its file."""

    name: str
    fitted: Fitted
    precision: str = "auto"


#: Keys of the matrix's cases, the short form's first: a kind of graph each.
SHORT: Final = (
    *("estimators/LogisticRegression/text labels", "estimators/RandomForestClassifier/multiclass"),
    *("estimators/SVC/multiclass, rbf", "pipelines/text beside other columns/mixed"),
    *("pipelines/dates/dated", "boosters/LightGBM binary/binary"),
)
FULL: Final = (
    *("estimators/LinearRegression/multi regression", "estimators/LinearSVC/multiclass"),
    *("estimators/GradientBoostingRegressor/regression", "estimators/HistGradientBoostingClassifier/multiclass gaps"),
    *("estimators/ExtraTreesRegressor/regression", "estimators/IsolationForest/clusters"),
    *("estimators/KNeighborsClassifier/multiclass, distance", "estimators/GaussianProcessRegressor/regression, Matern"),
    *("estimators/GaussianProcessClassifier/multiclass", "estimators/MLPClassifier/multiclass, tanh"),
    *("estimators/GaussianNB/multiclass", "estimators/GaussianMixture/clusters, full", "estimators/KMeans/clusters"),
    *("estimators/PCA/numbers", "estimators/KernelPCA/numbers, rbf", "estimators/RandomForestClassifier/multioutput"),
    *("pipelines/columns by name/mixed", "pipelines/target encoder/mixed gaps", "pipelines/forest behind/mixed"),
    *("pipelines/boosting of native categories/mixed", "pipelines/stacking around frames/mixed"),
    *("pipelines/function, log1p/counts", "pipelines/power transformer/multiclass", "pipelines/words weighed/text"),
    *("pipelines/quantile transformer, normal/multiclass", "pipelines/imputer, iterative/binary gaps"),
    *("boosters/XGBoost multiclass/multiclass", "boosters/XGBoost categories/categories"),
    *("boosters/LightGBM categories/categories", "boosters/CatBoost multiclass/multiclass"),
)


def make(folder: Path, *, short: bool) -> None:
    """Write them all. Raises SystemExit for a case that the matrix no longer has."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "artifacts" / "samples").glob("format-*/*.onnx")):
        name = f"sample {path.stem}"
        shutil.copy(path, folder / f"{name}.onnx")
        goldens = edge_infer.read_artifact(path).goldens()
        assert goldens is not None  # a sample has some
        _write_rows(folder, name, [list(row) for row in goldens.rows])
    for made in _made(short):
        print(f"arm: model {made.name}", flush=True)
        _convert(made, folder)


def _made(short: bool) -> Iterator[Made]:
    cases = {case.key: case for case in chosen_cases()}
    for key in SHORT if short else SHORT + FULL:
        if key not in cases:
            sys.exit(f"tests/arm/models.py: the matrix has no case {key!r}")
        case = cases[key]
        yield Made(f"{case.subject}, {case.name}", case.fit())
    if not short:
        yield from _own()


def _own() -> Iterator[Made]:
    """What the matrix has not: one model in both precisions, and an ensemble that runs in parts."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LogisticRegression

    X, y = load("multiclass")
    for precision in ("float32", "float64"):
        X32 = X.astype(precision)
        yield Made(f"LogisticRegression, {precision}", Fitted(LogisticRegression().fit(X32, y), X32), precision)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 6))
    forest = RandomForestRegressor(24, random_state=0).fit(X, np.sin(X).sum(axis=1) + rng.normal(size=1500))
    yield Made("RandomForestRegressor, in parts", Fitted(forest, X))


def _convert(made: Made, folder: Path) -> None:
    fitted, path = made.fitted, folder / f"{made.name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        convert(fitted.model, data=fitted.data, name="arm", output=path, precision=made.precision)
        rows, _ = fresh_rows(fitted.data, lambda some: _takes(fitted, some), ROWS, known=fitted.known)
    if isinstance(rows, pd.DataFrame):  # a column that the model does not know is left out
        rows = rows[[column.name for column in edge_infer.read_artifact(path).manifest.inputs.columns]]
    _write_rows(folder, made.name, _plain(rows))


def _takes(fitted: Fitted, rows: Any) -> bool:
    try:
        asked(next(iter(fitted.methods().values())), rows)
    except Exception:  # noqa: BLE001 - whatever it raises, it does not answer
        return False
    return True


def _plain(rows: Any) -> list[Any]:
    """As JSON has it: dates as ISO text, missing cells as null."""
    if isinstance(rows, pd.DataFrame):
        columns = [_plain(rows[name].astype(object).to_numpy(object)) for name in rows]
        return [list(row) for row in zip(*columns, strict=True)]
    values = rows.tolist() if isinstance(rows, np.ndarray) else list(rows)
    return [[_cell(cell) for cell in row] if isinstance(row, list) else _cell(row) for row in values]


def _cell(value: Any) -> Any:
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value


def _write_rows(folder: Path, name: str, rows: list[Any]) -> None:
    (folder / f"{name}.rows.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]), short="--short" in sys.argv)
