"""Which models decide by exact arithmetic, so that no label may differ, ties included."""

from __future__ import annotations

from typing import Final

from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier, ExtraTreesClassifier, RandomForestClassifier, VotingClassifier
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from edge_infer_convert.graph.plan import Plan, Step

__all__ = ["is_exact"]

_EXACT: Final = (
    DecisionTreeClassifier,
    DummyClassifier,
    ExtraTreeClassifier,
    ExtraTreesClassifier,
    RandomForestClassifier,
)
_EXACT_IF_MEMBERS_ARE: Final = (BaggingClassifier, VotingClassifier)


def is_exact(plan: Plan) -> bool:
    """Whether the last step counts, votes or averages leaves in the original's own order."""
    return plan.final is not None and _decides_exactly(plan.final)


def _decides_exactly(step: Step) -> bool:
    if type(step.estimator) in _EXACT_IF_MEMBERS_ARE:
        finals = [member.final for member in step.members]
        return all(final is not None and _decides_exactly(final) for final in finals)
    return type(step.estimator) in _EXACT
