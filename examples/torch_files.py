"""The files of PyTorch, and an ONNX file of its exporter, on the command line; each is compared with the module itself.

python examples/torch_files.py     (writes to the current folder; needs edge-infer[torch])
"""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import torch
from torch import nn

import edge_infer

INPUT = "step=float32[batch, 4] -2..2"


def network() -> nn.Module:
    """Steps [batch, 4] → 3 scores."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3)).eval()


def save(net: nn.Module) -> None:
    """As an exported program, as TorchScript, and as ONNX."""
    example, batch = (torch.zeros(2, 4),), torch.export.Dim("batch")
    torch.export.save(torch.export.export(net, example, dynamic_shapes=({0: batch},)), "program.pt2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript is on its way out; its files are not
        torch.jit.save(torch.jit.script(net), "script.pt")
    torch.onnx.export(net, example, "exported.onnx", dynamic_shapes=({0: batch},), dynamo=True, verbose=False)


def converted(file: str, *options: str) -> edge_infer.Model:
    """By the command line."""
    name = file.partition(".")[0]
    command = [sys.executable, "-m", "edge_infer.cli", "convert", file, "--name", f"of-{name}", *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return edge_infer.load(f"of-{name}-1.0.0.onnx")


def main() -> None:
    net = network()
    save(net)
    models = {
        "program.pt2": converted("program.pt2", "--trust-pickle"),  # it may hold pickles, and knows its input
        "script.pt": converted("script.pt", "--inputs", INPUT.replace("step", "input")),
        "exported.onnx": converted("exported.onnx"),
    }
    steps = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)
    with torch.no_grad():
        wanted = net(torch.from_numpy(steps)).numpy()
    for file, model in models.items():
        (name,) = (spec.name for spec in model.manifest.interface.inputs)
        (scores,) = model.run({name: steps}).values()
        np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-5)
        print(f"{file}: {len(scores):,} answers equal to the module's")


if __name__ == "__main__":
    main()
