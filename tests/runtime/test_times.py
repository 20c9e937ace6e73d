"""Dates and times of every form that callers have them in, counted as pandas counts them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.errors import InputError
from edge_infer.manifest import Column, Inputs, Tensor
from edge_infer.tensors import Packer
from edge_infer.time_units import units_of
from edge_infer.times import TimeType

UNITS = st.sampled_from(["s", "ms", "us", "ns"])
MOMENTS = st.datetimes(datetime(1678, 1, 1), datetime(2261, 12, 31))  # what nanoseconds of int64 reach
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def packer(dtype: str) -> Packer:
    column = Column("joined", "datetime", dtype, "numbers", 0, missing=False)
    return Packer(Inputs("columns", (column,), (Tensor("numbers", "float64", 1),)))


def packed(dtype: str, data: Any) -> list[float]:
    feeds: dict[str, Any] = packer(dtype).pack(data).feeds
    return feeds["numbers"][:, 0].tolist()  # type: ignore[no-any-return]


@given(UNITS, st.lists(MOMENTS, min_size=1, max_size=5))
def test_every_form_of_a_time_counts_as_in_pandas(unit: str, moments: list[datetime]) -> None:
    dtype = f"datetime64[{unit}]"
    wanted = [float(n) for n in pd.Series(moments).astype(dtype).astype("int64")]
    frame = pd.DataFrame({"joined": pd.Series(moments)})
    assert packed(dtype, frame) == wanted
    assert packed(dtype, polars.DataFrame({"joined": moments})) == wanted
    assert packed(dtype, pyarrow.table({"joined": moments})) == wanted
    assert packed(dtype, [{"joined": moment} for moment in moments]) == wanted
    assert packed(dtype, [{"joined": moment.isoformat()} for moment in moments]) == wanted
    assert packed(dtype, [{"joined": np.datetime64(moment)} for moment in moments]) == wanted
    assert packed(dtype, [{"joined": pd.Timestamp(moment)} for moment in moments]) == wanted
    assert [packed(dtype, {"joined": moment})[0] for moment in moments] == wanted


@given(UNITS, st.lists(st.dates(date(1678, 1, 2), date(2261, 12, 30)), min_size=1, max_size=5))
def test_dates_are_midnights(unit: str, days: list[date]) -> None:
    dtype = f"datetime64[{unit}]"
    wanted = [float(n) for n in pd.Series(pd.to_datetime(days)).astype(dtype).astype("int64")]
    assert packed(dtype, polars.DataFrame({"joined": days})) == wanted
    assert packed(dtype, pyarrow.table({"joined": days})) == wanted
    assert packed(dtype, [{"joined": day} for day in days]) == wanted
    assert packed(dtype, [{"joined": str(day)} for day in days]) == wanted


@given(UNITS, MOMENTS, ZONES)
def test_times_with_a_zone_are_instants(unit: str, moment: datetime, zone: timezone) -> None:
    dtype, local = f"datetime64[{unit}, Europe/Berlin]", moment.replace(tzinfo=zone)
    wanted = [float(pd.Series([local]).dt.tz_convert("UTC").astype(f"datetime64[{unit}, UTC]").astype("int64").iloc[0])]
    assert packed(dtype, {"joined": local}) == wanted
    assert packed(dtype, {"joined": local.isoformat()}) == wanted
    assert packed(dtype, {"joined": pd.Timestamp(local)}) == wanted
    assert packed(dtype, pd.DataFrame({"joined": pd.Series([local])})) == wanted
    assert packed(dtype, polars.DataFrame({"joined": pd.Series([local]).dt.tz_convert("UTC")})) == wanted


def test_nanoseconds_are_kept() -> None:
    stamp = pd.Timestamp("1970-01-01T00:00:00.000000123")
    assert packed("datetime64[ns]", {"joined": stamp}) == [123.0]
    assert packed("datetime64[ns]", pyarrow.table({"joined": pd.Series([stamp])})) == [123.0]
    assert packed("datetime64[ns, UTC]", {"joined": stamp.tz_localize("UTC")}) == [123.0]


NANOSECONDS = {"D": 86400 * 10**9, "h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}


@given(
    st.sampled_from(sorted(NANOSECONDS)),
    MOMENTS,
    st.text("0123456789", max_size=12),
    st.sampled_from(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y%m%dT%H%M%S"]),
    st.sampled_from(".,"),
    st.none() | st.integers(-12 * 60, 14 * 60),
)
def test_all_digits_of_a_second_count_as_in_pandas_and_numpy(
    unit: str, moment: datetime, digits: str, form: str, point: str, offset: int | None
) -> None:
    plain = moment.strftime("%Y-%m-%dT%H:%M:%S") + ("." + digits[:9] if digits else "")
    zone = "" if offset is None else f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    text = moment.strftime(form) + (point + digits if digits else "") + zone
    instant = int(np.datetime64(plain, "ns").astype("int64")) - (offset or 0) * NANOSECONDS["m"]
    assert pd.Timestamp(plain + zone).value == instant
    times = TimeType.parse(f"datetime64[{unit}{'' if offset is None else ', UTC'}]")
    assert times is not None
    years = pd.Timestamp(instant).year
    if times.years[0] <= years <= times.years[1]:
        assert units_of(text, times) == instant // NANOSECONDS[unit]
        assert units_of(f" {text} ", times) == instant // NANOSECONDS[unit]


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("1970-01-01T00:00:00.123456789", 123_456_789),
        ("1970-01-01T00:00:00.1234567899", 123_456_789),
        ("1970-01-01T00:00:00.1234567", 123_456_700),
        ("1969-12-31T23:59:59.999999999", -1),
        ("1970-W01-4T00:00:00.000000001", 1),
        ("1970W014T000000.000000001", 1),
        ("1970-01-01-00:00:00.000000001", 1),
    ],
)
def test_nanoseconds_of_a_text_are_kept(text: str, units: int) -> None:
    assert units_of(text, TimeType("ns", zoned=False)) == units
    assert packed("datetime64[ns]", {"joined": text}) == [float(units)]
    assert packed("datetime64[ns]", [{"joined": text}, {"joined": text}]) == [float(units)] * 2


def test_the_digits_of_an_offset_are_not_those_of_the_second() -> None:
    text = "1970-01-01T00:00:30+00:00:30.123456789"  # which ISO 8601 does not have, and datetime takes
    assert units_of(text, TimeType("ns", zoned=True)) == -123_456_000


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        ("datetime64[us]", "24.12.2024", 'a date or time such as "2024-05-01"'),
        ("datetime64[us]", "now", "a date or time such as"),
        ("datetime64[us]", "2024-05-01" * 1000, "a date or time such as"),
        ("datetime64[us]", 1_700_000_000, "a date or time such as"),
        ("datetime64[us]", None, "a missing value"),
        ("datetime64[us]", pd.NaT, "a missing value"),
        ("datetime64[us]", np.datetime64("NaT"), "a missing value"),
        ("datetime64[us]", datetime(2024, 5, 1, tzinfo=UTC), "without a time zone"),
        ("datetime64[us]", "2024-05-01T12:30+02:00", "without a time zone"),
        ("datetime64[us, UTC]", datetime(2024, 5, 1), "with its time zone"),
        ("datetime64[us, UTC]", np.datetime64("2024-05-01"), "with its time zone"),
        ("datetime64[us, UTC]", "0001-01-01T00:00+10:00", "the years 1 to 9999"),
        ("datetime64[ns]", datetime(2300, 1, 1), "the years 1678 to 2261"),
        ("datetime64[us]", np.datetime64("+300000-01-01"), "the years 1 to 9999"),
        ("datetime64[us]", np.datetime64(2**62, "Y"), "the years 1 to 9999"),
    ],
)
def test_what_is_no_time_of_the_column_is_refused(dtype: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match="column 'joined'") as caught:
        packed(dtype, {"joined": value})
    assert message in str(caught.value)


def test_a_bad_time_among_good_ones_is_told_by_its_row() -> None:
    frame = pd.DataFrame({"joined": pd.to_datetime(["2024-01-01", None, "2024-01-03"])})
    with pytest.raises(InputError, match="row 1, column 'joined'"):
        packed("datetime64[us]", frame)
    with pytest.raises(InputError, match=r"row 1, column 'joined'.*1678 to 2261"):
        packed("datetime64[ns]", pd.DataFrame({"joined": pd.Series([datetime(2024, 1, 1), datetime(2400, 1, 1)])}))
