"""Our own converters, one file per family: where skl2onnx has none, is wrong, or has no float64.

To add one: write `def name(builder, estimator, reads) -> {method: [tensor, …]}` under `@operator(Class, …)` in
the family's file, import that file below, and add a differential test in tests/convert/.
"""

from edge_infer_convert.operators import additive, boosting, composed, imputing, linear, scaling, trees
from edge_infer_convert.operators.registry import Operator, find_operator, operator

__all__ = [
    "Operator",
    "additive",
    "boosting",
    "composed",
    "find_operator",
    "imputing",
    "linear",
    "operator",
    "scaling",
    "trees",
]
