"""Matrix decompositions and cross decompositions: PCA, ICA, NMF, dictionaries, PLS and their kin."""

from __future__ import annotations
