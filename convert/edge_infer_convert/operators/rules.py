"""Dummy estimators, isotonic regression and thresholds."""

from __future__ import annotations
