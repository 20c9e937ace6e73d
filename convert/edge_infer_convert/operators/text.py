"""Text vectorisers."""

from __future__ import annotations
