"""The same recording for functions of a pandas DataFrame: a frame of traced columns, each [rows]."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.tracing import Traced, Untraceable

__all__ = ["TracedFrame"]


class TracedFrame(np.lib.mixins.NDArrayOperatorsMixin):
    """Columns by name. What depends on other rows, or would align an index, raises Untraceable."""

    _builder: GraphBuilder
    _columns: dict[Any, Traced]
    _whole: Traced | None

    def __init__(self, builder: GraphBuilder, columns: dict[Any, Traced], whole: Traced | None = None) -> None:
        """`whole`: all columns as one matrix, where there is one; what is done to all is done to it, in one node."""
        self.__dict__.update(_builder=builder, _columns=columns, _whole=whole)  # past __setattr__

    @classmethod
    def of_matrix(cls, matrix: Traced, names: list[Any]) -> TracedFrame:
        """A matrix [rows, len(names)] as a frame."""
        return cls(matrix.builder, {name: matrix[:, i] for i, name in enumerate(names)}, matrix)

    def matrix(self) -> Traced:
        """Numbers [rows, columns]."""
        if self._whole is not None:
            return self._whole.numbers()
        if not self._columns:
            raise Untraceable("it gives a frame without columns")
        parts = [column.matrix() for column in self._columns.values()]
        tensor = self._builder.node("Concat", *(part.tensor for part in parts), axis=1)
        return Traced(self._builder, tensor, len(parts))

    # --- columns ---

    @property
    def columns(self) -> list[Any]:
        return list(self._columns)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._columns)

    def __contains__(self, name: Any) -> bool:
        return name in self._columns

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, list):
            return TracedFrame(self._builder, {name: self._column(name) for name in key})
        if isinstance(key, str | int):
            return self._column(key)
        raise Untraceable(f"it indexes a frame by {type(key).__name__}; use names of columns")

    def __getattr__(self, name: str) -> Any:
        if name in self._columns:
            return self._columns[name]
        raise Untraceable(f"DataFrame.{name} has no recording")

    def __setitem__(self, name: Any, value: Any) -> None:
        if not isinstance(name, str | int):
            raise Untraceable("it sets something other than one column by its name")
        self._columns[name] = self._as_column(value)
        self.__dict__["_whole"] = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._columns:
            raise Untraceable(f"it sets the attribute {name!r} of a frame; use X[{name!r}] = …")
        self[name] = value

    def _column(self, name: Any) -> Traced:
        if name not in self._columns:
            raise Untraceable(f"there is no column {name!r} in {', '.join(map(repr, self._columns))}"[:200])
        return self._columns[name]

    def _as_column(self, value: Any) -> Traced:
        if isinstance(value, Traced) and value.width is None:
            return value
        if isinstance(value, bool | int | float | np.number):
            first = next(iter(self._columns.values())).numbers()
            same = first.builder.node("Equal", first.tensor, first.tensor)  # of any row, NaN too
            constant = first.builder.constant(float(value))
            return Traced(first.builder, first.builder.node("Where", same, constant, constant), None)
        raise Untraceable(f"a column becomes {type(value).__name__}; use columns of the input and plain numbers")

    def _each(self, function: Callable[[Traced], Traced]) -> TracedFrame:
        if self._whole is not None:
            return TracedFrame.of_matrix(function(self._whole), self.columns)
        return TracedFrame(self._builder, {name: function(column) for name, column in self._columns.items()})

    # --- as pandas ---

    def copy(self, deep: bool = True) -> TracedFrame:
        return TracedFrame(self._builder, dict(self._columns), self._whole)

    def assign(self, **columns: Any) -> TracedFrame:
        made = self.copy()
        for name, value in columns.items():
            made[name] = value(made) if callable(value) else value
        return made

    def drop(self, labels: Any = None, *, axis: Any = 0, columns: Any = None) -> TracedFrame:
        chosen = columns if columns is not None else labels if axis in (1, "columns") else None
        if chosen is None:
            raise Untraceable("it drops rows")
        gone = [chosen] if isinstance(chosen, str | int) else list(chosen)
        for name in gone:
            self._column(name)
        return TracedFrame(self._builder, {n: column for n, column in self._columns.items() if n not in gone})

    def rename(self, *, columns: Any) -> TracedFrame:
        new = columns if callable(columns) else lambda name: columns.get(name, name)
        return TracedFrame(self._builder, {new(name): column for name, column in self._columns.items()})

    def fillna(self, value: Any) -> TracedFrame:
        if isinstance(value, dict):
            named = {n: c.fillna(value[n]) if n in value else c for n, c in self._columns.items()}
            return TracedFrame(self._builder, named)
        return self._each(lambda column: column.fillna(value))

    def clip(self, lower: Any = None, upper: Any = None) -> TracedFrame:
        return self._each(lambda column: column.clip(lower, upper))

    def abs(self) -> TracedFrame:
        return self._each(np.abs)

    def isna(self) -> TracedFrame:
        return self._each(lambda column: column.isna())

    isnull = isna

    def astype(self, dtype: Any) -> TracedFrame:
        return self._each(lambda column: column.astype(dtype))

    def to_numpy(self, dtype: Any = None) -> Traced:
        return self.matrix() if dtype is None else self.matrix().astype(dtype)

    @property
    def values(self) -> Traced:
        return self.matrix()

    # --- over the columns; pandas leaves gaps out ---

    def sum(self, axis: Any = 0) -> Traced:
        return self._filled(axis, 0.0).sum(axis=1)

    def mean(self, axis: Any = 0) -> Traced:
        made: Traced = self.sum(axis) / self._present()
        return made

    def max(self, axis: Any = 0) -> Traced:
        return self._filled(axis, -np.inf).max(axis=1).mask(self._present() == 0)

    def min(self, axis: Any = 0) -> Traced:
        return self._filled(axis, np.inf).min(axis=1).mask(self._present() == 0)

    def _filled(self, axis: Any, value: float) -> Traced:
        if axis not in (1, "columns"):
            raise Untraceable("it takes a column's sum, mean or extreme, which depends on other rows; use axis=1")
        return self.matrix().fillna(value)

    def _present(self) -> Traced:
        return self.matrix().notna().numbers().sum(axis=1)

    def pipe(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return function(self, *args, **options)

    # --- numpy's protocols: a scalar, or a frame of the same columns ---

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> TracedFrame:
        frames = [value for value in inputs if isinstance(value, TracedFrame)]
        if any(frame.columns != self.columns for frame in frames):
            raise Untraceable(f"numpy.{ufunc.__name__} of frames with other columns")
        if any(
            isinstance(value, Traced) or np.ndim(value) > 0 for value in inputs if not isinstance(value, TracedFrame)
        ):
            raise Untraceable(f"numpy.{ufunc.__name__} of a frame and a column or list, which pandas aligns by name")

        def applied(parts: list[Any]) -> Any:
            """The function with `parts` in the places of the frames."""
            own = iter(parts)
            given = [next(own) if isinstance(value, TracedFrame) else value for value in inputs]
            return getattr(ufunc, method)(*given, **options)

        if all(frame._whole is not None for frame in frames):
            return TracedFrame.of_matrix(applied([frame._whole for frame in frames]), self.columns)
        return TracedFrame(self._builder, {name: applied([f._columns[name] for f in frames]) for name in self})

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        raise Untraceable(f"numpy.{function.__name__} of a frame has no recording; use X.to_numpy()")

    def _refuse(self, *args: Any) -> Any:
        raise Untraceable("it asks for values (if, float(), len, a loop over rows), which differ from call to call")

    __bool__ = __float__ = __int__ = __len__ = __array__ = _refuse
