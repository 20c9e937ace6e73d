"""`edge-infer batch`: files into a file, or a folder that is watched; progress on stderr, a summary at the end."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_infer.cli.answering import chosen_methods, chosen_monitor
from edge_infer.cli.console import dumps, printable, say, write
from edge_infer.errors import UsageError
from edge_infer.model import Model, load

if TYPE_CHECKING:
    from edge_infer.batch.job import BatchResult, Seen

__all__ = ["Options", "run", "watch"]

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?b?|b)?", re.IGNORECASE)
_POWERS: Final = " kmgt"
_INTERRUPTED: Final = 130


class Options(NamedTuple):
    """What `batch` does with each file."""

    method: str | None
    keep: tuple[str, ...]
    on_error: str
    memory: str
    threads: int | None
    delimiter: str | None
    input_kind: str | None
    output_kind: str | None

    def arguments(self, model: Model) -> dict[str, Any]:
        """Of `Model.predict_file`. Raises UsageError."""
        return {
            "methods": None if self.method is None else chosen_methods(model, self.method),
            "keep": _names(self.keep),
            "on_error": self.on_error,
            "memory": _bytes(self.memory),
            "threads": self.threads,
            "delimiter": {"tab": "\t", "\\t": "\t"}.get(self.delimiter or "", self.delimiter),
            "input_kind": self.input_kind,
            "output_kind": self.output_kind,
        }


def run(
    *,
    model: str,
    inputs: Sequence[str],
    output: str,
    options: Options,
    resume: bool,
    identity: str | None,
    monitor: str | None,
    json: bool,
) -> int:
    """The command; its exit code."""
    with load(model, identity=identity, monitor=chosen_monitor(monitor)) as loaded:
        arguments = options.arguments(loaded)
        with _Bar() as bar:
            try:
                result = loaded.predict_file(inputs, output, **arguments, resume=resume, progress=bar)
            except KeyboardInterrupt:
                bar.stop()
                say(f"stopped: {bar.rows:,} rows are kept; the same command with --resume goes on from there")
                return _INTERRUPTED
    if json:
        write(dumps(_document(result)))
    else:
        _summary(result)
    return 0


def watch(
    *,
    model: str,
    folder: str,
    output: str,
    options: Options,
    once: bool,
    every: float,
    identity: str | None,
    monitor: str | None,
    json: bool,
) -> int:
    """`batch --watch`; its exit code: 1 where a file failed with --once."""
    from edge_infer.batch import check_extra

    check_extra()
    from edge_infer.batch.drop_folder import DropFolder
    from edge_infer.batch.files import KINDS

    suffix = "." + (options.output_kind or "csv")
    if suffix not in KINDS:
        raise UsageError(
            f"--to: expected one of {', '.join(dict.fromkeys(KINDS.values()))}, got {options.output_kind!r:.60}"
        )
    drop = DropFolder(folder, output, suffix, settle=min(2.0, every))
    failed = False
    with load(model, identity=identity, monitor=chosen_monitor(monitor)) as loaded, drop.locked():
        score = partial(_score, loaded, options.arguments(loaded))
        drop.finish_begun()
        if not once:
            say(f"watching {folder}: each new file is scored into {output}; Ctrl-C ends it")
        while True:
            for name in drop.waiting():
                finished = drop.score(name, score)
                failed = failed or finished.result is None
                _tell(finished.name, finished.result, finished.reason, json=json)
            if once and not drop.is_unsettled():
                return int(failed)
            time.sleep(min(every, 2.0) if once else every)


def _score(
    model: Model, arguments: dict[str, Any], path: str, output: str, before_end: Callable[[], None]
) -> BatchResult:
    from edge_infer.batch.predicting import predict_files

    asked = dict(arguments)
    scorer = model.scorer(asked.pop("methods"))
    return predict_files(scorer, model.artifact.digest, path, output, **asked, resume=True, before_end=before_end)


def _tell(name: str, result: BatchResult | None, reason: str | None, *, json: bool) -> None:
    if json:
        write(dumps({"file": name, "result": None if result is None else _document(result), "reason": reason}))
    elif result is None:
        say(f"{name}: failed: {reason}")
    else:
        _summary(result, name)
    sys.stdout.flush()  # a pipe or a journal is told of each file when it is done


# --- what is said -----------------------------------------------------------------------


class _Bar:
    """Rows, rows and bytes a second, and the time left, on a terminal's stderr. A context manager."""

    def __init__(self) -> None:
        self.rows = 0
        self._live: Any = None
        self._task: Any = None

    def __call__(self, seen: Seen) -> None:
        self.rows = seen.rows
        if self._live is None:
            return
        rate = (
            f"{seen.rows / max(seen.seconds, 1e-9):,.0f} rows/s  {seen.bytes / max(seen.seconds, 1e-9) / 1e6:,.0f} MB/s"
        )
        self._live.update(
            self._task,
            total=seen.total_bytes or None,
            completed=min(seen.bytes, seen.total_bytes),
            rows=seen.rows,
            rate=rate,
        )

    def __enter__(self) -> _Bar:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._live = Progress(
                TextColumn("{task.fields[rows]:,} rows"), BarColumn(bar_width=None), TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(compact=True), console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._task = self._live.add_task("", total=None, rows=0, rate="")
            self._live.start()
        return self

    def stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __exit__(self, *_: object) -> None:
        self.stop()


def _document(result: BatchResult) -> dict[str, Any]:
    fresh = result.rows + result.rejected - result.resumed_rows
    return {**result._asdict(), "rows_per_second": fresh / max(result.seconds, 1e-9)}


def _summary(result: BatchResult, name: str | None = None) -> None:
    fresh = result.rows + result.rejected - result.resumed_rows
    rate = f"{fresh / max(result.seconds, 1e-9):,.0f} rows/s"
    head = f"{name}: " if name else ""
    write(printable(f"{head}{_count(result.rows)} in {result.seconds:.1f} s ({rate}) into {result.output}"))
    if result.resumed_rows:
        write(f"{_count(result.resumed_rows)} were there from before")
    if result.rejected:
        where = f"; {result.rejects} says why" if result.rejects else ""
        write(printable(f"{_count(result.rejected)} could not be scored{where}"))


def _count(rows: int) -> str:
    return f"{rows:,} row" + ("" if rows == 1 else "s")


# --- options ----------------------------------------------------------------------------


def _names(asked: Sequence[str]) -> list[str]:
    """Of a list with commas, or of an option that is given again and again."""
    return [name for each in asked for name in each.split(",") if name]


def _bytes(text: str) -> int:
    """ "200MiB" → 209715200. Raises UsageError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--memory: expected a size as 200MiB or 1.5GB, got {text!r:.60}")
    number, unit = float(match[1]), (match[2] or "").lower()
    base = 1000 if unit.endswith("b") and "i" not in unit and len(unit) == 2 else 1024
    return int(number * base ** max(0, _POWERS.find(unit[:1] or " ")))
