"""Images of a PyTorch module: preparation and network together against PyTorch's own of both."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_sample_image

import edge_infer
from edge_infer.verification import verify
from edge_infer_convert import Image, convert

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make frameworks brings it")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5, stride=3), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(4),
        torch.nn.Flatten(), torch.nn.Linear(128, 10),
    ).eval()  # fmt: skip


def by_torch(pixels: NDArray[np.uint8], interpolation: str, antialias: bool) -> torch.Tensor:
    """As torchvision's functional resize does it with a float tensor; then centre crop and normalise."""
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()
    short = min(x.shape[2:])
    sizes = [int(64 * size / short) for size in x.shape[2:]]
    x = torch.nn.functional.interpolate(x, sizes, mode=interpolation, antialias=antialias, align_corners=False)
    top, left = (round((size - 56) / 2) for size in sizes)
    x = x.clamp(0, 255)[:, :, top : top + 56, left : left + 56] / 255
    return (x - torch.tensor(MEAN).reshape(3, 1, 1)) / torch.tensor(STD).reshape(3, 1, 1)


@pytest.mark.parametrize(("interpolation", "antialias"), [("bilinear", True), ("bilinear", False), ("bicubic", True)])
def test_photographs_get_the_answers_of_pytorch(interpolation: str, antialias: bool) -> None:
    net = network()
    image = Image((56, 56), resize=64, mean=MEAN, std=STD, interpolation=interpolation, antialias=antialias)
    made = convert(net, inputs={"input": image}, name="net")
    assert not [check for check in verify(made.data) if check.status == "failed"]
    model = edge_infer.load(made.data)
    for name in ("china.jpg", "flower.jpg"):
        whole = load_sample_image(name)
        for pixels in (whole, whole[:, :300], whole[:50, :40], whole[::3, 1::2]):
            with torch.no_grad():
                wanted = net(by_torch(np.ascontiguousarray(pixels), interpolation, antialias)).numpy()
            got = model.run({"input": np.ascontiguousarray(pixels)})["output"]
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-3 if interpolation == "bicubic" else 1e-4)
