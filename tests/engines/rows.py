"""A fast model, a million rows for it, and what `Model.scorer` answers them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import edge_infer
from edge_infer_convert import convert
from tests.batch.passengers import NUMBERS, TEXTS, passengers

FILES = 8


class Rows(NamedTuple):
    """path: of the model; folder: of Parquet files; table: what they hold, in the order of its column `id`."""

    path: Path
    folder: Path
    table: pa.Table


def model_file(folder: Path, estimator: object | None = None) -> Path:
    """Of numbers with gaps, whole numbers, truth values and texts; a text that is not known is taken."""
    frame = passengers(1000).drop(columns="id")
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore")
    prepare = make_column_transformer((numbers, [*NUMBERS, "siblings", "alone"]), (texts, TEXTS))
    survived = np.where(frame["age"].fillna(30) + 20 * frame["alone"] > 40, "no", "yes, saved")
    pipeline = make_pipeline(prepare, LogisticRegression() if estimator is None else estimator).fit(frame, survived)
    file = folder / "titanic-1.0.0.onnx"
    convert(pipeline, data=frame, name="titanic", version="1.0.0", output=file)
    return file


def forest(folder: Path) -> Path:
    """The same by a model that takes its time."""
    return model_file(folder, RandomForestClassifier(100, max_depth=12, random_state=0, n_jobs=1))


def many_rows(count: int, seed: int = 1) -> pa.Table:
    """NULLs in `age` and `port`, and a port that the model does not know; `id` is the place of a row."""
    frame = passengers(min(count, 100_000), seed)
    frame.loc[::50, "port"] = "Nowhere"
    some = frame.iloc[np.arange(count) % len(frame)].assign(id=np.arange(count))
    some["fare"] += some["id"] % 997  # rows that are repeated differ
    return pa.Table.from_pandas(pd.DataFrame(some), preserve_index=False)


def written(path: Path, folder: Path, count: int) -> Rows:
    table = many_rows(count)
    folder.mkdir()
    step = -(-count // FILES)
    for place in range(FILES):
        pq.write_table(table.slice(place * step, step), folder / f"part-{place}.parquet")
    return Rows(path, folder, table)


def local_answers(path: Path, table: pa.Table) -> pa.Table:
    """`id` beside the answers, as one call on this machine gives them."""
    answers = edge_infer.load(path).scorer()(table)
    return pa.table([table["id"], *answers.columns], names=["id", *answers.schema.names])


def assert_same(found: pa.Table, wanted: pa.Table) -> None:
    """Every row once, whatever the order that the engine gives them."""
    assert found.num_rows == wanted.num_rows
    found = found.sort_by("id").combine_chunks()
    assert found.schema.names == wanted.schema.names
    for name in wanted.schema.names:
        mine, theirs = found[name], wanted[name]
        assert mine.type == theirs.type
        assert mine.equals(theirs), name
