"""support.json as a page: a summary with both paths side by side, then a row for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from matrix import arm
from matrix.case import GROUPS
from matrix.reasons import REASONS

__all__ = ["markdown", "summary"]

Entry = dict[str, Any]
_FAILS: Final = ("wrong", "crash", "timeout")
_SHORT: Final = {
    "predict": "predict",
    "predict_proba": "proba",
    "decision_function": "decision",
    "score_samples": "score",
    "transform": "transform",
}
_COLUMNS: Final = (
    *("", "count"),
    *("edge-infer converts", "equal", "partly", "refused", "wrong"),
    *("skl2onnx converts", "equal", "partly", "fails", "wrong"),
)
_HEAD: Final = """# What is supported

Written by `python -m matrix` (`make matrix`) from `support.json`: do not edit. Versions: {versions}.

Every estimator of `sklearn.utils.all_estimators()` (the experimental ones included) is fitted in one or more *cases*,
converted with precision `auto`, and asked on at least 1,000 fresh rows that neither training nor the conversion saw
(where the original takes so many): seven tenths in range, two tenths out to 5 ×, one tenth out to 1000 × the range,
with unseen, missing and NaN cells where the original takes them.

- *equal*: every method of the original gives its answers in shape, type and value. Numbers agree to 1e-5 in float32 and
  to 1e-9 in float64, of the larger of the value and the output's size in range. Labels are the same; where the
  original's own top two scores tie within the tolerance they may differ: such labels are counted as borderline.
- *partial*: what is given is equal, but a method is missing.
- *refused*: the conversion fails with the reason shown, and nothing is written.
- *wrong*: an answer differs, or something breaks without a proper error.

The same judge for skl2onnx's documented path (`to_onnx(model, X[:1].astype(float32), options={{"zipmap": False}})`,
onnxmltools' converters for boosters, CatBoost's own export): in float32, against the original's answers to the same
float32 rows, for the outputs that its documentation promises, one trailing dimension more or less and rows with missing
text left out of account. It was run without the locale en_US.UTF-8, as in a slim container: there onnxruntime cannot
load its lower-casing of text.

"""


def markdown(document: dict[str, Any], other: dict[str, Any] | None = None) -> str:
    """The whole page; `other`: the record of 64-bit Arm."""
    versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    parts = [_HEAD.format(versions=versions), "## Summary\n\n", summary(document["cases"])]
    for group in GROUPS:
        entries = [entry for entry in document["cases"] if entry["group"] == group]
        if entries:
            parts += [f"\n## {group.capitalize()}\n\n", _details(entries)]
    if other is not None:
        parts.append(arm.section(other))
    return "".join(parts)


# --- the summary -----------------------------------------------------------------------------


def summary(entries: Sequence[Entry]) -> str:
    """Kinds (all their cases) and cases, ours and skl2onnx's."""
    lines = [
        f"| {' | '.join(_COLUMNS)} |",
        f"|---{'|---:' * (len(_COLUMNS) - 1)}|",
    ]
    for group in GROUPS:
        chosen = [entry for entry in entries if entry["group"] == group]
        kinds = _kinds(chosen)
        if not chosen:
            continue
        lines.append(_counted(group, list(kinds.values())))
        if len(kinds) != len(chosen):
            lines.append(_counted("… their cases", [[entry] for entry in chosen]))
    lines.append("")
    lines.append(
        "A kind is *equal* when all its cases are, *wrong* when one is, *refused* when none converts, else *partly*."
    )
    return "\n".join(lines) + "\n"


def _kinds(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    return {name: list(some) for name, some in groupby(entries, key=lambda entry: str(entry["subject"]))}


def _counted(title: str, kinds: list[list[Entry]]) -> str:
    ours = [[entry["outcome"] for entry in kind] for kind in kinds]
    theirs = [[entry.get("documented", {}).get("outcome", "fails") for entry in kind] for kind in kinds]
    cells = [title, len(kinds), *_outcomes(ours, "refused"), *_outcomes(theirs, "fails")]
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _outcomes(kinds: list[list[str]], refusal: str) -> list[int]:
    """Converts (a case at least), equal, partly, refused, wrong."""
    counts = {"equal": 0, "partly": 0, refusal: 0, "wrong": 0}
    for outcomes in kinds:
        counts[_of_all(outcomes, refusal)] += 1
    converts = sum(any(outcome in ("equal", "partial", "wrong") for outcome in outcomes) for outcomes in kinds)
    return [converts, counts["equal"], counts["partly"], counts[refusal], counts["wrong"]]


def _of_all(outcomes: list[str], refusal: str) -> str:
    if any(outcome in _FAILS for outcome in outcomes):
        return "wrong"
    for same in ("equal", refusal):
        if all(outcome == same for outcome in outcomes):
            return same
    return "partly"


# --- the details -----------------------------------------------------------------------------


def _details(entries: Sequence[Entry]) -> str:
    lines = [
        "| name | methods | converts | equal | precision | worst difference | note |",
        "|---|---|---:|---:|---|---:|---|",
    ]
    lines += [_row(name, some) for name, some in _kinds(entries).items()]
    return "\n".join(lines) + "\n"


def _row(name: str, entries: list[Entry]) -> str:
    converted = [entry for entry in entries if entry["outcome"] in ("equal", "partial", "wrong")]
    equal = sum(entry["outcome"] == "equal" for entry in entries)
    cells = [
        name,
        ", ".join(_SHORT[method] for method in _SHORT if any(method in entry.get("methods", []) for entry in entries)),
        _share(len(converted), len(entries)),
        _share(equal, len(entries)),
        ", ".join(sorted({entry["precision"] for entry in converted})),
        _worst(converted),
        _note(name, entries),
    ]
    return f"| {' | '.join(cell.replace('|', '¦') or '–' for cell in cells)} |"


def _share(some: int, of: int) -> str:
    if of == 1:
        return "yes" if some else "no"
    return f"{some} of {of}"


def _worst(entries: list[Entry]) -> str:
    found = [entry["worst"] for entry in entries if "worst" in entry]
    return f"{max(found):.1g}" if found and max(found) else "0" if found else ""


def _note(name: str, entries: list[Entry]) -> str:
    told = [f"{sum(entry.get('borderline', 0) for entry in entries)} borderline labels"]
    told = told if not told[0].startswith("0 ") else []
    reason = REASONS.get(name)
    if reason is not None:
        return ". ".join([*told, f"{_capital(reason.why)}. Instead: {reason.instead}"])
    failing = [entry for entry in entries if entry["outcome"] != "equal"]
    by_reason: dict[str, list[Entry]] = {}
    for entry in failing:
        by_reason.setdefault(f"{entry['outcome']}: {_shortened(entry.get('reason', ''))}", []).append(entry)
    for text, some in list(by_reason.items())[:3]:
        told.append(f"{_cases(some, len(entries))}{text}")
    if len(by_reason) > 3:
        told.append(f"and {len(by_reason) - 3} more reasons")
    return "; ".join(told)


def _cases(some: list[Entry], of: int) -> str:
    if of == 1 or len(some) == of:
        return ""
    names = [f"*{entry['case']}*" for entry in some[:2]] + (["…"] if len(some) > 2 else [])
    return f"{', '.join(names)} "


def _shortened(text: str) -> str:
    return text if len(text) <= 160 else text[:159].rstrip() + "…"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
