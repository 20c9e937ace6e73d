"""`Model.predict_file`: what a caller names → a batch that is run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final, get_args

from edge_infer.batch.chunk_answers import OnError
from edge_infer.batch.files import KINDS, STANDARD_INPUT, find_inputs, kind_of
from edge_infer.batch.job import BatchResult, BatchSettings, Seen, run_batch
from edge_infer.batch.scoring import Scorer
from edge_infer.errors import UsageError
from edge_infer.machine import usable_threads

__all__ = ["predict_files"]

_LEAST_MEMORY: Final = 8 << 20


def predict_files(
    scorer: Scorer,
    digest: str,
    inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    keep: Sequence[str] = (),
    on_error: OnError = "reject",
    memory: int = 200 << 20,
    threads: int | None = None,
    resume: bool = False,
    input_kind: str | None = None,
    output_kind: str | None = None,
    delimiter: str | None = None,
    progress: Callable[[Seen], None] | None = None,
    before_end: Callable[[], None] | None = None,
) -> BatchResult:
    """See `Model.predict_file`, and `run_batch` for before_end."""
    if on_error not in get_args(OnError):
        raise UsageError(f"on_error: expected one of {', '.join(get_args(OnError))}, got {on_error!r:.60}")
    if memory < _LEAST_MEMORY:
        raise UsageError(f"memory: expected a number of bytes from {_LEAST_MEMORY:,} on, got {memory!r:.60}")
    for asked_kind in (input_kind, output_kind):
        if asked_kind is not None and asked_kind not in KINDS.values():
            raise UsageError(f"expected a kind of {', '.join(dict.fromkeys(KINDS.values()))}, got {asked_kind!r:.60}")
    asked = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    files = find_inputs([os.fspath(each) for each in asked], input_kind)
    if resume and any(file.path == STANDARD_INPUT for file in files):
        raise UsageError("resume: expected files, got standard input, which cannot be read again")
    target = os.fspath(output)
    kind = kind_of(target, output_kind, "OUT")
    _check_output(target, [file.path for file in files])
    _check_keep(keep, scorer)
    settings = BatchSettings(
        tuple(keep), on_error, memory, usable_threads() if threads is None else threads, resume, delimiter
    )
    job = {"model": digest, "outputs": list(scorer.methods), "output kind": list(kind)}
    return run_batch(scorer, files, target, kind, settings, job, progress, before_end)


def _check_output(output: str, inputs: Sequence[str]) -> None:
    folder = os.path.dirname(output) or "."
    if not os.path.isdir(folder):
        raise UsageError(f"OUT: expected an existing folder, got {folder!r:.200}; make it first")
    if os.path.isdir(output):
        raise UsageError(f"OUT: expected a file, got the folder {output!r:.200}")
    for path in inputs:
        if os.path.exists(output) and os.path.exists(path) and os.path.samefile(path, output):
            raise UsageError(f"OUT: {output!r:.200} is a file that is read; choose another name")


def _check_keep(keep: Sequence[str], scorer: Scorer) -> None:
    names = [*keep, *scorer.schema.names]
    twice = next((name for name in keep if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"keep: expected columns with names of their own, got {twice!r:.80} twice in the output")
