"""One file for each source of deep models. Each gives an `Original`; none is imported before a model of it is seen."""

from __future__ import annotations

from typing import Any

from edge_infer_convert.frontends.original import Original

__all__ = ["Original", "original_of"]


def original_of(source: Any) -> Original | None:
    """The frontend of a deep model: an onnx.ModelProto, a torch.nn.Module (also a ScriptModule),
    a torch.export.ExportedProgram, a keras.Model, or what tf.saved_model.load gives. None for anything else."""
    modules = {kind.__module__.partition(".")[0] for kind in type(source).__mro__}
    if "onnx" in modules and type(source).__name__ == "ModelProto":
        from edge_infer_convert.frontends.onnx_file import OnnxOriginal

        return OnnxOriginal(source)
    if "keras" in modules:  # before torch and tensorflow, whose modules its models are too
        from edge_infer_convert.frontends.keras_model import keras_original

        return keras_original(source)
    if "torch" in modules:
        from edge_infer_convert.frontends.torch_program import torch_original

        return torch_original(source)
    if "tensorflow" in modules:
        from edge_infer_convert.frontends.saved_model import tensorflow_original

        return tensorflow_original(source)
    return None
