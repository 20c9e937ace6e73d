"""A fitted pipeline as a plan: which steps work on which features, followed through Pipeline,
ColumnTransformer, FeatureUnion, search wrappers and composites (votes, stacks, chains …). Nothing is converted here.

A *feature* is one column on its way through the pipeline: a raw input column, or one output of a step.
Whether it holds text or numbers is known at each point, so that text can be resolved to codes at the
very front of the graph (see `tables.py`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer

from edge_infer.errors import Blocker, UnsupportedModelError
from edge_infer_convert.boosters import native_codes
from edge_infer_convert.composites import find_composite, find_wrapped
from edge_infer_convert.composites.weights import Weight
from edge_infer_convert.graph import columnwise
from edge_infer_convert.refusals import find_refusal
from edge_infer_convert.text.reading import hashed_width, is_vectoriser, takes_texts

__all__ = ["Branch", "Feature", "Plan", "Raw", "Step", "StepOutput", "make_plan", "walk_plan"]


class Raw(NamedTuple):
    """An input column, by its position in the schema."""

    column: int
    text: bool


class StepOutput(NamedTuple):
    """Output `index` of a step."""

    step: Step
    index: int  # type: ignore[assignment]  # shadows tuple.index

    @property
    def text(self) -> bool:
        return self.step.kind == "text"


Feature = Raw | StepOutput


class Step:
    """One fitted estimator and the features that it reads. Compared by identity.

    kind: "vectoriser" (reads one column of free text), "text" (columnwise, text stays text), "table" (columnwise
    encoder: each output depends on one input, so that a table of its answers replaces it), "leaf" (an operator on a
    numeric matrix), or "composite" (combines the answers of `members`, reads `inputs` only if it needs them itself).
    """

    def __init__(
        self,
        path: str,
        estimator: BaseEstimator,
        kind: str,
        inputs: tuple[Feature, ...],
        width: int,
        members: tuple[Branch, ...] = (),
    ) -> None:
        self.path, self.estimator, self.kind, self.inputs, self.width = path, estimator, kind, inputs, width
        self.members = members

    def outputs(self) -> list[Feature]:
        return [StepOutput(self, i) for i in range(self.width)]


class Branch(NamedTuple):
    """An estimator followed: the features that its transform gives, and the step that gives its other answers;
    None where it ends in composed transformers."""

    features: tuple[Feature, ...]
    final: Step | None


class Plan(NamedTuple):
    """`steps` in the order in which they can be computed; `final` is the step that answers, see `Branch`."""

    features: tuple[Feature, ...]
    final: Step | None
    steps: tuple[Step, ...]


class TextFound(Exception):
    """Raw columns that turn out to hold text, since an encoder learned text from them."""

    def __init__(self, columns: set[int]) -> None:
        self.columns = columns


def make_plan(estimator: Any, n_columns: int, text: set[int]) -> tuple[Plan, set[int]]:
    """Follow the features of `n_columns` input columns, of which those in `text` hold text.

    Returns the plan and the columns that hold text: `text` and those that fitted encoders show to.

    Raises:
        UnsupportedModelError: a step cannot take what reaches it.
    """
    plan, text, blockers = walk_plan(estimator, n_columns, text)
    if blockers:
        raise UnsupportedModelError.of(blockers)
    return plan, text


def walk_plan(estimator: Any, n_columns: int, text: set[int]) -> tuple[Plan, set[int], list[Blocker]]:
    """The same, with the steps that cannot take what reaches them as a list."""
    while True:
        walk = _Walk()
        try:
            raw: list[Feature] = [Raw(i, i in text) for i in range(n_columns)]
            branch = walk.visit(estimator, raw, "")
            return Plan(branch.features, branch.final, tuple(walk.steps)), text, walk.blockers
        except TextFound as found:
            text = text | found.columns


class _Walk:
    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.blockers: list[Blocker] = []

    def visit(self, estimator: Any, features: list[Feature], path: str) -> Branch:
        if estimator is None or estimator == "passthrough" or _is_identity(estimator):
            return Branch(tuple(features), None)
        if isinstance(estimator, str) and estimator == "drop":
            return Branch((), None)
        wrapped = find_wrapped(estimator)
        if wrapped is not None:
            return self.visit(getattr(estimator, wrapped), features, _join(path, wrapped))
        if isinstance(estimator, Pipeline):
            return self._pipeline(estimator, features, path)
        if isinstance(estimator, ColumnTransformer):
            return self._column_transformer(estimator, features, path)
        if isinstance(estimator, FeatureUnion):
            return self._union(estimator, features, path)
        if find_composite(estimator) is not None:
            return self._composite(estimator, features, path)
        return self._step(estimator, features, path)

    def _pipeline(self, pipeline: Pipeline, features: list[Feature], path: str) -> Branch:
        branch = Branch(tuple(features), None)
        for name, step in pipeline.steps:
            branch = self.visit(step, list(branch.features), _join(path, name))
        return branch

    def _column_transformer(self, transformer: ColumnTransformer, features: list[Feature], path: str) -> Branch:
        outputs: list[Feature] = []
        places = transformer._transformer_to_input_indices
        for name, step, _ in transformer.transformers_:
            chosen = [features[int(i)] for i in places[name]]
            if chosen:
                outputs += self._weighted(step, chosen, transformer.transformer_weights, name, path)
        return Branch(tuple(outputs), None)

    def _union(self, union: FeatureUnion, features: list[Feature], path: str) -> Branch:
        outputs: list[Feature] = []
        for name, step in union.transformer_list:
            outputs += self._weighted(step, features, union.transformer_weights, name, path)
        return Branch(tuple(outputs), None)

    def _weighted(
        self, step: Any, features: list[Feature], weights: dict[str, float] | None, name: str, path: str
    ) -> list[Feature]:
        """A transformer's outputs, times its entry in `transformer_weights`."""
        outputs = list(self.visit(step, features, _join(path, name)).features)
        weight = (weights or {}).get(name)
        if weight is None or not outputs:
            return outputs
        return list(self._step(Weight(weight, len(outputs)), outputs, _join(path, f"{name}.weight")).features)

    def _composite(self, estimator: Any, features: list[Feature], path: str) -> Branch:
        composite = find_composite(estimator)
        assert composite is not None
        members = []
        for member in composite.members(estimator):
            chosen = features if member.features is None else [features[int(i)] for i in member.features]
            members.append(self.visit(member.estimator, chosen, _join(path, member.name)))
        reads = tuple(features) if composite.reads(estimator) else ()
        return self._add(path, estimator, "composite", reads, len(features), tuple(members))

    def _step(self, estimator: Any, features: list[Feature], path: str) -> Branch:
        refusal = find_refusal(estimator, path)
        if refusal is not None:
            self.blockers.append(refusal)
            return Branch(tuple(features), None)
        name = path or type(estimator).__name__
        if is_vectoriser(estimator):
            return self._vectoriser(estimator, features, path)
        features = self._coded(estimator, features, path)
        self._reveal_text(estimator, features)
        text = [feature.text for feature in features]
        parts = columnwise.split(estimator, text) if any(text) else None
        if parts is not None:
            return self._split(parts, features, path or type(estimator).__name__)
        kind = "leaf"
        if columnwise.is_encoder(estimator):
            kind = "table"
        elif any(text):
            kind = self._text_step(estimator, text, name)
        return self._add(path, estimator, kind, tuple(features), len(features))

    def _split(self, split: columnwise.Split, features: list[Feature], path: str) -> Branch:
        """A step that takes texts and numbers together becomes a step for each."""
        made = [
            self._add(path, part.estimator, part.kind, tuple(features[i] for i in part.positions), len(part.positions))
            for part in split.parts
        ]
        return Branch(tuple(made[part].features[index] for part, index in split.outputs), None)

    def _vectoriser(self, estimator: Any, features: list[Feature], path: str) -> Branch:
        feature = features[0] if len(features) == 1 else None
        if not isinstance(feature, Raw):
            kind = type(estimator).__name__
            reason = "gets " + ("another step's output" if feature else f"{len(features)} columns")
            remedy = 'It must read one column of texts as it comes: ("name", step, "column") in a ColumnTransformer.'
            self.blockers.append(Blocker(path or kind, kind, reason, remedy))
            return self._add(path, estimator, "leaf", tuple(features), len(features))
        if not feature.text:
            raise TextFound({feature.column})
        return self._add(path, estimator, "vectoriser", (feature,), 1)

    def _coded(self, estimator: Any, features: list[Feature], path: str) -> list[Feature]:
        """Features that a booster takes as categories become the codes that its trees test."""
        codes = native_codes(estimator)
        if codes is None:
            return features
        chosen = [features[i] for i in codes.columns]
        coded = self._step(codes, chosen, _join(path, "categories")).features
        places = dict(zip(codes.columns, coded, strict=True))
        return [places.get(i, feature) for i, feature in enumerate(features)]

    def _add(
        self,
        path: str,
        estimator: Any,
        kind: str,
        reads: tuple[Feature, ...],
        count: int,
        members: tuple[Branch, ...] = (),
    ) -> Branch:
        name = path or type(estimator).__name__
        try:
            width = _width(estimator, count)
        except NotFittedError:
            raise  # the whole is told to be fitted
        except Exception as error:  # noqa: BLE001  # a transformer of the user's own may raise anything
            others = [blocker for blocker in self.blockers if blocker.step != name]  # what this step lacks comes of it
            self.blockers = [*others, _refused_row(name, estimator, count, error)]
            width = count
        step = Step(name, estimator, kind, reads, width, members)
        self.steps.append(step)
        return Branch(tuple(step.outputs()), step)

    def _reveal_text(self, estimator: Any, features: list[Feature]) -> None:
        found = {
            feature.column
            for position, feature in enumerate(features)
            if isinstance(feature, Raw) and not feature.text and columnwise.learned_text(estimator, position)
        }
        if found:
            raise TextFound(found)

    def _text_step(self, estimator: Any, text: list[bool], name: str) -> str:
        if columnwise.keeps_text(estimator) and all(text):
            return "text"
        reason = "gets text columns"
        remedy = "Encode them before it (OneHotEncoder, TfidfVectorizer …); give dates as datetimes (--date-column)."
        if columnwise.keeps_text(estimator):
            reason, remedy = "takes text and number columns together", "Give each kind a transformer of its own."
        self.blockers.append(Blocker(name, type(estimator).__name__, reason, remedy))
        return "leaf"


def _is_identity(estimator: Any) -> bool:
    """A fitted ColumnTransformer has such steps in place of "passthrough"."""
    return type(estimator) is FunctionTransformer and estimator.func is None


def _refused_row(name: str, estimator: Any, count: int, error: Exception) -> Blocker:
    columns = "one column" if count == 1 else f"the {count} columns"
    reason = f"does not take {columns} that reach{'es' if count == 1 else ''} it"
    return Blocker(
        name,
        type(estimator).__name__,
        f"{reason}: {type(error).__name__}: {' '.join(str(error).split()):.200}",
        "Pass data (--data) with just those columns that it was fitted on; --target-column leaves one out.",
    )


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _width(estimator: Any, n_inputs: int) -> int:
    """The number of columns that `transform` gives; 0 for an estimator that only predicts."""
    if not hasattr(estimator, "transform"):
        return 0
    if (hashed := hashed_width(estimator)) is not None:
        return hashed
    names = getattr(estimator, "feature_names_in_", None)
    try:
        return len(estimator.get_feature_names_out(names))
    except (AttributeError, ValueError, TypeError):
        if type(estimator) is FunctionTransformer:
            return _function_width(estimator, n_inputs)
        row = [""] if takes_texts(estimator) else np.zeros((1, n_inputs))
        try:
            return int(np.asarray(estimator.transform(row)).shape[1])
        except RuntimeError:  # PyTorch's: a network inside takes float32 alone
            return int(np.asarray(estimator.transform(np.zeros((1, n_inputs), np.float32))).shape[1])


def _function_width(transformer: FunctionTransformer, n_inputs: int) -> int:
    """By a call with a row of ones; a function that cannot take it is refused when its nodes are asked for."""
    row = np.ones((1, n_inputs))
    names = getattr(transformer, "feature_names_in_", None)
    try:
        made = transformer.transform(row if names is None else pd.DataFrame(row, columns=names))
        return int(np.asarray(made).reshape(1, -1).shape[1])
    except Exception:  # noqa: BLE001  # a user's function may raise anything
        return n_inputs
