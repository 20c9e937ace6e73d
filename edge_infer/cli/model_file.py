"""MODEL on the command line: a path, or the name of a model in the store."""

from __future__ import annotations

import os

from edge_infer.artifact import is_bare_name

__all__ = ["model_file"]


def model_file(model: str) -> str:
    """A path as it is; of a name ("titanic", "titanic@1.2.0"), the file of that release in this device's store.

    Raises:
        StoreError: there is no such model, or release.
    """
    if os.path.exists(model) or not is_bare_name(model):
        return model
    from edge_infer.store import Store

    return Store().path(model)
