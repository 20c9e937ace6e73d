"""A matrix instead of named columns: handwritten digits, 8 × 8 pixels, and a forest.

python examples/digits.py     (writes digits-1.0.0.onnx to the current folder)
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

import edge_infer
from edge_infer_convert import convert


def picture(pixels: np.ndarray) -> str:
    """64 pixels (0 to 16) as eight lines of text."""
    return "\n".join("".join(" .:*#"[int(pixel) // 4] * 2 for pixel in line) for line in pixels.reshape(8, 8))


def main() -> None:
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    forest = RandomForestClassifier(50, random_state=0).fit(X_train, y_train)
    convert(forest, data=X_train, name="digits", version="1.0.0", output="digits-1.0.0.onnx")

    model = edge_infer.load("digits-1.0.0.onnx")
    print(picture(X_test[0]))
    print(f"one row (64 numbers): {model.predict(X_test[0])}")  # a flat array or list is one row

    labels = model.predict(X_test)  # a matrix is many
    print(f"labels equal to scikit-learn's: {(labels == forest.predict(X_test)).sum()} of {len(X_test)}")
    print(f"right: {(labels == y_test).mean():.1%}")
    np.testing.assert_array_equal(labels, forest.predict(X_test))


if __name__ == "__main__":
    main()
