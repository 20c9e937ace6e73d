"""A small convolutional network in PyTorch, trained on handwritten digits, as one file that needs no PyTorch.

python examples/torch_digits.py     (writes torch-digits-1.0.0.onnx to the current folder; needs edge-infer[torch])
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import edge_infer
from edge_infer_convert import convert


class Net(nn.Module):
    """Images [batch, 1, 8, 8] → 10 scores."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout()
        )
        self.scores = nn.Linear(16 * 16, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.scores(self.features(image))


def trained(images: np.ndarray, labels: np.ndarray) -> Net:
    """Adam, 40 times all images."""
    torch.manual_seed(0)
    net, x, y = Net(), torch.from_numpy(images), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(40):
        for some in torch.randperm(len(x)).split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[some]), y[some]).backward()
            optimizer.step()
    return net.eval()


def main() -> None:
    X, y = load_digits(return_X_y=True)
    images = (X / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    train, test, y_train, y_test = train_test_split(images, y, random_state=0)
    net = trained(train, y_train)
    made = convert(
        net,
        inputs={"image": train},  # examples: their range is what calls are made up in; none of them is stored
        labels=[str(digit) for digit in range(10)],
        name="torch-digits",
        output="torch-digits-1.0.0.onnx",
    )
    print(made)

    model = edge_infer.load("torch-digits-1.0.0.onnx")  # from here on without PyTorch
    scores = model.run({"image": test})["output"]
    with torch.no_grad():
        wanted = net(torch.from_numpy(test)).numpy()
    np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-4)
    print(f"labels equal to PyTorch's: {(scores.argmax(1) == wanted.argmax(1)).sum()} of {len(test)}")
    print(f"right: {(scores.argmax(1) == y_test).mean():.1%}")


if __name__ == "__main__":
    main()
