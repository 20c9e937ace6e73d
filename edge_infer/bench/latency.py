"""How long single calls take: every call is timed by itself, in memory that is taken before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bucket", "Latency", "measured", "summary", "timed"]

_MOST_CALLS: Final = 1_000_000  # of 8 bytes each
_WARM_UP: Final = 0.1  # of the time that is measured
_BUCKETS: Final = 12  # up to p99


class Bucket(NamedTuple):
    """Calls that took from `low` to below `high` seconds; of the last bucket, to `high` inclusive."""

    low: float
    high: float
    calls: int


class Latency(NamedTuple):
    """Seconds of a call. Percentile q is the least measured time that at least q % of the calls did not exceed.

    histogram: buckets of equal ratio from the least time to p99, and one from there to the most.
    """

    calls: int
    mean: float
    p50: float
    p90: float
    p99: float
    p99_9: float
    max: float
    histogram: tuple[Bucket, ...]


def measured(call: Callable[[Any], Any], given: Sequence[Any], seconds: float) -> Latency:
    """Call with each of `given` in turn, for `seconds` after a warm-up of a tenth of it. Raises what `call` raises."""
    timed(call, given, seconds * _WARM_UP, most=_MOST_CALLS)
    return summary(timed(call, given, seconds))


def timed(
    call: Callable[[Any], Any], given: Sequence[Any], seconds: float, *, most: int = _MOST_CALLS
) -> NDArray[np.int64]:
    """Nanoseconds of each call, in their order: at least one call, at most `most`. Garbage is collected as ever.

    Two readings of the clock, some hundredth of a microsecond or so, are part of each.
    """
    nanoseconds = np.zeros(most, dtype=np.int64)
    spent = nanoseconds.data  # written faster than the array
    clock, kinds, count = perf_counter_ns, len(given), 0
    end = clock() + int(seconds * 1e9)
    while count < most:
        data = given[count % kinds]
        started = clock()
        call(data)
        stopped = clock()
        spent[count] = stopped - started
        count += 1
        if stopped >= end:
            break
    return nanoseconds[:count]


def summary(nanoseconds: NDArray[np.int64]) -> Latency:
    """Of at least one call. The percentiles are numpy's by the method "inverted_cdf" (nearest rank)."""
    ranks = np.percentile(nanoseconds, [50, 90, 99, 99.9], method="inverted_cdf") / 1e9
    p50, p90, p99, p99_9 = (float(value) for value in ranks)
    mean, most = float(nanoseconds.mean()) / 1e9, float(nanoseconds.max()) / 1e9
    return Latency(len(nanoseconds), mean, p50, p90, p99, p99_9, most, _histogram(nanoseconds / 1e9, p99))


def _histogram(seconds: NDArray[np.float64], p99: float) -> tuple[Bucket, ...]:
    least, most = float(seconds.min()), float(seconds.max())
    edges = [least, p99]
    if 0 < least < p99:
        edges = np.geomspace(least, p99, _BUCKETS + 1).tolist()
    if most > p99:
        edges.append(most)
    counts, _ = np.histogram(seconds, np.array(edges)) if edges[0] < edges[-1] else ([len(seconds)], None)
    return tuple(Bucket(*bucket) for bucket in zip(edges, edges[1:], map(int, counts), strict=False))
