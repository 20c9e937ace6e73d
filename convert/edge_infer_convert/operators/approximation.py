"""Kernel approximation, random projections and embeddings by a fixed formula."""

from __future__ import annotations
