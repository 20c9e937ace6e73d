"""A process that answers many rows once, and what that takes: used by `million_rows`, also by hand.

python -m benchmarks.answering edge_infer MODEL METHOD DATA THREADS ANSWER     DATA: .npy, or a pickled DataFrame
python -m benchmarks.answering onnxruntime GRAPH OUTPUT FEEDS THREADS ANSWER   FEEDS: .npz, the graph's input tensors

Answers a few rows, then all of them in one call, writes the answer to ANSWER (.npy), and prints one JSON object: the
seconds of that call, the bytes by which the process's peak in it was above what it held before, and those of the
answer itself.
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.memory import bytes_now, peak_bytes

FEW = 1000

#: Answers so many rows from the first on; None: all of them.
Answer = Callable[[int | None], np.ndarray]


def edge_infer_side(path: str, method: str, data_path: str, threads: int) -> Answer:
    import edge_infer

    model = edge_infer.load(path, options=edge_infer.SessionOptions(threads=threads))
    answer, data = getattr(model, method), _data(data_path)
    return lambda count: answer(data if count is None else data[:count])


def onnxruntime_side(path: str, output: str, feeds_path: str, threads: int) -> Answer:
    """Bare, with the same options as ours, and its feeds ready."""
    from benchmarks.cores import session_like_ours

    with open(path, "rb") as file:
        session = session_like_ours(file.read(), threads)
    feeds = dict(np.load(feeds_path, allow_pickle=True))  # written by `million_rows`; texts are objects
    few = {name: array[:FEW] for name, array in feeds.items()}
    return lambda count: session.run([output], feeds if count is None else few)[0]


def _data(path: str) -> object:
    if path.endswith(".npy"):
        return np.load(path)
    import pandas as pd

    return pd.read_pickle(path)  # written by `million_rows`


def main() -> None:
    side, path, name, data, threads, target = sys.argv[1:]
    answer = {"edge_infer": edge_infer_side, "onnxruntime": onnxruntime_side}[side](path, name, data, int(threads))
    answer(FEW)
    before, started = bytes_now(), time.perf_counter()
    answers = answer(None)
    seconds = time.perf_counter() - started
    taken = max(peak_bytes() - before, 1)
    print(json.dumps({"seconds": seconds, "taken_bytes": taken, "answer_bytes": answers.nbytes}))
    np.save(target, answers)


if __name__ == "__main__":
    main()
