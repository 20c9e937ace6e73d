"""Why a batch cannot go on; what is done of it is kept."""

from __future__ import annotations

from edge_infer.errors import BatchError

__all__ = ["BatchError", "InputFileError", "ResumeError", "RowError"]


class InputFileError(BatchError):
    """A file is not what its kind says; the file and the place are named."""


class RowError(BatchError):
    """A row cannot be scored, and none may be left out."""


class ResumeError(BatchError):
    """What was begun cannot be gone on with: the input, the model or an option is another."""
