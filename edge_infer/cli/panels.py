"""Under which headings `edge-infer --help` lists the commands, in the order of a model's life."""

from __future__ import annotations

from typing import Final

__all__ = ["ASK", "BRING", "DEVICE", "MAKE"]

MAKE: Final = "Make and prove a model"
ASK: Final = "Ask it"
BRING: Final = "Bring it to devices and browsers"
DEVICE: Final = "Models on this device"
