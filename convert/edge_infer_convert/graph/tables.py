"""Encoders as tables: the fitted step itself is asked for its answer to every category, to a missing and
to an unknown value, once, at conversion. In the graph a value becomes a code, a code picks a row.

That makes any chain of columnwise steps (impute, then encode) exact by construction, whatever its options
(`drop`, `min_frequency`, `handle_unknown`, `encoded_missing_value` …), and puts the strings at the front.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge_infer_convert.graph import columnwise
from edge_infer_convert.graph.plan import Feature, Plan, Raw, Step, StepOutput

__all__ = ["UNKNOWN_TEXT", "Table", "alphabet", "step_table", "text_categories"]

#: Text that no training data holds; asks a step what it does with unknown text.
UNKNOWN_TEXT = "\ue001unknown"


class Table(NamedTuple):
    """A step's answers for one of its input columns.

    rows: shape (categories + 2, outputs): by category, then for a missing, then for an unknown value.
    outputs: positions of these outputs among the step's.
    """

    position: int
    categories: tuple[Any, ...]
    rows: NDArray[np.float64]
    outputs: tuple[int, ...]


def text_categories(plan: Plan) -> dict[int, list[str]]:
    """For each text column, every text that some step tells apart, sorted.

    What an imputer fills in is none of them by itself: an encoder behind it may refuse that text, as it does where
    training had no gaps. It is taken where no step tells any text apart.
    """
    known: dict[int, set[str]] = {}
    filled: dict[int, set[str]] = {}
    for step in plan.steps:
        for position, feature in enumerate(step.inputs):
            if feature.text and step.kind != "vectoriser":
                values = {str(value) for value in columnwise.known_values(step.estimator, position)}
                fills = values & columnwise.fills(step.estimator, position)
                known.setdefault(root(feature), set()).update(values - fills)
                filled.setdefault(root(feature), set()).update(fills)
    return {column: sorted(values or filled[column]) for column, values in known.items()}


def root(feature: Feature) -> int:
    """The input column that a text feature comes from."""
    while isinstance(feature, StepOutput):
        source = columnwise.output_sources(feature.step.estimator)[feature.index]
        feature = feature.step.inputs[source]
    return feature.column


def step_table(step: Step, categories: dict[int, list[str]], missing: dict[int, Any]) -> list[Table]:
    """The tables of an encoder, one for each input column.

    `categories` and `missing` (what a missing value looks like) are by text column of the input.
    """
    alphabets = [alphabet(feature, step, i, categories, missing) for i, feature in enumerate(step.inputs)]
    sources = columnwise.output_sources(step.estimator)
    tables = []
    for position, values in enumerate(alphabets):
        outputs = tuple(i for i, source in enumerate(sources) if source == position)
        rows = _answers(step, alphabets, position)[:, outputs]
        tables.append(Table(position, tuple(values[:-2]), rows, outputs))
    return tables


def alphabet(
    feature: Feature, step: Step, position: int, categories: dict[int, list[str]], missing: dict[int, Any]
) -> list[Any]:
    """What reaches input `position` of `step` for each code: known values, a missing and an unknown one."""
    if isinstance(feature, Raw) and feature.text:
        return [*categories[feature.column], missing.get(feature.column, np.nan), UNKNOWN_TEXT]
    if isinstance(feature, StepOutput) and feature.text:
        return _through(feature, categories, missing)
    return _numbers(columnwise.known_values(step.estimator, position))


def _numbers(known: list[Any]) -> list[Any]:
    """Floats; of booleans among objects the values themselves, which an encoder compares as they are."""
    numbers = {float(value): value for value in known}
    if known and all(type(value) is bool for value in known):
        return [*(numbers[key] for key in sorted(numbers)), None, 7]
    return [*sorted(numbers), np.nan, max(numbers, default=0.0) * 2 + 1.5]


def _through(feature: StepOutput, categories: dict[int, list[str]], missing: dict[int, Any]) -> list[Any]:
    """A text column's alphabet behind a text step."""
    step = feature.step
    alphabets = [alphabet(f, step, i, categories, missing) for i, f in enumerate(step.inputs)]
    try:
        out = _side_by_side(step, alphabets)
    except (ValueError, TypeError):  # the step refuses a column's kind of missing value, so that none ever comes
        out = _side_by_side(step, _without_refused(step, alphabets))
    source = columnwise.output_sources(step.estimator)[feature.index]
    return list(out[: len(alphabets[source]), feature.index])


def _without_refused(step: Step, alphabets: list[list[Any]]) -> list[list[Any]]:
    """Alphabets in which the unknown value stands for a missing one where the step refuses that."""
    plain = [[*values[:-2], values[-1], values[-1]] for values in alphabets]
    chosen = list(plain)
    for i, values in enumerate(alphabets):
        try:
            _side_by_side(step, [*plain[:i], values, *plain[i + 1 :]])
        except (ValueError, TypeError):
            continue
        chosen[i] = values
    return chosen


def _side_by_side(step: Step, alphabets: list[list[Any]]) -> Any:
    longest = max(len(values) for values in alphabets)
    padded = [values + [values[0]] * (longest - len(values)) for values in alphabets]
    return np.asarray(_apply(step, padded), dtype=object)


def _answers(step: Step, alphabets: list[list[Any]], position: int) -> NDArray[np.float64]:
    """Shape (len(alphabets[position]), width). A value that the step refuses gets a row of zeros: such
    values never come, since the schema then refuses them too."""
    values = alphabets[position]
    rows = np.zeros((len(values), step.width))

    def taken(chosen: slice) -> bool:
        wanted = values[chosen]
        cells = [wanted if i == position else other[:1] * len(wanted) for i, other in enumerate(alphabets)]
        try:
            rows[chosen] = np.asarray(_apply(step, cells), dtype=np.float64) if wanted else 0
        except (ValueError, TypeError):
            return False
        return True

    known = len(values) - 2
    for i in range(known if taken(slice(0, known)) else 0, len(values)):  # a missing and an unknown one by themselves
        taken(slice(i, i + 1))
    return rows


def _apply(step: Step, columns: list[list[Any]]) -> Any:
    """The fitted step's transform of a table given by columns."""
    names = getattr(step.estimator, "feature_names_in_", None)
    if names is not None:
        frame = pd.DataFrame({i: _series(values, step.inputs[i].text) for i, values in enumerate(columns)})
        frame.columns = pd.Index(names)
        data: Any = frame
    elif any(_as_objects(values, step.inputs[i].text) for i, values in enumerate(columns)):
        data = np.array(columns, dtype=object).T
    else:
        data = np.array(columns, dtype=np.float64).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = step.estimator.transform(data)
    return out.toarray() if hasattr(out, "toarray") else out


def _series(values: list[Any], text: bool) -> pd.Series[Any]:
    return pd.Series(values, dtype=object if _as_objects(values, text) else np.float64)


def _as_objects(values: list[Any], text: bool) -> bool:
    return text or any(value is None or isinstance(value, bool) for value in values)
