"""Which device this is, and whether it is among the share of devices that take a release first."""

from __future__ import annotations

import hashlib
import os
from typing import Final

from edge_infer.store.files import Files
from edge_infer.store.updates import device_id

__all__ = ["ID_VARIABLE", "in_share", "this_device"]

#: The environment variable that names the device; without it, the store makes an id.
ID_VARIABLE: Final = "EDGE_INFER_DEVICE_ID"


def this_device(files: Files) -> str:
    """What EDGE_INFER_DEVICE_ID says, or the id in the store, which is made the first time."""
    return os.environ.get(ID_VARIABLE) or device_id(files)


def in_share(device: str, name: str, version: str, share: float) -> bool:
    """Whether a device takes a release that `share` (0 to 1) of all devices take.

    Each release shuffles the devices anew, and a device that is in a share is in every larger one.
    """
    place = int(hashlib.sha256(f"{device}:{name}:{version}".encode()).hexdigest()[:16], 16)
    return place < share * 2.0**64
