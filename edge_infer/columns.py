"""One reader a column: callers' values → what the graph is fed. Values that do not fit are Misfits.

Number readers give floats of the tensor's dtype, code readers int64 codes (see `manifest.Cut`), time readers units
since 1970 as float64 (`time_units.py`), text readers texts.
Each reads one value (`one`) or a whole column (`many`); both follow the same rules.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from edge_infer.manifest import Column, Cut, Inputs, Tensor
from edge_infer.time_units import BadTime, units_of, units_of_all

if TYPE_CHECKING:
    from numpy.typing import NDArray  # takes more than half a millisecond to import

__all__ = ["EXACT", "Coded", "ColumnReader", "Misfit", "cells", "column_readers", "is_missing", "misfits"]

_LARGEST: Final = {"float32": float(np.finfo(np.float32).max), "float64": float(np.finfo(np.float64).max)}
EXACT: Final = {"float32": 2**24, "float64": 2**53}  # whole numbers up to here are exact
_MISSING_TYPES: Final = frozenset({"NaTType", "NAType", "NoneType"})


class Misfit(ValueError):
    """A value that its column does not take. `row` counts within the column."""

    def __init__(self, expected: str, got: str, row: int = 0) -> None:
        self.expected, self.got, self.row = expected, got, row
        super().__init__(f"expected {expected}, got {got}")


class Coded(NamedTuple):
    """A dictionary-encoded column: position in `values` by row, of any signed type, −1 for missing."""

    values: list[Any]
    positions: NDArray[np.signedinteger[Any]]


class ColumnReader(Protocol):
    """Reads one column of the manifest."""

    column: Column

    def one(self, value: Any) -> float | int | str: ...

    def many(self, values: NDArray[Any] | Coded) -> NDArray[Any]: ...


def is_missing(value: Any) -> bool:
    """None, NaN, pandas.NA and NaT, without importing pandas."""
    if value is None or type(value).__name__ in _MISSING_TYPES:
        return True
    return isinstance(value, float | np.floating) and bool(value != value)


def column_readers(inputs: Inputs) -> list[ColumnReader]:
    """A reader for each column, in the manifest's order."""
    tensors = {tensor.name: tensor for tensor in inputs.tensors}
    return [_reader(column, tensors[column.tensor], inputs.cut) for column in inputs.columns]


def _reader(column: Column, tensor: Tensor, cut: Cut | None) -> ColumnReader:
    if not column.used:
        return UnusedReader(column)
    if column.free_text:
        return TextReader(column)
    if column.kind == "string":
        return CodeReader(column, cut.first[column.index] if cut else 0)
    if column.kind == "datetime":
        return TimeReader(column)
    return WholeReader(column) if tensor.dtype == "int64" else NumberReader(column, tensor.dtype)


def misfits(reader: ColumnReader, values: NDArray[Any] | Coded) -> list[Misfit]:
    """Every value that does not fit, one by one. For error messages only: slow."""
    found: list[Misfit] = []
    for row, value in enumerate(_expanded(values)):
        try:
            reader.one(value)
        except Misfit as misfit:
            found.append(Misfit(misfit.expected, misfit.got, row))
    return found


def cells(values: Collection[Any]) -> NDArray[Any]:
    """Objects as they are, shape (len(values),): a list among them stays a list."""
    return np.fromiter(values, dtype=object, count=len(values))


class NumberReader:
    """Numbers, whole numbers and booleans: a float of the tensor's dtype, NaN for missing."""

    def __init__(self, column: Column, dtype: str) -> None:
        self.column = column
        self._dtype = np.dtype(dtype)
        self._exact = EXACT[dtype]
        self._whole = column.kind == "integer"  # these must be exact as floats too: pandas makes floats of gaps
        self._largest = self._exact if self._whole else _LARGEST[dtype]
        self._closed = frozenset(column.categories or ()) if column.closed else None

    def one(self, value: Any) -> float:
        if value.__class__ is not float:
            value = self._number(value)
        if value - value == 0.0:  # neither NaN nor infinite
            if not -self._largest <= value <= self._largest:
                raise Misfit(self._exact_whole() if self._whole else f"a number that fits {self._dtype}", f"{value!r}")
        elif value != value:
            if not self.column.missing:
                raise Misfit(f"a {self.column.kind}", "a missing value (the original takes none here)")
        elif not self.column.infinite:
            raise Misfit("a finite number", f"{value!r}")
        if self._closed is not None and value == value and value not in self._closed:
            raise Misfit(f"one of {_listing(self.column)}", f"{value!r}")
        return value  # type: ignore[no-any-return]

    def _exact_whole(self) -> str:
        return f"a whole number that {self._dtype} holds exactly (up to {self._exact:,})"

    def _number(self, value: Any) -> float:
        """Any Python or numpy number as a float; text is not a number."""
        if isinstance(value, int | np.integer) and not -self._exact <= value <= self._exact:
            raise Misfit(self._exact_whole(), _digits(value))
        return math.nan if is_missing(value) else _as_float(value, self.column)

    def many(self, values: NDArray[Any] | Coded) -> NDArray[Any]:
        """Shape (rows,) → shape (rows,), a new array. Raises Misfit for the first row that does not fit."""
        if isinstance(values, Coded) or values.dtype.kind not in "fiub":
            return _one_by_one(self, values, self._dtype)
        if values.dtype.kind in "iu" and values.size and max(abs(int(values.min())), int(values.max())) > self._exact:
            return _one_by_one(self, values, self._dtype)
        with np.errstate(over="ignore"):
            numbers: NDArray[Any] = values.astype(self._dtype)
        if not self._all_fit(numbers) or (self._whole and values.dtype.kind == "f" and self._inexact(values)):
            return _one_by_one(self, values, self._dtype)
        return numbers

    def _inexact(self, values: NDArray[Any]) -> bool:
        return bool((np.abs(values) > self._exact).any())

    def _all_fit(self, numbers: NDArray[Any]) -> bool:
        if self._closed is not None:
            return False  # one by one: rare, and exact about which value it was
        if self.column.infinite:  # an overflow looks like an infinity: look closer
            return bool(np.isfinite(numbers).all())
        if self.column.missing:
            return not np.isinf(numbers).any()
        return bool(np.isfinite(numbers).all())


class WholeReader:
    """Whole numbers: int64, which has no missing value. A float must be whole."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self._closed = frozenset(column.categories or ()) if column.closed else None

    def one(self, value: Any) -> int:
        whole = int(value) if isinstance(value, int | np.integer) else self._whole(value)
        if not -(2**63) <= whole < 2**63:
            raise Misfit("a whole number that fits int64", _digits(whole))
        if self._closed is not None and whole not in self._closed:
            raise Misfit(f"one of {_listing(self.column)}", f"{whole}")
        return whole

    def _whole(self, value: Any) -> int:
        if is_missing(value):
            raise Misfit(f"a {self.column.kind}", "a missing value (the model takes none here)")
        number = _as_float(value, self.column)
        if not number.is_integer():  # nor are infinities
            raise Misfit("a whole number", f"{number!r}")
        return int(number)

    def many(self, values: NDArray[Any] | Coded) -> NDArray[Any]:
        """Shape (rows,) → int64 of shape (rows,). Raises Misfit for the first row that does not fit."""
        if isinstance(values, Coded) or values.dtype.kind not in "ib" or self._closed is not None:
            return _one_by_one(self, values, np.dtype(np.int64))
        return values.astype(np.int64)


class CodeReader:
    """Text: an int64 code by the rule of `manifest.Cut`."""

    def __init__(self, column: Column, first: int) -> None:
        categories = column.categories or ()
        self.column = column
        self.codes: dict[Any, int] = {category: first + position for position, category in enumerate(categories)}
        self._missing = first + len(categories)
        self._unknown = first + len(categories) + 1

    def one(self, value: Any) -> int:
        code = self.codes.get(value) if value.__class__ is str else self._unusual(value)
        if code is None:
            if not self.column.unknown:
                raise Misfit(f"one of {_listing(self.column)}", f"{value!r:.60}{_near(value, self.column)}")
            return self._unknown
        return code

    def _unusual(self, value: Any) -> int | None:
        if is_missing(value):
            if not self.column.missing:
                raise Misfit("text", "a missing value (the original takes none here)")
            return self._missing
        if isinstance(value, str):  # numpy.str_ and other subclasses
            return self.codes.get(str(value))
        raise Misfit("text", _described(value))

    def many(self, values: NDArray[Any] | Coded) -> NDArray[Any]:
        """Shape (rows,) → int64 codes of shape (rows,)."""
        if isinstance(values, Coded):
            return _by_distinct(self, values, np.dtype(np.int64))
        cells = values.tolist()
        try:
            codes: list[Any] = list(map(self.codes.get, cells))  # nothing but text is equal to a text
        except TypeError:  # not hashable
            codes = [None] * len(cells)
        if None in codes:
            for row, code in enumerate(codes):
                if code is None:
                    try:
                        codes[row] = self.one(cells[row])
                    except Misfit as misfit:
                        raise Misfit(misfit.expected, misfit.got, row) from None
        return np.array(codes, np.int64)


class TimeReader:
    """Dates and times: units since 1970 as float64, rounded as the original rounds its int64."""

    def __init__(self, column: Column) -> None:
        self.column = column
        assert column.times is not None  # the manifest's parser and the converter see to that
        self._type = column.times

    def one(self, value: Any) -> float:
        if is_missing(value) or (isinstance(value, np.datetime64) and np.isnat(value)):
            raise Misfit("a date or time", "a missing value (the model takes none here)")
        try:
            return float(units_of(value, self._type))
        except BadTime as error:
            raise Misfit(str(error), _described(value)) from None

    def many(self, values: NDArray[Any] | Coded) -> NDArray[Any]:
        """Shape (rows,) → float64 of shape (rows,). Raises Misfit for the first row that does not fit."""
        if isinstance(values, Coded):
            return _by_distinct(self, values, np.dtype(np.float64))
        if values.dtype.kind != "M" or self._type.zoned or np.isnat(values).any():
            return _one_by_one(self, values, np.dtype(np.float64))
        try:
            return units_of_all(values, self._type).astype(np.float64)
        except BadTime:
            return _one_by_one(self, values, np.dtype(np.float64))


class UnusedReader:
    """A column that no answer depends on: 0 or an empty text, whatever is given."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self._fed: int | str = "" if column.free_text else 0

    def one(self, value: Any) -> int | str:
        return self._fed

    def many(self, values: NDArray[Any] | Coded) -> NDArray[Any]:
        """Shape (rows,) → what is fed, of shape (rows,)."""
        return np.full(len(values.positions if isinstance(values, Coded) else values), self._fed)


class TextReader:
    """Free text: as it is, for the graph to read."""

    def __init__(self, column: Column) -> None:
        self.column = column

    def one(self, value: Any) -> str:
        if value.__class__ is not str:
            value = self._unusual(value)
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise Misfit(
                    "text that UTF-8 can write", f"the lone surrogate {value[error.start]!r} at {error.start}"
                ) from None
        return value  # type: ignore[no-any-return]

    def _unusual(self, value: Any) -> str:
        if is_missing(value):
            raise Misfit("text", "a missing value (the original takes none here)")
        if isinstance(value, str):  # numpy.str_ and other subclasses
            return str(value)
        raise Misfit("text", _described(value))

    def many(self, values: NDArray[Any] | Coded) -> NDArray[Any]:
        """Shape (rows,) → texts of shape (rows,), dtype object."""
        return _one_by_one(self, values, np.dtype(object))


def _one_by_one(reader: ColumnReader, values: NDArray[Any] | Coded, dtype: np.dtype[Any]) -> NDArray[Any]:
    column = _expanded(values)
    read = np.empty(len(column), dtype)
    for row, value in enumerate(column):
        try:
            read[row] = reader.one(value)
        except Misfit as misfit:
            raise Misfit(misfit.expected, misfit.got, row) from None
    return read


def _by_distinct(reader: ColumnReader, coded: Coded, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Each distinct value is read once. One that does not fit, and stands in no row, is no matter."""
    values, positions = coded.values, coded.positions
    table = np.zeros(len(values) + 1, dtype)  # the last is what −1 looks up
    few = len(values) <= len(positions)
    for position in range(-1, len(values)) if few else np.unique(positions).tolist():
        try:
            table[position] = reader.one(None if position < 0 else values[position])
        except Misfit as misfit:
            rows = np.flatnonzero(positions == position)
            if len(rows):
                raise Misfit(misfit.expected, misfit.got, int(rows[0])) from None
    return table.take(positions)


def _as_float(value: Any, column: Column) -> float:
    """A value that is one real number; text, times and lists of one number are not."""
    if isinstance(value, np.ndarray) and value.ndim:
        raise Misfit(f"a {column.kind}", f"an array of shape {value.shape}")
    plain = value.item() if isinstance(value, np.ndarray) else value
    if isinstance(plain, str | bytes | np.complexfloating) or not hasattr(plain, "__float__"):
        raise Misfit(f"a {column.kind}", _described(plain))
    try:
        return float(plain)
    except (TypeError, ValueError, OverflowError):
        raise Misfit(f"a {column.kind}", _described(plain)) from None


def _expanded(values: NDArray[Any] | Coded) -> NDArray[Any]:
    return cells([*values.values, None])[values.positions] if isinstance(values, Coded) else values


def _digits(whole: int | np.integer[Any]) -> str:
    """Python refuses to print very long whole numbers."""
    return f"{int(whole)}" if -(10**30) < whole < 10**30 else "one of more than 30 digits"


def _described(value: Any) -> str:
    plain = value.item() if isinstance(value, np.generic) else value
    kind = {str: "text", bool: "true/false", int: "a whole number", float: "a number"}.get(
        type(plain), type(value).__name__
    )
    if type(plain) is int:
        return f"{kind} {_digits(plain)}"
    shown = repr(plain) if isinstance(plain, str | bytes) else " ".join(str(plain).split())
    return f"{kind} {shown:.60}"


def _listing(column: Column) -> str:
    known = column.categories or ()
    shown = ", ".join(repr(category) for category in known[:6])
    return shown + (f", … ({len(known)} known)" if len(known) > 6 else "")


def _near(value: Any, column: Column) -> str:
    import difflib  # only for messages: it costs a millisecond to import

    near = difflib.get_close_matches(str(value), [str(known) for known in column.categories or ()], 1)
    return f" (did you mean {near[0]!r}?)" if near else ""
