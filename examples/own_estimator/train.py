"""A pipeline with a transformer of your own: train, convert, prove, run, compare.

python examples/own_estimator/train.py     (writes breast-cancer-1.0.0.onnx, .pickle and .csv to the current folder)

The pickle converts from the shell as well. The module of the class must be importable there:

PYTHONPATH=examples/own_estimator edge-infer convert breast-cancer.pickle --trust-pickle --data breast-cancer.csv
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from winsoriser import Winsoriser  # registers its converter

import edge_infer
from edge_infer_convert import convert


def main() -> None:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, _ = train_test_split(X, y, random_state=0)
    pipeline = make_pipeline(Winsoriser(), StandardScaler(), LogisticRegression()).fit(X_train, y_train)
    Path("breast-cancer.pickle").write_bytes(pickle.dumps(pipeline))
    X_train.to_csv("breast-cancer.csv", index=False)
    done = convert(pipeline, data=X_train, name="breast-cancer", version="1.0.0", output="breast-cancer-1.0.0.onnx")
    print(f"{len(done.parity.probes.rows)} probe rows equal")

    model = edge_infer.load("breast-cancer-1.0.0.onnx")
    expected = pipeline.predict_proba(X_test)
    np.testing.assert_allclose(model.predict_proba(X_test), expected, atol=1e-5)
    print(f"{len(X_test)} test rows: probabilities as scikit-learn's, labels equal:", end=" ")
    print((model.predict(X_test) == pipeline.predict(X_test)).all())


if __name__ == "__main__":
    main()
