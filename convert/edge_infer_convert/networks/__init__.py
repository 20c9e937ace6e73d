"""Estimators that are networks inside: the nets of skorch, and Keras' own wrappers for scikit-learn.

The last step of a pipeline (or a step of a vote, a stack …) is exported by the frontend of its framework, and the graph
becomes nodes of the one graph. A file here is imported only when an estimator of its library comes.

To add a library: write its module with the functions of `Family`, name it in `registry.py`, and add a differential
test to tests/frameworks/.
"""

from edge_infer_convert.networks.registry import Family, find_network, holds_network, network_versions

__all__ = ["Family", "find_network", "holds_network", "network_versions"]
