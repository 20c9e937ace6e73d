"""`edge-infer inspect`: what a model is, without running it (onnxruntime is not imported)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from edge_infer.artifact import Artifact, read_artifact
from edge_infer.cli.console import Grid, dumps, in_line, printable, show_grid, wrapped, write
from edge_infer.cli.model_file import model_file
from edge_infer.image_spec import told as image_told
from edge_infer.interface import Interface, shown
from edge_infer.manifest import Column, Label, Metric, Output
from edge_infer.quantization import Quantization, described
from edge_infer.sounds import told as sound_told

__all__ = ["as_object", "describe_parity", "run"]

_MOST_COLUMNS: Final = 60
_WORDS: Final = {"worst": "worst difference", "tolerance": "tolerance", "relative": "relative tolerance"}
_LEAD: Final = 11  # the width of the card's names
_METHOD_LEAD: Final = 19
_NEAR_TIE: Final = "There the original's own best two scores agree within the tolerance, and either answer is right."


def run(*, model: str, identity: str | None, json: bool) -> int:
    """The command; its exit code."""
    artifact = read_artifact(model_file(model), identity=identity)
    if json:
        write(dumps(as_object(artifact)))
    else:
        _card(artifact)
    return 0


def as_object(artifact: Artifact) -> dict[str, Any]:
    """The object of `--json`: the manifest's fields, and what the file itself tells."""
    manifest = artifact.manifest
    goldens, tensors = artifact.goldens(), artifact.tensor_goldens()
    return {
        "file": artifact.source,
        "size": len(artifact.data),
        "digest": f"sha256:{artifact.digest}",
        "described": artifact.described,
        **{name: getattr(manifest, name) for name in ("name", "version", "release", "task")},
        "precision": manifest.precision,
        "precision_reason": manifest.precision_reason,
        "description": manifest.description,
        "license": manifest.license,
        "metrics": [metric._asdict() for metric in manifest.metrics],
        "style": manifest.inputs.style,
        "inputs": [_column_object(column) for column in manifest.inputs.columns],
        "tensors": [tensor._asdict() for tensor in manifest.inputs.tensors],
        "outputs": [output._asdict() for output in manifest.outputs],
        "interface": None if manifest.interface is None else _interface_object(manifest.interface),
        "missing_methods": manifest.missing_methods,
        "source": manifest.source._asdict(),
        "needs": manifest.needs._asdict(),
        "parity": artifact.parity(),
        "quantization": None if manifest.quantization is None else manifest.quantization._asdict(),
        "golden_rows": None if goldens is None else len(goldens.rows),
        "golden_calls": None if tensors is None else len(tensors.cases),
        "training_rows": manifest.training_rows,
        "nodes": artifact.facts.nodes,
    }


def _interface_object(interface: Interface) -> dict[str, Any]:
    return {name: [_plain(item) for item in getattr(interface, name)] for name in interface._fields}


def _plain(item: Any) -> dict[str, Any]:
    """A tuple with names as an object, and those in it."""
    fields = item._asdict().items()
    return {name: _plain(value) if hasattr(value, "_asdict") else value for name, value in fields}


def _column_object(column: Column) -> dict[str, Any]:
    fields = ("name", "kind", "dtype", "missing", "infinite", "unknown", "categories", "range", "used")
    return {field: getattr(column, field) for field in (*fields, "unit", "description")}


# --- the card ---------------------------------------------------------------------------


def _card(artifact: Artifact) -> None:
    manifest = artifact.manifest
    write(printable(f"{manifest.name} {manifest.version}  ({manifest.task})"))
    if not artifact.described:
        write("a plain ONNX file, without edge_infer metadata: this is what its graph tells")
    if manifest.description is not None:
        write(f"  {wrapped(manifest.description, 2)}")  # no line of it looks like one of the card's own
    write()
    _inputs(artifact)
    _outputs(artifact)
    for name, text in _facts(artifact):
        _fact(name, text)


def _fact(name: str, text: str, lead: int = _LEAD) -> None:
    write(f"{name:<{lead}}{wrapped(text, lead)}")


def _inputs(artifact: Artifact) -> None:
    columns, interface = artifact.manifest.inputs.columns, artifact.manifest.interface
    if interface is not None:
        _interface(interface)
        return
    if not columns:
        for info in artifact.facts.inputs:
            _fact("input", f"{info.name}, shape {_shape(info.shape)}")
        return
    rows = [_column_row(column) for column in columns[:_MOST_COLUMNS]]
    show_grid(Grid(("column", "kind", "values", "missing", "others"), rows))
    if len(columns) > _MOST_COLUMNS:
        write(f"… and {len(columns) - _MOST_COLUMNS:,} more columns (--json has all)")
    write("(others: values that are not listed; any: all numbers)")
    write()
    _descriptions(columns[:_MOST_COLUMNS])


def _interface(interface: Interface) -> None:
    states = {state.input: state.output for state in interface.states}
    for word, specs in (("input", interface.inputs), ("output", interface.outputs)):
        for spec in specs:
            line = f"{in_line(spec.name)}: {shown(spec)}"
            if word == "input" and spec.name in states:
                line += f"; a state: the next call is fed {in_line(states[spec.name])}"
            if spec.image is not None:
                line += f"; {image_told(spec.image)}"
            if spec.audio is not None:
                line += f"; {sound_told(spec.audio)}"
            if spec.classes is not None:
                line += f"; {len(spec.classes)} classes: {_labels(spec.classes, 200)}"
            if spec.description is not None:
                line += f"\n{_shortened(spec.description)}"
            _fact(word, line)
    write()


def _descriptions(columns: Sequence[Column]) -> None:
    told = [(column.name, column.description) for column in columns if column.description is not None]
    for name, description in told:
        write(f"  {wrapped(f'{in_line(name)}: {_shortened(description)}', 4)}")
    if told:
        write()


def _shape(shape: tuple[int | str | None, ...] | None) -> str:
    return "unknown" if shape is None else "[" + ", ".join("rows" if s is None else str(s) for s in shape) + "]"


def _column_row(column: Column) -> tuple[str, ...]:
    values = ""
    if column.categories is not None:
        values = _labels(column.categories, 40)
    elif column.range is not None:
        times = column.times
        values = " … ".join(times.shown(end) if times else f"{end:.6g}" for end in column.range)
    if column.unit is not None:
        values = f"{values} {column.unit}".lstrip()
    others = "any" if column.categories is None else "taken" if column.unknown else "refused"
    if not column.used:
        return column.name, column.kind, values, "not used", "not used"
    return column.name, column.kind, values, "taken" if column.missing else "refused", others


def _labels(labels: tuple[Label, ...], room: int) -> str:
    """Labels in a line; those beyond `room` characters are counted."""
    shown = ""
    for position, label in enumerate(labels):
        text = (", " if position else "") + (label if isinstance(label, str) else repr(label))
        if position and len(shown) + len(text) > room:
            return f"{shown}, … ({len(labels):,})"
        shown += text
    return shown


def _outputs(artifact: Artifact) -> None:
    for output in artifact.manifest.outputs:
        _fact(output.method, _output_line(output), _METHOD_LEAD)
    for reason, methods in _missing(artifact.manifest.missing_methods).items():
        if len(methods) == 1:
            _fact(printable(methods[0]), f"not in this file: {reason}", _METHOD_LEAD)
        else:
            _fact("not in this file", f"{printable(', '.join(methods))}: {reason}", _METHOD_LEAD)
    if artifact.manifest.interface is None:
        write()


def _missing(reasons: dict[str, str]) -> dict[str, list[str]]:
    """Methods by the reason why they are not in the file."""
    found: dict[str, list[str]] = {}
    for method, reason in reasons.items():
        found.setdefault(reason, []).append(method)
    return found


def _output_line(output: Output) -> str:
    shape = "x".join(map(str, output.shape)) or "one"
    line = f"{output.dtype}, {shape} for each row"
    for classes in output.classes or ():
        line += f"; {len(classes)} classes: {_labels(classes, 200)}"
    return line


def _facts(artifact: Artifact) -> list[tuple[str, str]]:
    manifest, needs = artifact.manifest, artifact.manifest.needs
    versions = ", ".join(f"{name} {version}" for name, version in manifest.source.versions.items())
    opsets = ", ".join(f"{name or 'ai.onnx'} {version}" for name, version in needs.opsets.items())
    steps = _shortened(manifest.source.estimator).replace(" → ", "\n→ ")
    facts = [("license", manifest.license)] if manifest.license is not None else []
    facts += (
        [("metrics", "\n".join(["as its author states them:", *map(_metric, manifest.metrics)]))]
        if manifest.metrics
        else []
    )
    facts += [("source", f"{manifest.source.framework}: {steps}")]
    facts += [("made with", versions)] if versions else []
    if artifact.described:
        facts += [("precision", f"{manifest.precision} ({manifest.precision_reason})")]
        facts += [("parity", describe_parity(artifact.parity()))]
    if manifest.quantization is not None:
        facts += [("quantized", _quantized(manifest.quantization))]
    needed = f"onnxruntime {needs.onnxruntime} or later; " if needs.onnxruntime != "0" else ""
    facts += [
        ("needs", f"{needed}opsets {opsets}; IR {needs.ir_version}"),
        ("privacy", _privacy(manifest.training_rows, described=artifact.described)),
        ("size", f"{len(artifact.data):,} bytes, {artifact.facts.nodes:,} nodes"),
        ("sha256", artifact.digest),
    ]
    return facts


def _metric(metric: Metric) -> str:
    return f"{in_line(metric.type)} {metric.value:.6g} on {in_line(metric.dataset)}"


def _quantized(found: Quantization) -> str:
    return described(
        found._replace(
            variant=in_line(found.variant),
            library=in_line(found.library),
            metric=in_line(found.metric),
            output=in_line(found.output),
        )
    )


def _shortened(text: str, most: int = 400) -> str:
    return text if len(text) <= most else text[:most] + "…"


def _privacy(rows: int, *, described: bool) -> str:
    if not described:
        return "unknown: the file does not say how many training rows it holds"
    return f"{rows:,} training rows stand inside the graph" if rows else "no training rows inside the graph"


def describe_parity(certificate: dict[str, Any] | None) -> str:
    """Rows compared, and the worst difference of each method; every field of the certificate may be absent."""
    if certificate is None:
        return "no certificate in this file"
    rows, borderline = certificate.get("rows"), certificate.get("borderline")
    before = ", before it was quantized" if isinstance(certificate.get("quantized"), dict) else ""
    parts = [f"{rows:,} probe rows compared with the original{before}"] if isinstance(rows, int) else []
    parts += _proof(certificate.get("proof"))
    outputs = certificate.get("outputs")
    outputs = certificate.get("unquantized") if before else outputs
    for method, result in outputs.items() if isinstance(outputs, dict) else ():
        parts += [f"{method}: {_differences(result, rows)}"] if isinstance(result, dict) else []
    if isinstance(borderline, int) and borderline:
        parts.append(f"near ties decided otherwise: {borderline:,}. {_NEAR_TIE}")
    return "\n".join(parts) or "an empty certificate"


def _proof(found: Any) -> list[str]:
    if not isinstance(found, dict) or not all(isinstance(found.get(key), int) for key in ("trees", "nodes")):
        return []
    trees = "1 tree" if found["trees"] == 1 else f"{found['trees']:,} trees"
    return [f"{trees} of {found['nodes']:,} nodes, node by node as fitted"]


def _differences(result: dict[str, Any], rows: Any) -> str:
    words = _equal(result, rows)
    for name in ("worst", "tolerance", "relative"):
        if isinstance(result.get(name), int | float) and result.get("relative") != 0:  # labels have no tolerance
            words.append(f"{_WORDS[name]} {result[name]:.2g}")
    return ", ".join(words) or "compared"


def _equal(result: dict[str, Any], rows: Any) -> list[str]:
    differing, borderline = result.get("differing"), result.get("borderline")
    if not isinstance(differing, int):
        return []
    if differing:
        return [f"{differing:,} differ"]
    if isinstance(borderline, int) and borderline and isinstance(rows, int):
        others = "are near ties" if result.get("relative") == 0 else "hang on the original's own last digits"
        return [f"equal in {rows - borderline:,} rows, the other {borderline:,} {others}"]
    return ["all equal"]
