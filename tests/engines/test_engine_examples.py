"""The examples with engines run in a fresh process, in an empty folder, and give scikit-learn's answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from edge_infer_convert.demo import train

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.slow


def example(name: str, folder: Path) -> list[str]:
    command = [sys.executable, str(EXAMPLES / name)]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("engine", ["spark", "ray"])
def test_distributed_penguins_are_those_of_scikit_learn(tmp_path: Path, engine: str) -> None:
    module = {"spark": "pyspark", "ray": "ray"}[engine]
    pytest.importorskip(module, reason=f"needs {module}: run `make engines`")
    if engine == "spark" and shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java 17 or newer: apt-get install openjdk-17-jre-headless, then `make engines`")
    lines = example(f"{engine}_batch.py", tmp_path)
    pipeline, X, _ = train()
    counts = Counter(pipeline.predict(X).tolist())
    assert {f"{label}: {30 * count:,}" for label, count in counts.items()} <= set(lines)
    first = pipeline.predict_proba(X.head(1))[0]
    assert f"penguin 0: {pipeline.predict(X.head(1))[0]} ({first[0]:.3f} Adelie)" in lines


def test_penguins_in_sql_are_those_of_scikit_learn(tmp_path: Path) -> None:
    pytest.importorskip("duckdb", reason="needs DuckDB: run `make engines`")
    lines = example("duckdb_sql.py", tmp_path)
    pipeline, X, _ = train()
    counts = Counter(pipeline.predict(X[X["sex"].isna()]).tolist())
    assert lines[1 : 1 + len(counts)] == [f"{label}: {count}" for label, count in sorted(counts.items())]
    assert sum("P(Chinstrap) = " in line for line in lines) == 3
