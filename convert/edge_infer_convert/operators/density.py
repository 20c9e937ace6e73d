"""Densities and covariances: kernel densities, mixtures, elliptic envelopes."""

from __future__ import annotations
