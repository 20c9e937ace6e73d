"""Multi-layer perceptrons and Boltzmann machines."""

from __future__ import annotations
