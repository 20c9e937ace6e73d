"""A process that serves one small model, and what it takes: used by `resources`, also by hand.

python serving.py edge_infer|bare MODEL JSON CALLS SECONDS

Answers the record once, then CALLS times as fast as it can, then 6 times a second for SECONDS, and prints one JSON
object: the answer, resident memory in bytes after the first answer and after the calls, and the share of one core that
the slow calls took. Needs Linux's /proc.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERTZ = 6


def edge_infer_side(path: str, record: dict[str, object]) -> Callable[[], object]:
    import edge_infer

    model = edge_infer.load(path)
    return lambda: model.predict(record)


def bare_side(path: str, record: dict[str, object]) -> Callable[[], object]:
    """The same options as ours."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    numbers = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
    feeds = {
        "numbers": np.array([[record[name] for name in numbers]], dtype=np.float64),
        "strings": np.array([[record["island"], record["sex"]]], dtype=object),
    }
    return lambda: session.run(["label"], feeds)[0][0]


def resident() -> int:
    """Bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def share_of_core(answer: Callable[[], object], seconds: float) -> float:
    """CPU time that calls at 6 Hz take, over the time that passes."""
    started, used = time.monotonic(), time.process_time()
    for tick in range(1, int(seconds * HERTZ) + 1):
        answer()
        time.sleep(max(0.0, started + tick / HERTZ - time.monotonic()))
    return (time.process_time() - used) / (time.monotonic() - started)


def main() -> None:
    side, path, record, calls, seconds = sys.argv[1:]
    answer = {"edge_infer": edge_infer_side, "bare": bare_side}[side](path, json.loads(record))
    first, after_first = answer(), resident()
    for _ in range(int(calls)):
        answer()
    told = {"answer": str(first), "first": after_first, "later": resident()}
    print(json.dumps(told | {"share": share_of_core(answer, float(seconds))}))


if __name__ == "__main__":
    main()
