"""The stages of an estimator's conversion, each a function to the next type: schema → graph → gate → artifact."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import onnx
import sklearn
from sklearn.pipeline import Pipeline

from edge_infer.artifact import parse_artifact
from edge_infer.errors import (
    ArtifactError,
    ConversionError,
    EdgeInferError,
    InferenceError,
    ParityError,
    RuntimeFitError,
    SchemaError,
    UnsupportedModelError,
)
from edge_infer.files import write_atomically
from edge_infer.manifest import (
    KEY_GOLDENS,
    KEY_MANIFEST,
    KEY_PARITY,
    KEY_REFERENCE,
    Manifest,
    Source,
    render_manifest,
)
from edge_infer.model import Model
from edge_infer.options import SessionOptions
from edge_infer.tensors import whole_feeds
from edge_infer.verification import verify
from edge_infer_convert.answers import Answers
from edge_infer_convert.blame import blame
from edge_infer_convert.blockers import step_blockers
from edge_infer_convert.boosters import readings_kept
from edge_infer_convert.card import read_card
from edge_infer_convert.exactness import is_exact
from edge_infer_convert.golden_rows import make_goldens
from edge_infer_convert.graph.assemble import Assembled, assemble, needs
from edge_infer_convert.networks import holds_network, network_versions
from edge_infer_convert.parity import RELATIVE, Parity, compare, holds_in_parts, require_equal
from edge_infer_convert.passes import EXACT
from edge_infer_convert.probes import make_probes
from edge_infer_convert.reference import make_reference
from edge_infer_convert.result import Clock, Conversion, Progress, with_metadata
from edge_infer_convert.schema import Schema, make_schema
from edge_infer_convert.structural_proof import prove_trees
from edge_infer_convert.targets import Target

__all__ = ["convert_estimator"]

_SURE: Final = 0.1  # of the tolerance: with "auto", float32 must hold within it, for the sake of rows beyond the probes
_EXACT_WHOLE: Final = 2**24  # float32 holds every whole number up to here


def convert_estimator(
    estimator: Any,
    *,
    data: Any,
    reference: Any,
    target: Target | None,
    name: str,
    version: str,
    release: int,
    precision: str,
    output: Path | None,
    report: str | os.PathLike[str] | None,
    strict_privacy: bool,
    card: Mapping[str, Any] | None,
    progress: Progress | None,
) -> Conversion:
    """Schema, graph, comparison, artifact. See `edge_infer_convert.convert`."""
    clock = Clock(progress)
    with readings_kept():
        with clock.stage("schema", type(estimator).__name__):
            schema = make_schema(estimator, data, reference)
            schema = schema if card is None else schema.told(read_card(card, schema.columns))
            rows = _training_rows(schema, strict_privacy)
        proven = _prove(schema, precision, report, name, clock)
        if target is not None:
            target.check(proven.assembled.model)
    with clock.stage("package", f"{name} {version}"):
        manifest = _manifest(schema, proven, name, version, release, rows)
        artifact = _package(proven, manifest, schema)
        if output is not None:
            write_atomically(output, artifact)
    return Conversion(artifact, output, manifest, proven.parity, proven.parity.certificate(), clock.seconds)


class _Proven(NamedTuple):
    assembled: Assembled
    parity: Parity
    precision: str
    reason: str


def _prove(schema: Schema, precision: str, report: Any, name: str, clock: Clock) -> _Proven:
    """The first precision that holds. With "auto", float32 is tried before float64."""
    tried, reason = _order(schema, precision)
    failures: dict[str, EdgeInferError] = {}
    answers: Answers | None = None
    held: _Proven | None = None
    inexact: set[str] = set()  # passes that the next attempt goes without
    for choice, again in itertools.product(tried, (False, True)):
        if again and not inexact:
            continue
        without, inexact = (inexact, set()) if again else (set(), set())
        last = False
        try:
            with clock.stage("convert", _attempt(schema, choice, without)):
                assembled = assemble(schema, choice, without)
            inexact = set(assembled.passes) - EXACT
            last = choice == tried[-1] and not inexact
            explained = last and held is None  # else another attempt is what the caller gets
            with clock.stage("probe", choice):
                answers = answers or Answers.of_taken(schema.original, make_probes(schema))
                parity = _gate(schema, assembled, answers, choice, report, name, hasty=not explained)
        except (ConversionError, ArtifactError, RuntimeFitError, InferenceError) as error:
            failures[choice] = error if isinstance(error, ConversionError) else _unloadable(error)
            continue
        why = _why_this(precision, reason, parity) if choice == tried[0] else _why_not(tried[0], failures, held)
        held = _Proven(assembled, parity, choice, why)
        if last or not _is_close_call(parity):
            return held
    if held is not None:
        return held
    if isinstance(failures[tried[0]], ParityError) and not isinstance(failures[tried[-1]], ParityError):
        assert answers is not None
        try:  # its rows are what is told: now all of them, with the step to blame and the report
            _gate(schema, assemble(schema, tried[0]), answers, tried[0], report, name, hasty=False)
        except ParityError as error:
            failures[tried[0]] = error
    blockers = step_blockers(schema.plan.steps) if _all_unsupported(failures) else []
    raise UnsupportedModelError.of(blockers) if len(blockers) > 1 else _failure(failures)


def _attempt(schema: Schema, choice: str, without: Collection[str]) -> str:
    off = ", no steps merged" if without else ""
    columns, steps = len(schema.columns), len(schema.plan.steps)
    return f"{columns} column{'s' if columns != 1 else ''}, {steps} step{'s' if steps != 1 else ''}, {choice}{off}"


def _why_this(asked: str, reason: str, parity: Parity) -> str:
    """Why the first precision was taken; where it was asked for, also what "auto" would not have taken."""
    if asked != "float32" or not _is_close_call(parity):
        return reason
    return f"{reason}; {_nearness('float32', parity)}"


def _why_not(choice: str, failures: dict[str, EdgeInferError], held: _Proven | None) -> str:
    """Why the first precision was not taken."""
    if held is not None and held.precision != choice:
        return held.reason
    if held is not None:
        return f"{choice} would hold, but {_nearness(choice, held.parity)}"
    failure = failures[choice]
    if isinstance(failure, ParityError) and failure.rows:
        return f"{choice} does not hold: {failure.rows:,} probe row{'s' if failure.rows > 1 else ''} get other answers"
    return f"{choice} does not hold: {_head(failure):.200}"


def _nearness(choice: str, parity: Parity) -> str:
    most = _SURE * RELATIVE[choice]
    return f"its worst difference is {_worst(parity):.2g}, and auto takes at most {most:.0e}, a tenth of the tolerance"


def _is_close_call(parity: Parity) -> bool:
    """Equal, and yet so near the tolerance that other rows may be beyond it."""
    return any(c.worst > c.tolerance.relative * _SURE > 0 for c in parity.comparisons)


def _worst(parity: Parity) -> float:
    return max(comparison.worst for comparison in parity.comparisons)


def _all_unsupported(failures: dict[str, EdgeInferError]) -> bool:
    return all(isinstance(failure, UnsupportedModelError) and failure.blockers for failure in failures.values())


def _unloadable(error: EdgeInferError) -> UnsupportedModelError:
    """The converters gave a graph that no onnxruntime runs."""
    wrapped = UnsupportedModelError(
        f"the graph that the converters gave cannot be run: {' '.join(str(error).split())[:300]}\n"
        "Replace the step that needs it; see the list of supported estimators."
    )
    wrapped.__cause__ = error
    return wrapped


def _head(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _failure(failures: dict[str, EdgeInferError]) -> EdgeInferError:
    """The failure that tells most (rows before reasons, the last before the first), and a line on the other."""
    order = sorted(failures, key=lambda choice: isinstance(failures[choice], ParityError))
    chosen = failures[order[-1]]
    if len(order) == 1:
        return chosen
    other = _head(failures[order[0]])
    why = "the same" if other == _head(chosen) else other[:200]
    note = f"These rows are from {order[-1]}; {order[0]} fails too: {why}"
    if isinstance(chosen, ParityError):
        both: EdgeInferError = ParityError(f"{_head(chosen)}\n{note}", chosen.table, chosen.rows)
    else:
        both = type(chosen)(f"{chosen}\n{note}")
    both.__cause__ = chosen.__cause__
    return both


def _order(schema: Schema, precision: str) -> tuple[tuple[str, ...], str]:
    if precision == "float32":
        times = [column.name for column in schema.columns if column.kind == "datetime"]
        if times:
            raise SchemaError(f"column {times[0]!r} holds times, which need precision 'float64' or 'auto'")
    if precision != "auto":
        return (precision,), "asked for"
    for column in schema.columns:
        if column.kind == "datetime":
            return ("float64",), f"column {column.name!r} holds times, which float32 does not hold exactly"
        if column.kind == "integer" and column.range and max(map(abs, column.range)) > _EXACT_WHOLE:
            return ("float64",), f"column {column.name!r} holds whole numbers that float32 does not hold exactly"
    return ("float32", "float64"), "proven equal on the probes"


def _gate(
    schema: Schema, assembled: Assembled, answers: Answers, precision: str, report: Any, name: str, *, hasty: bool
) -> Parity:
    proof = prove_trees(assembled.model, assembled.builder, assembled.ensembles)
    draft = with_metadata(assembled.model, {KEY_MANIFEST: render_manifest(_draft(schema, assembled, precision))})
    model = Model(parse_artifact(draft), SessionOptions())  # whatever the environment or a record of this device says
    exact, single = is_exact(schema.plan), holds_network(step.estimator for step in schema.plan.steps)
    parity = compare(model, answers, precision, exact=exact, single=single, hasty=hasty)._replace(proof=proof)
    names = [column.name for column in schema.columns]
    if hasty:
        require_equal(parity, names, None)
    if report is not None:
        from edge_infer_convert.report import write_report

        write_report(Path(report), name, model.manifest, parity)
    culprit = None
    if not parity.equal:
        culprit = blame(assembled, whole_feeds(model.manifest.inputs, parity.probes.rows), parity, RELATIVE[precision])
    require_equal(parity, names, culprit)
    return parity


def _draft(schema: Schema, assembled: Assembled, precision: str) -> Manifest:
    empty = Source("", "", {})
    return Manifest(
        "draft",
        "0",
        0,
        schema.original.task,
        precision,
        "",
        assembled.inputs,
        assembled.outputs,
        empty,
        needs(assembled.model),
        assembled.missing_methods,
        description=schema.card.description,
        license=schema.card.license,
        metrics=schema.card.metrics,
    )


def _manifest(schema: Schema, proven: _Proven, name: str, version: str, release: int, rows: int) -> Manifest:
    from skl2onnx import __version__ as skl2onnx_version

    versions = {
        "scikit-learn": sklearn.__version__,
        "skl2onnx": skl2onnx_version,
        "onnx": onnx.__version__,
        "numpy": np.__version__,
    }
    return _draft(schema, proven.assembled, proven.precision)._replace(
        name=name,
        version=version,
        release=release,
        precision_reason=proven.reason,
        splits=_splits(schema, proven),
        source=Source("scikit-learn", _described(schema), versions | _networks(schema)),
        training_rows=rows,
    )


def _networks(schema: Schema) -> dict[str, str]:
    return network_versions(step.estimator for step in schema.plan.steps)


def _splits(schema: Schema, proven: _Proven) -> bool:
    """Whether trees may run in parts, as many rows do, and the answers still hold."""
    draft = _draft(schema, proven.assembled, proven.precision)._replace(splits=True)
    artifact = parse_artifact(with_metadata(proven.assembled.model, {KEY_MANIFEST: render_manifest(draft)}))
    return holds_in_parts(artifact, proven.parity)


def _described(schema: Schema) -> str:
    """The steps in a line: "num.scale: StandardScaler → model: LogisticRegression"."""
    return " → ".join(f"{step.path}: {type(step.estimator).__name__}" for step in schema.plan.steps)[:2000]


def _package(proven: _Proven, manifest: Manifest, schema: Schema) -> bytes:
    import json

    certificate = json.dumps(proven.parity.certificate(), separators=(",", ":")).encode()
    metadata = {
        KEY_MANIFEST: render_manifest(manifest),
        KEY_GOLDENS: make_goldens(proven.parity, schema.original),
        KEY_PARITY: certificate,
    }
    reference = make_reference(schema)
    if reference is not None:
        metadata[KEY_REFERENCE] = reference
    artifact = with_metadata(proven.assembled.model, metadata)
    as_a_whole = SessionOptions(split_rows=0)  # in parts, all probes have been asked
    failed = [check for check in verify(artifact, options=as_a_whole) if check.status == "failed"]
    if failed:
        raise ParityError(f"the finished artifact does not verify: {failed[0].name}: {failed[0].detail}")
    return artifact


def _training_rows(schema: Schema, strict: bool) -> int:
    """Rows of the training data that the fitted steps carry (neighbours, support vectors, Gaussian processes)."""
    total = 0
    for step in schema.plan.steps:
        if step.kind == "composite":  # its members are steps themselves
            continue
        kept = _rows_kept(step.estimator)
        total += kept
        if strict and kept:
            raise UnsupportedModelError(
                f"step {step.path!r} ({type(step.estimator).__name__}) keeps {kept} training rows, which would "
                "travel inside the artifact; choose another kind of model, or drop strict privacy"
            )
    return total


def _rows_kept(estimator: Any) -> int:
    """By the estimator or by its members."""
    for attribute in ("_fit_X", "support_vectors_", "X_train_"):
        rows = getattr(estimator, attribute, None)
        if rows is not None and np.ndim(rows) == 2:
            return int(np.shape(rows)[0])
    if isinstance(estimator, Pipeline):
        return sum(_rows_kept(step) for _, step in estimator.steps)
    members = getattr(estimator, "estimators_", None)
    return sum(_rows_kept(member) for member in members) if isinstance(members, list) else 0
