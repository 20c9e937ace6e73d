"""A convolutional network in PyTorch, trained on handwritten digits and quantized: every variant measured, one kept.

python examples/quantize_digits.py     (writes small-digits-1.0.0.onnx here; needs edge-infer[torch,quantize])
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import edge_infer
from edge_infer_convert import convert


def trained(images: np.ndarray, labels: np.ndarray) -> nn.Module:
    """A network of 53,000 numbers: images [batch, 1, 8, 8] → 10 scores. Adam, 20 times all images."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 2 * 2, 128), nn.ReLU(), nn.Dropout(), nn.Linear(128, 10),
    )  # fmt: skip
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
    for _ in range(20):
        for some in torch.randperm(len(x)).split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[some]), y[some]).backward()
            optimizer.step()
    return net.eval()


def main() -> None:
    X, y = load_digits(return_X_y=True)
    images = (X / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    train, rest, y_train, y_rest = train_test_split(images, y, test_size=0.5, random_state=0)
    sample, test, y_sample, y_test = train_test_split(rest, y_rest, test_size=0.5, random_state=0)
    made = convert(
        trained(train, y_train),
        inputs={"input": "float32[batch, 1, 8, 8] 0..1"},
        labels=[str(digit) for digit in range(10)],
        quantize="all",
        calibration=sample,  # half of it sets the ranges of the layers, the other half judges; none of it is stored
        targets=y_sample,
        max_loss=0.5,  # percentage points of accuracy
        name="small-digits",
        output="small-digits-1.0.0.onnx",
    )
    print(made.table)

    float32 = made.variants[0]
    record = made.manifest.quantization
    print(f"\nfile: {made.size:,} bytes, {made.size / float32.size:.3f} of float32's")
    print("kept: float32" if record is None else f"kept: {record.variant}, {record.loss:.2f} points lost")
    model = edge_infer.load("small-digits-1.0.0.onnx")  # from here on without PyTorch
    scores = model.run({"input": test})["output"]
    print(f"right on other images: {(scores.argmax(1) == y_test).mean():.1%} of {len(test)}")


if __name__ == "__main__":
    main()
