"""The short way of one record: packed straight into buffers that are bound once; only the answer is allocated.

A call takes a slot (buffers, and what runs on them) from a free list and puts it back, so that no two calls share
one. Whatever is unusual (a number beyond the exact ones, a mistake) is left to the careful way, `method.Method`, which
answers it or tells what is wrong: nothing is judged here but that all is as usual.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from math import hypot
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from edge_infer.answers import Decoder, Give
from edge_infer.columns import EXACT, CodeReader, ColumnReader
from edge_infer.graphs import Graphs
from edge_infer.session import Bound
from edge_infer.tensors import ONE_THREAD, Group, Packer, takes_any_number

if TYPE_CHECKING:
    from numpy.typing import NDArray  # takes more than half a millisecond to import

__all__ = ["Prepared", "prepare"]

_FORMATS: Final = {"float32": "f", "float64": "d", "int64": "q"}

#: What packing raises at values that are no real numbers.
_UNUSUAL: Final = (struct.error, TypeError, ValueError, OverflowError)

#: What real numbers add up to: no complex ones, no arrays, no tensors of other libraries.
_REAL: Final = frozenset({float, np.float64, np.float32, np.float16})

#: It finds NaN and infinities in a short time, and warns of nothing. Without numpy's look for other kinds of arrays,
#: where that way is found, it takes half the time.
_vdot: Final = getattr(np.vdot, "_implementation", np.vdot)

#: Values of one row's columns → into a tensor's row (an array, taken as a buffer), or an exception.
Fill = Callable[[Any, Sequence[Any]], None]
Answer = Callable[[Any], Any]
Pack = Callable[..., None]  # of `struct`: a buffer, an offset, and the values


class _Part(NamedTuple):
    """One input tensor: its columns' values by name and by place, and how they are packed."""

    by_name: Callable[[Any], Sequence[Any]]
    by_place: Callable[[Any], Sequence[Any]]
    fill: Fill


class _Slot(NamedTuple):
    """What one call at a time uses: the rows of the bound inputs, the run, and the answer out of the bound output."""

    rows: tuple[NDArray[Any], ...]
    run: Callable[[], None]
    first: Give  # one record's answer
    of_rows: Give  # that of rows, of which there is one
    bound: Bound  # keeps the buffers' memory


class _Slots:
    """Slots that are not in use. A list's `pop` and `append` are whole steps for all threads."""

    def __init__(self, graphs: Graphs, parts: Sequence[Group], decoder: Decoder) -> None:
        self._graphs, self._groups, self._decoder = graphs, parts, decoder
        self._tensor = decoder.tensor_of_one
        decoder.givers(self._output())  # or it raises
        self.free: list[_Slot] = []
        self.closed = False

    def made(self) -> _Slot:
        if self.closed:
            raise ValueError("closed")
        inputs = {group.tensor: np.zeros((1, len(group.members)), group.dtype) for group in self._groups}
        output = self._output()
        session = self._graphs.giving(frozenset([self._tensor]))
        read = {name: buffer for name, buffer in inputs.items() if name in session.inputs}
        bound = session.bind(read, {self._tensor: output})
        return _Slot(tuple(buffer[0] for buffer in inputs.values()), bound.run, *self._decoder.givers(output), bound)

    def _output(self) -> NDArray[Any]:
        return np.zeros((1, *self._decoder.shape_of_one), self._graphs.shared.dtype_of_output(self._tensor))

    def close(self) -> None:
        self.closed = True
        self.free.clear()


class Prepared(NamedTuple):
    """One method of a model, prepared: what is called in place of the careful way, and what lets go of the buffers."""

    answer: Answer
    close: Callable[[], None]


def prepare(graphs: Graphs, packer: Packer, decoder: Decoder, careful: Answer) -> Prepared:
    """Raises ValueError where there is no short way: text that the graph reads, several outputs, threads."""
    if graphs.shared.threaded:
        raise ValueError("threads do not survive a fork, which the careful way tells")
    readers, parts = packer.readers, packer.groups
    slots = _Slots(graphs, parts, decoder)
    packed = [_part(group, readers) for group in parts]
    return Prepared(_way(slots, packed, careful, _matrix_limit(parts, readers), len(readers)), slots.close)


def _way(slots: _Slots, parts: Sequence[_Part], careful: Answer, limit: float, width: int) -> Answer:
    """For a dict, a list, a tuple, and a row [columns] or rows [1, columns] of floats; all else the careful way.

    limit: of the norm, squared, of a row of floats, so that all are finite and not large; 0: rows of floats are packed
    with care. One function, since each call of another costs a twentieth of what an answer takes.
    """
    free, made = slots.free, slots.made
    by_name = [(part.by_name, part.fill) for part in parts]
    by_place = [(part.by_place, part.fill) for part in parts]
    lone = len(parts) == 1  # a loop over one costs more than what it does
    row_shape, rows_shape, dtypes = (width,), (1, width), (np.dtype(np.float64), np.dtype(np.float32))
    array = np.ndarray if limit else None
    judged = any(part.by_name is not _nothing for part in parts)  # else a list of rows would be taken for a row

    def answer(data: Any) -> Any:
        kind, chosen = data.__class__, None
        try:
            if kind is dict:
                chosen = by_name
            elif kind is array:
                shape = data.shape
                single = shape == row_shape
                row = data if single else data[0]
                if (single or shape == rows_shape) and data.dtype in dtypes and _vdot(row, row) < limit:
                    slot = free.pop() if free else made()  # if another thread was quicker: the careful way
                    try:
                        slot.rows[0][...] = row
                        slot.run()
                        return slot.first() if single else slot.of_rows()
                    finally:
                        free.append(slot)
            elif (kind is list or kind is tuple) and len(data) == width and judged:
                chosen = by_place
            if chosen is not None:
                slot = free.pop() if free else made()
                try:
                    if lone:
                        pick, fill = chosen[0]
                        fill(slot.rows[0], pick(data))
                    else:
                        for (pick, fill), row in zip(chosen, slot.rows):  # noqa: B905  # as many of both
                            fill(row, pick(data))
                    slot.run()
                    return slot.first()
                finally:
                    free.append(slot)
        except Exception:  # noqa: BLE001  # the careful way answers, or tells what is wrong
            pass
        return careful(data)

    return answer


def _part(group: Group, readers: Sequence[ColumnReader]) -> _Part:
    """Columns that no answer depends on are passed over: their places in the tensor stay 0."""
    places = [member for member in group.members if readers[member].column.used]
    own = [readers[place] for place in places]
    coded = all(isinstance(reader, CodeReader) for reader in own)
    if group.dtype.name not in _FORMATS or (not coded and group.dtype.kind != "f"):
        raise ValueError(f"no short way for {group.dtype}")
    pack = struct.Struct(_format(group, readers)).pack_into
    fill = _code_fill(own, pack) if coded else _number_fill(own, group.dtype, pack)
    whole = places == list(range(len(readers)))
    names = [reader.column.name for reader in own]
    return _Part(_picker(names), tuple if whole else _picker(places), fill)


def _format(group: Group, readers: Sequence[ColumnReader]) -> str:
    """Of `struct`: a number for each column of the tensor, or as many bytes of 0."""
    one, gap = _FORMATS[group.dtype.name], f"{group.dtype.itemsize}x"
    return "".join(one if readers[member].column.used else gap for member in group.members)


def _nothing(record: Any) -> Sequence[Any]:
    return ()


def _picker(keys: Sequence[Any]) -> Callable[[Any], Sequence[Any]]:
    """The values at these keys, as a tuple."""
    if not keys:
        return _nothing
    if len(keys) == 1:
        (key,) = keys
        return lambda record: (record[key],)
    return itemgetter(*keys)


def _number_fill(readers: Sequence[ColumnReader], dtype: np.dtype[Any], pack: Pack) -> Fill:
    """All at once where any finite number will do; else value by value, as every column reads it."""
    read = [reader.one for reader in readers]
    limit = EXACT[dtype.name]
    at_once = all(takes_any_number(reader.column) for reader in readers)

    def fill(row: Any, values: Sequence[Any]) -> None:
        if at_once:
            try:
                # The quickest looks at all values: what they add up to tells their types, and their norm is not below
                # the limit where one is NaN, infinite, or a whole number that may not be exact.
                if sum(values, 0.0).__class__ in _REAL and hypot(*values) < limit:
                    pack(row, 0, *values)
                    return
            except _UNUSUAL:
                pass
        pack(row, 0, *[one(value) for one, value in zip(read, values, strict=True)])

    return fill


def _code_fill(readers: Sequence[Any], pack: Pack) -> Fill:
    """Known categories by one look-up each."""
    read = [reader.one for reader in readers]
    known = [reader.codes.get for reader in readers]

    def fill(row: Any, values: Sequence[Any]) -> None:
        codes: list[Any]
        try:
            codes = [code(value) for code, value in zip(known, values, strict=True)]
        except TypeError:  # not hashable
            codes = [None]
        if None in codes:
            codes = [one(value) for one, value in zip(read, values, strict=True)]
        pack(row, 0, *codes)

    return fill


def _matrix_limit(parts: Sequence[Group], readers: Sequence[ColumnReader]) -> float:
    """The square beyond which a row of floats goes the careful way; 0 where an array is no input tensor as it is."""
    usual = len(parts) == 1 and len(readers) <= ONE_THREAD
    whole = usual and parts[0].dtype.kind == "f" and parts[0].members == tuple(range(len(readers)))
    any_number = all(takes_any_number(reader.column) for reader in readers)
    return float(EXACT[parts[0].dtype.name]) ** 2 if whole and any_number else 0.0
