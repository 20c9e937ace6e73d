"""Every variant that was asked for: made, packaged, loaded, held against the float graph, and measured here."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from edge_infer.artifact import parse_artifact
from edge_infer.errors import EdgeInferError, UnsupportedModelError, UsageError
from edge_infer.goldens import Tolerance
from edge_infer.interface import Interface, TensorSpec
from edge_infer.model import Model
from edge_infer.options import SessionOptions
from edge_infer.quantization import Quantization
from edge_infer.session import ONNXRUNTIME_VERSION
from edge_infer_convert.deep.cleaning import cleaned
from edge_infer_convert.deep.inputs import TensorInput
from edge_infer_convert.deep.parity import Compared, TensorParity, furthest
from edge_infer_convert.deep.quieted import quieted
from edge_infer_convert.quantize.asked import Asked
from edge_infer_convert.quantize.calibration import Sample, made_sample, split
from edge_infer_convert.quantize.choosing import FLOAT, Tried, best, objection
from edge_infer_convert.quantize.measuring import measured
from edge_infer_convert.quantize.metrics import Judge, Score
from edge_infer_convert.quantize.variants import Feeds, Variant, prepared, quantizes
from edge_infer_convert.result import Clock
from edge_infer_convert.targets import Target

__all__ = ["Floats", "Outcome", "Quantized", "try_all"]

#: Of golden answers, by kind: how far another processor's kernels may be from this one's. Those of whole numbers may
#: round to the next of 256 steps; where that is more here (the graph run fused and unfused, below), more is allowed.
_RELATIVE: Final = {"int8": 5e-2, "uint8": 5e-2, "fp16": 1e-2, "weights-int4": 1e-2}
_MOST_RELATIVE: Final = 1e-2  # FORMAT.md, section 5
_ROOM: Final = 4.0  # × the difference between fused and unfused here


_WARNINGS, _ERRORS = 2, 3  # onnxruntime's levels; the first is its own default


class Floats(NamedTuple):
    """The float32 model, proven against its original. artifact: as it would be written. target: of all variants."""

    graph: ModelProto
    model: Model
    told: Sequence[TensorInput]
    interface: Interface
    parity: TensorParity
    artifact: bytes
    target: Target | None = None


class Quantized(NamedTuple):
    """A quantized graph, what is recorded of it, and what it answers to the calls of the goldens. worst: by output, as
    of the parity's, against the original."""

    graph: ModelProto
    record: Quantization
    made: tuple[Compared, ...]
    tolerances: dict[str, Tolerance]
    worst: dict[str, float]


class Outcome(NamedTuple):
    """rows: float32 first. kept: None where float32 is; artifact: what is written."""

    rows: tuple[Tried, ...]
    kept: Quantized | None
    artifact: bytes


#: The artifact of a quantized graph.
Pack = Callable[[Quantized], bytes]


def try_all(floats: Floats, asked: Asked, sample: Sample | None, pack: Pack, clock: Clock) -> Outcome:
    """The table, and the artifact to write.

    Raises:
        UsageError: targets that are no answers of this model, or a model that has no float32 graph.
    """
    if any(spec.dtype == "float64" for spec in [*floats.interface.inputs, *floats.interface.outputs]):
        raise UsageError("quantize: expected a model of float32, got one of float64; convert it in float32 first")
    with clock.stage("quantize", "float32"):
        trial = _Trial(floats, asked, sample, pack)
    variants = list(asked.variants)
    for variant in variants:  # grows where ranges are set in another way
        with clock.stage("quantize", variant.name):
            row = trial.row(variant)
        if row.score is not None and row.score.loss > asked.max_loss:
            variants += [_other_way(variant, method) for method in variant.instead]
    return trial.outcome()


def _other_way(variant: Variant, method: str) -> Variant:
    def make(graph: ModelProto, calls: Sequence[Feeds]) -> ModelProto:
        return variant.make(graph, calls, method=method)  # type: ignore[call-arg]

    return variant._replace(name=f"{variant.name}-{method.lower()}", make=make, instead=())


class _Trial:
    """The float model, measured, and one variant after the other held against it."""

    def __init__(self, floats: Floats, asked: Asked, sample: Sample | None, pack: Pack) -> None:
        self._floats, self._asked, self._pack = floats, asked, pack
        self._given = sample is not None
        self._sample = sample or made_sample(floats.told)
        calibrated = self._given and any(variant.calibrated for variant in asked.variants)
        self._split = split(self._sample.examples, calibrated=calibrated)
        self._calls = [self._sample.call(np.array([place])) for place in self._split.calibrating]
        self._judge = Judge(
            floats.interface, self._sample, self._split.judging, asked.targets, floats.model.run, self._wide()
        )
        with _tools():
            self._prepared = _prepared(floats.graph)
        self._recipes = dict(floats.parity.made[0].call.recipes or {})
        found = measured(floats.artifact, self._recipes)
        self._base = Tried(FLOAT, FLOAT, len(floats.artifact), found.p50, found.peak, None, False, "")
        self._rows: list[Tried] = []
        self._candidates: dict[str, tuple[Quantized, bytes]] = {}

    def _wide(self) -> int:
        """Elements of the answers to one call of one example."""
        first = self._floats.parity.made[0]
        return max(1, sum(tensor.size for tensor in first.original.values()))

    def row(self, variant: Variant) -> Tried:
        """Of the table; what went wrong is its reason."""
        try:
            row = self._tried(variant)
        except _Unmade as error:
            row = Tried(variant.name, variant.kind, None, None, None, None, False, str(error))
        self._rows.append(row)
        return row

    def _tried(self, variant: Variant) -> Tried:
        if variant.calibrated and not self._given:
            raise _Unmade("it needs examples to set ranges by, and there are none")
        graph = self._made(variant)
        try:
            model = Model(parse_artifact(graph.SerializeToString()), SessionOptions())
            score = self._judge.score(model.run)
            finite = np.isfinite([score.before, score.after, score.loss]).all()
            quantized = self._quantized(variant, graph, model, score)
            artifact = self._pack(quantized if finite else quantized._replace(record=_unscored(quantized.record)))
            found = measured(artifact, self._recipes)
        except EdgeInferError as error:
            raise _Unmade(f"it does not run here: {' '.join(str(error).split())[:200]}") from error
        row = Tried(variant.name, variant.kind, len(artifact), found.p50, found.peak, score, False, "")
        why_not = objection(row, self._base, self._asked.max_loss)
        if why_not is None:
            self._candidates[variant.name] = quantized, artifact
        return row._replace(reason=why_not or "")

    def _made(self, variant: Variant) -> ModelProto:
        """Raises _Unmade: the tool fails, or there is nothing in the graph that it makes smaller."""
        try:
            with _tools():
                copy = ModelProto()
                copy.CopyFrom(self._prepared)  # the tools write into what they are given
                made = variant.make(copy, self._calls)
                if not quantizes(made, self._prepared):
                    raise _Unmade("there is nothing in the graph that it makes smaller")
                return _tidied(made, self._floats)
        except _Unmade:
            raise
        except UnsupportedModelError as error:  # it is newer than the target
            raise _Unmade(" ".join(str(error).split())[:200]) from error
        except Exception as error:  # of the tools, of no one class
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise _Unmade(f"onnxruntime's tool fails on this graph: {reason}") from error

    def _quantized(self, variant: Variant, graph: ModelProto, model: Model, score: Score) -> Quantized:
        record = Quantization(
            kind=variant.kind, variant=variant.name, library=f"onnxruntime {ONNXRUNTIME_VERSION}",
            calibration=len(self._calls) if variant.calibrated else 0, metric=score.metric, output=score.output,
            before=score.before, after=score.after, loss=score.loss, examples=score.examples,
            sample="made" if self._sample.made else self._split.sample,
        )  # fmt: skip
        made = tuple(each._replace(converted=dict(model.run(each.call.feeds))) for each in self._floats.parity.made)
        tolerances = _tolerances(graph, made, self._floats.parity.tolerances, _RELATIVE[variant.kind])
        worst = {name: furthest(made, name, tolerance) for name, tolerance in self._floats.parity.tolerances.items()}
        return Quantized(graph, record, made, tolerances, worst)

    def outcome(self) -> Outcome:
        may = [row for row in self._rows if row.variant in self._candidates]
        chosen = best(may, self._base)
        rows = [row if row.reason else self._told(row, chosen) for row in self._rows]
        if chosen is None:
            none = "no variant is smaller or faster and loses no more than may be lost"
            base = self._base._replace(kept=True, reason=none)
            return Outcome((base, *rows), None, self._floats.artifact)
        return Outcome((self._base, *rows), *self._candidates[chosen.variant])

    def _told(self, row: Tried, chosen: Tried | None) -> Tried:
        if chosen is not None and row.variant == chosen.variant:
            gain = row.gain(self._base)
            return row._replace(kept=True, reason=f"of what may be kept, the least size × p50 ({gain:.2f})")
        by = "" if chosen is None else f"{chosen.variant} has less size × p50, or as much to within 10%"
        return row._replace(reason=by)


@contextlib.contextmanager
def _tools() -> Iterator[None]:
    """Around the tools of onnxruntime, whose sessions would write warnings of their own graphs to standard error."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(_ERRORS)
    try:
        with quieted():
            yield
    finally:
        onnxruntime.set_default_logger_severity(_WARNINGS)


class _Unmade(Exception):
    """Why there is no such variant."""


def _unscored(record: Quantization) -> Quantization:
    """For measuring alone: JSON has no infinities, and what gives some is not kept."""
    return record._replace(before=0.0, after=0.0, loss=100.0)


def _prepared(graph: ModelProto) -> ModelProto:
    try:
        return prepared(graph)
    except Exception:  # noqa: BLE001  # of onnxruntime's optimizer, of no one class: the graph serves as it is
        copy = ModelProto()
        copy.CopyFrom(graph)
        return copy


def _tidied(made: ModelProto, floats: Floats) -> ModelProto:
    """Without the tool's notes, and without the operator sets that no node is of."""
    used = {node.domain for node in made.graph.node} | {""}
    sets = [entry for entry in made.opset_import if entry.domain in used]
    del made.opset_import[:]
    made.opset_import.extend(sets)
    del made.metadata_props[:]
    made.metadata_props.extend(floats.graph.metadata_props)
    del made.graph.value_info[:]  # shapes that nobody reads, one for each of the many new tensors
    specs: list[TensorSpec] = [each.spec for each in floats.told]
    tidy = cleaned(made, specs, target=floats.target)
    del tidy.graph.value_info[:]
    for place, value in enumerate(floats.graph.graph.output):
        tidy.graph.output[place].CopyFrom(value)
    onnx.checker.check_model(tidy)
    return tidy


def _tolerances(
    graph: ModelProto, made: Sequence[Compared], floats: Mapping[str, Tolerance], least: float
) -> dict[str, Tolerance]:
    """Of each output: `least`, or some times the difference between the graph as it runs here, fused into kernels of
    whole numbers, and the same graph node by node. Outputs of whole numbers have none."""
    plain = _unfused(graph)
    found = {}
    for name, tolerance in floats.items():
        if not tolerance.relative:
            continue
        apart = 0.0
        if plain is not None:
            again = [each._replace(original=plain(each.call.feeds)) for each in made]
            apart = furthest(again, name, tolerance)
        found[name] = _tolerance(max(least, _ROOM * apart), tolerance.scale)
    return found or dict(floats)


def _tolerance(relative: float, scale: float) -> Tolerance:
    """|difference| ≤ relative × scale, for numbers up to relative ÷ 0.01 × scale; readers take no relative above."""
    within = min(relative, _MOST_RELATIVE)
    return Tolerance(within, scale * relative / within)


def _unfused(graph: ModelProto) -> Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]] | None:
    """The graph run as it is written, without onnxruntime's optimizations; None where it has no such kernels."""
    import onnxruntime  # behind edge_infer.session, which turns its telemetry off

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    try:
        session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001  # onnxruntime's own classes derive from Exception only
        return None
    names = [value.name for value in session.get_outputs()]
    return lambda feeds: dict(zip(names, session.run(names, dict(feeds)), strict=True))
