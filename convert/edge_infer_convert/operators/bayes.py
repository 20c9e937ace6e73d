"""Naive Bayes."""

from __future__ import annotations
