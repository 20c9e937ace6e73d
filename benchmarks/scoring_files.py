"""A process that scores a file, or only reads it, and what that takes: used by `files`, also by hand.

python -m benchmarks.scoring_files SIDE FILE MODEL OUT THREADS

SIDE: edge_infer (`Model.predict_file` into OUT), pandas (chunks of 100,000 rows and the original's `predict` and
`predict_proba`, MODEL a .joblib, a CSV of the answers into OUT), pyarrow (the file is read in batches, nothing else).
Prints one JSON object: rows, seconds, the process's peak memory in bytes.
"""

import json
import sys
import time

from benchmarks.memory import peak_bytes

CHUNK = 100_000


def edge_infer_side(file: str, model: str, out: str, threads: int) -> tuple[int, float]:
    import edge_infer

    with edge_infer.load(model) as loaded:
        started = time.perf_counter()
        result = loaded.predict_file(file, out, threads=threads)
        return result.rows, time.perf_counter() - started


def pandas_side(file: str, model: str, out: str, threads: int) -> tuple[int, float]:
    import joblib
    import pandas as pd
    import pyarrow.parquet

    estimator = joblib.load(model)
    started, rows = time.perf_counter(), 0
    if file.endswith(".csv"):
        chunks = pd.read_csv(file, chunksize=CHUNK)
    else:
        chunks = (batch.to_pandas() for batch in pyarrow.parquet.ParquetFile(file).iter_batches(CHUNK))
    for chunk in chunks:
        answers = pd.DataFrame(estimator.predict_proba(chunk), columns=[f"P({label})" for label in estimator.classes_])
        answers.insert(0, "prediction", estimator.predict(chunk))
        answers.to_csv(out, mode="a" if rows else "w", header=not rows, index=False)
        rows += len(chunk)
    return rows, time.perf_counter() - started


def pyarrow_side(file: str, model: str, out: str, threads: int) -> tuple[int, float]:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    pa.set_cpu_count(threads)
    started = time.perf_counter()
    batches = pyarrow.csv.open_csv(file) if file.endswith(".csv") else pyarrow.parquet.ParquetFile(file).iter_batches()
    rows = sum(batch.num_rows for batch in batches)
    return rows, time.perf_counter() - started


def main() -> None:
    side, file, model, out, threads = sys.argv[1:]
    sides = {"edge_infer": edge_infer_side, "pandas": pandas_side, "pyarrow": pyarrow_side}
    rows, seconds = sides[side](file, model, out, int(threads))
    print(json.dumps({"rows": rows, "seconds": seconds, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
