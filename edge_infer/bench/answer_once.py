"""A program: load a model, answer once, and tell the memory that the process holds then.

    python -m edge_infer.bench.answer_once MODEL METHOD < RECORD

METHOD `run` takes made-up tensors instead of a record of JSON. It prints {"resident_bytes": a whole number or null}.
"""

from __future__ import annotations

import json
import sys

import edge_infer

__all__ = ["most_resident_bytes", "resident_bytes"]


def resident_bytes(status: str = "/proc/self/status") -> int | None:
    """Of this process, in bytes: what Linux tells, elsewhere the most that there was; None where nothing tells."""
    try:
        with open(status, encoding="ascii", errors="replace") as file:
            found = [int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:")]
    except OSError:
        found = []
    return found[0] if found else most_resident_bytes(status)


def most_resident_bytes(status: str = "/proc/self/status") -> int | None:
    """The most that this process held, in bytes; None where nothing tells. Linux's getrusage(2) counts what stood in
    memory before this program did."""
    try:
        with open(status, encoding="ascii", errors="replace") as file:
            found = [int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:")]
    except OSError:
        found = []
    if found:
        return found[0]
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # getrusage(2): bytes on macOS, else KiB


def main() -> None:
    """Raises what `load` and the model raise."""
    path, method = sys.argv[1:]
    model = edge_infer.load(path)
    if method == "run":
        from edge_infer.bench.tensors import feeds_of

        model.run(feeds_of(model.artifact))
    else:
        getattr(model, method)(json.load(sys.stdin))
    print(json.dumps({"resident_bytes": resident_bytes()}), flush=True)


if __name__ == "__main__":
    main()
