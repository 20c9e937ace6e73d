"""What engines share, without an engine; `tests/engines` has them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pytest

from edge_infer import Model
from edge_infer.batch.engines import Shipped, answered, loaded, plan_for, shipped
from edge_infer.errors import ArtifactError, InputError, MissingExtraError, UsageError
from tests.batch.passengers import passengers

ROWS = passengers(100, seed=2)


def _table(fares: list[object] | None = None) -> pa.Table:
    table = pa.Table.from_pandas(ROWS, preserve_index=False)
    place = table.schema.names.index("fare")
    return table if fares is None else table.set_column(place, "fare", pa.array(fares))


def test_rows_that_do_not_fit_are_null_in_their_places(model: Model) -> None:
    fares: list[object] = [float("inf") if row in (0, 42, 99) else 1.5 for row in range(100)]
    found = answered(model.scorer(), _table(fares), "null").to_pylist()
    assert [row for row, answer in enumerate(found) if answer["prediction"] is None] == [0, 42, 99]
    wanted = model.scorer()(_table([1.5] * 100)).to_pylist()
    assert all(found[row] == wanted[row] for row in range(100) if row not in (0, 42, 99))
    none = answered(model.scorer(), _table([float("inf")] * 100), "null")
    assert none.num_rows == none.column(0).null_count == 100
    with pytest.raises(InputError, match="row 42, column 'fare'") as failed:
        answered(model.scorer(), _table(fares), "fail")
    assert 'on_error="null"' in str(failed.value)


def test_a_column_that_is_not_there_fails_either_way(model: Model) -> None:
    with pytest.raises(InputError, match="no such column"):
        answered(model.scorer(), _table().drop_columns("fare"), "null")


def test_a_file_that_came_otherwise_is_refused(path: Path) -> None:
    sent = shipped(path)
    assert loaded(sent, None).artifact.digest == sent.digest
    with pytest.raises(ArtifactError, match="came damaged"):
        loaded(Shipped(sent.data[:-1], sent.digest), None)
    with pytest.raises(UsageError, match="a model's file"):
        shipped("titanic")


def test_a_column_of_the_rows_may_not_be_called_as_an_answer(model: Model) -> None:
    given = [*ROWS.columns, "prediction"]
    with pytest.raises(UsageError, match="prediction"):
        plan_for(model.scorer(), "", given, inputs=None, keep=None, on_error="fail", identity=None)
    plan = plan_for(model.scorer(), "", given, inputs=None, keep=["id", "age"], on_error="fail", identity=None)
    assert plan.columns == ["id", "age", "fare", "siblings", "alone", "sex", "port"]
    with pytest.raises(UsageError, match="expected 6 columns"):
        plan_for(model.scorer(), "", given, inputs=["age"], keep=None, on_error="fail", identity=None)


@pytest.mark.parametrize("engine", ["spark", "ray", "duckdb"])
def test_an_engine_that_is_not_installed_is_told_with_its_extra(engine: str, model: Model) -> None:
    if find_spec({"spark": "pyspark"}.get(engine, engine)):
        pytest.skip(f"{engine} is installed here")
    with pytest.raises(MissingExtraError, match=rf'pip install "edge-infer\[{engine}\]"'):
        import_module(f"edge_infer.batch.{engine}").register(None, model)
