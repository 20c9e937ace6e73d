"""Dates: a column of times that a step counts in days, weekdays and hours; asked with a text, as a JSON or CSV has it.

python examples/dates.py     (writes rides-1.0.0.onnx to the current folder)
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import edge_infer
from edge_infer_convert import convert

HOUR, DAY = 3_600_000_000, 86_400_000_000  # microseconds: the unit of datetime64[us]


def counted(frame: pd.DataFrame) -> pd.DataFrame:
    """Day, weekday (Monday is 0) and hour. Written by // and %, which convert; `.dt.day_of_week` does not."""
    since_1970 = frame["start"].astype("int64")
    days = since_1970 // DAY
    return frame.assign(start=days, weekday=(days + 3) % 7, hour=since_1970 // HOUR % 24)


def rides() -> tuple[pd.DataFrame, pd.Series]:
    """Rides of rented bicycles, made up: more at noon and at weekends."""
    start = pd.Series(pd.date_range("2023-01-01", periods=2000, freq="5h")).astype("datetime64[us]")
    degrees = np.random.default_rng(0).normal(12, 8, len(start)).round(1)
    noon = 12 - (start.dt.hour - 12).abs()
    return pd.DataFrame({"start": start, "degrees": degrees}), 20 * noon + 90 * (start.dt.day_of_week > 4) + degrees


def main() -> None:
    frame, target = rides()
    prepare = make_column_transformer((FunctionTransformer(counted), ["start"]), remainder="passthrough")
    pipeline = make_pipeline(prepare, HistGradientBoostingRegressor(random_state=0)).fit(frame, target)
    conversion = convert(pipeline, data=frame, name="rides", version="1.0.0", output="rides-1.0.0.onnx")
    print(conversion)

    model = edge_infer.load("rides-1.0.0.onnx")
    row = {"start": "2024-07-06T12:00:00", "degrees": 24.5}
    print(f"a warm Saturday at noon: {model.predict(row):.1f} rides")
    np.testing.assert_allclose(model.predict(frame), pipeline.predict(frame), rtol=1e-9)


if __name__ == "__main__":
    main()
