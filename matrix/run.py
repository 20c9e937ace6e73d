"""Each case in a process of its own, forked from one that has the libraries loaded, with a time limit."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from matrix.case import Case

__all__ = ["Settings", "run"]


class Settings(NamedTuple):
    """`rows` are drawn for each case; `seconds` a case may take; `documented`: skl2onnx's path is judged too."""

    rows: int
    seconds: float = 120.0
    processes: int = 2
    documented: bool = True


def run(cases: Sequence[Case], settings: Settings) -> Iterator[tuple[Case, dict[str, Any]]]:
    """The results as they come."""
    _load_libraries()
    context = multiprocessing.get_context("fork")
    waiting, running = list(reversed(cases)), {}
    while waiting or running:
        while waiting and len(running) < settings.processes:
            case = waiting.pop()
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(target=_child, args=(case, settings, writer))
            process.start()
            writer.close()
            running[reader] = (case, process, time.monotonic() + settings.seconds, {})
        for reader in _ready(running):
            case, process, until, result = running[reader]
            ended = _read(reader, result)
            if ended or time.monotonic() > until:
                del running[reader]
                yield case, _ended(process, result, late=not ended)


def _load_libraries() -> None:
    """Before the fork, so that a child starts at once; no session and no thread is made here.

    What is known of all of Unicode is asked here too: each of the children that convert texts would ask it again.
    """
    import onnxruntime
    import skl2onnx
    import sklearn.utils

    import edge_infer_convert.conversion
    import matrix.documented
    import matrix.judge
    from edge_infer_convert.text.codepoints import context_classes, folding

    sklearn.utils.all_estimators()
    context_classes()
    folding(True, None)
    del edge_infer_convert, matrix, onnxruntime, skl2onnx


def _ready(running: dict[Any, Any]) -> list[Any]:
    """Processes that have said something or are late."""
    first = min(until for _, _, until, _ in running.values())
    spoken = multiprocessing.connection.wait(list(running), timeout=max(0.0, min(5.0, first - time.monotonic())))
    late = [reader for reader, (_, _, until, _) in running.items() if time.monotonic() > until]
    return [*spoken, *(reader for reader in late if reader not in spoken)]


def _read(reader: Any, result: dict[str, Any]) -> bool:
    """Take what was sent into `result`; whether the process has ended."""
    try:
        while reader.poll():
            result.update(reader.recv())
    except EOFError:
        return True
    return False


def _ended(process: Any, result: dict[str, Any], *, late: bool) -> dict[str, Any]:
    if late:
        process.kill()
    process.join()
    if late and "outcome" not in result:
        return result | {"outcome": "timeout", "reason": "it takes too long"}
    if "outcome" not in result:
        return result | {"outcome": "crash", "reason": f"the process ended with code {process.exitcode}"}
    if result.get("documented", {}).get("outcome") == "started":
        ended = "takes too long" if late else f"the process ended with code {process.exitcode}"
        return result | {"documented": {"outcome": "fails", "reason": ended}}
    return result


def _child(case: Case, settings: Settings, writer: Any) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter("ignore")
    writer.send(_ours(case, settings, writer))
    if settings.documented:
        _documented(case, settings, writer)
    writer.close()
    os._exit(0)  # without the clean-up of libraries that were forked


def _ours(case: Case, settings: Settings, writer: Any) -> dict[str, Any]:
    from matrix.judge import judge

    started = time.perf_counter()
    try:
        result = judge(case, case.fit(), settings.rows)
    except Exception as error:  # noqa: BLE001  # any is a row of the table
        told = " ".join(str(error).split())[:200]
        result = {"outcome": "crash", "reason": f"{type(error).__name__}: {told} (in {_where(error)})"}
    return result | {"seconds": time.perf_counter() - started}


def _where(error: Exception) -> str:
    """The innermost function of ours that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if any(part in frame.filename for part in ("edge_infer", "matrix"))]
    last = (ours or frames)[-1]
    return f"{os.path.basename(last.filename)}, {last.name}"


def _documented(case: Case, settings: Settings, writer: Any) -> None:
    from matrix.documented import judge_documented

    writer.send({"documented": {"outcome": "started"}})
    try:
        result = judge_documented(case.fit(), settings.rows)
    except Exception as error:  # noqa: BLE001
        result = {"outcome": "fails", "reason": f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"}
    writer.send({"documented": result})
