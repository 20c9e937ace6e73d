"""Estimators made of estimators: votes, bags, stacks, chains, calibration, thresholds, one file per family.

Their members are followed by `graph/plan.py` on the same columns, text included, so that a Stacking around pipelines
of a DataFrame is as good as the pipeline alone. Here is only how the members' answers are combined.
To add one: write `def name(builder, model, members, reads) -> {method: [tensor, …]}` under `@composite(Class, …)`,
import its file below, and add a differential test in tests/convert/composites/.
"""

from edge_infer_convert.composites import bagging, calibration, multiclass, multioutput, stacking, thresholds, voting
from edge_infer_convert.composites import targets as targets
from edge_infer_convert.composites.registry import Answers, Composite, Member, composite, find_composite, find_wrapped

__all__ = [
    "Answers",
    "Composite",
    "Member",
    "bagging",
    "calibration",
    "composite",
    "find_composite",
    "find_wrapped",
    "multiclass",
    "multioutput",
    "stacking",
    "targets",
    "thresholds",
    "voting",
]
