"""Models of dates and times against scikit-learn's own answers; and the way of such a model through the CLI."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, MinMaxScaler, OneHotEncoder, StandardScaler

import edge_infer
from edge_infer.errors import SchemaError, UnsupportedModelError
from edge_infer_convert import convert
from tests.convert.operators.drawn import assert_converted, few, seeds


def dated(seed: int, unit: str = "us", zone: str | None = None, rows: int = 80) -> tuple[pd.DataFrame, Any]:
    """A column of times, one of numbers, and a target of both."""
    rng = np.random.default_rng(seed)
    joined = pd.Series(pd.Timestamp("2019-03-01") + pd.to_timedelta(rng.integers(0, 2000 * 86400, rows), unit="s"))
    frame = pd.DataFrame({"joined": joined.astype(f"datetime64[{unit}]"), "age": np.round(rng.normal(40, 9, rows), 2)})
    y = (frame["joined"] - frame["joined"].min()).dt.days + frame["age"]
    if zone is not None:
        frame["joined"] = frame["joined"].dt.tz_localize("UTC").dt.tz_convert(zone)
    return frame, y.to_numpy(np.float64)


def _days(frame: Any) -> Any:
    return frame.astype("int64") // 86_400_000_000


MODELS: dict[str, Callable[[], Any]] = {
    "scaled": lambda: make_column_transformer((StandardScaler(), ["joined"]), remainder="passthrough"),
    "between 0 and 1": lambda: make_pipeline(
        make_column_transformer((MinMaxScaler(), ["joined"]), remainder="passthrough"), LinearRegression()
    ),
    "imputed": lambda: make_column_transformer((SimpleImputer(), ["joined"])),
    "days": lambda: make_pipeline(
        make_column_transformer((FunctionTransformer(_days), ["joined"]), remainder="passthrough"), LinearRegression()
    ),
    "forest": lambda: make_pipeline(
        make_column_transformer((MinMaxScaler(), ["joined"]), remainder="passthrough"),
        RandomForestRegressor(10, random_state=0),
    ),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@few
@given(seeds, st.sampled_from(["s", "ms", "us", "ns"]))
def test_models_of_times_answer_as_the_original(name: str, zone: str | None, seed: int, unit: str) -> None:
    X, y = dated(seed, unit, zone)
    conversion = assert_converted(MODELS[name]().fit(X, y), X)
    assert conversion.manifest.precision == "float64"
    assert "times" in conversion.manifest.precision_reason


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_nanoseconds_of_the_sample_are_asked_of_the_original_too(zone: str | None) -> None:
    nanoseconds = np.random.default_rng(0).integers(-(10**6), 10**6, 60)
    at = pd.Series(pd.to_datetime(nanoseconds)).dt.tz_localize("UTC")
    at = at.dt.tz_convert(zone) if zone else at.dt.tz_localize(None)
    X = pd.DataFrame({"joined": at, "age": np.arange(60.0)})
    model = make_pipeline(MODELS["scaled"](), LinearRegression()).fit(X, nanoseconds / 1e3)
    assert_converted(model, X)


@few
@given(seeds)
def test_bins_of_times_answer_as_the_original(seed: int) -> None:
    X, _ = dated(seed)
    assert_converted(make_column_transformer((KBinsDiscretizer(4), ["joined"])).fit(X), X)


@few
@given(seeds, st.sampled_from(["D", "s", "us"]))
def test_arrays_of_times_answer_as_the_original(seed: int, unit: str) -> None:
    days = (
        np.random.default_rng(seed).integers(0, 20_000, (60, 2)).astype("datetime64[D]").astype(f"datetime64[{unit}]")
    )
    assert_converted(StandardScaler().fit(days), days, rows=days[::-1])


def _months(frame: Any) -> Any:
    return frame.assign(joined=frame["joined"].dt.month)


def test_parts_of_a_date_are_refused_with_what_to_write_instead() -> None:
    X, y = dated(1)
    prepare = make_column_transformer((FunctionTransformer(_months), ["joined"]), remainder="passthrough")
    with pytest.raises(
        UnsupportedModelError, match=r"'_months' cannot be traced: the parts of a date \(\.dt\)"
    ) as caught:
        convert(make_pipeline(prepare, LinearRegression()).fit(X, y), data=X, name="joined")
    assert "Traced" not in str(caught.value)
    assert "86_400_000_000" in str(caught.value)


def test_encoded_times_durations_and_float32_are_refused() -> None:
    X, y = dated(1)
    for unit in ("s", "us", "ns"):  # of nanoseconds numpy makes whole numbers
        coded = X.astype({"joined": f"datetime64[{unit}]"})
        with pytest.raises(SchemaError, match="encodes dates"):
            convert(make_column_transformer((OneHotEncoder(), ["joined"])).fit(coded), data=coded, name="joined")
    with pytest.raises(SchemaError, match="'joined' holds times, which need precision"):
        convert(MODELS["scaled"]().fit(X, y), data=X, name="joined", precision="float32")
    lasted = X.assign(joined=X["joined"] - X["joined"].min())
    with pytest.raises(SchemaError, match="'joined' holds durations"):
        convert(MODELS["scaled"]().fit(lasted, y), data=lasted, name="joined")


def test_gaps_in_the_sample_are_left_out_and_refused_by_the_artifact() -> None:
    X, y = dated(2)
    X.loc[3, "joined"] = pd.NaT
    model = edge_infer.load(convert(MODELS["scaled"]().fit(X.drop(index=3), y[1:]), data=X, name="joined").data)
    with pytest.raises(edge_infer.InputError, match=r"column 'joined'.*a date or time.*missing"):
        model.transform(X)
    assert model.transform(X.drop(index=3)).shape == (79, 2)


def test_a_csv_with_dates_through_the_command_line(tmp_path: Path) -> None:
    X, y = dated(3)
    pipeline = MODELS["days"]().fit(X, y)
    joblib.dump(pipeline, tmp_path / "model.joblib")
    X.to_csv(tmp_path / "train.csv", index=False)
    call(
        tmp_path,
        "convert",
        "model.joblib",
        "--data",
        "train.csv",
        "--date-column",
        "joined",
        "--trust-pickle",
        "-o",
        "joined.onnx",
    )
    assert "2019-" in call(tmp_path, "inspect", "joined.onnx")
    assert "goldens" in call(tmp_path, "verify", "joined.onnx")
    answers = call(tmp_path, "predict", "joined.onnx", "train.csv").split()
    np.testing.assert_allclose([float(answer) for answer in answers[-5:]], pipeline.predict(X)[-5:], rtol=1e-9)
    record = call(tmp_path, "predict", "joined.onnx", '{"joined": "2024-05-01", "age": 30}')
    wanted = pipeline.predict(pd.DataFrame({"joined": [pd.Timestamp("2024-05-01").as_unit("us")], "age": [30.0]}))[0]
    assert float(record.split()[-1]) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("option", ["--date-column", "--target-column"])
def test_options_of_a_data_file_need_one(option: str, tmp_path: Path) -> None:
    done = run(tmp_path, "convert", "model.joblib", option, "joined")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {option} tells of the file that --data names: name it too\n"


@pytest.mark.parametrize("column", ["age", "plan", "join"])
def test_what_is_no_date_column_is_told_in_a_line(column: str, tmp_path: Path) -> None:
    X, y = dated(4)
    joblib.dump(MODELS["days"]().fit(X, y), tmp_path / "model.joblib")
    X.assign(plan="free").to_csv(tmp_path / "train.csv", index=False)
    done = run(tmp_path, "convert", "model.joblib", "--trust-pickle", "--data", "train.csv", "--date-column", column)
    assert done.returncode == 1
    assert "Warning" not in done.stderr
    told = {"plan": "column 'plan': expected dates or times", "join": "no column 'join' of dates"}
    assert told.get(column, "text columns") in done.stderr
    assert not list(tmp_path.glob("*.onnx"))


def call(folder: Path, *arguments: str) -> str:
    done = run(folder, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_infer.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
