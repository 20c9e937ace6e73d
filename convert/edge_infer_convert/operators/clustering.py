"""Clusterers that answer new rows."""

from __future__ import annotations
