"""Many rows: files of any size, and Arrow batches that an engine brings (extra `batch`, with pyarrow)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge_infer.extras import needs

if TYPE_CHECKING:
    from edge_infer.batch.scoring import Scorer
    from edge_infer.graphs import Graphs
    from edge_infer.manifest import Manifest
    from edge_infer.observed import Observer
    from edge_infer.tensors import Packer

__all__ = ["check_extra", "scorer_of"]


def check_extra() -> None:
    """Raises MissingExtraError where pyarrow is not installed."""
    with needs("batch", "pyarrow", "Batches of Arrow and files of many rows"):
        import pyarrow  # noqa: F401


def scorer_of(
    manifest: Manifest,
    graphs: Graphs,
    packer: Packer,
    methods: Sequence[str] | None = None,
    observer: Observer | None = None,
) -> Scorer:
    """See `Model.scorer`."""
    check_extra()
    from edge_infer.batch.scoring import Scorer

    return Scorer(manifest, graphs, packer, methods, observer)
