"""Options that take one of a few words: what the shell completes, and what is said of another word."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

__all__ = ["completed", "one_of"]


def one_of(choices: Sequence[str]) -> Callable[[str | None], str | None]:
    """A callback that takes a choice, or an option that is left out."""

    def check(value: str | None) -> str | None:
        if value is None or value in choices:
            return value
        raise typer.BadParameter(f"expected {', '.join(choices[:-1])} or {choices[-1]}, got {value!r}")

    return check


def completed(choices: Sequence[str]) -> Callable[[str], list[str]]:
    """For the shell: the choices that begin so."""

    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete
