"""Every limit on what edge-infer reads, in one frozen place, with units.

They bound time and memory before anything is trusted. A file above a limit is refused with a
`LimitError` that names it. `artifacts/FORMAT.md` repeats these numbers, and a test compares.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["LIMITS", "Limits"]

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB


class Limits(NamedTuple):
    """Upper bounds, inclusive."""

    model_bytes: int = 2048 * _MIB - 1  # protobuf cannot serialise a larger message
    nesting_depth: int = 32  # graphs inside nodes inside graphs …
    nodes: int = 1_000_000  # in all graphs and functions together
    initializers: int = 1_000_000  # likewise
    graph_values: int = 100_000  # inputs and outputs of the graph
    name_bytes: int = 4 * _KIB  # a tensor, node, operator or domain name
    metadata_entries: int = 1_024  # metadata_props of the model
    metadata_bytes: int = 64 * _MIB  # all their keys and values together
    manifest_bytes: int = 16 * _MIB  # edge_infer.manifest
    golden_bytes: int = 256 * _KIB  # edge_infer.goldens
    golden_rows: int = 128
    golden_elements: int = 1 << 23  # of the tensors of one golden case
    reference_bytes: int = 16 * _MIB  # edge_infer.reference
    parity_bytes: int = 1 * _MIB  # edge_infer.parity
    columns: int = 100_000  # input columns of a manifest
    categories: int = 1_000_000  # known categories of all columns together
    classes: int = 100_000  # class labels of one output
    unit_bytes: int = 64  # a column's unit, or the type of a metric
    description_bytes: int = 4 * _KIB  # a description, the license, or the data of a metric
    metrics: int = 100
    json_depth: int = 16  # nesting of objects and arrays in the metadata's JSON
    text_bytes: int = 16 * _MIB  # one line of `stream`, or one JSON argument or document
    image_bytes: int = 64 * _MIB  # a file of an image that a model is asked with
    image_pixels: int = 1 << 26  # height × width of one, as it is and as it is resized
    audio_bytes: int = 256 * _MIB  # a file of sound that a model is asked with
    audio_samples: int = 1 << 28  # of all channels of one
    signature_bytes: int = 64 * _KIB  # NAME-VERSION.onnx.sig
    key_bytes: int = 64 * _KIB  # a file of keys, or a list of their fingerprints
    trusted_keys: int = 100  # in the folders and files of one verification
    tuned_bytes: int = 16 * _KIB  # a record of `bench --tune`


LIMITS: Final = Limits()
