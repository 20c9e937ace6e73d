"""Where the answers of a model and of its original differ, for `bench --vs`: one row, with both answers to it."""

from __future__ import annotations

from typing import Any, Final

from edge_infer.bench.comparing import first_difference, shapes_of
from edge_infer.bench.rows import Rows
from edge_infer.cli.console import wrapped
from edge_infer.goldens import Tolerance
from edge_infer.manifest import Manifest

__all__ = ["difference"]

_LEAD: Final = 15
_ROW_SIGNS: Final = 400  # of a row that are shown


def difference(got: Any, wanted: Any, row: int, sample: Rows, manifest: Manifest, tolerance: Tolerance) -> str:
    """Lines of at most 80 columns about the first row that differs. got, wanted: this model's and the original's."""
    if shapes_of(got) != shapes_of(wanted):
        ours, theirs = (", ".join(map(str, shapes_of(answer))) for answer in (got, wanted))
        return _facts({"original": f"answers of the shape {theirs}", "this model": f"of the shape {ours}"})
    first = first_difference(got, wanted, row, tolerance)
    cells = ", ".join(f"{name}={cell!r}" for name, cell in sample.record(row).items())
    facts = {
        "first row": f"{row} (from 0): {cells if len(cells) <= _ROW_SIGNS else cells[:_ROW_SIGNS] + ' …'}",
        "of its answer": _value_name(sample.method, first.part, first.place, shapes_of(got), manifest),
        "original": repr(first.wanted),
        "this model": repr(first.got),
    }
    return _facts({name: text for name, text in facts.items() if text})


def _value_name(method: str, part: int, place: int, shapes: list[tuple[int, ...]], manifest: Manifest) -> str:
    """Which value of a row's answer: a probability by its class, others by position; "" where there is but one."""
    if len(shapes) == 1 and len(shapes[0]) == 1:
        return ""
    predict = manifest.output("predict")
    classes = predict.classes if predict and method == "predict_proba" else None
    if classes and part < len(classes) and place < len(classes[part]):
        return f"the probability of {classes[part][place]!r}"
    return f"value {place} (from 0)"


def _facts(facts: dict[str, str]) -> str:
    return "\n".join(f"  {name:<{_LEAD}}{wrapped(text, _LEAD + 2)}" for name, text in facts.items())
