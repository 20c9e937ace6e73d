"""Counts in the text format of Prometheus, for the textfile collector of its node_exporter.

Names follow https://prometheus.io/docs/practices/naming/; the library prometheus_client renders them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from edge_infer.errors import MissingExtraError
from edge_infer.histogram import Histogram
from edge_infer.monitor.summary import Summary
from edge_infer.monitor.windows import Window, models, read_all
from edge_infer.store.files import Files

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["write_prometheus"]

#: Upper limits of a call's seconds: from a microsecond to ten seconds.
_LIMITS: Final = (*(factor * 10.0**power for power in range(-6, 1) for factor in (1, 2, 5)), 10.0)
_OF_MODEL: Final = ("model", "version", "digest")


def write_prometheus(files: Files, output: str | os.PathLike[str]) -> int:
    """All models of a monitor's folder into one file, which takes its name when it is whole; the number of models.

    Every number grows for as long as the folder lives, though windows leave its ring.

    Raises:
        MissingExtraError: prometheus_client is not installed.
        OSError: the file cannot be written.
    """
    try:
        from prometheus_client import CollectorRegistry, write_to_textfile
    except ImportError as error:
        raise MissingExtraError("prometheus_client", "monitor", "the text format of Prometheus") from error
    names, registry = models(files), CollectorRegistry()
    registry.register(_Collector([window for name in names for window in _by_release(read_all(files, name))]))
    write_to_textfile(os.fspath(output), registry)
    return len(names)


def _by_release(windows: Iterable[Window]) -> list[Window]:
    """One of all windows of each release."""
    found: dict[str, Window] = {}
    for window in windows:
        known = found.setdefault(window.digest, window._replace(summary=Summary()))
        known.summary.merge(window.summary)
    return list(found.values())


class _Collector:
    """What prometheus_client asks."""

    def __init__(self, releases: list[Window]) -> None:
        self._releases = releases

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily as Counter
        from prometheus_client.core import HistogramMetricFamily

        calls = Counter("edge_infer_calls", "Calls that were answered.", labels=[*_OF_MODEL, "method"])
        failures = Counter("edge_infer_errors", "Calls that raised.", labels=[*_OF_MODEL, "kind"])
        rows = Counter("edge_infer_rows", "Rows that were answered.", labels=_OF_MODEL)
        skipped = Counter("edge_infer_rows_skipped", "Rows not looked at for columns and labels.", labels=_OF_MODEL)
        missing = Counter("edge_infer_missing", "Missing values, of rows looked at.", labels=[*_OF_MODEL, "column"])
        unseen = Counter("edge_infer_unseen", "Categories the model does not know.", labels=[*_OF_MODEL, "column"])
        outside = Counter("edge_infer_out_of_range", "Numbers beyond training's.", labels=[*_OF_MODEL, "column"])
        seconds = HistogramMetricFamily("edge_infer_call_seconds", "Calls of one record.", labels=_OF_MODEL)
        for release in self._releases:
            labels, summary = (release.name, release.version, release.digest[:12]), release.summary
            _add_all(calls, labels, summary.calls)
            _add_all(failures, labels, summary.errors)
            rows.add_metric(labels, summary.rows)
            skipped.add_metric(labels, summary.skipped)
            for column, counts in summary.columns.items():
                missing.add_metric([*labels, column], counts.missing)
                unseen.add_metric([*labels, column], counts.unseen)
                outside.add_metric([*labels, column], counts.below + counts.above)
            seconds.add_metric(labels, _buckets(summary.latency), sum_value=summary.latency.total)
        yield from (calls, failures, rows, skipped, missing, unseen, outside, seconds)


def _add_all(family: Any, labels: tuple[str, ...], counted: dict[str, int]) -> None:
    for name, times in counted.items():
        family.add_metric([*labels, name], times)


def _buckets(latency: Histogram) -> list[tuple[str, float]]:
    return [*((f"{limit:g}", latency.count_to(limit)) for limit in _LIMITS), ("+Inf", latency.count)]
