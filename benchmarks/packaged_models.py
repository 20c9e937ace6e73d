"""python -m benchmarks.packaged_models [--quick]: models of packages beside their own sessions; writes packaged.md.

Needs what `make frameworks` installs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.measure import FULL, QUICK, Batch, Settings
from benchmarks.packaged import PACKAGES, Recorder, Seat
from benchmarks.results import Part, shown, spent, write_results
from edge_infer import SessionOptions

__all__ = ["main", "run"]

#: Of the latency of the package's own session.
MOST: Final = 1.02
_CALLS: Final = 16  # of what a package gave its session, at most
_PAIRS: Final = 3  # × the settings' batches: with several threads, times spread widely, and upwards
_NOTE: Final = (
    "The calls that each package makes of its sessions for what it is asked (125 pieces of sound, 7 files, a picture "
    "with 3 lines of text), recorded and made again. theirs: by the package's own session, with its options. "
    "edge_infer: `Model.run` of the artifact, with as many threads, memory kept and idle threads spinning, as are "
    "onnxruntime's own defaults. Mean of a call; the lower quartile of the batches, since what disturbs threads only "
    "adds time; answers are compared. Target: at most 1.02 × theirs."
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.packaged_models", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one repetition: checks answers, times mean nothing")
    settings = QUICK if parser.parse_args(argv).quick else FULL
    part = run(settings)
    print(shown(part))
    if settings != QUICK:
        paired = settings._replace(batches=settings.batches * _PAIRS)
        write_results([part], paired, Path(__file__).parent, "packaged", "python -m benchmarks.packaged_models")
    return 0


def run(settings: Settings) -> Part:
    """Raises AssertionError if the sides answer differently."""
    rows: list[tuple[str, ...]] = []
    measured: list[dict[str, Any]] = []
    for package in PACKAGES.values():
        packaged = package()
        recorders = {name: Recorder(seat.session) for name, seat in packaged.seats.items()}
        for name, seat in packaged.seats.items():
            seat.put(recorders[name])
        packaged.ask()
        for name, seat in packaged.seats.items():
            found = _timed(seat, recorders[name], settings)
            ratio = found["ratio"]
            measured.append({"model": name, **found, "target_met": ratio <= MOST})
            met = "met" if ratio <= MOST else "MISSED"
            rows.append((name, spent(found["theirs"]), spent(found["edge_infer"]), f"{ratio:.3f} ×", met))
    return Part(
        "packaged", "Models of packages", _NOTE, ("model", "theirs", "edge_infer", "÷ theirs", "target"), rows, measured
    )


def _timed(seat: Seat, recorder: Recorder, settings: Settings) -> dict[str, float]:
    """Mean seconds of a call by side, the lower quartile of all batches, and the ratio of both."""
    theirs = recorder._theirs
    threads = theirs.get_session_options().intra_op_num_threads or "all"
    ours = seat.converted(SessionOptions(threads=threads, spinning=True, arena=True))
    given = recorder.given[:: max(1, len(recorder.given) // _CALLS)]
    for names, feeds in given:
        _compare(theirs.run(names, feeds), ours.run(feeds, names))
    sides: dict[str, Batch] = {
        "theirs": _batch(theirs.run, given),
        "edge_infer": _batch(lambda names, feeds: ours.run(feeds, names), given),
    }
    count = max(1, round(settings.seconds / sides["theirs"](1)))
    found: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(settings.batches * _PAIRS):
        for side in list(sides) if turn % 2 else reversed(sides):
            found[side].append(sides[side](count) / count / len(given))
    seconds = {side: sorted(times)[len(times) // 4] for side, times in found.items()}
    return {**seconds, "ratio": seconds["edge_infer"] / seconds["theirs"]}


def _compare(theirs: Sequence[Any], ours: dict[str, Any]) -> None:
    for wanted, got in zip(theirs, ours.values(), strict=True):
        if not np.allclose(got, wanted, rtol=1e-4, atol=1e-5):
            raise AssertionError("edge_infer answers differently")


def _batch(call: Callable[[Any, Any], Any], given: Sequence[tuple[Any, Any]]) -> Batch:
    def batch(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            for names, feeds in given:
                call(names, feeds)
        return time.perf_counter() - start

    return batch


if __name__ == "__main__":
    sys.exit(main())
