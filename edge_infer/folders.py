"""Where the store of models is on this device. Apart from the store, which needs numpy."""

from __future__ import annotations

import os

__all__ = ["default_folder"]


def default_folder() -> str:
    """$EDGE_INFER_HOME, or edge-infer's folder of the user's data as this system names it."""
    own = os.environ.get("EDGE_INFER_HOME")
    if own:
        return own
    import platformdirs

    return platformdirs.user_data_dir("edge-infer", appauthor=False)
