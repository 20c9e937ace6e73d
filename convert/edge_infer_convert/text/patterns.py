"""token_pattern → what finds the same tokens in the graph, or a refusal.

The graph's Tokenizer takes the leftmost-longest match of an RE2 expression; Python's `re` takes the leftmost, and
there the first by priority. A pattern is taken only where both are proven to be the same.
"""

from __future__ import annotations

import re
from functools import cache
from re import _compiler, _parser  # type: ignore[attr-defined]
from re._constants import (  # type: ignore[import-not-found]
    ANY,
    AT,
    AT_BOUNDARY,
    BRANCH,
    IN,
    LITERAL,
    MAX_REPEAT,
    MAXREPEAT,
    MIN_REPEAT,
    NOT_LITERAL,
    SUBPATTERN,
)
from typing import Any, Final, NamedTuple

import numpy as np

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.text.codepoints import ALL_TEXT, CodePoints, character_class, code_points

__all__ = ["Tokens", "find_tokens"]

_MOST_STATES: Final = 400  # of the automaton
_MOST_CONFIGURATIONS: Final = 4000
_MOST_RANGES: Final = 6000  # of all character classes; RE2's automaton runs out of its memory at about 15,000
_ATOMS: Final = (ANY, IN, LITERAL, NOT_LITERAL)


class Tokens(NamedTuple):
    """`expression` finds candidates of at least `shortest` characters; those that match `whole` are the tokens.

    `classes`: the sets of characters that the pattern tells apart.
    """

    expression: str
    shortest: int = 1
    whole: str | None = None
    classes: tuple[CodePoints, ...] = ()


class _Unclear(Exception):
    """Why a pattern cannot be taken."""


@cache
def find_tokens(pattern: str) -> Tokens:
    """The tokens of `re.compile(pattern).findall`. Found once for a pattern: its classes are not to be written to.

    Raises:
        UnsupportedModelError: they cannot be proven to come out the same.
    """
    try:
        return _tokens(pattern)
    except _Unclear as reason:
        raise UnsupportedModelError(
            f"token_pattern {pattern!r:.200} cannot be expressed exactly: {reason}\nUse a simpler one, such as "
            r"r'(?u)\b\w\w+\b', r'\b[a-z]{3,}\b', r'\w+' or r'\S+'."
        ) from None


def _tokens(pattern: str) -> Tokens:
    tree = _parser.parse(pattern)
    if tree.state.groups > 1:
        raise _Unclear("it captures a group; write (?:…) for (…)")
    words = _Reader(tree.state)
    inner, bounds = _without_bounds(list(tree))
    expression = words.sequence(inner)
    lowest, _ = tree.getwidth()
    if lowest == 0:
        raise _Unclear("it matches the empty text")
    classes = tuple(atom.members for atom in words.atoms)
    if any(bounds):
        return _whole_words(expression, bounds, words, classes)
    _require_longest(expression, classes)
    return Tokens(_limited(_written(expression, None)), classes=classes)


# --- patterns as trees of our own ---


class _Atom(NamedTuple):
    members: CodePoints


class _All(NamedTuple):
    parts: tuple[Any, ...]


class _Any(NamedTuple):
    parts: tuple[Any, ...]


class _Repeat(NamedTuple):
    part: Any
    low: int
    high: int | None
    greedy: bool


class _Reader:
    """Python's own syntax tree → ours. A character's set is found by asking Python's `re` for all code points."""

    def __init__(self, state: Any) -> None:
        self._state = state
        self.atoms: list[_Atom] = []

    def sequence(self, items: list[Any], flags: tuple[int, int] = (0, 0)) -> Any:
        return _All(tuple(self._item(item, flags) for item in items))

    def _item(self, item: Any, flags: tuple[int, int]) -> Any:
        kind, argument = item
        if kind in _ATOMS:
            self.atoms.append(self.atom(item, flags))
            return self.atoms[-1]
        if kind is BRANCH:
            return _Any(tuple(self.sequence(list(branch), flags) for branch in argument[1]))
        if kind in (MAX_REPEAT, MIN_REPEAT):
            low, high, part = argument
            if part.getwidth()[0] == 0 and high > 1:
                raise _Unclear("it repeats what may be empty")
            return _Repeat(
                self.sequence(list(part), flags), low, None if high is MAXREPEAT else int(high), kind is MAX_REPEAT
            )
        if kind is SUBPATTERN:
            _, added, removed, part = argument
            return self.sequence(list(part), (flags[0] | added, (flags[1] & ~added) | removed))
        if kind is AT and argument is AT_BOUNDARY:
            raise _Unclear(r"it has \b elsewhere than once at each end")
        raise _Unclear(f"it uses {str(kind).lower().replace('_', ' ')}")

    def atom(self, item: Any, flags: tuple[int, int] = (0, 0)) -> _Atom:
        inner = _parser.SubPattern(self._state, [item])
        one = _parser.SubPattern(self._state, [(SUBPATTERN, (None, *flags, inner))])
        return _Atom(code_points(_compiler.compile(one).findall(ALL_TEXT)))

    def word(self) -> CodePoints:
        """What `\\w` and so `\\b` mean under the pattern's flags."""
        return self.atom((IN, [(_parser.CATEGORY, _parser.CATEGORY_WORD)])).members


def _without_bounds(items: list[Any]) -> tuple[list[Any], tuple[bool, bool]]:
    def bound(item: Any) -> bool:
        return item[0] is AT and item[1] is AT_BOUNDARY

    first, last = bool(items) and bound(items[0]), len(items) > 1 and bound(items[-1])
    return items[first : len(items) - last], (first, last)


# --- \b…\b around word characters: whole runs of them ----------------------------------------------------------


def _whole_words(expression: Any, bounds: tuple[bool, bool], words: _Reader, classes: tuple[CodePoints, ...]) -> Tokens:
    """Between two boundaries, and of word characters only, a match is a whole run of word characters."""
    word = words.word()
    if any((members & ~word).any() for members in classes):
        raise _Unclear(r"it has \b around characters that \w does not match")
    shortest = _run_of(expression, word)
    if shortest is not None:
        return Tokens(f"{character_class(word)}+", shortest, classes=(word,))
    if not all(bounds):
        raise _Unclear(r"it has \b at one end only")
    return Tokens(f"{character_class(word)}+", 1, _limited(_written(expression, word)), (*classes, word))


def _run_of(expression: Any, word: CodePoints) -> int | None:
    """n where the expression is `\\w{n,}` however it is written; else None."""
    shortest, endless = 0, False
    for part in expression.parts:
        low, high, greedy = (1, 1, True) if not isinstance(part, _Repeat) else part[1:]
        inner = part.part if isinstance(part, _Repeat) else part
        while isinstance(inner, _All) and len(inner.parts) == 1:
            inner = inner.parts[0]
        if not isinstance(inner, _Atom) or not (inner.members == word).all() or not greedy or high not in (low, None):
            return None
        shortest, endless = shortest + low, endless or high is None
    return shortest if endless else None


# --- as RE2 ------------------------------------------------------------------------------------------------------


def _written(node: Any, alphabet: CodePoints | None) -> str:
    """RE2's expression of the same language. Only characters of the `alphabet` will be met."""
    if isinstance(node, _Atom):
        if alphabet is None:
            return character_class(node.members)
        return min(character_class(node.members), character_class(node.members | ~alphabet), key=len)
    if isinstance(node, _All):
        return "".join(_written(part, alphabet) for part in node.parts)
    if isinstance(node, _Any):
        return "(?:" + "|".join(_written(part, alphabet) for part in node.parts) + ")"
    return f"(?:{_written(node.part, alphabet)})" + _count(node.low, node.high)


def _count(low: int, high: int | None) -> str:
    if high is None:
        return {0: "*", 1: "+"}.get(low, f"{{{low},}}")
    return "?" if (low, high) == (0, 1) else f"{{{low},{high}}}"


def _limited(expression: str) -> str:
    sizes = [expression.count("\\x")]
    for count in re.findall(r"\{(\d+),?(\d*)\}", re.sub(r"\\x\{[0-9a-f]+\}", "", expression)):
        sizes.append(max(int(number) for number in count if number))
    if float(np.prod([max(size, 1) for size in sizes])) > _MOST_RANGES:
        raise _Unclear("its repeated character classes are too large for RE2")
    return expression


# --- is the first match by priority the longest? ---------------------------------------------------------------


def _require_longest(expression: Any, classes: tuple[CodePoints, ...]) -> None:
    """Follow all texts at once, as Pike's simulation does with threads in order of priority.

    Where a thread matches, Python drops those behind it. If there never is one behind it, the match by priority is
    the longest there is. (Russ Cox, "Regular Expression Matching: the Virtual Machine Approach", 2009.)
    """
    automaton = _Automaton()
    start = automaton.build(expression, automaton.match)
    letters = _letters(classes)
    seen, pending = set(), [automaton.closure([start])]
    while pending:
        threads = pending.pop()
        if threads in seen:
            continue
        seen.add(threads)
        if len(seen) > _MOST_CONFIGURATIONS:
            raise _Unclear("it is too complex")
        if automaton.match in threads[:-1]:
            raise _Unclear("its first match by priority is not always the longest (a lazy repeat or alternatives)")
        for letter in letters:
            following = automaton.closure(automaton.step(threads, letter))
            if following:
                pending.append(following)


def _letters(classes: tuple[CodePoints, ...]) -> list[int]:
    """One code point for each combination of the sets."""
    keys = np.zeros(len(classes[0]), np.int64) if classes else np.zeros(1, np.int64)
    for members in classes:
        _, keys = np.unique(keys * 2 + members, return_inverse=True)
    return [int(i) for i in np.unique(keys, return_index=True)[1]]


class _Automaton:
    """States: a set of characters and the next state; or a choice of states, the preferred first."""

    def __init__(self) -> None:
        self.match = 0
        self._states: list[Any] = [None]

    def _add(self, state: Any) -> int:
        self._states.append(state)
        if len(self._states) > _MOST_STATES:
            raise _Unclear("it is too complex")
        return len(self._states) - 1

    def build(self, node: Any, after: int) -> int:
        """The state from which `node` and then `after` is matched."""
        if isinstance(node, _Atom):
            return self._add((node.members, after))
        if isinstance(node, _All):
            for part in reversed(node.parts):
                after = self.build(part, after)
            return after
        if isinstance(node, _Any):
            return self._add([self.build(part, after) for part in node.parts])
        return self._repeat(node, after)

    def _repeat(self, node: _Repeat, after: int) -> int:
        def choice(again: int) -> list[int]:
            return [again, after] if node.greedy else [after, again]

        state = after
        if node.high is None:
            state = self._add([])
            self._states[state] = choice(self.build(node.part, state))
        else:
            for _ in range(node.high - node.low):
                state = self._add(choice(self.build(node.part, state)))
        for _ in range(node.low):
            state = self.build(node.part, state)
        return state

    def closure(self, states: list[int]) -> tuple[int, ...]:
        """The threads that wait for a character or match, by priority."""
        threads: dict[int, None] = {}
        pending, seen = states[::-1], set()
        while pending:
            state = pending.pop()
            if state in seen:
                continue
            seen.add(state)
            if isinstance(self._states[state], list):
                pending += self._states[state][::-1]
            else:
                threads[state] = None
        return tuple(threads)

    def step(self, threads: tuple[int, ...], letter: int) -> list[int]:
        return [self._states[t][1] for t in threads if t != self.match and self._states[t][0][letter]]
