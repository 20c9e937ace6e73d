"""What the tests of text vectorisers share: drawn texts in many scripts, and labels for them."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["drawn_texts", "labels_of"]

_WORDS = (
    *("the", "The", "a", "cat", "CAT", "dog", "dogs", "not", "very", "good", "GOOD", "bad", "I", "x_1", "42", "3.14"),
    *(
        "don't",
        "e-mail",
        "Ärger",
        "naïve",
        "façade",
        "cafe\u0301",
        "ΣΊΣΥΦΟΣ",
        "λόγος",
        "ΟΔΟΣ",
        "Москва",
        "москва",
        "日本語",
    ),
    *("가나", "🙂", "İstanbul", "ı", "ß", "ﬁn", "é", "Ⅷ", "x"),
)
_SPACES = (" ", " ", " ", " ", ", ", "  ", "\n", "\t", "\u00a0", ". ", "-", "'", "_", "")


def drawn_texts(seed: int, count: int = 120, longest: int = 20) -> list[str]:
    """Words in random order, case and spacing; the first is empty."""
    rng = np.random.default_rng(seed)

    def text() -> str:
        words = rng.integers(len(_WORDS), size=int(rng.integers(longest)))
        return "".join(_WORDS[i] + _SPACES[int(rng.integers(len(_SPACES)))] for i in words)

    return ["", *(text() for _ in range(count - 1))]


def labels_of(texts: list[str]) -> Any:
    """Two classes that the words tell roughly apart."""
    return np.array(["good" if "good" in text.lower() or i % 7 == 0 else "bad" for i, text in enumerate(texts)])
