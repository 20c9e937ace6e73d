"""How a loaded model uses the machine: said by the program, else by environment variables, else by this device's record
of `bench --tune` (`tuned.py`), else the defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from edge_infer.errors import UsageError

__all__ = ["ENVIRONMENT", "MOST_THREADS", "SessionOptions"]

MOST_THREADS: Final = 256  # each takes memory of its own and time to start: some thousands stop a machine
_MOST: Final = {"chunk_bytes": (1 << 40, "bytes"), "split_rows": ((1 << 31) - 1, "rows")}
_DIGITS: Final = 20  # of a whole number in the environment


class SessionOptions(NamedTuple):
    """How a session uses the machine. The defaults suit small models on small machines.

    threads: threads within an operator, and chunks of many rows under way at once, up to 256; 1 is fastest for small
        models and gives the same sums everywhere. "all": as many as the CPUs that the process may use, by affinity
        and by the quota of its control group.
    spinning: whether idle threads burn CPU to start a little sooner (a model called at 6 Hz used 184 % CPU with it).
    arena: whether freed memory is kept for the next call; grows to the largest chunk seen.
    chunk_bytes: many rows run in chunks whose input tensors take at most this, in bytes, up to 2⁴⁰; 0: all rows at
        once.
    split_rows: from so many rows on, up to 2³¹ − 1, large ensembles of trees run in parts that fit the cache, where the
        converter has proven that this holds; 0: never. Takes the memory of up to four more sessions, for rows with
        missing numbers and without, below 1,000 rows and above; of a graph up to 2 MiB, so many for each method that
        is asked.

    Where `load` is given no options, these are read from the environment: EDGE_INFER_THREADS (a whole number or "all"),
    EDGE_INFER_SPINNING and EDGE_INFER_ARENA (0 or 1), EDGE_INFER_CHUNK_BYTES, EDGE_INFER_SPLIT_ROWS; what no variable
    sets comes from a record of `edge-infer bench --tune` on this device (`tuned.py`), where there is one.
    """

    threads: int | Literal["all"] = 1
    spinning: bool = False
    arena: bool = False
    chunk_bytes: int = 1 << 21
    split_rows: int = 100

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ, *, otherwise: SessionOptions | None = None
    ) -> SessionOptions:
        """`otherwise`: what holds where no variable is set; None: the defaults.

        Raises:
            UsageError: a value makes no sense; the variable is named.
        """
        given = {name: environment[key] for key, name in ENVIRONMENT.items() if environment.get(key)}
        set_here = {name: _parsed(name, value) for name, value in given.items()}
        return (otherwise or cls())._replace(**set_here).checked(of_environment=True)

    def checked(self, *, of_environment: bool = False) -> SessionOptions:
        """Itself. Raises UsageError for a value that makes no sense; of the environment, it names the variable."""
        for variable, name in ENVIRONMENT.items():
            value = getattr(self, name)
            expected = _expected(name, value)
            if expected:
                raise UsageError(f"{variable if of_environment else name}: expected {expected}, got {value!r:.60}")
        return self


#: Environment variables, and the option that each sets.
ENVIRONMENT: Final = {f"EDGE_INFER_{name.upper()}": name for name in SessionOptions._fields}


def _parsed(name: str, text: str) -> Any:
    """The value that a text stands for, or the text."""
    if name in ("spinning", "arena"):
        return {"0": False, "1": True}.get(text, text)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else text


def _expected(name: str, value: Any) -> str | None:
    """What the option takes, where this is not it."""
    if name == "threads":
        taken = value == "all" or (type(value) is int and 1 <= value <= MOST_THREADS)
        return None if taken else f'a whole number from 1 to {MOST_THREADS}, or "all"'
    if name in _MOST:
        most, unit = _MOST[name]
        return None if type(value) is int and 0 <= value <= most else f"a number of {unit} up to {most:,}, or 0"
    return None if type(value) is bool else "True or False (in the environment 1 or 0)"
