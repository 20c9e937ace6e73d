"""A fitted pipeline as a plan: which steps work on which features, followed through Pipeline,
ColumnTransformer, FeatureUnion and search wrappers. Nothing is converted here.

A *feature* is one column on its way through the pipeline: a raw input column, or one output of a step.
Whether it holds text or numbers is known at each point, so that text can be resolved to codes at the
very front of the graph (see `tables.py`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer

from edge_infer.errors import UnsupportedModelError
from edge_infer_convert.graph import columnwise

__all__ = ["Feature", "Plan", "Raw", "Step", "StepOutput", "make_plan"]


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

    kind: "text" (columnwise, text stays text), "table" (columnwise encoder: each output depends on one
    input, so that a table of its answers replaces it), or "leaf" (an operator on a numeric matrix).
    """

    def __init__(self, path: str, estimator: BaseEstimator, kind: str, inputs: tuple[Feature, ...], width: int) -> None:
        self.path, self.estimator, self.kind, self.inputs, self.width = path, estimator, kind, inputs, width

    def outputs(self) -> list[Feature]:
        return [StepOutput(self, i) for i in range(self.width)]


class Plan(NamedTuple):
    """`final` is the step that answers; None where the pipeline ends in composed transformers."""

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
    while True:
        walk = _Walk()
        try:
            raw: list[Feature] = [Raw(i, i in text) for i in range(n_columns)]
            features = walk.visit(estimator, raw, "", final=True)
            return Plan(tuple(features), walk.final, tuple(walk.steps)), text
        except TextFound as found:
            text = text | found.columns


class _Walk:
    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.final: Step | None = None

    def visit(self, estimator: Any, features: list[Feature], path: str, *, final: bool = False) -> list[Feature]:
        """The features behind `estimator`. `final` tells whether its answers are the model's."""
        if estimator is None or estimator == "passthrough" or _is_identity(estimator):
            return features
        if isinstance(estimator, str) and estimator == "drop":
            return []
        if hasattr(estimator, "best_estimator_"):
            return self.visit(estimator.best_estimator_, features, _join(path, "best_estimator_"), final=final)
        if isinstance(estimator, Pipeline):
            return self._pipeline(estimator, features, path, final)
        if isinstance(estimator, ColumnTransformer):
            return self._column_transformer(estimator, features, path)
        if isinstance(estimator, FeatureUnion):
            return self._union(estimator, features, path)
        return self._step(estimator, features, path, final)

    def _pipeline(self, pipeline: Pipeline, features: list[Feature], path: str, final: bool) -> list[Feature]:
        for position, (name, step) in enumerate(pipeline.steps):
            last = position == len(pipeline.steps) - 1
            features = self.visit(step, features, _join(path, name), final=final and last)
        return features

    def _column_transformer(self, transformer: ColumnTransformer, features: list[Feature], path: str) -> list[Feature]:
        outputs: list[Feature] = []
        places = transformer._transformer_to_input_indices
        for name, step, _ in transformer.transformers_:
            chosen = [features[int(i)] for i in places[name]]
            if chosen:
                outputs += self._weighted(
                    self.visit(step, chosen, _join(path, name)), transformer.transformer_weights, name, path
                )
        return outputs

    def _union(self, union: FeatureUnion, features: list[Feature], path: str) -> list[Feature]:
        outputs: list[Feature] = []
        for name, step in union.transformer_list:
            outputs += self._weighted(
                self.visit(step, features, _join(path, name)), union.transformer_weights, name, path
            )
        return outputs

    def _weighted(
        self, outputs: list[Feature], weights: dict[str, float] | None, name: str, path: str
    ) -> list[Feature]:
        if weights and weights.get(name, 1) != 1:
            raise UnsupportedModelError(
                f"step {_join(path, name)!r}: transformer_weights are not supported yet; "
                "put the weight into the step itself (for example a FunctionTransformer or a scaler)"
            )
        return outputs

    def _step(self, estimator: Any, features: list[Feature], path: str, final: bool) -> list[Feature]:
        name = path or type(estimator).__name__
        self._reveal_text(estimator, features)
        text = [feature.text for feature in features]
        kind = "leaf"
        if columnwise.is_encoder(estimator):
            kind = "table"
        elif any(text):
            kind = self._text_step(estimator, text, name)
        width = 0 if final and not hasattr(estimator, "transform") else _width(estimator, len(features))
        step = Step(name, estimator, kind, tuple(features), width)
        self.steps.append(step)
        if final:
            self.final = step
        return step.outputs()

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
        kind = type(estimator).__name__
        reason = (
            "takes text and number columns together; give each kind a transformer of its own"
            if columnwise.keeps_text(estimator)
            else "gets text columns; encode them before it (OneHotEncoder, OrdinalEncoder, TargetEncoder)"
        )
        raise UnsupportedModelError(f"step {name!r} ({kind}) {reason}. Text vectorisers are not supported yet.")


def _is_identity(estimator: Any) -> bool:
    """A fitted ColumnTransformer has such steps in place of "passthrough"."""
    return type(estimator) is FunctionTransformer and estimator.func is None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _width(estimator: Any, n_inputs: int) -> int:
    """The number of columns that `transform` gives; 0 for an estimator that only predicts."""
    if not hasattr(estimator, "transform"):
        return 0
    names = getattr(estimator, "feature_names_in_", None)
    try:
        return len(estimator.get_feature_names_out(names))
    except (AttributeError, ValueError, TypeError):
        return int(np.asarray(estimator.transform(np.zeros((1, n_inputs)))).shape[1])
