"""A scikit-learn pipeline that ends in a network of PyTorch, by skorch: one file, answered without both.

python examples/skorch_penguins.py     (writes skorch-penguins-1.0.0.onnx to the current folder)

It needs edge-infer[skorch].
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

import edge_infer
from edge_infer_convert import convert
from edge_infer_convert.demo import load_penguins


def untrained() -> object:
    """Columns with gaps → float32 → a network; the vote of one gives labels of text, which skorch alone does not."""
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector(dtype_include="number")),
        (texts, make_column_selector(dtype_exclude="number")),
        sparse_threshold=0,
    )
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        nn.Sequential(nn.LazyLinear(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 3)),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.01,
        max_epochs=30,
        verbose=0,
    )
    return make_pipeline(columns, FunctionTransformer(np.float32), VotingClassifier([("net", net)], voting="soft"))


def main() -> None:
    X, y = load_penguins()
    train, test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
    pipeline = untrained().fit(train, y_train)
    print(convert(pipeline, data=train, name="skorch-penguins", output="skorch-penguins-1.0.0.onnx"))

    model = edge_infer.load("skorch-penguins-1.0.0.onnx")  # from here on without PyTorch and scikit-learn
    one = {"island": "Biscoe", "sex": None, "bill_length_mm": 46.5, "bill_depth_mm": 14.5}
    one |= {"flipper_length_mm": 213, "body_mass_g": 4400}
    print(f"one penguin: {model.predict(one)}, {model.predict_proba(one).max():.0%}")
    same = (model.predict(test) == pipeline.predict(test)).sum()
    print(f"labels equal to the pipeline's: {same} of {len(test)}; right: {(model.predict(test) == y_test).mean():.1%}")
    np.testing.assert_allclose(model.predict_proba(test), pipeline.predict_proba(test), atol=1e-5)


if __name__ == "__main__":
    main()
