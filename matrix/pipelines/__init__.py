"""Pipelines as people write them: columns, encoders, imputers, text, unions, and estimators made of others."""

from __future__ import annotations

from matrix.case import Case
from matrix.pipelines import columns, encoders, models, numbers, texts

__all__ = ["pipeline_cases"]


def pipeline_cases() -> list[Case]:
    """In a fixed order."""
    return [case for part in (columns, encoders, numbers, texts, models) for case in part.CASES.cases]
