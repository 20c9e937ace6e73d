"""Models on a device, by name and version: installed, proven on this machine, active, and the way back.

from edge_infer.store import Store

Store().install("titanic-1.2.0.onnx")
edge_infer.load("titanic").predict(passenger)
"""

from edge_infer.store.store import Installed, Store

__all__ = ["Installed", "Store"]
