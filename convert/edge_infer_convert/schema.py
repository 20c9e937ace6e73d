"""What the model takes: names, kinds, categories, ranges, and what each column forgives.

Kinds, categories and ranges come from the data sample, else from the fitted steps. Whether a column takes
missing, infinite or unknown values is not guessed: the original is asked.
"""

from __future__ import annotations

import contextlib
import copy
import difflib
import re
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from edge_infer.errors import Blocker, SchemaError, UnsupportedModelError
from edge_infer.manifest import METHODS, Column
from edge_infer_convert.boosters import adapt, learned_names
from edge_infer_convert.card import Card
from edge_infer_convert.cells import is_missing_cell, numbers_of
from edge_infer_convert.graph import columnwise
from edge_infer_convert.graph.plan import Branch, Feature, Plan, Raw, Step, walk_plan
from edge_infer_convert.graph.tables import UNKNOWN_TEXT, root, text_categories
from edge_infer_convert.networks import holds_network
from edge_infer_convert.original import Original
from edge_infer_convert.ranges import ranges_of_steps
from edge_infer_convert.refusals import find_refusal
from edge_infer_convert.text.phrases import Phrases
from edge_infer_convert.text.reading import takes_texts

__all__ = ["DataNeededError", "Schema", "known_names", "make_schema", "planned"]

TEXT = "text"  # the name of the one column of a model that takes texts
_FITTED: Final = "Is it fitted, and is the data the one that it was trained on (without the target)?"
_FLOAT32: Final = (
    "A network takes float32: give the data as it was fitted (data.astype('float32')), or put "
    "FunctionTransformer(np.float32) before the network."
)
_DOUBLE: Final = re.compile(r"Double.* Float|Float.* Double")  # as PyTorch tells it
_ASK_EACH = 256  # columns; with more, all are asked together


class DataNeededError(SchemaError):
    """The fitted steps do not tell all that probe rows need. `columns` are those whose range is not known."""

    def __init__(self, columns: list[str]) -> None:
        self.columns = tuple(columns)
        what = f"column {columns[0]!r}" if len(columns) == 1 else f"{len(columns)} columns ({_listed(columns)})"
        super().__init__(
            f"the fitted steps do not tell the range of {what}, so no probe rows can be made.\n"
            "Pass data= (--data): the training data without the target, or some hundred rows of it."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self.columns),)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")


class Schema(NamedTuple):
    """The columns, not yet placed in tensors; the plan over them; the judge; the sample as rows."""

    style: str
    columns: tuple[Column, ...]
    plan: Plan
    original: Original
    missing: dict[int, Any]
    sample: Any  # a DataFrame or array with these columns only, or None
    held_out: Any = None  # rows that it was not fitted on, as the sample, or None
    card: Card = Card()  # what the author tells of the model; the columns hold what is told of them

    def told(self, card: Card) -> Schema:
        """The same with what people are told of it."""
        return self._replace(columns=card.on(self.columns), card=card)


def make_schema(estimator: Any, data: Any = None, held_out: Any = None) -> Schema:
    """Find the schema of a fitted estimator.

    Args:
        data: the training data without the target, or some hundred rows of it: a DataFrame or a 2-D array.
        held_out: rows that it was not fitted on, for the reference.

    Raises:
        SchemaError: not fitted, or neither data nor steps tell what is needed.
        UnsupportedModelError: a step cannot take what reaches it.
    """
    estimator, names, named, sample = _adapted(estimator, data)
    plan, _, blockers = _walked(estimator, names, sample)
    if blockers:
        raise UnsupportedModelError.of(blockers)
    used = _used(plan, len(names)) if named else list(range(len(names)))
    plan = _renumbered(plan, used)
    sample = None if sample is None else _chosen(sample, used)
    columns, missing = _columns(plan, [names[i] for i in used], sample)
    dtype = "float32" if getattr(sample, "dtype", None) == np.float32 else "float64"
    phrases = {i: Phrases(readers) for i, readers in _vectorisers(plan).items()}
    flat = takes_texts(estimator)
    original = Original(estimator, columns, named=named, missing=missing, dtype=dtype, phrases=phrases, flat=flat)
    network = holds_network(step.estimator for step in plan.steps)
    if network:
        original = _as_network_takes(original)
        sample = _single(sample) if original.dtype == "float32" else sample
    _check_sample(original, sample)
    asked = _asked(original, _strict(plan))
    original = original.with_columns(asked)
    style = "texts" if flat else "columns" if named else "array"
    others = _texts(held_out) if flat else _sample(held_out, names, named)
    others = None if others is None else _chosen(others, used)
    others = _single(others) if network and original.dtype == "float32" else others
    _check_sample(original, others)
    return Schema(style, asked, plan, original, missing, sample, others)


def _as_network_takes(original: Original) -> Original:
    """PyTorch's networks take float32 alone. Where no step makes it of float64, whoever fitted the pipeline gave it
    float32: so do we, where the original answers that and refuses float64."""
    single = copy.copy(original)
    single.dtype = "float32"
    rows, method = [original.typical_row()], original.methods()[0]
    for asked in (original, single):
        with contextlib.suppress(Exception):  # what a network raises is of no one class
            asked.answer(method, rows)
            return asked
    return original  # the sample tells why


def _single(sample: Any) -> Any:
    """A copy whose float64 columns are float32."""
    if isinstance(sample, pd.DataFrame):
        return sample.astype(dict.fromkeys(sample.columns[sample.dtypes == np.float64], np.float32))
    return sample.astype(np.float32) if getattr(sample, "dtype", None) == np.float64 else sample


def planned(estimator: Any, data: Any = None) -> tuple[Plan, list[Blocker]]:
    """The steps of a fitted estimator, and those that cannot take what reaches them. Raises as `make_schema`."""
    estimator, names, _, sample = _adapted(estimator, data)
    plan, _, blockers = _walked(estimator, names, sample)
    return plan, blockers


def _adapted(estimator: Any, data: Any) -> tuple[Any, list[str], bool, Any]:
    """The estimator, its columns' names, whether it knows them by name, and the sample as rows of them."""
    if isinstance(estimator, type):
        raise SchemaError(f"expected a fitted estimator, got the class {estimator.__name__}: make one and fit it")
    if not any(
        hasattr(estimator, method) for method in ("fit", *METHODS) if method != "transform"
    ):  # a DataFrame's too
        raise SchemaError(_no_estimator(estimator))
    refusal = find_refusal(estimator, "")
    if refusal is not None:
        raise UnsupportedModelError.of([refusal])
    estimator = adapt(estimator)
    if takes_texts(estimator):
        return estimator, [TEXT], False, _texts(data)
    names, named = _names(estimator, data)
    return estimator, names, named, _sample(data, names, named)


def _no_estimator(thing: Any) -> str:
    """What was given in place of an estimator; of a dict, which of its values is one."""
    kind = type(thing).__name__
    if not isinstance(thing, dict):
        return f"expected a fitted estimator, got a {kind}: save and convert the fitted model or pipeline itself"
    models = [repr(key) for key, value in thing.items() if hasattr(value, "predict") or hasattr(value, "transform")]
    if not models:
        return f"expected a fitted estimator, got a {kind} that holds none: save and convert the fitted model itself"
    return (
        f"expected a fitted estimator, got a {kind} that holds one as {' and '.join(models[:4])}: save and convert "
        f"that alone, as in joblib.dump(the_dict[{models[0]}], 'model.joblib')"
    )


def _walked(estimator: Any, names: list[str], sample: Any) -> tuple[Plan, set[int], list[Blocker]]:
    text = {i for i in range(len(names)) if sample is not None and _is_text(_column_values(sample, i))}
    try:
        return walk_plan(estimator, len(names), text)
    except NotFittedError as error:
        raise SchemaError(f"{type(estimator).__name__} is not fitted: {error}") from error


# --- names ------------------------------------------------------------------------------


def known_names(estimator: Any) -> Any | None:
    """The columns' names that a fitted estimator knows, or None."""
    try:
        fitted = getattr(estimator, "feature_names_in_", None)
    except AttributeError:
        fitted = None
    return learned_names(estimator) if fitted is None else fitted


def _names(estimator: Any, data: Any) -> tuple[list[str], bool]:
    """Column names, and whether the original knows its columns by name."""
    try:
        count = getattr(estimator, "n_features_in_", None)
    except AttributeError:
        count = None
    fitted = known_names(estimator)
    if fitted is not None:
        return _spelled([str(name) for name in fitted], data), True
    if count is None and data is None:
        raise SchemaError(
            f"{type(estimator).__name__} does not say how many columns it takes: is it fitted? "
            "If so, pass data= (the training data, or some hundred rows of it)."
        )
    given = None if data is None else _table(data).shape[1]
    width = int(count) if count is not None else given or 0
    if given is not None and given != width:
        raise SchemaError(f"the model takes {width} column{'s' if width != 1 else ''}, the data has {given}")
    return [f"x{i}" for i in range(width)], False


def _spelled(fitted: list[str], data: Any) -> list[str]:
    """The data's own names where the model has "_" for their white space: so LightGBM keeps them."""
    own = [str(name) for name in data.columns] if isinstance(data, pd.DataFrame) else []
    return own if [re.sub(r"\s", "_", name) for name in own] == fitted else fitted


def _sample(data: Any, names: list[str], named: bool) -> Any:
    if data is None:
        return None
    if not named:
        return _table(data)
    if not isinstance(data, pd.DataFrame):
        array = _table(data)
        if array.shape[1] != len(names):
            raise SchemaError(
                f"the model takes {len(names)} columns by name, the data has {array.shape[1]} without names"
            )
        data = pd.DataFrame(array, columns=names)
    absent = [name for name in names if name not in data.columns]
    if absent:
        raise SchemaError(_absent_message(absent, [str(name) for name in data.columns]))
    return data[names]


def _table(data: Any) -> NDArray[Any]:
    """The data as a 2-D array."""
    try:
        array = data.to_numpy() if isinstance(data, pd.DataFrame) else np.asarray(data)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"data: expected a DataFrame or a 2-D array: {error}") from error
    if array.ndim != 2:
        raise SchemaError(f"data: expected two dimensions (rows, columns), got shape {array.shape}")
    return array


def _texts(data: Any) -> NDArray[Any] | None:
    """Texts as a column of their own, shape (rows, 1)."""
    if data is None:
        return None
    if isinstance(data, str):
        raise SchemaError("data: expected texts, a list or a column of them; got one text: put it into a list")
    values = data.to_numpy(dtype=object) if hasattr(data, "to_numpy") else np.asarray(data, dtype=object)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise SchemaError(f"data: the model takes one text a row; expected one column, got shape {values.shape}")
    wrong = next((i for i, value in enumerate(values) if not isinstance(value, str)), None)
    if wrong is not None:
        raise SchemaError(f"data, row {wrong}: expected text, got {values[wrong]!r:.60}")
    return values.reshape(-1, 1)


def _absent_message(absent: list[str], given: list[str]) -> str:
    lines = [f"the data lacks {len(absent)} of the columns that the model was trained on:"]
    for name in absent[:20]:
        near = difflib.get_close_matches(name, given, 1)
        lines.append(f"  {name!r}" + (f" (is it {near[0]!r}?)" if near else ""))
    return "\n".join(lines)


def _column_values(sample: Any, position: int) -> Any:
    return sample.iloc[:, position] if isinstance(sample, pd.DataFrame) else sample[:, position]


def _chosen(sample: Any, used: list[int]) -> Any:
    return sample.iloc[:, used] if isinstance(sample, pd.DataFrame) else sample[:, used]


def _is_text(values: Any) -> bool:
    if isinstance(getattr(values, "dtype", None), pd.CategoricalDtype):
        values = pd.Series(values.cat.categories)
    if getattr(values.dtype, "kind", "O") in "fiubcmM":
        return False
    return any(isinstance(value, str) for value in values)


# --- use --------------------------------------------------------------------------------


def _used(plan: Plan, count: int) -> list[int]:
    """Columns that some step or answer reads; others need not be given."""
    branches = [Branch(plan.features, plan.final), *(member for step in plan.steps for member in step.members)]
    features: list[Feature] = [f for step in plan.steps for f in step.inputs]
    features += [f for branch in branches if _gathered(branch.final) for f in branch.features]
    read = {feature.column for feature in features if isinstance(feature, Raw)}
    return [i for i in range(count) if i in read]


def _gathered(final: Step | None) -> bool:
    """Whether a branch answers by its features rather than by a step."""
    return final is None or final.kind in ("text", "table")


def _renumbered(plan: Plan, used: list[int]) -> Plan:
    places = {column: i for i, column in enumerate(used)}

    def moved(feature: Feature) -> Feature:
        return Raw(places[feature.column], feature.text) if isinstance(feature, Raw) else feature

    for step in plan.steps:
        step.inputs = tuple(moved(feature) for feature in step.inputs)
        step.members = tuple(
            Branch(tuple(moved(feature) for feature in member.features), member.final) for member in step.members
        )
    return plan._replace(features=tuple(moved(feature) for feature in plan.features))


# --- columns ----------------------------------------------------------------------------


def _vectorisers(plan: Plan) -> dict[int, list[Any]]:
    """For each column of free text, the vectorisers that read it."""
    found: dict[int, list[Any]] = {}
    for step in plan.steps:
        if step.kind == "vectoriser":
            found.setdefault(root(step.inputs[0]), []).append(step.estimator)
    return found


def _columns(plan: Plan, names: list[str], sample: Any) -> tuple[tuple[Column, ...], dict[int, Any]]:
    texts, free = text_categories(plan), _vectorisers(plan)
    numbers = _number_categories(plan)
    ranges = {} if sample is not None else ranges_of_steps(plan)
    columns: list[Column] = []
    missing: dict[int, Any] = {}
    for i, name in enumerate(names):
        values = None if sample is None else _column_values(sample, i)
        if i in texts and i in free:
            raise SchemaError(
                f"column {name!r} is read by a text vectoriser and by an encoder of categories, which the input's "
                "tensors keep apart: give the encoder a copy of the column under another name"
            )
        if i in free:
            dtype = "object" if values is None else str(values.dtype)
            columns.append(Column(name, "string", dtype, "", 0, missing=False))
        elif i in texts:
            missing[i] = _missing_marker(values)
            columns.append(_text_column(name, values, texts[i]))
        else:
            columns.append(_number_column(name, values, numbers.get(i), ranges.get(i)))
    unknown = [c.name for c in columns if c.kind != "string" and c.range is None and not c.categories]
    if unknown and sample is None:
        raise DataNeededError(unknown)
    return tuple(columns), missing


def _text_column(name: str, values: Any, categories: list[str]) -> Column:
    dtype = "object" if values is None else str(values.dtype)
    return Column(name, "string", dtype, "", 0, missing=False, categories=tuple(categories))


def _number_column(
    name: str, values: Any, categories: list[float] | None, fitted: tuple[float, float] | None
) -> Column:
    kind, dtype, seen = "number", "float64", fitted
    if values is not None:
        dtype = str(values.dtype)
        kind = _kind(name, values)
        seen = _observed(values)
    if kind == "datetime" and categories is not None:
        raise SchemaError(f"column {name!r}: a step encodes dates: turn them into numbers or text before the model")
    known = None if categories is None else tuple(_as_kind(value, kind) for value in categories)
    return Column(name, kind, dtype, "", 0, missing=False, categories=known, range=seen)


def _kind(name: str, values: Any) -> str:
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    if dtype.kind == "O":
        present = {type(value) for value in values if not is_missing_cell(value)}
        if present <= {bool, np.bool_}:
            return "boolean"
        if not all(issubclass(kind, int | float | np.number) for kind in present):
            kinds = ", ".join(sorted(kind.__name__ for kind in present))
            raise SchemaError(f"column {name!r} holds {kinds}: expected numbers, booleans or text")
        return "number"
    if dtype.kind == "m":
        raise SchemaError(f"column {name!r} holds durations: turn them into numbers before the model")
    return {"b": "boolean", "i": "integer", "u": "integer", "M": "datetime"}.get(dtype.kind, "number")


def _as_kind(value: float, kind: str) -> Any:
    if kind == "boolean":
        return bool(value)
    return int(value) if kind == "integer" else value


def _observed(values: Any) -> tuple[float, float] | None:
    numbers = numbers_of(values)
    finite = numbers[np.isfinite(numbers)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _missing_marker(values: Any) -> Any:
    """What a missing value looks like in the sample; NaN where none is seen."""
    if values is None:
        return np.nan
    return next((value for value in values if is_missing_cell(value) and value is not pd.NA), np.nan)


def _number_categories(plan: Plan) -> dict[int, list[float]]:
    """Known values of raw number columns that are only encoded."""
    known: dict[int, set[float]] = {}
    elsewhere: set[int] = set()
    for step in plan.steps:
        for position, feature in enumerate(step.inputs):
            if not isinstance(feature, Raw) or feature.text:
                continue
            if step.kind == "table":
                values = columnwise.known_values(step.estimator, position)
                known.setdefault(feature.column, set()).update(_category_number(value, step) for value in values)
            else:
                elsewhere.add(feature.column)
    return {column: sorted(values) for column, values in known.items() if column not in elsewhere}


def _category_number(value: Any, step: Step) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        kind = "dates" if hasattr(value, "year") or type(value).__name__ == "datetime64" else type(value).__name__
        raise SchemaError(
            f"step {step.path!r} ({type(step.estimator).__name__}) encodes {kind}: "
            "turn them into numbers or text before the model (not supported yet)"
        ) from None


# --- asking the original ----------------------------------------------------------------


def _check_sample(original: Original, sample: Any) -> None:
    """The original must take the sample (or, without one, a typical row), else nothing can be compared."""
    method = next(iter(original.methods()), None)
    if method is None:
        raise SchemaError(
            f"{type(original.estimator).__name__} has none of predict, predict_proba, decision_function, "
            "score_samples, transform: it cannot answer new rows"
        )
    try:
        if sample is not None:
            original.answer_table(method, sample[:5])
        original.answer(method, [original.typical_row()])
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise SchemaError(
            f"the original itself fails on {'the data' if sample is not None else 'a typical row'}: "
            f"{type(error).__name__}: {said}\n{_FLOAT32 if _DOUBLE.search(said) else _FITTED}"
        ) from error


def _strict(plan: Plan) -> set[int]:
    """Columns of which a step refuses unknown values by its contract, even where a call with one goes through."""
    features = [f for step in plan.steps if getattr(step.estimator, "refuses_unknown", False) for f in step.inputs]
    return {f.column if isinstance(f, Raw) else root(f) for f in features if isinstance(f, Raw) or f.text}


def _asked(original: Original, strict: set[int]) -> tuple[Column, ...]:
    base = original.typical_row()
    # No vectoriser takes a missing text, and scikit-learn makes the number -2^63 of a missing time.
    fixed = {i for i, column in enumerate(original.columns) if column.free_text or column.kind == "datetime"}
    missing = _forgiven(original, base, {i: None for i in range(len(base)) if i not in fixed})
    infinite = _forgiven(original, base, {i: np.inf for i, c in enumerate(original.columns) if c.kind == "number"})
    strange = {i: _unknown_value(c) for i, c in enumerate(original.columns) if _may_be_unknown(c) and i not in strict}
    unknown = _forgiven(original, base, strange)
    return tuple(
        column._replace(missing=i in missing, infinite=i in infinite, unknown=column.categories is None or i in unknown)
        for i, column in enumerate(original.columns)
    )


def _forgiven(original: Original, base: tuple[Any, ...], odd: dict[int, Any]) -> set[int]:
    """The columns in which the original takes an odd value. All at once first: usually one call tells."""
    if not odd:
        return set()
    if original.takes([tuple(odd.get(i, value) if i in odd else value for i, value in enumerate(base))]):
        return set(odd)
    if len(odd) > _ASK_EACH:
        return set()
    return {i for i in odd if original.takes([(*base[:i], odd[i], *base[i + 1 :])])}


def _may_be_unknown(column: Column) -> bool:
    """Of booleans there are no others than two."""
    known = column.categories
    return known is not None and not (column.kind == "boolean" and len(known) == 2)


def _unknown_value(column: Column) -> Any:
    if column.kind == "boolean" and column.categories:
        return not column.categories[0]
    if column.kind == "string":
        return UNKNOWN_TEXT
    numbers = [float(value) for value in column.categories or ()]
    return int(max(numbers, default=0)) + 7
