"""Discriminant analysis and nearest centroids."""

from __future__ import annotations
