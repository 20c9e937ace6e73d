"""The file that `convert --data` names, and how it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from edge_infer.errors import UsageError

__all__ = ["DataFile"]


class DataFile(NamedTuple):
    """The training data or a sample of it; `path` is None where no file was named."""

    path: str | None
    target_column: str | None = None
    date_columns: Sequence[str] = ()

    def read(self) -> Any:
        """A DataFrame, or None. Needs the converter. Raises as `edge_infer_convert.sources.read_sample`."""
        if self.path is None:
            if self.target_column or self.date_columns:
                raise UsageError("--target-column and --date-column tell of the file that --data names: name it too")
            return None
        from edge_infer_convert.sources import read_sample

        return read_sample(self.path, self.target_column, self.date_columns)
