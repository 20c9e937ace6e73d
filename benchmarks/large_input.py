"""A process that asks a model once with a large input, and how its peak of memory grows by that; used by `deep`.

python -m benchmarks.large_input SIDE MODEL ROWS

SIDE: edge_infer (`Model.run`), or bare (`session.run`). The input has ROWS rows of 2²⁰ float32 numbers; a first call,
of one row, has gone before. Prints one JSON object: memory_bytes at the peak, growth_bytes, and the sum of the answers.
"""

import json
import sys
from typing import Any

import numpy as np

from benchmarks.memory import peak_bytes


def caller(side: str, path: str) -> Any:
    if side == "edge_infer":
        import edge_infer

        model = edge_infer.load(path)
        return lambda x: model.run({"x": x})["y"]
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.enable_cpu_mem_arena = 1, False
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(["y"], {"x": x})[0]


def main() -> None:
    side, path, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
    call = caller(side, path)
    x = np.ones((rows, 1 << 20), np.float32)
    call(x[:1])
    before = peak_bytes()
    answer = float(call(x).sum())
    after = peak_bytes()
    print(json.dumps({"memory_bytes": after, "growth_bytes": after - before, "answer": answer}))


if __name__ == "__main__":
    main()
