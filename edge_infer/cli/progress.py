"""Progress on stderr: a list that ticks off on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Final, Self

__all__ = ["Progress"]

_WORDS: Final = {
    "train": "train a model",
    "data": "read the data",
    "load": "read the model",
    "schema": "find the columns",
    "inputs": "find the inputs",
    "convert": "make the graph",
    "probe": "compare with the original",
    "quantize": "quantize and measure",
    "package": "write the file",
    "tune": "search the options that suit this device",
    "compare": "compare with the original",
}


_STOPPED: Final = "stopped"


class Progress:
    """Called with a stage and a detail when the stage begins; a context manager that ends the last one."""

    def __init__(self) -> None:
        self._live: Any = None
        self._stage: tuple[str, float] | None = None
        self._terminal = sys.stderr.isatty()

    def __call__(self, stage: str, detail: str) -> None:
        self._end(ok=True)
        text = f"{_WORDS.get(stage, stage)}: {detail}" if detail else _WORDS.get(stage, stage)
        self._stage = (text, time.perf_counter())
        if self._terminal:
            self._spin(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(ok=error is None, word=_STOPPED if kind is KeyboardInterrupt else "FAILED")

    def _spin(self, text: str) -> None:
        from rich.console import Console
        from rich.text import Text

        self._live = Console(stderr=True).status(Text(text))
        self._live.start()

    def _end(self, *, ok: bool, word: str = "FAILED") -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._stage is None:
            return
        text, started = self._stage
        self._stage = None
        stopped = word == _STOPPED  # by the user, which is no failure
        sign = ("✓" if ok else word if stopped else "✗") if self._terminal and _utf8() else ("ok" if ok else word)
        print(f"{sign} {text} ({time.perf_counter() - started:.1f} s)", file=sys.stderr, flush=True)


def _utf8() -> bool:
    return (sys.stderr.encoding or "").lower().replace("-", "") == "utf8"
