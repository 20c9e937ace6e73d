"""Watching a model where it runs: counts in constant memory, windows on disk, drift, a log of predictions.

monitor = edge_infer.Monitor("watched", log=LogSettings(inputs="hash"))
model = edge_infer.load("penguins", monitor=monitor)
"""

from edge_infer.monitor.alerts import Event
from edge_infer.monitor.log_ids import prediction_id
from edge_infer.monitor.log_settings import LogSettings
from edge_infer.monitor.monitor import Monitor
from edge_infer.monitor.verdict import DriftSettings

__all__ = ["DriftSettings", "Event", "LogSettings", "Monitor", "prediction_id"]
