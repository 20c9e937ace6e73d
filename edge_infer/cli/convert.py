"""`edge-infer convert`: a fitted model → one proven file. Imports the converter, an extra, when it is called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_infer.cli.card_file import read_card_file
from edge_infer.cli.console import dumps, printable, wrapped, write
from edge_infer.cli.data_file import DataFile
from edge_infer.cli.deep_options import DeepOptions, Shrinking
from edge_infer.cli.extras import needs_converter
from edge_infer.cli.progress import Progress
from edge_infer.cli.replaced import check_task, outcome, standing
from edge_infer.errors import UsageError
from edge_infer.files import write_atomically
from edge_infer.interface import TensorSpec, shown
from edge_infer.quantization import Quantization, described

__all__ = ["run"]


def run(
    *,
    model: str,
    data: DataFile,
    reference: DataFile,
    inputs: Sequence[str],
    labels: str | None,
    states: Sequence[str],
    target: str | None,
    opset: int | None,
    shrinking: Shrinking,
    name: str | None,
    version: str,
    release: int,
    output: str | None,
    trust_pickle: bool,
    precision: str,
    report: str | None,
    strict_privacy: bool,
    card: str | None,
    force: bool,
    json: bool,
) -> int:
    """The command; its exit code."""
    name = name if name is not None else _name_of(Path(model))
    written = Path(output if output is not None else f"{name}-{version}.onnx")
    deep = DeepOptions.read(inputs, labels, states, shrinking)
    _check_files((model, data.path, reference.path, card, labels, *deep.files), written, report)
    with needs_converter("edge-infer convert"):
        from edge_infer_convert.arguments import check_arguments
        from edge_infer_convert.model_files import check_model_file
        from edge_infer_convert.targets import Target
    check_arguments(name, version, precision)
    if target is not None:
        Target.of(target)
    check_model_file(model, trust_pickle=trust_pickle)
    data.check()
    reference.check()
    before = standing(written, name, force=force)
    told = None if card is None else read_card_file(card)
    with Progress() as progress:
        if data.path is not None:
            progress("data", data.path)
        sample = data.read()
        progress("load", model)
        with needs_converter("edge-infer convert"):
            from edge_infer_convert import convert, load_estimator
        estimator = load_estimator(model, trust_pickle=trust_pickle)
        conversion = convert(
            estimator,
            data=data.read_for(estimator, sample),
            reference=reference.read_for(estimator, reference.read()),
            **deep.arguments(),
            target=target,
            opset=opset,
            name=name,
            version=version,
            release=release,
            precision=precision,
            report=report,
            strict_privacy=strict_privacy,
            card=told,
            progress=progress,
        )
        check_task(before, conversion.manifest, force=force)
        write_atomically(written, conversion.data)
    result = _result(conversion, written, report) | outcome(before, written, conversion.data)
    if json:
        write(dumps(result))
    else:
        _show(result, conversion.table)
    return 0


def _name_of(model: Path) -> str:
    """The file's name with what a model's name may not hold replaced: "my model.pkl" gives "my-model"."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model.stem).strip("-._")
    return name[:100] or "model"


def _check_files(sources: tuple[str | None, ...], target: Path, report: str | None) -> None:
    """Before minutes of work: the folders are there, and no file that is read would be overwritten."""
    for option, path in (("-o", target), ("--report", None if report is None else Path(report))):
        if path is None:
            continue
        if not path.parent.is_dir():
            raise UsageError(f"{option}: expected an existing folder, got {str(path.parent)!r}; make it first")
        for source in sources:
            if source is not None and path.exists() and Path(source).exists() and path.samefile(source):
                raise UsageError(f"{option}: {str(path)!r} is a file that is read; choose another name")


def _result(conversion: Any, target: Path, report: str | None) -> dict[str, Any]:
    manifest = conversion.manifest
    quantized = manifest.quantization
    return {
        "file": str(target),
        "size": conversion.size,
        "name": manifest.name,
        "version": manifest.version,
        "task": manifest.task,
        "precision": manifest.precision,
        "precision_reason": manifest.precision_reason,
        "methods": [output.method for output in manifest.outputs],
        "inputs": _shown(manifest.interface.inputs if manifest.interface else ()),
        "outputs": _shown(manifest.interface.outputs if manifest.interface else ()),
        "missing_methods": manifest.missing_methods,
        "training_rows": manifest.training_rows,
        "parity": conversion.certificate,
        "quantization": None if quantized is None else quantized._asdict(),
        "variants": _variants(conversion),
        "report": report,
        "seconds": conversion.seconds,
    }


def _variants(conversion: Any) -> list[dict[str, Any]]:
    if not conversion.variants:
        return []
    from edge_infer_convert.quantize.table import as_objects

    found: list[dict[str, Any]] = as_objects(conversion.variants)
    return found


def _shown(specs: Sequence[TensorSpec]) -> dict[str, str]:
    return {spec.name: shown(spec) for spec in specs}


def _show(result: dict[str, Any], table: str) -> None:
    from edge_infer.cli.inspect import describe_parity

    facts = [
        ("file", f"{result['file']} ({result['size']:,} bytes)"),
        ("model", f"{result['name']} {result['version']}, {result['task']}: {', '.join(result['methods']) or 'run'}"),
        *(("input", f"{name}: {kind}") for name, kind in result["inputs"].items()),
        *(("output", f"{name}: {kind}") for name, kind in result["outputs"].items()),
        *((method, f"not converted: {reason}") for method, reason in result["missing_methods"].items()),
        ("precision", f"{result['precision']} ({result['precision_reason']})"),
        ("parity", describe_parity(result["parity"])),
    ]
    if result["quantization"]:
        facts.append(("quantized", described(Quantization(**result["quantization"]))))
    if result["training_rows"]:
        facts.append(("privacy", f"{result['training_rows']:,} training rows stand inside the graph"))
    if result["report"]:
        facts.append(("report", result["report"]))
    if result["replaced"]:
        facts.append(("replaced", f"{result['replaced']}, another file of that name"))
    if result["stale_signature"]:
        facts.append(("signature", f"{result['stale_signature']} is of the file before: sign the new one"))
    for name, text in facts:
        write(f"{name:<11}{wrapped(text, 11)}")
    if table:
        write(f"\n{printable(table)}")
    write(f"\nnext: edge-infer inspect {result['file']}")
