"""Nearest neighbours: votes, means, distances, outlier factors."""

from __future__ import annotations
