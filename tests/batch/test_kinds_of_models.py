"""Every kind of model answers rows of a file as it answers the rows themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

import edge_infer
from tests.export import models


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("name", sorted(models.MADE))
def test_files_are_answered_as_rows(name: str, kind: str, tmp_path: Path) -> None:
    made = models.made(name)
    model = edge_infer.load(made.data)
    source = tmp_path / f"in.{kind}"
    if kind == "csv":
        made.rows.to_csv(source, index=False)
    elif kind == "jsonl":
        names = model.manifest.inputs.style == "columns"
        rows = [[_plain(cell) for cell in row] for row in made.rows.itertuples(index=False)]
        found = [dict(zip(made.rows.columns, row, strict=True)) if names else row for row in rows]
        source.write_text("".join(json.dumps(row) + "\n" for row in found))
    else:
        made.rows.to_parquet(source, index=False)
    for method in [output.method for output in model.manifest.outputs]:
        result = model.predict_file(source, tmp_path / "out.parquet", methods=[method])
        assert result.rejected == 0, (tmp_path / "out.parquet.rejected.jsonl").read_text()[:1000]
        columns = pyarrow.parquet.read_table(tmp_path / "out.parquet").columns
        found = np.stack([np.array(column.to_pylist(), dtype=object) for column in columns], axis=1)
        assert _same(found, _answers(model, made.rows, method)), method


def _plain(cell: Any) -> Any:
    """As JSON has it."""
    if isinstance(cell, pd.Timestamp):
        return cell.isoformat()
    return None if cell != cell else cell.item() if isinstance(cell, np.generic) else cell


def _answers(model: edge_infer.Model, rows: Any, method: str) -> Any:
    style = model.manifest.inputs.style
    data = rows if style == "columns" else rows.iloc[:, 0].tolist() if style == "texts" else rows.to_numpy()
    found = getattr(model, method)(data)
    parts = found if isinstance(found, list) else [found]
    return np.concatenate([np.asarray(part).reshape(len(rows), -1) for part in parts], axis=1)


def _same(found: Any, wanted: Any) -> bool:
    """Bit for bit, NaN as NaN."""
    if wanted.dtype.kind in "OUbi":
        return bool(found.tolist() == wanted.tolist())
    return np.array_equal(found.astype(float), wanted.astype(float), equal_nan=True)
