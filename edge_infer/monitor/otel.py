"""Counts as OpenTelemetry metrics, where the application has set OpenTelemetry up.

Only the public API is used (`opentelemetry.metrics`): what becomes of the numbers is the application's choice. Nothing
here imports the API before the application has.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

from edge_infer.monitor.basis import Basis
from edge_infer.monitor.summary import Summary

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation

__all__ = ["Source", "look", "tell_of"]

_QUANTILES: Final = (0.5, 0.99, 1.0)
_Read = Callable[[Summary], Iterator[tuple[float, dict[str, Any]]]]


class Source(Protocol):
    """A monitor's part in this process."""

    def totals(self) -> Iterable[tuple[Basis, Summary]]:
        """Each model that is watched, and what was counted of it since the process began."""


_sources: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
_set_up: Final[list[bool]] = []  # once for a process: instruments of one name must not be made twice


def tell_of(source: Source) -> None:
    """From now on, while it lives."""
    _sources.add(source)


def look() -> None:
    """Make the instruments, if the application uses OpenTelemetry meanwhile."""
    api = sys.modules.get("opentelemetry.metrics")
    if api is None or _set_up:
        return
    _set_up.append(True)
    from edge_infer import __version__

    meter = api.get_meter("edge_infer", __version__)
    counter, gauge = meter.create_observable_counter, meter.create_observable_gauge
    counter("edge_infer.calls", [_told(_calls)], "{call}", "Calls that were answered.")
    counter("edge_infer.errors", [_told(_errors)], "{call}", "Calls that raised.")
    counter("edge_infer.rows", [_told(_rows)], "{row}", "Rows that were answered.")
    gauge("edge_infer.call.duration", [_told(_seconds)], "s", "Calls of one record, by quantile.")


def _told(read: _Read) -> Callable[[CallbackOptions], list[Observation]]:
    def observe(options: CallbackOptions) -> list[Observation]:
        from opentelemetry.metrics import Observation

        return [
            Observation(value, {"model": basis.name, "version": basis.version, **about})
            for source in list(_sources)
            for basis, summary in source.totals()
            for value, about in read(summary)
        ]

    return observe


def _calls(summary: Summary) -> Iterator[tuple[float, dict[str, Any]]]:
    return ((times, {"method": method}) for method, times in list(summary.calls.items()))


def _errors(summary: Summary) -> Iterator[tuple[float, dict[str, Any]]]:
    return ((times, {"kind": kind}) for kind, times in list(summary.errors.items()))


def _rows(summary: Summary) -> Iterator[tuple[float, dict[str, Any]]]:
    yield summary.rows, {}


def _seconds(summary: Summary) -> Iterator[tuple[float, dict[str, Any]]]:
    for share in _QUANTILES:
        value = summary.latency.quantile(share)
        if value is not None:
            yield value, {"quantile": share}
