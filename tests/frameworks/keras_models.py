"""Keras models of several kinds, on whichever backend runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

MANY = 1000
RNG = np.random.default_rng(0)


class Subject(NamedTuple):
    """inputs: what `convert` is told beyond what the model knows. gives: names of its outputs, in no order: some
    backends sort what stands in dicts."""

    make: Callable[[], Any]
    inputs: dict[str, str] | None
    examples: dict[str, NDArray[Any]]
    gives: list[str]


def convolutions() -> Any:
    """Layers that train and answer differently, with statistics that are not those of a new layer."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )
    for _ in range(3):
        model(np.random.default_rng(1).random((32, 8, 8, 1), np.float32), training=True)
    return model


def _mixed() -> tuple[Any, Any, Any]:
    a, kind = keras.Input((4,), name="a"), keras.Input((3,), name="kind", dtype="int32")
    return a, kind, layers.Concatenate()([a, layers.Flatten()(layers.Embedding(10, 4)(kind))])


def lists() -> Any:
    a, kind, joined = _mixed()
    return keras.Model([a, kind], [layers.Dense(2, name="scores")(joined), layers.Dense(1, name="risk")(joined)])


def dicts() -> Any:
    a, kind, joined = _mixed()
    gives = {"scores": layers.Dense(2)(joined), "risk": layers.Dense(1, activation="sigmoid")(joined)}
    return keras.Model({"kind": kind, "a": a}, gives)


def recurrent() -> Any:
    """A sequence of any length, forward and backward."""
    x = keras.Input((None, 5), name="x")
    y = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    return keras.Model(x, layers.Dense(2)(layers.GRU(6)(y)))


def attention() -> Any:
    """Token ids, any number of them."""
    ids = keras.Input((None,), name="ids", dtype="int32")
    x = layers.Embedding(100, 16)(ids)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 4, dropout=0.1)(x, x))
    x = layers.Dense(16, activation="gelu")(x)
    return keras.Model(ids, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


class TwoInputs(keras.Model):  # type: ignore[misc, unused-ignore]
    """Subclassed; it knows what it is given once it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = layers.Dense(5, activation="relu"), layers.Dense(5)

    def call(self, first: Any, second: Any, training: bool = False) -> Any:
        return self.left(first) * self.right(second) + (1.0 if training else 0.0)


def subclassed() -> Any:
    model = TwoInputs()
    model(np.zeros((1, 4), np.float32), np.zeros((1, 3), np.float32))
    return model


def floats(*shape: int) -> NDArray[Any]:
    return RNG.normal(0, 1, shape).astype(np.float32)


_KINDS = {"kind": "int32[batch, 3] 0..9"}
SUBJECTS = {
    "convolutions": Subject(convolutions, None, {"input": floats(MANY, 8, 8, 1)}, ["output"]),
    "lists": Subject(
        lists,
        _KINDS,
        {"a": floats(MANY, 4), "kind": RNG.integers(0, 10, (MANY, 3)).astype(np.int32)},
        ["scores", "risk"],
    ),
    "dicts": Subject(
        dicts,
        _KINDS,
        {"kind": RNG.integers(0, 10, (MANY, 3)).astype(np.int32), "a": floats(MANY, 4)},
        ["risk", "scores"],
    ),
    "recurrent": Subject(recurrent, None, {"x": floats(MANY, 9, 5)}, ["output"]),
    "attention": Subject(
        attention,
        {"ids": "int32[batch, length] 0..99"},
        {"ids": RNG.integers(0, 100, (MANY, 7)).astype(np.int32)},
        ["output"],
    ),
    "subclassed": Subject(
        subclassed,
        {"first": "float32[batch, 4]", "second": "float32[batch, 3]"},  # Keras keeps the shape of the first one alone
        {"first": floats(MANY, 4), "second": floats(MANY, 3)},
        ["output"],
    ),
}


def seeded(subject: Subject) -> Any:
    """With the same weights each time."""
    keras.utils.set_random_seed(0)
    return subject.make()


def own(model: Any, examples: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """The model's own answers, in the order of its outputs."""
    if isinstance(model, TwoInputs):
        found = model(*examples.values(), training=False)
    else:
        given = examples if isinstance(getattr(model, "input", None), dict) else list(examples.values())
        found = model(given if len(examples) > 1 else given[0], training=False)
    parts = found.values() if isinstance(found, dict) else found if isinstance(found, list | tuple) else [found]
    return [keras.ops.convert_to_numpy(part) for part in parts]
