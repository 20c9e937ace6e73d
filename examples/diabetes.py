"""Regression: how a disease goes on, from ten measurements, by gradient-boosted trees.

python examples/diabetes.py     (writes diabetes-1.0.0.onnx to the current folder)
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split

import edge_infer
from edge_infer_convert import convert


def main() -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, _ = train_test_split(X, y, random_state=0)
    trees = HistGradientBoostingRegressor(max_iter=50, random_state=0).fit(X_train, y_train)
    convert(trees, data=X_train, name="diabetes", version="1.0.0", output="diabetes-1.0.0.onnx")

    model = edge_infer.load("diabetes-1.0.0.onnx")
    patient = X_test.iloc[0].to_dict()
    print(f"one record: {model.predict(patient):.3f}")
    print(f"without bmi: {model.predict({**patient, 'bmi': None}):.3f}")  # these trees know what to do with gaps

    answers, expected = model.predict(X_test), trees.predict(X_test)
    difference = np.abs(answers / expected - 1).max()
    print(f"{len(X_test)} rows, largest relative difference from scikit-learn: {difference:.1e}")
    np.testing.assert_allclose(answers, expected, rtol=1e-5)


if __name__ == "__main__":
    main()
