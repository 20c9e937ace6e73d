"""PyTorch: a module, an exported program (.pt2), or TorchScript; exported by `torch.onnx.export`.

A module is exported by torch.export, which follows what its code does with the sizes that vary. Answers are the
module's own, in evaluation mode, without gradients.
"""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from onnx import ModelProto

from edge_infer.errors import MissingExtraError, SchemaError, UnsupportedModelError, UntrustedSourceError, UsageError
from edge_infer.interface import TensorSpec
from edge_infer_convert.deep.inputs import BATCH, Call, TensorInput, calls_of, given_inputs, usual_range
from edge_infer_convert.deep.quieted import quieted
from edge_infer_convert.frontends.original import asked
from edge_infer_convert.frontends.own_inputs import held

__all__ = ["read_torch", "torch_original"]


def torch_original(source: Any) -> TorchModule | TorchProgram:
    """Raises UsageError for something else of torch, MissingExtraError without onnxscript, which exports need."""
    if find_spec("onnxscript") is None:
        raise MissingExtraError("onnxscript", "torch", "converting a model of PyTorch")
    if isinstance(source, torch.export.ExportedProgram):
        return TorchProgram(source)
    if isinstance(source, torch.nn.Module):
        return TorchModule(source)
    raise UsageError(f"expected a torch.nn.Module or a torch.export.ExportedProgram, got {type(source).__name__}")


def read_torch(path: Path, kind: str) -> Any:
    """kind: "pt2" (torch.export.save), "torchscript" (torch.jit.save) or "pickle" (torch.save; runs code in it).

    Raises UntrustedSourceError for a file that cannot be read so.
    """
    try:
        if kind == "pt2":
            return torch.export.load(path)
        if kind == "torchscript":
            with quieted():
                return torch.jit.load(str(path), map_location="cpu")
        loaded = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise UntrustedSourceError(
            f"{path} cannot be read as {kind}: {type(error).__name__}: {_line(error)}\n"
            "It may be torn, of another version of PyTorch, or refer to a class that is not importable here."
        ) from error
    if not isinstance(loaded, torch.nn.Module):
        raise UntrustedSourceError(
            f"{path} holds no module but {type(loaded).__name__}: weights alone (a state_dict) are no model.\n"
            "Load them into the module that they are of, and save it: torch.export.save(torch.export.export(module, "
            "example), 'model.pt2')."
        )
    return loaded


class _Torch:
    """What both have in common: outputs by name, and the versions."""

    framework = "PyTorch"

    def __init__(self, module: Any) -> None:
        import onnxscript

        self._module = module
        self.names: list[str] = []
        self.versions = {"torch": torch.__version__.partition("+")[0], "onnxscript": onnxscript.__version__}
        self._outputs: list[str] = []

    def answer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        tensors = [tensor.detach().cpu().numpy() for tensor in _tensors(self._found(feeds))]
        return dict(zip(self._outputs, tensors, strict=True))

    def _found(self, feeds: Mapping[str, NDArray[Any]]) -> Any:
        with torch.no_grad():
            return self._module(*(torch.from_numpy(feeds[name].copy()) for name in self.names))


class TorchModule(_Torch):
    """`Original` of a module. names: of its inputs, where its code takes them as *tensors, without names."""

    def __init__(self, module: torch.nn.Module, names: Sequence[str] | None = None) -> None:
        super().__init__(module.eval())
        self._scripted = isinstance(module, torch.jit.ScriptModule)
        self.described = module.original_name if self._scripted else type(module).__name__
        self._starred = names is not None
        self.names = list(names) if names is not None else _parameters(module, scripted=self._scripted)

    def inputs(self, given: Any) -> list[TensorInput]:
        if given is None:
            raise SchemaError(
                f"a PyTorch module does not say what it is given ({', '.join(self.names)}): inputs={{"
                f"{self.names[0]!r}: 'float32[batch, 10]'}}, or an example of each"
            )
        wanted = (
            self.names[: _count(given)] if not isinstance(given, Mapping) else [n for n in self.names if n in given]
        )
        self.names = wanted or self.names
        return given_inputs(given, self.names)

    def export(self, inputs: Sequence[TensorInput]) -> ModelProto:
        call = _typical(inputs)
        self._outputs = _output_names(asked(self._found, call))
        example = tuple(torch.from_numpy(call.feeds[name].copy()) for name in self.names)
        with _told("exported", self.described), quieted():
            if self._scripted:
                return _of_script(self._module, example, inputs, self._outputs)
            sizes: tuple[Any, ...] = tuple(_dynamic(each) for each in inputs)
            program = torch.export.export(
                self._module, example, dynamic_shapes=(sizes,) if self._starred else sizes, strict=False
            )
            return _exported(program, self.names, self._outputs)


class TorchProgram(_Torch):
    """`Original` of what torch.export gave: it knows its inputs."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        super().__init__(program.module())
        self._program = program
        self.names = [str(name) for name in program.graph_signature.user_inputs]
        self.described = "an exported program"

    def inputs(self, given: Any) -> list[TensorInput]:
        values = {node.name: node.meta.get("val") for node in self._program.graph.nodes if node.op == "placeholder"}
        return held(given, [_of_program(name, values.get(name)) for name in self.names], "the program")

    def export(self, inputs: Sequence[TensorInput]) -> ModelProto:
        self._outputs = _output_names(asked(self._found, _typical(inputs)))
        with _told("exported", self.described), quieted():
            return _exported(self._program, self.names, self._outputs)


# --- exporting --------------------------------------------------------------------------


def _exported(program: torch.export.ExportedProgram, names: Sequence[str], outputs: Sequence[str]) -> ModelProto:
    made = torch.onnx.export(program, dynamo=True, input_names=list(names), output_names=list(outputs), verbose=False)
    assert made is not None  # it writes no file
    return _parsed(made.model_proto.SerializeToString())


def _of_script(
    module: Any, example: tuple[torch.Tensor, ...], inputs: Sequence[TensorInput], outputs: Sequence[str]
) -> ModelProto:
    """By the exporter of TorchScript: torch.export does not follow scripted code."""
    file = io.BytesIO()
    axes = {
        each.name: {axis: size for axis, size in enumerate(each.spec.shape) if isinstance(size, str)} for each in inputs
    }
    torch.onnx.export(
        module, example, file, dynamo=False, input_names=[each.name for each in inputs], output_names=list(outputs),
        dynamic_axes={name: found for name, found in axes.items() if found} | _batched(outputs, axes), opset_version=18,
    )  # fmt: skip
    return _parsed(file.getvalue())


def _parsed(data: bytes) -> ModelProto:
    model = ModelProto()
    model.ParseFromString(data)
    return model


def _batched(outputs: Sequence[str], axes: Mapping[str, Mapping[int, str]]) -> dict[str, dict[int, str]]:
    return {name: {0: BATCH} for name in outputs} if any(BATCH in found.values() for found in axes.values()) else {}


def _dynamic(each: TensorInput) -> dict[int, Any]:
    return {
        axis: torch.export.Dim.AUTO for axis, size in enumerate(each.spec.shape) if isinstance(size, str)
    }  # the compiler finds which of them are equal


def _typical(inputs: Sequence[TensorInput]) -> Call:
    """A call with more than one example: torch.export takes a size of 1 for fixed."""
    return next(call for call in calls_of(inputs) if not _is_single(inputs, call))


def _is_single(inputs: Sequence[TensorInput], call: Call) -> bool:
    varies = [(each.name, each.spec.shape.index(BATCH)) for each in inputs if BATCH in each.spec.shape]
    return any(call.feeds[name].shape[axis] == 1 for name, axis in varies)


def _output_names(found: Any) -> list[str]:
    """Keys where the module gives a dict (or what behaves as one), else output, or output_0, output_1, …"""
    if isinstance(found, Mapping) and all(isinstance(each, torch.Tensor) for each in found.values()):
        return [str(name) for name in found]
    count = len(_tensors(found))
    return ["output"] if count == 1 else [f"output_{place}" for place in range(count)]


def _tensors(found: Any) -> list[torch.Tensor]:
    """Those in nested tuples, lists and dicts, in the order in which the graph has them."""
    return [each for each in torch.utils._pytree.tree_leaves(found) if isinstance(each, torch.Tensor)]


@contextlib.contextmanager
def _told(what: str, model: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        reason = error.__cause__ or error
        raise UnsupportedModelError(
            f"{model} cannot be {what}: {type(reason).__name__}: {_line(reason)}\n{_remedy(str(reason))}"
        ) from error


def _remedy(reason: str) -> str:
    if "data-dependent" in reason or "GuardOnDataDependent" in reason:
        return (
            "What the code does depends on values, not on sizes (an `if` over a tensor, `.item()`): write it with "
            "torch.where or torch.cond, or export a part of the model."
        )
    if "No ONNX function found" in reason or "No decompositions" in reason or "Unsupported" in reason:
        return "The operator has no counterpart in ONNX: write it with others, or leave that step out of the model."
    return "torch.export.export(module, example) shows the whole reason."


# --- inputs -----------------------------------------------------------------------------


def _parameters(module: torch.nn.Module, *, scripted: bool) -> list[str]:
    """Names of what forward takes."""
    if scripted:
        schema: Any = module.forward.schema
        return [argument.name for argument in schema.arguments if argument.name != "self"]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = [each.name for each in inspect.signature(module.forward).parameters.values() if each.kind in kinds]
    if not found:
        raise UnsupportedModelError(
            f"{type(module).__name__}.forward takes nothing by position; wrap it in a module that names its tensors"
        )
    return found


def _count(given: Any) -> int:
    return len(given) if isinstance(given, tuple | list) else 1


def _of_program(name: str, value: Any) -> TensorInput:
    if not isinstance(value, torch.Tensor):
        raise SchemaError(f"input {name!r}: expected a tensor, the program takes {type(value).__name__}")
    dtype = str(value.dtype).removeprefix("torch.")
    shape = [
        int(size) if isinstance(size, int) else BATCH if axis == 0 else str(size)
        for axis, size in enumerate(value.shape)
    ]
    return TensorInput(TensorSpec(name, dtype, tuple(shape)), *usual_range(dtype))


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
