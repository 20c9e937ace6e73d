"""One million rows for all engines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.engines.dying import FOLDER
from tests.engines.rows import Rows, local_answers, model_file, written

ROOT = Path(__file__).parents[2]
MILLION = 1_000_000


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder = tmp_path_factory.mktemp("rows")
    return written(model_file(folder), folder / "parquet", MILLION)


@pytest.fixture(scope="session")
def wanted(rows: Rows) -> pa.Table:
    """What this machine answers alone."""
    return local_answers(rows.path, rows.table)


@pytest.fixture(scope="session", autouse=True)
def environment_of_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Engines start processes that import the tests' modules too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "convert")]))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYSPARK_DRIVER_PYTHON", sys.executable)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv(FOLDER, str(tmp_path_factory.mktemp("deaths")))
        yield
