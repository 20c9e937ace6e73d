"""What stands in the way of a conversion, all of it at once, and what the target device would need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from edge_infer.errors import Blocker, ConversionError, UnsupportedModelError
from edge_infer.manifest import METHODS, Needs
from edge_infer_convert.boosters import readings_kept
from edge_infer_convert.composites import find_composite
from edge_infer_convert.graph.assemble import OPSETS, assemble, needs
from edge_infer_convert.graph.builder import GraphBuilder
from edge_infer_convert.graph.leaf import at_step, convert_leaf
from edge_infer_convert.graph.plan import Step
from edge_infer_convert.schema import DataNeededError, Schema, make_schema, planned

__all__ = ["Preflight", "preflight", "step_blockers"]

_PRECISIONS = ("float32", "float64")


class Preflight(NamedTuple):
    """`blockers` are all that stands in the way. `needs` is what a device must have, where that is known by now.

    data_needed: columns whose range neither the steps nor the data tell, so that `convert` asks for data.
    """

    steps: tuple[tuple[str, str], ...]  # path and class of every step
    blockers: tuple[Blocker, ...]
    needs: Needs | None
    data_needed: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.blockers


def preflight(estimator: Any, data: Any = None) -> Preflight:
    """Look for everything that stands in the way of `convert`, without converting or proving anything.

    Args:
        estimator: a fitted estimator or pipeline.
        data: as for `convert`; what only the data tells (text columns, kinds) is found only with it.

    Raises:
        SchemaError: it is not fitted, or the data is no table.
    """
    with readings_kept():
        return _preflight(estimator, data)


def _preflight(estimator: Any, data: Any) -> Preflight:
    plan, blockers = planned(estimator, data)
    steps = tuple((step.path, type(step.estimator).__name__) for step in plan.steps)
    known = {blocker.step for blocker in blockers}
    found = [*blockers, *step_blockers(step for step in plan.steps if step.path not in known)]
    if found:
        return Preflight(steps, tuple(found), None)
    try:
        schema = make_schema(estimator, data)
        return Preflight(steps, (), _needs(schema))
    except DataNeededError as error:
        return Preflight(steps, (), None, error.columns)
    except ConversionError as error:
        return Preflight(steps, _as_blockers(error, estimator), None)


def step_blockers(steps: Iterable[Step]) -> list[Blocker]:
    """The steps that can be expressed in no precision. Each is tried alone, on a graph that is thrown away."""
    found: list[Blocker] = []
    for step in steps:
        failures = [_failure(step, precision) for precision in _PRECISIONS]
        if all(failure is not None for failure in failures):
            last = failures[-1]
            assert last is not None
            found += [blocker for blocker in last.blockers if blocker not in found]
    return found


def _failure(step: Step, precision: str) -> UnsupportedModelError | None:
    builder = GraphBuilder(precision, OPSETS)
    try:
        if step.kind in ("leaf", "vectoriser"):
            convert_leaf(builder, step.path, step.estimator, "x", len(step.inputs))
        elif step.kind == "composite":
            composite = find_composite(step.estimator)
            assert composite is not None
            answers = [{method: ["x"] for method in METHODS} for _ in step.members]
            with at_step(step.path, step.estimator):
                composite.combine(builder, step.estimator, answers, "x")
    except UnsupportedModelError as error:
        return error
    return None


def _needs(schema: Schema) -> Needs:
    try:
        return needs(assemble(schema, "float32").model)
    except UnsupportedModelError:
        return needs(assemble(schema, "float64").model)


def _as_blockers(error: ConversionError, estimator: Any) -> tuple[Blocker, ...]:
    """An error that names no step stands in the way as a whole."""
    named = getattr(error, "blockers", ())
    if named:
        return tuple(named)
    reason, _, remedy = str(error).partition("\n")
    return (Blocker("", type(estimator).__name__, reason, remedy),)
