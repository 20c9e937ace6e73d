"""Make the sample artifacts of the current format. Samples of released formats are never made again.

python artifacts/samples/make_samples.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_infer.manifest import FORMAT_VERSION
from edge_infer_convert import convert
from edge_infer_convert.demo import train

FOLDER = Path(__file__).parent / f"format-{FORMAT_VERSION}"
RECORD = {
    "island": "Biscoe",
    "sex": None,
    "bill_length_mm": 46.5,
    "bill_depth_mm": 14.5,
    "flipper_length_mm": 213.0,
    "body_mass_g": 4400.0,
}


def main() -> None:
    """Penguins (mixed columns, missing values, text labels), diabetes (numbers by name), digits (a matrix)."""
    penguins, X, _ = train()
    write("penguins", penguins, X)
    answer = {"prediction": edge_answer("penguins")}
    (FOLDER / "penguins-1.0.0.record.json").write_text(json.dumps(RECORD) + "\n", encoding="utf-8")
    (FOLDER / "penguins-1.0.0.answer.json").write_text(json.dumps(answer) + "\n", encoding="utf-8")
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    write("diabetes", RandomForestRegressor(5, max_depth=4, random_state=0).fit(X, y), X)
    X, y = load_digits(return_X_y=True)
    write("digits", make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X, y), X)


def write(name: str, estimator: Any, data: Any) -> None:
    convert(estimator, data=data, name=name, output=FOLDER / f"{name}-1.0.0.onnx")


def edge_answer(name: str) -> Any:
    import edge_infer

    return edge_infer.load(FOLDER / f"{name}-1.0.0.onnx").predict(RECORD)


if __name__ == "__main__":
    main()
