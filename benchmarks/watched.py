"""A process that is asked many rows while it is watched, and what it holds: used by `monitored`, also by hand.

python watched.py MODEL FRAME.pickle FOLDER ROWS

Prints one JSON object: rows, and resident memory in bytes after a hundredth of them and after all. Linux alone.
"""

import json
import sys

import pandas as pd

import edge_infer
from benchmarks.serving import resident


def main() -> None:
    path, data, folder, rows = sys.argv[1:]
    frame = pd.read_pickle(data)
    calls = max(2, int(rows) // len(frame))
    first = 0
    with edge_infer.load(path, monitor=edge_infer.Monitor(folder, write_seconds=1)) as model:
        for call in range(calls):
            model.predict_proba(frame)
            if call <= calls // 100:
                first = resident()
        later = resident()
    (window,) = edge_infer.Monitor(folder).windows(model.manifest.name)[-1:]
    assert window.summary.rows
    print(json.dumps({"rows": calls * len(frame), "first": first, "later": later}))


if __name__ == "__main__":
    main()
