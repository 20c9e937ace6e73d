"""What a manifest says of a quantized deep model: how it was made, and what that cost, measured before and after."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from edge_infer.strict_json import Node

__all__ = ["SAMPLES", "Quantization", "described", "quantization_of"]

#: Examples that judged: none of which calibrated; the very ones that calibrated; made up in the inputs' range.
SAMPLES: Final = ("held-out", "calibration", "made")
_SAID: Final = {"held-out": "held out", "calibration": "that also calibrated it", "made": "made up"}
#: Of a metric, whether 1 is the best; else it is a difference, of which 0 is.
_SHARES: Final = frozenset({"accuracy", "agreement", "r2"})


class Quantization(NamedTuple):
    """metric: "accuracy" or "r2" against true values; "agreement" (share of equal classes) or "error" (root of the mean
    square of the difference ÷ that of the answers) against the float model.

    before, after: the metric of the float model and of this one. loss: percentage points that were lost. calibration:
    how many examples set the ranges of its tensors; 0 where none do. examples, sample: how many judged, and which.
    """

    kind: str
    variant: str
    library: str  # and its version
    calibration: int
    metric: str
    output: str
    before: float
    after: float
    loss: float
    examples: int
    sample: str  # one of SAMPLES


def quantization_of(node: Node) -> Quantization:
    """Raises FormatError, with the JSON path of the first mistake."""
    return Quantization(
        kind=node.get("kind").text(),
        variant=node.get("variant").text(),
        library=node.get("library").text(),
        calibration=node.get("calibration").integer(),
        metric=node.get("metric").text(),
        output=node.get("output").text(),
        before=_finite(node.get("before")),
        after=_finite(node.get("after")),
        loss=_finite(node.get("loss")),
        examples=node.get("examples").integer(1),
        sample=node.get("sample").one_of(SAMPLES),
    )


def _finite(node: Node) -> float:
    value = node.number()
    if not math.isfinite(value):
        raise node.fail("a finite number")
    return value


def described(found: Quantization) -> str:
    """In two lines, for people. Its texts are the file's: whoever prints them makes them printable."""
    by = f"{found.variant}, by {found.library}"
    if found.calibration:
        by += f", ranges from {found.calibration:,} examples"
    judged = f"{found.examples:,} examples {_SAID[found.sample]}"
    if found.metric in _SHARES:
        before, after = f"{found.before:.2%}", f"{found.after:.2%}"
    else:
        before, after = f"{found.before:.4g}", f"{found.after:.4g}"
    lost = f"{found.loss:.2f} points lost" if found.loss > 0 else "nothing lost"
    return f"{by}\n{found.metric} of {found.output} {after}, {before} before: {lost} ({judged})"
