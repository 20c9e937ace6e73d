"""Watching a model where it runs: counts in constant memory, windows on disk, drift, a log. See `Monitor`."""

from edge_infer.monitor.monitor import Monitor, monitor_of_environment

__all__ = ["Monitor", "monitor_of_environment"]
