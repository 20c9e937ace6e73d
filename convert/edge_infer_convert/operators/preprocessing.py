"""Preprocessing on numbers: bins, splines, powers, quantiles, norms, kernels centred, traced functions."""

from __future__ import annotations
