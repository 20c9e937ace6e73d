"""Our own converters, one file per family: where skl2onnx has none, is wrong, or has no float64.

To add one: write `def name(builder, estimator, reads) -> {method: [tensor, …]}` under `@operator(Class, …)` in
the family's file, import that file below, and add a differential test in tests/convert/operators/.
"""

from edge_infer_convert.operators import (
    additive,
    approximation,
    bayes,
    clustering,
    decomposition,
    density,
    discriminant,
    gaussian_process,
    hist_boosting,
    imputing,
    kernels,
    label_spreading,
    linear,
    manifold,
    neighbours,
    neural,
    preprocessing,
    rules,
    scaling,
    selecting,
    text,
    trees,
)
from edge_infer_convert.operators.registry import Operator, find_operator, operator

__all__ = [
    "Operator",
    "additive",
    "approximation",
    "bayes",
    "clustering",
    "decomposition",
    "density",
    "discriminant",
    "find_operator",
    "gaussian_process",
    "hist_boosting",
    "imputing",
    "kernels",
    "label_spreading",
    "linear",
    "manifold",
    "neighbours",
    "neural",
    "operator",
    "preprocessing",
    "rules",
    "scaling",
    "selecting",
    "text",
    "trees",
]
