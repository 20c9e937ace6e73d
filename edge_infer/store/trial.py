"""A release on trial: what confirms it, and what leads back to the release before. Pure functions.

The clock of a small device may jump or be missing, so time is what has passed since the machine's start, added up over
its starts; time in which it was off does not count.
"""

from __future__ import annotations

import math
import operator
import re
from typing import Final, NamedTuple

from edge_infer.errors import UsageError

__all__ = [
    "Moment",
    "Start",
    "Terms",
    "Trial",
    "advanced",
    "described",
    "failure",
    "is_confirmed",
    "is_crash",
    "parse_terms",
    "passed",
    "spelled",
]

_PART: Final = re.compile(r"(\d{1,12})\s*(s|sec|min|h|d)?")
_SECONDS: Final = {"s": 1, "sec": 1, "min": 60, "h": 3600, "d": 86_400}
_FORM: Final = 'a number of answers ("100"), a time ("10min"; s, min, h or d), or both ("100,10min")'
_SERVED: Final = 60.0  # seconds, after which the end of a process that answers is no sign against its model
MOST_ANSWERS: Final = 10**9
MOST_SECONDS: Final = 366 * 86_400.0


class Moment(NamedTuple):
    """seconds: since the machine's start `boot`, also while it slept, never by its calendar."""

    boot: str
    seconds: float


class Terms(NamedTuple):
    """What a release on trial must do to stay.

    answers: so many good calls confirm it; None: only `Store.mark_good` does.
    seconds: within which it must be confirmed; None: no end.
    errors: calls that onnxruntime may fail in; what the caller gave is not the model's fault.
    latency: seconds that the median of `answers` calls may take; None: no limit.
    crashes: as many processes that crash, or are killed, in their first minute with it lead back.
    """

    answers: int | None = None
    seconds: float | None = None
    errors: int = 0
    latency: float | None = None
    crashes: int = 3

    def checked(self) -> Terms:
        """Itself, in Python's own numbers. Raises UsageError."""
        whole = {name: _whole(name, getattr(self, name)) for name in ("answers", "errors", "crashes")}
        real = {name: _real(name, getattr(self, name)) for name in ("seconds", "latency")}
        return Terms(**whole, **real)._within()  # type: ignore[arg-type]  # None stays None

    def _within(self) -> Terms:
        if self.answers is None and self.seconds is None:
            raise UsageError(f"a trial needs an end: expected {_FORM}")
        if self.latency is not None and self.answers is None:
            raise UsageError("a trial's limit of latency is judged over a number of answers; give one")
        limits = (
            ("answers", self.answers, 1, MOST_ANSWERS),
            ("seconds", self.seconds, 1, MOST_SECONDS),
            ("errors", self.errors, 0, MOST_ANSWERS),
            ("latency", self.latency, 0, MOST_SECONDS),
            ("crashes", self.crashes, 1, MOST_ANSWERS),
        )
        for name, value, least, most in limits:
            if value is not None and not least <= value <= most:
                raise UsageError(f"a trial's {name}: expected {least} to {most:,.0f}, got {value:g}")
        return self


def _whole(name: str, value: object) -> int | None:
    if value is None and name == "answers":
        return None
    try:
        if not isinstance(value, bool):
            return operator.index(value)  # type: ignore[arg-type]  # or it raises
    except TypeError:
        pass
    raise UsageError(f"a trial's {name}: expected a whole number, got {value!r:.60}")


def _real(name: str, value: object) -> float | None:
    if value is None:
        return None
    try:
        if not isinstance(value, bool | str) and math.isfinite(number := float(value)):  # type: ignore[arg-type]
            return number
    except (TypeError, ValueError):
        pass
    raise UsageError(f"a trial's {name}: expected a number of seconds, got {value!r:.60}")


class Start(NamedTuple):
    """A process that began to use a release on trial.

    begun: when; answered: seconds from then to the last answer that was noted, None while there is none.
    """

    name: str
    begun: Moment
    answered: float | None = None


class Trial(NamedTuple):
    """A trial under way of the active release.

    answers, errors, slow: calls so far, those that failed, and those that took longer than the limit; crashed: starts
    whose process died; last_error: what the last failed call said; starts: those that may still run; at: when `spent`
    (seconds) was told.
    """

    terms: Terms
    begun: str  # UTC by the device's clock, for people
    at: Moment
    spent: float = 0.0
    answers: int = 0
    errors: int = 0
    slow: int = 0
    crashed: int = 0
    last_error: str = ""
    starts: tuple[Start, ...] = ()


def parse_terms(text: str) -> Terms:
    """Of "100", "10min", or "100,10min". Raises UsageError."""
    answers: int | None = None
    seconds: float | None = None
    for part in text.split(","):
        match = _PART.fullmatch(part.strip().lower())
        if match is None or (answers if match[2] is None else seconds) is not None:
            raise UsageError(f"--trial {text!r:.60}: expected {_FORM}")
        if match[2] is None:
            answers = int(match[1])
        else:
            seconds = float(match[1]) * _SECONDS[match[2]]
    return Terms(answers, seconds).checked()


def described(terms: Terms) -> str:
    """For people: what confirms, and by when."""
    parts = [] if terms.answers is None else [_count(terms.answers, "answer")]
    parts += [] if terms.seconds is None else [f"within {spelled(terms.seconds)}"]
    return "on trial: " + ", ".join(parts)


def spelled(seconds: float) -> str:
    """Exactly, in the largest unit that gives a whole number: "24 h", "7 d", "90 min", "1.5 s"."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds % size == 0 and seconds >= (2 * size if unit == "d" else size):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"


def advanced(trial: Trial, now: Moment) -> Trial:
    """With the time that has passed."""
    return trial._replace(at=now, spent=trial.spent + passed(trial.at, now))


def passed(before: Moment, now: Moment) -> float:
    """Seconds in which the machine was on; after a restart, those since then."""
    same = now.boot == before.boot and now.seconds >= before.seconds
    return now.seconds - before.seconds if same else now.seconds


def is_crash(start: Start, now: Moment) -> bool:
    """Whether the end of a start that was not taken back is a sign against the release: not after a minute of answers,
    and not where it had answered before the machine went off."""
    if start.answered is None:
        return True
    return start.answered < _SERVED and start.begun.boot == now.boot


def is_confirmed(trial: Trial) -> bool:
    """Whether it has done what was asked of it."""
    return failure(trial) is None and trial.terms.answers is not None and trial.answers >= trial.terms.answers


def failure(trial: Trial) -> str | None:
    """Why it goes back; None while it may stay."""
    terms = trial.terms
    if trial.crashed >= terms.crashes:
        return f"{_count(trial.crashed, 'process', 'es')} that ran it crashed, or were killed in their first minute"
    if trial.errors > terms.errors:
        last = f"; the last one: {trial.last_error}" if trial.last_error else ""
        return f"{_count(trial.errors, 'call')} failed, {terms.errors} allowed{last}"
    if terms.answers is not None:
        wanted = max(terms.answers, trial.answers)
        if terms.latency is not None and 2 * trial.slow > wanted:
            return f"more than half of {_count(wanted, 'call')} took longer than {terms.latency * 1e3:g} ms"
        if trial.answers >= terms.answers:
            return None
    if terms.seconds is not None and trial.spent >= terms.seconds:
        return f"it was not confirmed within {spelled(terms.seconds)}"
    return None


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number:,} {noun}{plural if number != 1 else ''}"
