"""The network of torch_digits.py, asked with files of images: of any size, since its graph makes them what it takes.

python examples/torch_images.py     (writes torch-images-1.0.0.onnx, seven.png and four.png to the current folder;
                                     needs edge-infer[torch,images])
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from PIL import Image as Picture
from sklearn.datasets import load_digits
from torch_digits import trained

import edge_infer
from edge_infer_convert import Image, convert


def main() -> None:
    X, y = load_digits(return_X_y=True)
    pixels = np.round(X * 255 / 16).astype(np.uint8).reshape(-1, 8, 8, 1)
    net = trained((pixels / 255).astype(np.float32).transpose(0, 3, 1, 2), y)
    made = convert(
        net,
        inputs={"image": Image(size=(8, 8), resize=(8, 8), channels="L", examples=pixels)},  # none of them is stored
        labels=[str(digit) for digit in range(10)],
        name="torch-images",
        output="torch-images-1.0.0.onnx",
    )
    print(made)

    files = {"seven.png": 7, "four.png": 4}
    for file, digit in files.items():
        picture = Picture.fromarray(pixels[y == digit][0, :, :, 0])
        picture.resize((240, 320), Picture.Resampling.BICUBIC).save(file)
    model = edge_infer.load("torch-images-1.0.0.onnx")  # from here on without PyTorch
    for file in files:
        print(f"{file}: {model.run({'image': file})['output'].argmax()}")
    subprocess.run(
        [sys.executable, "-m", "edge_infer.cli", "predict", "torch-images-1.0.0.onnx", *files, "--top", "3"], check=True
    )


if __name__ == "__main__":
    main()
