"""The file that `convert --data` names, and how it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from edge_infer.cli.extras import needs_converter
from edge_infer.errors import UsageError

__all__ = ["DataFile"]


class DataFile(NamedTuple):
    """The training data or a sample of it; `path` is None where no file was named."""

    path: str | None
    target_column: str | None = None
    date_columns: Sequence[str] = ()

    @classmethod
    def named(cls, path: str | None, target_column: str | None, date_columns: Sequence[str]) -> DataFile:
        """Raises UsageError for options that tell of a file where none is named."""
        option = "--target-column" if target_column else "--date-column" if date_columns else None
        if path is None and option is not None:
            raise UsageError(f"{option} tells of the file that --data names: name it too")
        return cls(path, target_column, date_columns)

    def check(self) -> None:
        """Raises OSError where the file cannot be opened."""
        if self.path is not None:
            with open(self.path, "rb"):
                pass

    def read(self) -> Any:
        """A DataFrame, an array, or None. Needs the converter. Raises as `edge_infer_convert.sources.read_sample`."""
        if self.path is None:
            return None
        with needs_converter("edge-infer convert --data"):
            from edge_infer_convert.sources import read_sample

        return read_sample(self.path, self.target_column, self.date_columns)

    def read_for(self, estimator: Any, sample: Any) -> Any:
        """`sample`, or the file read anew without a header: where its first line is numbers alone, and the model knows
        no names, that line is a row, as `predict` takes it."""
        if self.path is None or self.target_column or self.date_columns:
            return sample
        from edge_infer_convert.schema import known_names
        from edge_infer_convert.sources import has_only_numbers, read_sample

        if known_names(estimator) is not None or not has_only_numbers(self.path):
            return sample
        return read_sample(self.path, header=False)
