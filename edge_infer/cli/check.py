"""`edge-infer convert --check`: everything that stands in the way of a conversion, without converting."""

from __future__ import annotations

from typing import Any

from edge_infer.cli.console import dumps, wrapped, write
from edge_infer.cli.data_file import DataFile
from edge_infer.cli.extras import needs_converter
from edge_infer.errors import UsageError

__all__ = ["run"]


def run(*, model: str, data: DataFile, trust_pickle: bool, json: bool) -> int:
    """The command; 1 where something blocks."""
    with needs_converter("edge-infer convert"):
        from edge_infer_convert.model_files import check_model_file
    check_model_file(model, trust_pickle=trust_pickle)
    sample = data.read()
    with needs_converter("edge-infer convert"):
        from edge_infer_convert import load_estimator, preflight
        from edge_infer_convert.frontends import original_of
    estimator = load_estimator(model, trust_pickle=trust_pickle)
    if original_of(estimator) is not None:
        raise UsageError("--check: for estimators; the conversion of a deep model itself tells what stands in the way")
    found = preflight(estimator, data.read_for(estimator, sample))
    if json:
        write(dumps(_as_object(found)))
    else:
        _show(found)
    return 0 if found.ok else 1


def _as_object(found: Any) -> dict[str, Any]:
    return {
        "ok": found.ok,
        "steps": [{"step": step, "estimator": kind} for step, kind in found.steps],
        "blockers": [blocker._asdict() for blocker in found.blockers],
        "needs": None if found.needs is None else found.needs._asdict(),
        "data_needed": list(found.data_needed),
    }


def _show(found: Any) -> None:
    for blocker in found.blockers:
        where = blocker.step or "the model"
        write(f"blocked  {wrapped(f'{where} ({blocker.estimator}): {blocker.reason}', 9)}")
        write(f"         {wrapped(blocker.remedy, 9)}")
    if found.ok:
        _show_ready(found)
        return
    named = {blocker.step for blocker in found.blockers} - {""}
    if named:
        write(f"{len(named)} of {_steps(len(found.steps))} cannot be converted")


def _show_ready(found: Any) -> None:
    write(f"nothing stands in the way of {_steps(len(found.steps))}; converting then proves that the answers are equal")
    if found.data_needed:
        names = ", ".join(found.data_needed[:8]) + (", …" if len(found.data_needed) > 8 else "")
        why = f"convert needs --data with the training data or some hundred rows of it, to know the range of: {names}"
        write(wrapped(why, 0))
    if found.needs is not None:
        opsets = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in found.needs.opsets.items())
        write(f"a device would need onnxruntime {found.needs.onnxruntime} or newer (opsets {opsets})")


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"
