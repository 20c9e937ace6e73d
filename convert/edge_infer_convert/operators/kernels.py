"""Support vector machines and kernel ridge."""

from __future__ import annotations
