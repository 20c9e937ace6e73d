"""What a new release means for programs that call the one before: nothing, more than before, or a break."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from edge_infer.interface import Interface, shown
from edge_infer.manifest import Column, Inputs, Manifest, Output

__all__ = ["BREAKING", "COMPATIBLE", "WIDENING", "Change", "compare", "verdict"]

COMPATIBLE: Final = "compatible"
WIDENING: Final = "widening"
BREAKING: Final = "breaking"

#: Kinds whose values another kind takes too.
_TAKES: Final = {"number": ("number", "integer", "boolean"), "integer": ("integer", "boolean")}


class Change(NamedTuple):
    """One difference. kind: "widening" (whoever calls the old release may call the new one) or "breaking"."""

    kind: str
    what: str


def compare(old: Manifest, new: Manifest) -> list[Change]:
    """All differences that a caller could notice: of inputs, then of answers.

    Not looked at: the graph's own tensors, which only `Model.run` takes and gives, but where they are the interface.
    """
    tensors = _interface(old.interface, new.interface) if old.interface and new.interface else ()
    return [*_inputs(old.inputs, new.inputs), *_outputs(old, new), *tensors]


def verdict(changes: list[Change]) -> str:
    """ "compatible", "widening" or "breaking"."""
    kinds = {change.kind for change in changes}
    return BREAKING if BREAKING in kinds else WIDENING if kinds else COMPATIBLE


def _interface(old: Interface, new: Interface) -> Iterator[Change]:
    for what, before, now in (("input", old.inputs, new.inputs), ("output", old.outputs, new.outputs)):
        known, wanted = ({spec.name: spec for spec in specs} for specs in (before, now))
        for name in known.keys() - wanted.keys():
            yield Change(BREAKING, f"the {what} {name!r} is gone")
        for name in wanted.keys() - known.keys():
            yield Change(BREAKING if what == "input" else WIDENING, f"the {what} {name!r} is new")
        for name in sorted(known.keys() & wanted.keys()):
            if shown(known[name]) != shown(wanted[name]):
                yield Change(BREAKING, f"the {what} {name!r} is {shown(wanted[name])}, was {shown(known[name])}")
            elif known[name].classes != wanted[name].classes:
                yield Change(BREAKING, f"the {what} {name!r} has other classes")
            elif (
                known[name].image is not None and wanted[name].image is None
            ):  # what else is done to it, no caller sees
                yield Change(BREAKING, f"the {what} {name!r} is no image any more, so that it takes no files")
            elif known[name].image is None and wanted[name].image is not None:
                yield Change(WIDENING, f"the {what} {name!r} takes files of images too")
    sounds = {spec.name: spec.audio for spec in old.inputs if spec.audio is not None}
    for name, audio in sounds.items():
        if any(spec.name == name and spec.audio != audio for spec in new.inputs):
            yield Change(BREAKING, f"the input {name!r} takes other sound: its rate or step changed, or it takes none")
    if old.states != new.states:
        yield Change(BREAKING, "other states go from call to call")


def _inputs(old: Inputs, new: Inputs) -> Iterator[Change]:
    if old.style != new.style:
        yield Change(BREAKING, f"rows are given as {new.style!r}, before as {old.style!r}")
        return
    known, wanted = ({column.name: column for column in inputs.columns} for inputs in (old, new))
    for name, column in wanted.items():
        if name not in known:
            kind = BREAKING if column.used else WIDENING
            yield Change(kind, f"the column {name!r} is new{'' if column.used else ', but not needed'}")
        else:
            yield from _column(known[name], column)
    for name in known.keys() - wanted.keys():
        yield Change(WIDENING, f"the column {name!r} is not asked for any more")
    shared = [name for name in known if name in wanted]
    if shared != [name for name in wanted if name in known]:  # arrays are taken by position everywhere
        yield Change(BREAKING, "the columns stand in another order, which rows given by position would not notice")
    elif old.style == "array" and len(known) != len(wanted):
        yield Change(BREAKING, f"rows have {len(wanted)} columns, had {len(known)}")


def _column(old: Column, new: Column) -> Iterator[Change]:
    name = new.name
    if not new.used:
        return
    if old.kind != new.kind:
        takes = old.kind in _TAKES.get(new.kind, ())
        yield Change(WIDENING if takes else BREAKING, f"the column {name!r} is of the kind {new.kind}, was {old.kind}")
        if not takes:
            return
    elif old.times != new.times:
        yield Change(BREAKING, f"the column {name!r} counts as {new.dtype}, before as {old.dtype}")
    if not old.used:
        yield Change(BREAKING, f"the column {name!r} is needed, and could be left out before")
    for what, before, now in (
        ("a missing value", old.missing, new.missing),
        ("an infinity", old.infinite, new.infinite),
        ("an unknown value", old.unknown, new.unknown),
    ):
        if now and not before:
            yield Change(WIDENING, f"the column {name!r} takes {what} too")
        elif before and not now:
            yield Change(BREAKING, f"the column {name!r} does not take {what} any more")
    yield from _categories(old, new)


def _categories(old: Column, new: Column) -> Iterator[Change]:
    """Of a column that takes no others; where it does, other categories break no call."""
    before, now = set(old.categories or ()), set(new.categories or ())
    if not new.closed:
        return
    if old.closed:
        gone, more = sorted(before - now, key=str), now - before
        if gone:
            yield Change(BREAKING, f"the column {new.name!r} does not take {_listed(gone)} any more")
        if more:
            yield Change(WIDENING, f"the column {new.name!r} takes {_listed(sorted(more, key=str))} too")


def _outputs(old: Manifest, new: Manifest) -> Iterator[Change]:
    if old.task != new.task:
        yield Change(BREAKING, f"the task is {new.task}, was {old.task}")
    now = {output.method: output for output in new.outputs}
    for output in old.outputs:
        if output.method not in now:
            yield Change(BREAKING, f"there is no {output.method} any more")
        else:
            yield from _output(output, now[output.method])
    known = {output.method for output in old.outputs}
    for method in now.keys() - known:
        yield Change(WIDENING, f"{method} is new")


def _output(old: Output, new: Output) -> Iterator[Change]:
    if (old.shape, old.listed) != (new.shape, new.listed):
        yield Change(BREAKING, f"a row's {new.method} has the shape {list(new.shape)}, had {list(old.shape)}")
    if old.classes != new.classes:
        yield Change(BREAKING, f"{new.method} gives other labels, or in another order")
    if _sort_of(old.dtype) != _sort_of(new.dtype):
        yield Change(BREAKING, f"{new.method} is of the dtype {new.dtype}, was {old.dtype}")


def _sort_of(dtype: str) -> str:
    """Answers of the same sort serve the same program: widths may differ."""
    return "text" if dtype.startswith("<U") else dtype.rstrip("0123456789")


def _listed(values: Sequence[object]) -> str:
    shown = ", ".join(repr(value) for value in values[:3])
    return shown + (f" and {len(values) - 3} more" if len(values) > 3 else "")
