"""From a fitted scikit-learn pipeline to answers without scikit-learn: penguins, missing values included.

python examples/penguins.py     (writes penguins-1.0.0.onnx to the current folder)
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import edge_infer
from edge_infer_convert import convert
from edge_infer_convert.demo import load_penguins

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["island", "sex"]


def train(X: pd.DataFrame, y: pd.Series) -> Pipeline:
    """A usual pipeline: fill the gaps, scale the numbers, encode the texts, classify."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    prepare = make_column_transformer((numbers, NUMBERS), (texts, TEXTS))
    return make_pipeline(prepare, LogisticRegression(max_iter=1000)).fit(X, y)


def show(X: pd.DataFrame, labels: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Some rows side by side."""
    print(f"{'island':<10} {'bill_length_mm':>14}  {'predict':<10} {'edge_infer':>10} {'scikit-learn':>12}")
    for row in (0, 3, 160, 300):  # row 3 has five missing values
        cells = X.iloc[row]
        print(
            f"{cells['island']:<10} {cells['bill_length_mm']:>14}  {labels[row]:<10} "
            f"{ours[row].max():>10.6f} {theirs[row].max():>12.6f}"
        )


def main() -> None:
    X, y = load_penguins()
    pipeline = train(X, y)

    # Where you train: one file, written only if it gives the pipeline's answers on every probe row.
    conversion = convert(pipeline, data=X, name="penguins", version="1.0.0", output="penguins-1.0.0.onnx")
    print(f"{conversion.path}: {conversion.size:,} bytes, {len(conversion.parity.probes.rows)} probe rows equal")

    # On the device: no scikit-learn and no pandas needed.
    model = edge_infer.load("penguins-1.0.0.onnx")
    penguin = {
        "island": "Biscoe",
        "sex": None,  # missing, as in training
        "bill_length_mm": 46.5,
        "bill_depth_mm": 14.5,
        "flipper_length_mm": 213,
        "body_mass_g": 4400,
    }
    print(f"one record: {model.predict(penguin)}")

    # Many rows at once, and the same from scikit-learn.
    labels, probabilities = model.predict(X), model.predict_proba(X)
    expected = pipeline.predict_proba(X)
    show(X, labels, probabilities, expected)
    print(f"labels equal: {(labels == pipeline.predict(X)).sum()} of {len(X)}")
    print(f"largest difference of a probability: {np.abs(probabilities - expected).max():.1e}")
    np.testing.assert_array_equal(labels, pipeline.predict(X))
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-5)


if __name__ == "__main__":
    main()
