"""One process that answers by a watched model until it is told to stop: NAME RECORD ANSWERS (JSON, by version)."""

from __future__ import annotations

import json
import sys
import threading
import time

import edge_infer
from edge_infer.histogram import Histogram


def main(name: str, record: str, answers: str) -> int:
    """Prints the versions that answered and the latencies; 1 where an answer is no release's."""
    row, known = json.loads(record), json.loads(answers)
    model = edge_infer.watch(name, interval=0.01)
    ends = threading.Event()
    print("ready", flush=True)
    sys.stdin.readline()
    threading.Thread(target=lambda: (sys.stdin.readline(), ends.set()), daemon=True).start()
    latencies, seen = Histogram(), set()
    wanted = {tuple(answer): version for version, answer in known.items()}
    while not ends.is_set():
        start = time.perf_counter()
        answer = model.predict_proba(row)
        latencies.add(time.perf_counter() - start)
        version = wanted.get(tuple(answer.tolist()))
        if version is None:
            print(f"{answer} is no release's answer", file=sys.stderr)
            return 1
        seen.add(version)
    print(json.dumps({"seen": sorted(seen), "latencies": latencies.plain()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
