"""Isomap and locally linear embedding of new rows."""

from __future__ import annotations
