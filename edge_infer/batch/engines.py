"""What a worker of an engine is told, and how it answers the rows that the engine hands it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from edge_infer.artifact import is_bare_name
from edge_infer.batch.scoring import Scorer
from edge_infer.errors import ArtifactError, InputError, Mismatch, UsageError
from edge_infer.model import Model, load
from edge_infer.options import SessionOptions

__all__ = ["OnMisfit", "Plan", "Shipped", "answered", "checked_on_error", "fitting", "loaded", "plan_for", "shipped"]

OnMisfit = Literal["fail", "null"]
_HINT: Final = 'Rows are counted within the batch that the engine made. on_error="null" answers such rows with NULL.'


class Shipped(NamedTuple):
    """The bytes of a model's file as they are: an encrypted one is decrypted in the memory of each worker."""

    data: bytes
    digest: str


class Plan(NamedTuple):
    """How a worker answers: a tuple of plain values, which any engine can send.

    inputs: columns of the rows, that the model knows by `names`. identity: see `load`.
    """

    digest: str
    methods: tuple[str, ...]
    inputs: tuple[str, ...]
    names: tuple[str, ...]
    keep: tuple[str, ...]
    on_error: OnMisfit
    identity: str | None

    @property
    def columns(self) -> list[str]:
        """All columns of the rows that a worker needs, each once."""
        return list(dict.fromkeys([*self.keep, *self.inputs]))

    def answer(self, scorer: Scorer, rows: pa.RecordBatch | pa.Table) -> pa.Table:
        """Kept columns and answers, a row for each row. Raises InputError."""
        asked = pa.table([rows.column(name) for name in self.inputs], names=list(self.names))
        answers = answered(scorer, asked, self.on_error)
        kept = [rows.column(name) for name in self.keep]
        return pa.table([*kept, *answers.columns], names=[*self.keep, *answers.schema.names])


def shipped(path: str | os.PathLike[str]) -> Shipped:
    """Raises UsageError for a name: what another machine's store has of it is not known."""
    source = os.fspath(path)
    if is_bare_name(source):
        raise UsageError(f"path: expected a model's file, got {source!r}; a file of this name is './{source}'")
    with open(source, "rb") as file:
        data = file.read()
    return Shipped(data, hashlib.sha256(data).hexdigest())


def plan_for(
    scorer: Scorer,
    digest: str,
    given: Sequence[str],
    *,
    inputs: Sequence[str] | None,
    keep: Sequence[str] | None,
    on_error: OnMisfit,
    identity: str | os.PathLike[str] | None,
) -> Plan:
    """Of rows with the columns `given`, checked before anything runs.

    Raises:
        InputError: columns that the model needs are not there.
        UsageError: other arguments that make no sense.
    """
    kept = list(given if keep is None else keep)
    names = scorer.columns if inputs is None else [column.name for column in scorer.manifest.inputs.columns]
    asked = names if inputs is None else list(inputs)
    if len(asked) != len(names):
        raise UsageError(f"inputs: expected {len(names)} columns, those of the model in its order, got {len(asked)}")
    absent = [name for name in asked if name not in given]
    if absent:
        raise InputError([Mismatch(None, name, "a column", "no such column") for name in absent], _inputs_hint(inputs))
    _check_kept(kept, given, scorer.schema.names)
    found = None if identity is None else os.path.abspath(identity)
    return Plan(digest, scorer.methods, tuple(asked), tuple(names), tuple(kept), checked_on_error(on_error), found)


def _inputs_hint(inputs: Sequence[str] | None) -> str | None:
    return "Where columns are called otherwise: inputs=[…], in the model's order." if inputs is None else None


def _check_kept(kept: Sequence[str], given: Sequence[str], answers: Sequence[str]) -> None:
    absent = [name for name in kept if name not in given]
    if absent:
        raise UsageError(f"keep: no such columns: {absent}; the rows have {list(given)}")
    names = [*kept, *answers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two columns of the output would be called {twice}: say with keep=[…] which columns it needs")


def checked_on_error(on_error: str) -> OnMisfit:
    """Itself. Raises UsageError."""
    if on_error == "fail":
        return "fail"
    if on_error == "null":
        return "null"
    raise UsageError(f"on_error: expected 'fail' or 'null', got {on_error!r}")


def loaded(shipment: Shipped, identity: str | os.PathLike[str] | None) -> Model:
    """With one thread: an engine has a worker for each CPU. Raises ArtifactError where what was sent came otherwise."""
    found = hashlib.sha256(shipment.data).hexdigest()
    if found != shipment.digest:
        raise ArtifactError(f"the model came damaged: expected sha256 {shipment.digest}, got {found}")
    return load(shipment.data, options=SessionOptions(), identity=identity)


def answered(scorer: Scorer, rows: pa.Table, on_error: OnMisfit) -> pa.RecordBatch:
    """A row for each row: NULL where one does not fit, or InputError."""
    if on_error == "fail":
        try:
            return scorer(rows)
        except InputError as error:
            raise _for_engine(error) from None
    scored = scorer.score(rows)
    if not scored.misfits:
        return scored.answers
    misfit = np.zeros(rows.num_rows, bool)
    misfit[list(scored.misfits)] = True
    return scored.answers.take(pa.array(np.cumsum(~misfit) - 1, mask=misfit))


def _for_engine(error: InputError) -> InputError:
    if any(mismatch.row is None for mismatch in error.mismatches):
        return error
    return InputError(error.mismatches, _HINT if error.hint is None else f"{error.hint}\n{_HINT}")


def fitting(rows: pa.Table, schema: pa.Schema) -> list[pa.RecordBatch]:
    """In the types that an engine was told of. Raises ArrowInvalid where a number does not fit."""
    return rows.cast(schema).combine_chunks().to_batches() if rows.num_rows else []
