"""Does this file still give its original's answers on this machine? One check a line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from edge_infer.artifact import Artifact, decrypted, parse_artifact, read_model_file
from edge_infer.errors import (
    EdgeInferError,
    GraphMismatchError,
    KeyFileError,
    MissingExtraError,
    SignatureError,
    UsageError,
)
from edge_infer.goldens import Goldens, Tolerance, as_number
from edge_infer.graphs import Graphs
from edge_infer.model import Model
from edge_infer.options import SessionOptions
from edge_infer.session import ONNXRUNTIME_VERSION
from edge_infer.tensors import whole_feeds

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray  # takes more than half a millisecond to import

    from edge_infer.signing import TrustedKeys
    from edge_infer.tensor_goldens import TensorGoldens

__all__ = ["Check", "agreeing", "replay", "replay_tensors", "verify"]


class Check(NamedTuple):
    """One line of a verification. `status` is "ok", "failed" or "not checked"."""

    name: str
    status: str
    detail: str


def verify(
    source: str | os.PathLike[str] | bytes,
    *,
    options: SessionOptions | None = None,
    trust: TrustedKeys | None = None,
    signature: str | os.PathLike[str] | None = None,
    now: datetime | None = None,
    identity: str | os.PathLike[str] | None = None,
) -> list[Check]:
    """All checks of a file, in order; those that need what failed are left out.

    Args:
        source: the model's path, or its bytes.
        options: as `load` takes them.
        trust: who must have signed it (`edge_infer.signing`). That is checked first: what is not signed is not parsed.
        signature: the signature's file; None: beside the model, under its name and ".sig".
        now: judges the last days of keys; None where there is no clock.
        identity: the file of the secret that opens an encrypted model. The signature is of the model within: for
            `NAME-VERSION.onnx.age` it is `NAME-VERSION.onnx.sig`.

    Raises:
        OSError: a file cannot be read.
        UsageError: an option, or a variable of the environment, makes no sense.
        KeyFileError: the identity's file cannot be used.
    """
    checks: list[Check] = []
    try:
        data, path = _read(source, identity)
        if trust is not None:
            checks.append(_signature_check(data, path, trust, signature, now))
        artifact = parse_artifact(data, source=path)
    except (UsageError, KeyFileError, MissingExtraError):  # it is not the file that is wrong
        raise
    except EdgeInferError as error:
        return [*checks, _failed(error, "format")]
    checks += _static(artifact)
    try:
        model = Model(artifact, options)
        _ = model._graphs.whole  # the graph as other hosts load it: text in, labels out
    except UsageError:
        raise
    except EdgeInferError as error:
        return [*checks, _failed(error, "runtime")]
    checks.append(Check("runtime", "ok", f"onnxruntime {ONNXRUNTIME_VERSION} loads it"))
    try:
        goldens, tensors = artifact.goldens(), artifact.tensor_goldens()
    except EdgeInferError as error:
        return [*checks, Check("goldens", "failed", str(error))]
    checks.append(_goldens_check(model, goldens) if tensors is None else _tensors_check(model, tensors))
    if trust is None:
        checks.append(Check("signature", "not checked", "no key was given"))
    return checks


def _read(source: str | os.PathLike[str] | bytes, identity: str | os.PathLike[str] | None) -> tuple[bytes, str | None]:
    """The bytes that all checks are of, and the path of the model, of which an encrypted file's has ".age" too."""
    if isinstance(source, bytes | bytearray | memoryview):
        return decrypted(bytes(source), identity), None
    path = os.fspath(source)
    stored = read_model_file(path)
    data = decrypted(stored, identity, source=path)
    return data, path if data is stored else path.removesuffix(".age")


def _signature_check(
    data: bytes,
    path: str | None,
    trust: TrustedKeys,
    signature: str | os.PathLike[str] | None,
    now: datetime | None,
) -> Check:
    from edge_infer import signing

    if signature is None and path is None:
        raise UsageError("signature: bytes have no file beside them; give the path of their signature")
    bundle = signing.read_signature(signature or signing.signature_path(path or ""))
    name = None if path is None else os.path.basename(path)
    verified = signing.verify(data, bundle, trust, name=name, now=now)
    release = "" if verified.release is None else f", release {verified.release}"
    return Check("signature", "ok", f"{verified.name}{release}, by the key {verified.fingerprint}")


_NAMES: Final = {
    "LimitError": "limits",
    "ForbiddenContentError": "contents",
    "GraphMismatchError": "agreement",
    "DecryptionError": "encryption",
}


def _failed(error: EdgeInferError, stage: str) -> Check:
    """By what is wrong, else by the stage at which it was found."""
    name = "signature" if isinstance(error, SignatureError) else _NAMES.get(type(error).__name__, stage)
    return Check(name, "failed", str(error))


def _static(artifact: Artifact) -> list[Check]:
    described = f"edge-infer artifact, {artifact.manifest.name} {artifact.manifest.version}"
    return [
        Check("format", "ok", described if artifact.described else "plain ONNX, no edge_infer metadata"),
        Check("limits", "ok", f"{len(artifact.data):,} bytes, {artifact.facts.nodes:,} nodes"),
        Check("contents", "ok", "no external data, no unknown operators"),
    ]


def _goldens_check(model: Model, goldens: Goldens | None) -> Check:
    if goldens is None:
        return Check("goldens", "not checked", "the file has no golden rows")
    try:
        differences = replay(model, goldens, model._graphs.splitting_from(0)) or _replay_whole(model, goldens)
        differences = differences or _replay_in_parts(model, goldens)
    except EdgeInferError as error:
        return Check("goldens", "failed", str(error))
    count = f"{len(goldens.rows)} rows, {', '.join(goldens.answers)}"
    if differences:
        return Check("goldens", "failed", f"{count}: {len(differences)} answers differ; first: {differences[0]}")
    return Check("goldens", "ok", f"{count}: all equal the original's within tolerance")


def _tensors_check(model: Model, goldens: TensorGoldens) -> Check:
    try:
        differences = replay_tensors(model, goldens)
    except EdgeInferError as error:
        return Check("goldens", "failed", str(error))
    calls = "1 call" if len(goldens.cases) == 1 else f"{len(goldens.cases)} calls"
    count = f"{calls}, {', '.join(goldens.tolerances)}"
    if differences:
        return Check("goldens", "failed", f"{count}: {len(differences)} tensors differ; first: {differences[0]}")
    whose = "the original's" if model.manifest.quantization is None else "what was measured when it was quantized,"
    return Check("goldens", "ok", f"{count}: all equal {whose} within tolerance")


def replay_tensors(model: Model, goldens: TensorGoldens) -> list[str]:
    """Run the golden calls of a deep model; a line for each tensor that differs from the original's, or of a quantized
    one from its own where it was made.

    Raises:
        InputError, InferenceError: the graph does not take what the goldens hold.
    """
    found = []
    for number, case in enumerate(goldens.cases):
        answers = model.run({name: recipe.made() for name, recipe in case.inputs.items()}, list(case.outputs))
        for name, kept in case.outputs.items():
            got, where = answers[name], f"{name} of call {number}"
            if got.shape != kept.shape or got.dtype.name != kept.dtype:
                found.append(
                    f"{where}: expected {kept.dtype} {list(kept.shape)}, got {got.dtype.name} {list(got.shape)}"
                )
                continue
            some = got.reshape(-1)[:: kept.every]
            agree = agreeing(some, kept.data, goldens.tolerances[name])
            if not agree.all():
                first = int(agree.argmin())
                found.append(
                    f"{where}: {int((~agree).sum()):,} of {agree.size:,} numbers, the first at {first * kept.every}: "
                    f"expected {_brief(kept.data[first])}, got {_brief(some[first])}"
                )
    return found


def agreeing(got: NDArray[Any], wanted: NDArray[Any], tolerance: Tolerance) -> NDArray[np.bool_]:
    """Element by element: fractions within the tolerance, whole numbers and truth values equal."""
    if wanted.dtype.kind == "f":
        return within(got.astype(np.float64), wanted.astype(np.float64), tolerance)
    return np.asarray(got == wanted)


def replay(model: Model, goldens: Goldens, graphs: Graphs | None = None) -> list[str]:
    """Run the golden rows; a line for each answer that differs from the original's.

    graphs: in place of the model's own.

    Raises:
        GraphMismatchError: the graph gives another shape than the goldens have.
        InferenceError: onnxruntime fails on them.
    """
    records = _records(model, goldens)
    return [
        difference
        for method in goldens.answers
        for difference in _differences(method, model._answer(method, records, graphs), goldens)
    ]


def _replay_whole(model: Model, goldens: Goldens) -> list[str]:
    """The same by the graph's own inputs and outputs, as another host runs it (FORMAT.md, section 4)."""
    answers = model.run(whole_feeds(model.manifest.inputs, goldens.rows))
    outputs = [(output, [answers[name] for name in output.tensors]) for output in model.manifest.outputs]
    return [
        f"in the graph as a whole, {difference}"
        for output, parts in outputs
        for difference in _differences(output.method, parts if output.listed else parts[0], goldens)
    ]


def _replay_in_parts(model: Model, goldens: Goldens) -> list[str]:
    """The same as many rows run, where large ensembles of trees run in parts: those with a gap, and the others."""
    if not model.manifest.splits or not model.options.split_rows:
        return []
    gaps = model._packer.pack(_records(model, goldens)).gaps()
    return [
        f"with trees in parts, {difference}"
        for places in (np.flatnonzero(gaps), np.flatnonzero(~gaps))
        if len(places)
        for many in (1, len(places) + 1)
        for difference in replay(model, _some(goldens, places), model._graphs.splitting_from(1, many))
    ]


def _records(model: Model, goldens: Goldens) -> list[dict[str, Any]]:
    columns = [column.name for column in model.manifest.inputs.columns]
    return [dict(zip(columns, row, strict=True)) for row in goldens.rows]


def _some(goldens: Goldens, places: NDArray[np.int64]) -> Goldens:
    answers = {method: tuple(rows[place] for place in places) for method, rows in goldens.answers.items()}
    return goldens._replace(rows=tuple(goldens.rows[place] for place in places), answers=answers)


def _differences(method: str, got: Any, goldens: Goldens) -> list[str]:
    expected = goldens.answers[method]
    got = np.concatenate(got, axis=1) if isinstance(got, list) else got  # one array for each label column
    return [
        f"{method} row {row}: expected {_brief(expected[row])}, got {_brief(got[row])}"
        for row in _differing_rows(method, got, list(expected), goldens.tolerances[method])
    ]


def _differing_rows(method: str, got: NDArray[Any], expected: list[Any], tolerance: Tolerance) -> list[int]:
    exact = got.dtype.kind in "OUb"
    try:
        wanted = np.array(expected if exact else as_number(expected), dtype=object if exact else np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise GraphMismatchError(f"goldens of {method}: {error}") from error
    if wanted.shape != got.shape:
        raise GraphMismatchError(f"goldens of {method} have the shape {wanted.shape}, the graph gives {got.shape}")
    agree = got.astype(object) == wanted if exact else within(got.astype(np.float64), wanted, tolerance)
    return [int(row) for row in np.flatnonzero(~agree.reshape(len(agree), -1).all(axis=1))]


def within(got: NDArray[Any], wanted: NDArray[Any], tolerance: Tolerance) -> NDArray[np.bool_]:
    """Element by element: |got − wanted| ≤ relative × max(|wanted|, scale); equal infinities and NaNs agree."""
    with np.errstate(invalid="ignore", over="ignore"):
        close = np.abs(got - wanted) <= tolerance.relative * np.maximum(np.abs(wanted), tolerance.scale)
        agree: NDArray[np.bool_] = (close & np.isfinite(wanted)) | (got == wanted) | (np.isnan(got) & np.isnan(wanted))
    return agree


def _brief(value: Any) -> str:
    return f"{np.asarray(value).tolist()!r:.80}"
