"""Feature selection and agglomeration: which columns go on, or are pooled."""

from __future__ import annotations
