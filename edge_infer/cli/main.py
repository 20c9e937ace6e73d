"""The entry point. It imports next to nothing: a plain `predict`, `stream` or `doctor` never sees typer."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["main"]

FAILED, INTERRUPTED = 1, 130


def main(argv: list[str] | None = None) -> int:
    """Run `edge-infer` with `argv` (default: the process's arguments) and give its exit code; never raises."""
    args = sys.argv[1:] if argv is None else list(argv)
    try:
        _prepare_streams()
        with _plain_warnings():
            code = _run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        _discard_unwritable()
        return INTERRUPTED
    except BrokenPipeError:
        _discard_unwritable()
        return FAILED
    except Exception as error:  # noqa: BLE001 - a command never ends in a traceback
        if _is_interrupt(error):
            _discard_unwritable()
            return INTERRUPTED
        return _fail(error)
    return code


def _is_interrupt(error: BaseException | None) -> bool:
    """Of Ctrl-C while a library is imported, some libraries make an ImportError."""
    seen: set[int] = set()
    while isinstance(error, ImportError) and id(error) not in seen:
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return isinstance(error, KeyboardInterrupt)


def _run(args: list[str]) -> int:
    from edge_infer.cli.light import parse

    call = None if "_EDGE_INFER_COMPLETE" in os.environ else parse(args)
    if call is None:
        from edge_infer.cli.app import run_app

        return run_app(args)
    from edge_infer.cli.light import run_call

    return run_call(call)


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """What edge-infer itself warns of is a line for the user, not a place in its source."""
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if category.__module__.startswith("edge_infer."):
            from edge_infer.cli.console import say

            say(f"warning: {message}")
        else:
            usual(message, category, *place)

    warnings.showwarning = show  # type: ignore[assignment]  # the same, its arguments passed on
    try:
        yield
    finally:
        warnings.showwarning = usual


def _prepare_streams() -> None:
    """Characters that a stream's encoding lacks are written as escapes; a closed stream (`>&-`) swallows."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the process's life
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _discard_unwritable() -> None:
    """Nobody reads on (`| head`), or the disk is full: what is left is dropped, so that Python's exit is quiet."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, stream.fileno())
            os.close(devnull)


def _fail(error: Exception) -> int:
    from edge_infer.cli.console import say
    from edge_infer.cli.failure import describe

    _discard_unwritable()  # what was answered before stands before the message
    message, code = describe(error)
    try:
        if os.environ.get("EDGE_INFER_TRACEBACK") == "1":
            import traceback

            traceback.print_exception(error)
        say(message)
    except OSError:
        _discard_unwritable()
    return code


if __name__ == "__main__":
    sys.exit(main())
