"""Ray on two CPUs of this machine. `make engines` brings it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import edge_infer
from edge_infer.errors import InputError, UsageError
from tests.engines.dying import deaths, deaths_left, dying_actor
from tests.engines.rows import Rows, assert_same, many_rows

pytest.importorskip("ray.data", reason="needs Ray: run `make engines`")
# Ray warns of its own settings.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")]


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    import logging

    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray
    ray.shutdown()


def predicted(dataset: Any, path: Path, **options: Any) -> pa.Table:
    import ray

    from edge_infer.batch.ray import predict_with_ray

    return pa.concat_tables(ray.get(predict_with_ray(dataset, path, **options).to_arrow_refs()))


@pytest.mark.parametrize("workers", [None, 2])
def test_a_million_rows_are_answered_as_on_one_machine(
    ray: Any, rows: Rows, wanted: pa.Table, workers: int | None
) -> None:
    """Two actors on two CPUs leave room for the task that reads."""
    dataset = ray.data.read_parquet(str(rows.folder))
    assert_same(predicted(dataset, rows.path, keep=["id"], workers=workers), wanted)


def test_an_actor_that_dies_is_run_again_and_no_row_is_doubled(
    ray: Any, rows: Rows, wanted: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_infer.batch import ray as module

    monkeypatch.setattr(module, "ArrowActor", dying_actor(module.ArrowActor))
    deaths(2)
    dataset = ray.data.read_parquet(str(rows.folder))
    assert_same(predicted(dataset, rows.path, keep=["id"]), wanted)
    assert deaths_left() == 0


def test_all_columns_are_kept_unless_some_are_named(ray: Any, rows: Rows) -> None:
    table = many_rows(100)
    found = predicted(ray.data.from_arrow(table), rows.path).sort_by("id")
    assert found.select(table.schema.names).to_pylist() == table.to_pylist()
    answers = edge_infer.load(rows.path).scorer()(table)
    assert found.select(answers.schema.names).to_pylist() == answers.to_pylist()


def test_columns_of_other_names_and_blocks_without_rows(ray: Any, rows: Rows) -> None:
    table = many_rows(200)
    names = table.schema.names
    other = table.rename_columns([f"{name}?" if name != "id" else name for name in names])
    from pyarrow import compute

    dataset = ray.data.from_arrow([other.slice(0, 100), other.slice(100)])
    dataset = dataset.map_batches(lambda batch: batch.filter(compute.less(batch["id"], 50)), batch_format="pyarrow")
    found = predicted(dataset, rows.path, keep=["id"], inputs=[f"{name}?" for name in names if name != "id"])
    answers = edge_infer.load(rows.path).scorer()(table.slice(0, 50))
    assert found.sort_by("id").drop_columns("id").to_pylist() == answers.to_pylist()


def _with_text(place: int) -> pa.Table:
    """A fare that is a text."""
    table = many_rows(100)
    fares = ["much" if row == place else None for row in range(100)]
    return table.set_column(table.schema.names.index("fare"), "fare", pa.array(fares))


def test_a_row_that_does_not_fit_fails_with_the_reason(ray: Any, rows: Rows) -> None:
    with pytest.raises(Exception, match="column 'fare': expected a number, got text 'much'"):
        predicted(ray.data.from_arrow(_with_text(42)), rows.path)


def test_a_row_that_does_not_fit_is_answered_by_null(ray: Any, rows: Rows) -> None:
    found = predicted(ray.data.from_arrow(_with_text(42)), rows.path, keep=["id"], on_error="null")
    assert [row["id"] for row in found.to_pylist() if row["prediction"] is None] == [42]


def test_arguments_are_checked_before_anything_runs(ray: Any, rows: Rows) -> None:
    dataset = ray.data.from_arrow(many_rows(10))
    with pytest.raises(InputError, match=r"column 'fare': .*no such column"):
        predicted(dataset.drop_columns(["fare"]), rows.path)
    with pytest.raises(UsageError, match="workers"):
        predicted(dataset, rows.path, workers=0)


@pytest.mark.parametrize("cpus", [1.0, 2.0, 3.0, 16.0])
@pytest.mark.parametrize("workers", [1, 2, 3, 7, 40])
def test_actors_leave_room_for_the_tasks_that_read(cpus: float, workers: int) -> None:
    from edge_infer.batch.ray import share_of_cpu

    share = share_of_cpu(workers, cpus)
    assert 0 < share <= 1
    assert workers * share <= (cpus - 1 if cpus > 1 else 0.5)
