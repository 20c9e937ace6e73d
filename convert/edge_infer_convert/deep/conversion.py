"""The stages of a deep model's conversion: inputs → graph → comparison → artifact."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from edge_infer.artifact import parse_artifact
from edge_infer.errors import ArtifactError, LimitError, ParityError, RuntimeFitError, SchemaError, UsageError
from edge_infer.files import write_atomically
from edge_infer.goldens import Tolerance
from edge_infer.interface import TENSOR_TYPES, Interface, State, TensorSpec
from edge_infer.labels import Label
from edge_infer.limits import LIMITS
from edge_infer.manifest import (
    KEY_MANIFEST,
    KEY_PARITY,
    KEY_TENSOR_GOLDENS,
    Inputs,
    Manifest,
    Source,
    render_manifest,
)
from edge_infer.model import Model
from edge_infer.options import SessionOptions
from edge_infer.tensor_goldens import GoldenCase, Kept, TensorGoldens, render_tensor_goldens
from edge_infer.verification import verify
from edge_infer_convert.card import read_card
from edge_infer_convert.deep.cleaning import cleaned
from edge_infer_convert.deep.image_graph import OPSET as IMAGE_OPSET
from edge_infer_convert.deep.image_graph import prepared_feeds, prepend_images, whole_inputs
from edge_infer_convert.deep.inputs import Call, TensorInput, calls_of, check_examples
from edge_infer_convert.deep.parity import Compared, TensorParity, compare_tensors
from edge_infer_convert.deep.places import not_running
from edge_infer_convert.frontends.original import Original
from edge_infer_convert.graph.assemble import needs
from edge_infer_convert.result import Clock, Conversion, Progress, with_metadata
from edge_infer_convert.targets import Target

if TYPE_CHECKING:
    from edge_infer_convert.quantize.asked import Asked
    from edge_infer_convert.quantize.calibration import Sample
    from edge_infer_convert.quantize.trying import Quantized

__all__ = ["Shrinking", "convert_tensors"]

_GOLDEN_CALLS: Final = 3
_GOLDEN_ELEMENTS: Final = 8192  # of all outputs of all golden calls; more would fill `golden_bytes`
_NAMES: Final = {number: name for name, number in TENSOR_TYPES.items()}


def convert_tensors(
    original: Original,
    *,
    inputs: Any = None,
    labels: Sequence[Label] | None = None,
    states: Mapping[str, str] | None = None,
    opset: int | None = None,
    target: Target | None = None,
    shrinking: Shrinking | None = None,
    name: str,
    version: str,
    release: int,
    output: Path | None,
    card: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Export, compare, quantize, package. See `edge_infer_convert.convert`."""
    clock, shrinking = Clock(progress), shrinking or Shrinking()
    with clock.stage("inputs", original.described):
        asked = _asked(shrinking)
        network = original.inputs(inputs)
        check_examples(network)
        told = whole_inputs(network)
        sample = None if asked is None else asked.sample(told)
    with clock.stage("convert", f"{len(told)} input{'s' if len(told) != 1 else ''}"):
        exported = original.export(network)
        slim = _simplified(exported) if shrinking.simplify else exported
        graph = cleaned(slim, [each.spec for each in network], _opset(slim, network, opset), target)
        prepend_images(graph, {each.name: each.spec for each in told if each.spec.image is not None})
        _check_size(graph)
        try:
            model = Model(parse_artifact(graph.SerializeToString()), SessionOptions())
        except (ArtifactError, RuntimeFitError) as error:
            raise not_running(exported, error) from error
    with clock.stage("probe", f"against {original.framework}"):
        images = {each.name: each.image for each in network if each.image is not None}
        parity = compare_tensors(
            _calls(told, states),
            lambda feeds: original.answer(prepared_feeds(feeds, images)),
            lambda feeds: model.run(dict(feeds)),
        )
    with clock.stage("package", f"{name} {version}"):
        manifest = _manifest(original, graph, _interface(told, graph, parity, labels, states), name, version, release)
        manifest = manifest if card is None else _with_card(manifest, card)
        data = _package(graph, manifest, parity.certificate(), parity.made, parity.tolerances)
    made = Conversion(data, output, manifest, parity, parity.certificate(), clock.seconds)
    if asked is not None:
        made = _quantized(made, _Proven(graph, model, told, target), asked, sample, clock)
    if output is not None:
        with clock.stage("package", str(output)):
            write_atomically(output, made.data)
    return made


class Shrinking(NamedTuple):
    """What makes a file smaller or faster, as `convert` takes it."""

    quantize: Any = None
    calibration: Any = None
    targets: Any = None
    max_loss: float | None = None
    simplify: bool = False

    @property
    def given(self) -> list[str]:
        """Names of those that somebody gave."""
        return [name for name, value in self._asdict().items() if value is not None and value is not False]


class _Proven(NamedTuple):
    graph: ModelProto
    model: Model
    told: list[TensorInput]
    target: Target | None


def _asked(shrinking: Shrinking) -> Asked | None:
    if not shrinking._replace(simplify=False).given:
        return None
    from edge_infer_convert.quantize.asked import asked_of

    return asked_of(shrinking.quantize, shrinking.calibration, shrinking.targets, shrinking.max_loss)


def _simplified(exported: ModelProto) -> ModelProto:
    from edge_infer_convert.deep.simplifying import simplified

    return simplified(exported)


def _quantized(made: Conversion, proven: _Proven, asked: Asked, sample: Sample | None, clock: Clock) -> Conversion:
    """The same conversion with the variant that is kept, or with float32 where none is, and the table."""
    from edge_infer_convert.quantize.trying import Floats, try_all

    parity = made.parity
    assert isinstance(parity, TensorParity)
    assert made.manifest.interface is not None
    floats = Floats(proven.graph, proven.model, proven.told, made.manifest.interface, parity, made.data, proven.target)

    def pack(found: Quantized) -> bytes:
        manifest, certificate = _told_of(found, made.manifest, parity)
        return _package(found.graph, manifest, certificate, found.made, found.tolerances, own=True)

    outcome = try_all(floats, asked, sample, pack, clock)
    if outcome.kept is None:
        return made._replace(variants=outcome.rows)
    manifest, certificate = _told_of(outcome.kept, made.manifest, parity)
    return made._replace(data=outcome.artifact, manifest=manifest, certificate=certificate, variants=outcome.rows)


def _told_of(found: Quantized, manifest: Manifest, parity: TensorParity) -> tuple[Manifest, dict[str, Any]]:
    """Manifest and certificate of a quantized graph. What was proven equal is the float32 graph, and stands apart."""
    reason = f"between quantized steps ({found.record.variant})"
    told = manifest._replace(precision_reason=reason, needs=needs(found.graph), quantization=found.record)
    proof = parity.certificate()
    return told, {
        **proof,
        "outputs": {},
        "unquantized": proof["outputs"],
        "quantized": {name: {"worst": worst} for name, worst in found.worst.items()},
    }


def _calls(told: Sequence[TensorInput], states: Mapping[str, str] | None) -> Iterator[Call]:
    unknown = sorted(set(states or ()) - {each.name for each in told})
    if unknown:
        raise UsageError(f"states: expected input → output, got {unknown[0]!r:.80}, which is no input")
    return calls_of(told)


def _opset(exported: ModelProto, told: Sequence[TensorInput], asked: int | None) -> int | None:
    """What the graph is brought to; None: nothing. Raises UsageError where images cannot be at the one asked for."""
    if all(each.image is None for each in told):
        return asked
    if asked is not None and asked < IMAGE_OPSET:
        raise UsageError(f"opset: images need at least {IMAGE_OPSET}, whose Resize has antialias; got {asked}")
    own = next((entry.version for entry in exported.opset_import if not entry.domain), 0)
    return IMAGE_OPSET if asked is None and own < IMAGE_OPSET else asked


def _check_size(graph: ModelProto) -> None:
    size = graph.ByteSize()
    if size > LIMITS.model_bytes:
        raise LimitError(f"the graph has {size:,} bytes, one file holds {LIMITS.model_bytes:,}; use half the precision")


# --- what it takes and gives ------------------------------------------------------------


def _interface(
    told: Sequence[TensorInput],
    graph: ModelProto,
    parity: TensorParity,
    labels: Sequence[Label] | None,
    states: Mapping[str, str] | None,
) -> Interface:
    sizes = _sizes(told, parity)
    outputs = tuple(
        _output(value, sizes, [each.original[value.name].shape for each in parity.made]) for value in graph.graph.output
    )
    if labels is not None:
        outputs = _labelled(outputs, list(labels))
    kept = tuple(State(into, out) for into, out in (states or {}).items())
    for state in kept:
        _check_state(state, told, outputs)
    return Interface(tuple(each.spec for each in told), outputs, kept)


def _sizes(told: Sequence[TensorInput], parity: TensorParity) -> dict[str, list[int]]:
    """What each size that varies was in each call."""
    return {
        size: [each.call.feeds[given.name].shape[axis] for each in parity.made]
        for given in told
        for axis, size in enumerate(given.spec.shape)
        if isinstance(size, str)
    }


def _output(value: onnx.ValueInfoProto, sizes: Mapping[str, list[int]], seen: Sequence[tuple[int, ...]]) -> TensorSpec:
    """seen: its shapes in all calls. A size that the graph leaves open is called as the input's size that it was equal
    to in calls with several, else by a name of its own."""
    kind = value.type.tensor_type
    if kind.elem_type not in _NAMES:
        raise SchemaError(f"output {value.name!r}: expected a tensor of {', '.join(TENSOR_TYPES)}")
    dims = list(kind.shape.dim) if kind.HasField("shape") else []
    shape: list[int | str] = []
    for axis in range(len(seen[0])):
        dim = dims[axis] if axis < len(dims) else None
        was = [each[axis] for each in seen]
        if dim is not None and dim.dim_value > 0:
            shape.append(dim.dim_value)
        elif dim is not None and sizes.get(dim.dim_param) == was:
            shape.append(dim.dim_param)
        else:
            same = [size for size, given in sizes.items() if given == was and len(set(was)) > 1]
            shape.append(same[0] if same else f"{value.name}_{axis}")
    return TensorSpec(value.name, _NAMES[kind.elem_type], tuple(shape))


def _labelled(outputs: tuple[TensorSpec, ...], labels: list[Label]) -> tuple[TensorSpec, ...]:
    """The first output whose last dimension has a place for each label gets them."""
    place = next((i for i, spec in enumerate(outputs) if spec.shape and spec.shape[-1] == len(labels)), None)
    if place is None:
        sizes = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in outputs)
        raise UsageError(f"labels: expected as many as the last size of an output ({sizes}), got {len(labels):,}")
    return tuple(
        spec._replace(classes=tuple(labels)) if number == place else spec for number, spec in enumerate(outputs)
    )


def _check_state(state: State, told: Sequence[TensorInput], outputs: Sequence[TensorSpec]) -> None:
    into = next(each.spec for each in told if each.name == state.input)
    out = next((spec for spec in outputs if spec.name == state.output), None)
    if out is None or out.dtype != into.dtype or len(out.shape) != len(into.shape):
        gives = ", ".join(spec.name for spec in outputs)
        raise UsageError(
            f"states: expected for {state.input!r} an output of {into.dtype} with {len(into.shape)} dimensions (the "
            f"model gives {gives}), got {state.output!r}"
        )


# --- packaging --------------------------------------------------------------------------


def _manifest(
    original: Original, graph: ModelProto, interface: Interface, name: str, version: str, release: int
) -> Manifest:
    doubles = any(spec.dtype == "float64" for spec in [*interface.inputs, *interface.outputs])
    classified = any(spec.classes is not None for spec in interface.outputs)
    return Manifest(
        name=name,
        version=version,
        release=release,
        task="classification" if classified else "other",
        precision="float64" if doubles else "float32",
        precision_reason="as the original computes",
        inputs=Inputs("tensors", (), ()),
        outputs=(),
        source=Source(original.framework, original.described, {**original.versions, "numpy": np.__version__}),
        needs=needs(graph),
        missing_methods={},
        interface=interface,
    )


def _with_card(manifest: Manifest, card: Mapping[str, Any]) -> Manifest:
    told = read_card(card, ())
    return manifest._replace(description=told.description, license=told.license, metrics=told.metrics)


def _package(
    graph: ModelProto,
    manifest: Manifest,
    certificate: Mapping[str, Any],
    made: Sequence[Compared],
    tolerances: Mapping[str, Tolerance],
    *,
    own: bool = False,
) -> bytes:
    """The artifact, verified. own: its golden answers are the graph's own, not the original's."""
    proof = json.dumps(certificate, separators=(",", ":")).encode()
    metadata = {KEY_MANIFEST: render_manifest(manifest), KEY_PARITY: proof}
    answers = [(each.call, each.converted if own else each.original) for each in made]
    goldens = _goldens(answers, dict(tolerances))
    if goldens is not None:
        metadata[KEY_TENSOR_GOLDENS] = render_tensor_goldens(goldens)
    data = with_metadata(graph, metadata)
    failed = [check for check in verify(data, options=SessionOptions()) if check.status == "failed"]
    if failed:
        raise ParityError(f"the finished artifact does not verify: {failed[0].name}: {failed[0].detail}")
    return data


def _goldens(
    answers: Sequence[tuple[Call, Mapping[str, NDArray[Any]]]], tolerances: dict[str, Tolerance]
) -> TensorGoldens | None:
    """The first calls whose inputs are made up and no larger than the limit; no example is kept. Answers to them of
    the outputs that have a tolerance."""
    small = [
        (call, found) for call, found in answers if sum(a.size for a in call.feeds.values()) <= LIMITS.golden_elements
    ][:_GOLDEN_CALLS]
    if not small:
        return None
    most = max(16, _GOLDEN_ELEMENTS // (len(small) * len(tolerances)))
    cases = tuple(
        GoldenCase(dict(call.recipes or {}), {name: Kept.of(found[name], most) for name in tolerances})
        for call, found in small
    )
    return TensorGoldens(cases, tolerances)
