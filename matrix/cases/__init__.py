"""Every case of every estimator that `sklearn.utils.all_estimators()` names."""

from __future__ import annotations

from matrix.case import Case
from matrix.cases import classifiers, composed, regressors, transformers, unsupervised

__all__ = ["estimator_cases"]


def estimator_cases() -> list[Case]:
    """In a fixed order; the first case of an estimator is its usual one."""
    return [
        case
        for family in (classifiers, regressors, unsupervised, transformers, composed)
        for case in family.CASES.cases
    ]
