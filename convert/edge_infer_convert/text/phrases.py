"""Texts made to find differences, from what the vectorisers of a column know; none is copied from training data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

__all__ = ["Phrases"]

_MOST_TERMS: Final = 5_000
_LONGEST: Final = 400  # words, in texts far out of range
#: Words in many scripts, cases and forms; what lower-casing, accents, `\w` and white space treat in a way of their own.
_ODD: Final = (
    *("the", "The", "NOT", "a", "I", "x1", "_", "__init__", "snake_case", "e-mail", "don't", "O’Neill", "3.14", "42"),
    *(
        "1,000",
        "2024-01-31",
        "C++",
        "#tag",
        "@you",
        "a.b@c.de",
        "http://x.yz/?q=1",
        "déjà",
        "De\u0301ja\u0300",
        "Ångström",
    ),
    *(
        "STRASSE",
        "Straße",
        "ẞ",
        "İSTANBUL",
        "ısı",
        "ΟΔΥΣΣΕΥΣ",
        "ὈΔΥΣΣΕΎΣ",
        "ΣΑΣ",
        "Σ",
        "ΑΣ’Σ",
        "λόγος",
        "Москва",
        "ёлка",
    ),
    *(
        "日本語",
        "テキスト",
        "한국어",
        "가",
        "中文。",
        "ไทย",
        "हिन्दी",
        "العربية",
        "עברית",
        "🙂",
        "👩‍👩‍👧",
        "é",
        "e\u0301",
        "ﬁn",
        "Ⅷ",
    ),
    *("ǅ", "½", "x²", "٣٤", "№5", "™", "ſ", "K", "\u00ad", "zero\u200bwidth", "İ", "ŉ", "ΐ", "ﬀ", "Ǆ", "ª", "µ"),
)
_SPACES: Final = (
    " ",
    " ",
    " ",
    " ",
    " ",
    " ",
    ", ",
    ". ",
    "  ",
    "\n",
    "\t",
    "\u00a0",
    "\u3000",
    " \n ",
    "-",
    "'",
    "/",
    "",
)
_EDGES: Final = (
    *(
        "",
        " ",
        "\n\t ",
        "a",
        "A",
        "é",
        "Σ",
        ".",
        "🙂",
        "_",
        "ab",
        "aΣ",
        "Σa",
        "aΣ'",
        "a\x00b",
        "\x1c\x85",
        "\ue000",
        "\ue001x",
    ),
    *("a " * 300, "ab" * 400, "É" * 50, "word-" * 40, "\u0301\u0301a", "a\u2028b", "x\r\ny", "\ufeffbom", "1 2 3 4"),
)


class Phrases:
    """Makes texts for one column. The same vectorisers and random generator give the same texts."""

    def __init__(self, vectorisers: Sequence[Any]) -> None:
        terms = [str(term) for v in vectorisers for term in sorted(getattr(v, "vocabulary_", ()))]
        keep = np.random.default_rng(0).permutation(len(terms))[:_MOST_TERMS]
        self._terms: list[str] = [terms[i] for i in np.sort(keep)] or list(_ODD)
        self._stops: list[str] = sorted({word for v in vectorisers for word in _stop_words(v)})

    def typical(self) -> str:
        """Some known terms."""
        return " ".join(self._terms[:: max(1, len(self._terms) // 5)][:5])

    def some(self, rng: np.random.Generator, count: int, stretch: float) -> list[str]:
        """Known terms, stop words, unknown and odd words in random order, case and spacing."""
        longest = min(_LONGEST, int(24 * stretch))
        return [self._text(rng, int(rng.integers(0, longest))) for _ in range(count)]

    def edges(self) -> list[str]:
        """Empty, short and long texts, every odd word, and some terms alone and in capitals."""
        alone = self._terms[:: max(1, len(self._terms) // 25)][:25]
        return [*_EDGES, *_ODD, *alone, *(term.upper() for term in alone), *(f"{a} {a}" for a in alone)]

    def _text(self, rng: np.random.Generator, words: int) -> str:
        pieces = []
        plain = rng.random() < 0.5  # half of the texts hold little but known terms between single spaces
        for _ in range(words):
            pieces.append(self._word(rng, 0.02 if plain else 0.35))
            pieces.append(" " if plain else _SPACES[int(rng.integers(len(_SPACES)))])
        return "".join(pieces)

    def _word(self, rng: np.random.Generator, strange: float) -> str:
        pool: list[str] = self._terms
        if rng.random() < strange:
            pool = list(_ODD)
        elif self._stops and rng.random() < 0.2:
            pool = self._stops
        word = pool[int(rng.integers(len(pool)))]
        case = rng.random()
        if case < strange:
            word = word.upper() if case < strange / 2 else word.title()
        elif rng.random() < strange / 4:
            word = word[::-1] if rng.random() < 0.5 else word[:1] + "\u0301" + word[1:]
        return word


def _stop_words(vectoriser: Any) -> Any:
    return vectoriser.get_stop_words() or ()
