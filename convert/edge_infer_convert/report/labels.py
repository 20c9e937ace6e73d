"""Labels: the table of original × converted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from edge_infer.manifest import Output
from edge_infer_convert.report.answers import Answers
from edge_infer_convert.report.text import counted, escaped, isolated

__all__ = ["confusion"]

_MOST_CLASSES: Final = 12
_MOST_TABLES: Final = 4


def confusion(answers: Answers, output: Output | None) -> str:
    """A table for each label column, where classes and columns are few; else a sentence."""
    places = answers.original.shape[1]
    if places > _MOST_TABLES:
        return _summary(answers)
    return "".join(_table(answers, output, place) for place in range(places))


def _table(answers: Answers, output: Output | None, place: int) -> str:
    every = list(zip(_keys(answers.original[:, place]), _keys(answers.converted[:, place]), strict=True))
    pairs = Counter(every)
    wrong = {pair for pair, differs in zip(every, answers.differs.tolist(), strict=True) if differs}
    labels = _order(pairs, output, place)
    if len(labels) > _MOST_CLASSES:
        return _summary(answers)
    head = "".join(f'<th scope="col" class="n">{isolated(label, 24)}</th>' for label in labels)
    cells = {a: "".join(_cell(pairs[a, b], a == b, (a, b) in wrong) for b in labels) for a in labels}
    rows = "\n".join(f'<tr><th scope="row">{isolated(a, 24)}</th>{cells[a]}</tr>' for a in labels)
    which = f", label column {place + 1}" if answers.original.shape[1] > 1 else ""
    caption = f"{escaped(answers.method)}{which}: the original’s label (down) × the converted model’s (across)"
    apart = sum(a != b for a, b in every) if not wrong else 0
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{caption}"><table class="confusion">'
        f'<caption>{caption}</caption><thead><tr><th scope="col">original</th>{head}</tr></thead>'
        f"\n<tbody>\n{rows}\n</tbody></table></div>"
    ) + _ties_note(apart)


def _ties_note(count: int) -> str:
    """Why there are rows off the diagonal of a comparison that found no difference."""
    return f"<p>Off the diagonal: {counted(count, 'near tie')}, where either label is right.</p>" if count else ""


def _cell(count: int, same: bool, wrong: bool) -> str:
    """`wrong`: not all of them are borderline rows."""
    kind = " none" if not count else " same" if same else " bad" if wrong else " tie"
    return f'<td class="n{kind}">{count:,}</td>'


def _keys(values: Any) -> list[Any]:
    """Labels as dictionary keys: 1 and 1.0 are the same, as in the comparison."""
    return [_key(value) for value in values.tolist()]


def _key(value: Any) -> Any:
    if isinstance(value, float) and value != value:
        return "NaN"
    return value if isinstance(value, str | int | float | bool) else str(value)


def _order(pairs: Counter[tuple[Any, Any]], output: Output | None, place: int) -> list[Any]:
    """The classes in the model's order where it is known, then any other labels."""
    known: Sequence[Any] = ()
    if output is not None and output.classes is not None and place < len(output.classes):
        known = [_key(label) for label in output.classes[place]]
    found = {label for pair in pairs for label in pair} - set(known)
    return [*known, *sorted(found, key=lambda label: (isinstance(label, str), str(label)))]


def _summary(answers: Answers) -> str:
    unequal = int((answers.differs | answers.borderline).sum())
    rows = len(answers.original)
    return f"<p>The labels are the same on {rows - unequal:,} of {counted(rows, 'row')}.</p>"
