"""A SavedModel of TensorFlow, converted by the command, as one file that needs no TensorFlow.

python examples/tensorflow_digits.py     (writes digits/ and digits-1.0.0.onnx to the current folder; needs
                                          edge-infer[tensorflow])
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import edge_infer


class Digits(tf.Module):
    """Pixels [batch, 64] → probabilities [batch, 10]."""

    def __init__(self) -> None:
        super().__init__()
        random = tf.random.Generator.from_seed(0)
        self.hidden = tf.Variable(random.normal([64, 32]) * 0.1)
        self.scores = tf.Variable(random.normal([32, 10]) * 0.1)

    @tf.function(input_signature=[tf.TensorSpec([None, 64], tf.float32, name="pixels")])
    def serve(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.nn.softmax(self.logits(pixels))}

    def logits(self, pixels: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(pixels @ self.hidden) @ self.scores


def trained(pixels: np.ndarray, labels: np.ndarray) -> Digits:
    """Gradient descent, 300 times over all images."""
    net = Digits()

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, net.logits(pixels)))
        variables = net.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(0.5 * gradient)

    for _ in range(300):
        step()
    return net


def main() -> None:
    X, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split((X / 16).astype(np.float32), y, random_state=0)
    net = trained(train, y_train)
    tf.saved_model.save(net, "digits", signatures={"serving_default": net.serve})
    with open("digits.txt", "w", encoding="utf-8") as file:
        file.write("\n".join("0123456789"))
    command = ["convert", "digits", "--inputs", "pixels=float32[batch, 64] 0..1", "--labels", "digits.txt"]
    subprocess.run([sys.executable, "-m", "edge_infer.cli", *command], check=True)  # edge-infer convert digits …

    model = edge_infer.load("digits-1.0.0.onnx")  # from here on without TensorFlow
    found = model.run({"pixels": test})["probabilities"]
    wanted = net.serve(test)["probabilities"].numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    print(f"labels equal to TensorFlow's: {(found.argmax(1) == wanted.argmax(1)).sum()} of {len(test)}")
    print(f"right: {(found.argmax(1) == y_test).mean():.1%}")


if __name__ == "__main__":
    main()
