"""The stages of a deep model's conversion: inputs → graph → comparison → artifact."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import ModelProto

from edge_infer.artifact import parse_artifact
from edge_infer.errors import ArtifactError, LimitError, ParityError, RuntimeFitError, SchemaError, UsageError
from edge_infer.files import write_atomically
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
from edge_infer_convert.deep.inputs import Call, TensorInput, calls_of
from edge_infer_convert.deep.parity import TensorParity, compare_tensors
from edge_infer_convert.deep.places import not_running
from edge_infer_convert.frontends.original import Original
from edge_infer_convert.graph.assemble import needs
from edge_infer_convert.result import Clock, Conversion, Progress, with_metadata

__all__ = ["convert_tensors"]

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
    name: str,
    version: str,
    release: int,
    output: Path | None,
    card: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Export, compare, package. See `edge_infer_convert.convert`."""
    clock = Clock(progress)
    with clock.stage("inputs", original.described):
        told = original.inputs(inputs)
    with clock.stage("convert", f"{len(told)} input{'s' if len(told) != 1 else ''}"):
        exported = original.export(told)
        graph = cleaned(exported, [each.spec for each in told], _opset(exported, told, opset))
        network, told = told, whole_inputs(told)
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
        data = _package(graph, manifest, parity)
        if output is not None:
            write_atomically(output, data)
    return Conversion(data, output, manifest, parity, parity.certificate(), clock.seconds)


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


def _package(graph: ModelProto, manifest: Manifest, parity: TensorParity) -> bytes:
    certificate = json.dumps(parity.certificate(), separators=(",", ":")).encode()
    metadata = {KEY_MANIFEST: render_manifest(manifest), KEY_PARITY: certificate}
    goldens = _goldens(parity)
    if goldens is not None:
        metadata[KEY_TENSOR_GOLDENS] = render_tensor_goldens(goldens)
    data = with_metadata(graph, metadata)
    failed = [check for check in verify(data, options=SessionOptions()) if check.status == "failed"]
    if failed:
        raise ParityError(f"the finished artifact does not verify: {failed[0].name}: {failed[0].detail}")
    return data


def _goldens(parity: TensorParity) -> TensorGoldens | None:
    """The first calls whose inputs are made up and no larger than the limit; no example is kept."""
    made = [each for each in parity.made if sum(a.size for a in each.call.feeds.values()) <= LIMITS.golden_elements][
        :_GOLDEN_CALLS
    ]
    if not made:
        return None
    most = max(16, _GOLDEN_ELEMENTS // (len(made) * len(parity.tolerances)))
    cases = tuple(
        GoldenCase(
            dict(each.call.recipes or {}), {name: Kept.of(tensor, most) for name, tensor in each.original.items()}
        )
        for each in made
    )
    return TensorGoldens(cases, parity.tolerances)
