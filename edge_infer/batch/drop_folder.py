"""A folder that files are put into: each is scored once, whatever crashes, and moved to `done/` or `failed/`.

The order makes it so: all answers are on the disk and the journal says it; then the file is moved; then the output
takes its name. A start after a crash finishes what stands between two of these steps.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, NamedTuple

from edge_infer.batch.files import COMPRESSIONS, InputFile, kind_of
from edge_infer.batch.job import BatchResult, finish_begun
from edge_infer.batch.journal import Journal, journal_of
from edge_infer.errors import BatchError, EdgeInferError, StoreWriteError, UsageError
from edge_infer.files import write_atomically
from edge_infer.store.files import Files

__all__ = ["DropFolder", "Finished", "Score"]

_JOURNAL: Final = ".progress.json"
_UNFINISHED: Final = (".part", ".tmp", ".partial", ".crdownload", "~")
_LOCK: Final = ("watch.lock",)

#: Scores a file into an output, calls what it is given before the output appears, and goes on with what was begun.
Score = Callable[[str, str, Callable[[], None]], BatchResult]


class Finished(NamedTuple):
    """result: None where it failed, and `reason` says why."""

    name: str
    result: BatchResult | None
    reason: str | None


class DropFolder:
    """folder: watched; `done`, `failed` and a hidden folder for the lock are made in it. output: the folder that
    outputs appear in. suffix: of outputs, ".csv" or another. settle: seconds without a change after which a file counts
    as whole; who renames a file into the folder need not wait for it, but does."""

    def __init__(self, folder: str, output: str, suffix: str, settle: float = 2.0) -> None:
        """Raises UsageError where there is no such folder, or the two are the same."""
        for name, path in (("--watch", folder), ("--output", output)):
            if not os.path.isdir(path):
                raise UsageError(f"{name}: expected an existing folder, got {path!r:.200}; make it first")
        if os.path.samefile(folder, output):
            raise UsageError(f"--output: {output!r:.200} is the folder that is watched; choose another")
        kind_of("out" + suffix, None, "--to")
        self._folder, self._output, self._suffix, self._settle = folder, output, suffix, settle
        self._seen: dict[str, tuple[tuple[int, int], float]] = {}
        self._passed: dict[str, tuple[int, int]] = {}  # that could not be read; until they change

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One watches a folder at a time. Raises BatchError where another does."""
        try:
            with Files(os.path.join(self._folder, ".edge-infer")).locked(0.0, path=_LOCK):
                yield
        except StoreWriteError as error:
            raise BatchError(
                f"{self._folder}: another process watches this folder, or it cannot be written: {error}"
            ) from None

    def finish_begun(self) -> None:
        """Outputs that a crash kept from appearing. Raises OSError."""
        for name in sorted(os.listdir(self._output)):
            if name.endswith(_JOURNAL):
                told = Journal.told_at(os.path.join(self._output, name))
                if told is not None and not any(map(_is_there, told.job["input"])):
                    finish_begun(os.path.join(self._output, name.removesuffix(_JOURNAL)))

    def waiting(self) -> list[str]:
        """Names of files that are whole, in order."""
        now, found = time.monotonic(), []
        names = [name for name in sorted(os.listdir(self._folder)) if self._is_input(name)]
        for name in names:
            with suppress(FileNotFoundError):
                told = os.stat(os.path.join(self._folder, name))
                state = (told.st_size, told.st_mtime_ns)
                if self._passed.get(name) == state:
                    self._seen.pop(name, None)
                    continue
                before, since = self._seen.get(name, (None, now))
                if before == state and now - since >= self._settle:
                    found.append(name)
                elif before != state:
                    self._seen[name] = state, now
        self._seen = {name: self._seen[name] for name in names if name in self._seen}
        return found

    def is_unsettled(self) -> bool:
        """Whether there are files of which it is not known yet that they are whole."""
        return bool(self._seen)

    def _is_input(self, name: str) -> bool:
        if name.startswith((".", "~")) or name.lower().endswith(_UNFINISHED):
            return False
        try:
            kind_of(name)
        except UsageError:
            return False
        return os.path.isfile(os.path.join(self._folder, name))

    def score(self, name: str, score: Score) -> Finished:
        """One file. What is wrong with the file moves it to `failed`, with the reason beside it.

        A file that cannot be read stays, and is passed over until it changes. Raises OSError where the disk is full or
        a folder cannot be written: the file stays, for the next time.
        """
        path = os.path.join(self._folder, name)
        output = self._output_of(path, name)
        try:
            result = score(path, output, partial(self._move, name, "done"))
        except PermissionError as error:
            if error.filename != path:
                raise
            told = os.stat(path)
            self._passed[name] = told.st_size, told.st_mtime_ns
            return Finished(name, None, f"{path}: permission denied; it stays where it is")
        except EdgeInferError as error:
            reason = str(error)
            for left in (output + ".part", output + ".rejected.jsonl.part", journal_of(output)):
                with suppress(FileNotFoundError):
                    os.unlink(left)
            self._move(name, "failed", reason)
            return Finished(name, None, reason)
        self._seen.pop(name, None)
        return Finished(name, result, None)

    def _output_of(self, path: str, name: str) -> str:
        """That no other file has, or that was begun of this one."""
        stem = os.path.join(self._output, _stem(name))
        number = 1
        while True:
            output = stem + (f"~{number}" if number > 1 else "") + self._suffix
            told = Journal.told_at(journal_of(output))
            if told is not None and [tuple(each) for each in told.job["input"]] == [
                InputFile(path, kind_of(path)).identity()
            ]:
                return output
            if told is None and not os.path.exists(output):
                return output
            number += 1

    def _move(self, name: str, to: str, reason: str | None = None) -> None:
        """Into a folder beside, under a name that nothing has there."""
        folder = os.path.join(self._folder, to)
        os.makedirs(folder, exist_ok=True)
        target, number = os.path.join(folder, name), 1
        while os.path.exists(target):
            number += 1
            target = os.path.join(folder, f"{_stem(name)}~{number}{name[len(_stem(name)) :]}")
        if reason is not None:
            write_atomically(target + ".error.txt", (reason + "\n").encode("utf-8", "backslashreplace"))
        os.rename(os.path.join(self._folder, name), target)
        self._seen.pop(name, None)


def _is_there(identity: list[Any]) -> bool:
    """Whether a file is still what it was (`InputFile.identity`)."""
    path, size, changed = identity
    try:
        told = os.stat(path)
    except FileNotFoundError:
        return False
    return (told.st_size, told.st_mtime_ns) == (size, changed)


def _stem(name: str) -> str:
    """Without the suffixes that say what kind of file it is."""
    stem, suffix = os.path.splitext(name)
    return os.path.splitext(stem)[0] if suffix.lower() in COMPRESSIONS else stem
