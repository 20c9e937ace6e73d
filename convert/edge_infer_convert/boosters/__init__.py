"""XGBoost, LightGBM and CatBoost: each read from its own dump, written as nodes. A file here is imported only when
a model of its library comes."""

from edge_infer_convert.boosters.loading import (
    adapt,
    is_booster_file,
    learned_names,
    load_booster,
    native_codes,
    tree_splits,
)
from edge_infer_convert.boosters.reading import readings_kept

__all__ = [
    "adapt",
    "is_booster_file",
    "learned_names",
    "load_booster",
    "native_codes",
    "readings_kept",
    "tree_splits",
]
