"""Keras models as wrappers for scikit-learn make them. What is pickled must be importable."""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["perceptron", "sigmoid", "two_inputs"]


def perceptron(X: Any, y: Any, last: str | None = "softmax", loss: str = "categorical_crossentropy") -> Any:
    """For keras.wrappers: as many outputs as the target has columns, and layers that train and answer differently."""
    keras.utils.set_random_seed(0)
    rows = keras.Input((X.shape[1],))
    hidden = keras.layers.Dense(16, activation="relu")(rows)
    hidden = keras.layers.Dropout(0.2)(keras.layers.BatchNormalization()(hidden))
    outputs = y.shape[1] if y.ndim > 1 else 1
    model = keras.Model(rows, keras.layers.Dense(outputs, activation=last)(hidden))
    model.compile(loss=loss, optimizer="adam")
    return model


def sigmoid(meta: dict[str, Any]) -> Any:
    """For scikeras: one output of two classes."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Input((meta["n_features_in_"],)), keras.layers.Dense(8, activation="relu")]
    return keras.Sequential([*layers, keras.layers.Dense(1, activation="sigmoid")])


def two_inputs() -> Any:
    one, other = keras.Input((2,), name="one"), keras.Input((3,), name="other")
    joined = keras.layers.Concatenate()([one, other])
    return keras.Model([one, other], keras.layers.Dense(2, activation="softmax")(joined))
