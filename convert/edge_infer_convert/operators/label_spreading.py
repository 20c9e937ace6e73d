"""Label propagation and spreading."""

from __future__ import annotations
