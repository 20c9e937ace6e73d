"""What is to be done when a process ends: also in children of multiprocessing, which end by `os._exit`."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from typing import Any, Final

__all__ = ["AtEnd"]


class AtEnd:
    """Calls a function when this process ends; one that was made by multiprocessing, once `watch` was called in it."""

    def __init__(self, end: Callable[[], Any]) -> None:
        self._end: Final = end
        self._processes: Final[set[int]] = set()  # whose end multiprocessing tells
        atexit.register(end)

    def watch(self) -> None:
        """In this process: multiprocessing's children end after their own finalizers."""
        if "multiprocessing.util" in sys.modules and os.getpid() not in self._processes:
            self._processes.add(os.getpid())
            sys.modules["multiprocessing.util"].Finalize(None, self._end, exitpriority=0)
