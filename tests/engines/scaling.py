"""Rows a second of Spark and Ray with one worker and with two; run by hand, since times prove nothing in a test.

python -m tests.engines.scaling [--rows N]     (of `make engines`' Python; writes docs/engines.json)

A forest of 100 trees, so that the model takes the time and not the engine. Each number of workers has a fresh process:
the first run starts the workers and is not measured, the second is. Answers are compared with this machine's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather

from edge_infer.machine import usable_cpus
from tests.engines.rows import Rows, assert_same, forest, local_answers, written

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "docs" / "engines.json"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--one", nargs=3, metavar=("ENGINE", "WORKERS", "FOLDER"))
    arguments = parser.parse_args()
    if arguments.one:
        engine, workers, folder = arguments.one
        print(json.dumps(measured(engine, int(workers), Path(folder), arguments.repeat)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = written(forest(folder), folder / "rows", arguments.rows)
        started = time.perf_counter()
        wanted = local_answers(rows.path, rows.table)
        local = time.perf_counter() - started
        pa.feather.write_feather(wanted, folder / "wanted")
        found = [in_a_process(engine, workers, folder, arguments) for engine in ("spark", "ray") for workers in (1, 2)]
    document = {
        "rows": arguments.rows,
        "model": "random forest of 100 trees, depth 12",
        "cpus": usable_cpus(),
        "versions": {name: version(name) for name in ("pyspark", "ray", "pyarrow", "onnxruntime")},
        "note": "rows_per_second is of the best run; load_before is the load average of the minute before it",
        "local": {"seconds": round(local, 2), "rows_per_second": round(arguments.rows / local)},
        "engines": found,
    }
    OUTPUT.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(OUTPUT.read_text(encoding="utf-8"))


def in_a_process(engine: str, workers: int, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.engines.scaling", "--repeat", str(arguments.repeat)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "convert")])}
    load = os.getloadavg()[0]
    done = subprocess.run(
        [*command, "--one", engine, str(workers), str(folder)], cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True
    )
    seconds = json.loads(done.stdout.splitlines()[-1])
    best = min(seconds)
    found = {
        "engine": engine,
        "workers": workers,
        "seconds": seconds,
        "rows_per_second": round(arguments.rows / best),
        "load_before": round(load, 1),
    }
    print(found, file=sys.stderr)
    return found


def measured(engine: str, workers: int, folder: Path, repeat: int) -> list[float]:
    """Seconds of each run but the first, which starts the workers."""
    rows = Rows(folder / "titanic-1.0.0.onnx", folder / "rows", pa.table({}))
    wanted = pa.feather.read_table(folder / "wanted")
    run = {"spark": spark_run, "ray": ray_run}[engine](rows, workers)
    seconds = []
    for _ in range(repeat + 1):
        started = time.perf_counter()
        found = run()
        seconds.append(round(time.perf_counter() - started, 2))
        assert_same(found, wanted)
    return seconds[1:]


def spark_run(rows: Rows, workers: int) -> Any:
    from pyspark.sql import SparkSession

    from edge_infer.batch.spark import predict_with_spark

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(f"local[{workers}]").config("spark.ui.enabled", "false")
    # Files of some MB each would all be one task: so is each a task of its own.
    session = builder.config("spark.sql.files.openCostInBytes", str(128 << 20)).getOrCreate()
    frame = session.read.parquet(str(rows.folder))
    return lambda: predict_with_spark(frame, rows.path, keep=["id"]).toArrow()


def ray_run(rows: Rows, workers: int) -> Any:
    import ray

    from edge_infer.batch.ray import predict_with_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    dataset = ray.data.read_parquet(str(rows.folder))

    def run() -> pa.Table:
        answers = predict_with_ray(dataset, rows.path, keep=["id"], workers=workers, batch_size=2048)
        return pa.concat_tables(ray.get(answers.to_arrow_refs()))

    return run


if __name__ == "__main__":
    main()
