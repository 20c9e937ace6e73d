"""A small convolutional network in Keras, trained on handwritten digits, as one file that needs no Keras.

python examples/keras_digits.py     (writes keras-digits.keras and keras-digits-1.0.0.onnx to the current folder; needs
                                     edge-infer[keras], or edge-infer[tensorflow])
"""

from __future__ import annotations

import os
from importlib.util import find_spec

if find_spec("tensorflow") is None:
    os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras takes TensorFlow where nobody says so, before its import

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import edge_infer
from edge_infer_convert import convert, load_estimator


def trained(images: np.ndarray, labels: np.ndarray) -> keras.Model:
    """Adam, 16 times all images."""
    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(16, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    net.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    net.fit(images, labels, batch_size=128, epochs=16, verbose=0)
    return net


def main() -> None:
    X, y = load_digits(return_X_y=True)
    images = (X / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    train, test, y_train, y_test = train_test_split(images, y, random_state=0)
    net = trained(train, y_train)
    net.save("keras-digits.keras")  # on the command line: edge-infer convert keras-digits.keras
    made = convert(
        load_estimator("keras-digits.keras"),  # or the net itself
        inputs={"image": train},  # examples: their range is what calls are made up in; none of them is stored
        labels=[str(digit) for digit in range(10)],
        name="keras-digits",
        output="keras-digits-1.0.0.onnx",
    )
    print(made)

    model = edge_infer.load("keras-digits-1.0.0.onnx")  # from here on without Keras
    scores = model.run({"image": test})["output"]
    wanted = keras.ops.convert_to_numpy(net(test, training=False))
    np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-4)
    print(f"labels equal to Keras's: {(scores.argmax(1) == wanted.argmax(1)).sum()} of {len(test)}")
    print(f"right: {(scores.argmax(1) == y_test).mean():.1%}")


if __name__ == "__main__":
    main()
