"""A batch from its files to its output: chunks are read in order, scored by threads, and written in order.

The caller's thread reads and writes; so many chunks wait at most that they keep within the memory asked for. Each
second, what is written is flushed and the journal says how far it has come.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from typing import Any, Final, NamedTuple

import pyarrow as pa

from edge_infer.batch.chunk_answers import Answered, ChunkScorer, OnError
from edge_infer.batch.files import InputFile, Kind
from edge_infer.batch.journal import Journal, Progress, journal_of
from edge_infer.batch.outputs import Encoder, Growing, finish
from edge_infer.batch.reading import reader_of
from edge_infer.batch.rows import Chunk, Reader
from edge_infer.batch.scoring import Scorer

__all__ = ["BatchResult", "BatchSettings", "Seen", "finish_begun", "run_batch"]

_FLUSH_SECONDS: Final = 1.0
_TELL_SECONDS: Final = 0.1
#: Bytes that a chunk takes while it is under way, for each of its bytes in the file: text, columns, tensors, answers.
_EXPANSION: Final = 8
_LEAST_CHUNK, _MOST_CHUNK = 1 << 16, 8 << 20


class BatchSettings(NamedTuple):
    """keep: columns that go to the output as they are. on_error: what becomes of a row that cannot be scored: it goes
    to the rejects, it keeps its place with null for its answers, or it ends the batch. memory: bytes that rows under
    way take, about. threads: that score. resume: go on with what was begun. delimiter: of CSV; None: found out."""

    keep: tuple[str, ...] = ()
    on_error: OnError = "reject"
    memory: int = 200 << 20
    threads: int = 1
    resume: bool = False
    delimiter: str | None = None

    @property
    def chunk_bytes(self) -> int:
        return min(_MOST_CHUNK, max(_LEAST_CHUNK, self.memory // (_EXPANSION * self.waiting)))

    @property
    def waiting(self) -> int:
        """Chunks that are under way at once."""
        return 2 * self.threads + 1


class Seen(NamedTuple):
    """How far a batch has come. bytes, total_bytes: of the inputs, unpacked; total 0: nobody knows."""

    rows: int
    rejected: int
    bytes: int
    total_bytes: int
    seconds: float


class BatchResult(NamedTuple):
    """rows: with an answer; rejected: without; rejects: the file that tells of them, where there are any; resumed_rows:
    that were there when a batch went on."""

    output: str
    rows: int
    rejected: int
    rejects: str | None
    seconds: float
    input_bytes: int
    output_bytes: int
    resumed_rows: int


class _Waiting(NamedTuple):
    answered: Future[Answered]
    file: int
    chunk: Chunk


def run_batch(
    scorer: Scorer,
    files: Sequence[InputFile],
    output: str,
    kind: Kind,
    settings: BatchSettings,
    job: dict[str, Any],
    tell: Callable[[Seen], None] | None = None,
    before_end: Callable[[], None] | None = None,
) -> BatchResult:
    """Score `files` into `output`, which appears when it is whole.

    job: what the answers depend on, for the journal; what is of the files and the settings is added.
    before_end: called when all is scored and on the disk, before the output appears; after a crash in it or behind it,
        `finish_begun` goes on.

    Raises:
        InputError: the files are not what the model takes.
        BatchError: a file is broken, or a row cannot be scored and `on_error` is "fail"; what is done stays.
        OSError: a file cannot be read or written.
    """
    return _Job(scorer, files, output, kind, settings, job, tell or (lambda seen: None)).run(before_end)


def finish_begun(output: str) -> bool:
    """Let an output appear that was scored whole before a crash; whether there was one. Raises ResumeError, OSError."""
    told = Journal.told_at(journal_of(output))
    if told is None or told.progress.file < len(told.job["input"]):
        return False
    _appear(output, Kind(*told.job["output kind"]), told.progress)
    return True


class _Job:
    def __init__(
        self,
        scorer: Scorer,
        files: Sequence[InputFile],
        output: str,
        kind: Kind,
        settings: BatchSettings,
        job: dict[str, Any],
        tell: Callable[[Seen], None],
    ) -> None:
        self._scorer, self._files, self._output, self._kind = scorer, files, output, kind
        self._settings, self._tell = settings, tell
        self._rejects = output + ".rejected.jsonl"
        self._bytes = 0
        self._began = time.monotonic()
        self._next_flush = self._began + _FLUSH_SECONDS
        self._next_tell = self._began
        identities = [file.identity() for file in files]
        self._sizes = [size for _, size, _ in identities]
        self._total = 0 if any(file.kind.compression for file in files) else sum(self._sizes)
        said = {
            **job,
            "input": identities,
            "keep": list(settings.keep),
            "on_error": settings.on_error,
            "chunk size (--memory, --threads)": settings.chunk_bytes,
            "delimiter": settings.delimiter,
        }
        self._journal = Journal(journal_of(output), said)

    def run(self, before_end: Callable[[], None] | None) -> BatchResult:
        begun = self._journal.read() if self._settings.resume else Progress()
        progress = begun
        if begun.file < len(self._files):
            progress = self._scored(begun)
        if before_end is not None:
            before_end()
        return self._finished(progress, begun.rows)

    def _scored(self, begun: Progress) -> Progress:
        """All files, from where an earlier run has come."""
        with ExitStack() as opened:
            first = opened.enter_context(closing(self._reader(begun.file)))
            encoder = Encoder(self._kind, pa.schema([*self._kept_fields(first, begun), *self._scorer.schema]))
            score = ChunkScorer(self._scorer, encoder, self._settings.on_error)
            answers = opened.enter_context(closing(Growing(self._output + ".part", begun.output)))
            rejects = opened.enter_context(closing(Growing(self._rejects + ".part", begun.rejects)))
            if not begun.output:
                answers.add(encoder.head())
            self._bytes = sum(self._sizes[: begun.file]) + (begun.place or {}).get("offset", 0)
            progress = begun._replace(output=answers.size)
            try:
                for waiting in self._answered(score, begun, first):
                    progress = self._written(waiting, progress, answers, rejects)
                progress = progress._replace(file=len(self._files), place=None)
            finally:  # also where it breaks off: what is done of it is kept
                self._flushed(progress, answers, rejects)
        return progress

    # --- reading and scoring ---

    def _reader(self, file: int) -> Reader:
        settings = self._settings
        return reader_of(
            self._files[file], self._scorer.manifest.inputs, settings.keep, settings.chunk_bytes, settings.delimiter
        )

    def _kept_fields(self, first: Reader, begun: Progress) -> list[pa.Field]:
        """As the first file has them, also where another goes on."""
        if begun.file == 0:
            return list(first.kept)
        reader = self._reader(0)
        reader.close()
        return list(reader.kept)

    def _answered(self, score: ChunkScorer, begun: Progress, first: Reader) -> Iterator[_Waiting]:
        """Chunks that are scored, in order."""
        waiting: deque[_Waiting] = deque()
        pool = ThreadPoolExecutor(self._settings.threads, "edge-infer batch")
        try:
            for file, reader, chunk in self._chunks(begun, first):
                name = self._files[file].name
                future = pool.submit(score.__call__, chunk, name, reader.line_word)
                waiting.append(_Waiting(future, file, chunk._replace(load=_loaded)))
                while waiting and (len(waiting) >= self._settings.waiting or waiting[0].answered.done()):
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            pool.shutdown(cancel_futures=True)

    def _chunks(self, begun: Progress, first: Reader) -> Iterator[tuple[int, Reader, Chunk]]:
        for file in range(begun.file, len(self._files)):
            is_first = file == begun.file
            reader = first if is_first else self._reader(file)
            try:
                for chunk in reader.chunks(begun.place if is_first else None):
                    yield file, reader, chunk
            finally:
                reader.close()

    # --- writing ---

    def _written(self, waiting: _Waiting, progress: Progress, answers: Growing, rejects: Growing) -> Progress:
        done = waiting.answered.result()
        answers.add(done.output)
        rejects.add(done.rejects)
        self._bytes += waiting.chunk.size
        progress = Progress(
            waiting.file, waiting.chunk.after, answers.size, rejects.size,
            progress.rows + done.rows, progress.rejected + done.rejected,
        )  # fmt: skip
        now = time.monotonic()
        if now >= self._next_flush:
            self._flushed(progress, answers, rejects)
            self._next_flush = time.monotonic() + _FLUSH_SECONDS
        if now >= self._next_tell:
            self._tell(Seen(progress.rows, progress.rejected, self._bytes, self._total, now - self._began))
            self._next_tell = now + _TELL_SECONDS
        return progress

    def _flushed(self, progress: Progress, answers: Growing, rejects: Growing) -> None:
        answers.flush()
        rejects.flush()
        self._journal.write(progress)

    def _finished(self, progress: Progress, resumed: int) -> BatchResult:
        _appear(self._output, self._kind, progress)
        seconds = time.monotonic() - self._began
        self._tell(Seen(progress.rows, progress.rejected, self._bytes, self._total, seconds))
        return BatchResult(
            self._output, progress.rows, progress.rejected, self._rejects if progress.rejects else None, seconds,
            sum(self._sizes), os.path.getsize(self._output), resumed,
        )  # fmt: skip


def _appear(output: str, kind: Kind, progress: Progress) -> None:
    """What is whole takes its name: the rejects first, so that they are there where the output is. After a crash in the
    middle, what has its name already keeps it."""
    rejects = output + ".rejected.jsonl"
    if not progress.rejects:
        for path in (rejects + ".part", rejects):
            with suppress(FileNotFoundError):
                os.unlink(path)
    elif os.path.exists(rejects + ".part"):
        os.replace(rejects + ".part", rejects)
    if os.path.exists(output + ".part"):
        finish(output + ".part", output, kind)
    with suppress(FileNotFoundError):
        os.unlink(journal_of(output))


def _loaded() -> Any:
    raise AssertionError("a chunk is read once")
