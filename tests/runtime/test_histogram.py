"""Histograms against numpy's quantiles of the same numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.errors import FormatError, LimitError
from edge_infer.histogram import ERROR, LEAST, MOST, Histogram
from edge_infer.strict_json import Node, parse

NUMBERS = st.lists(st.floats(LEAST, MOST), min_size=1, max_size=200)
SHARES = st.floats(0, 1)


def made(numbers: list[float]) -> Histogram:
    return Histogram.of(*numbers)


def read(document: object) -> Histogram:
    return Histogram.parse(parse(json.dumps(document).encode(), what="a test", most_bytes=1 << 20, most_depth=8))


@given(NUMBERS, SHARES)
def test_quantiles_are_within_the_stated_error_of_numpys(numbers: list[float], share: float) -> None:
    exact = np.quantile(numbers, share, method="lower")
    assert made(numbers).quantile(share) == pytest.approx(exact, rel=ERROR * (1 + 1e-9))


def test_quantiles_of_many_latencies_are_within_the_stated_error() -> None:
    numbers = np.random.default_rng(0).lognormal(-11, 1.5, 20_000)
    histogram = made(numbers.tolist())
    for share in (0.0, 0.01, 0.5, 0.99, 0.999):
        assert histogram.quantile(share) == pytest.approx(np.quantile(numbers, share, method="lower"), rel=ERROR)
    assert histogram.quantile(1.0) == histogram.largest == numbers.max()


@given(NUMBERS, NUMBERS, SHARES)
def test_merged_ones_are_those_of_all_numbers_together(first: list[float], second: list[float], share: float) -> None:
    merged, both = made(first), made(first + second)
    merged.merge(made(second))
    assert (merged.plain(), merged.count) == (both.plain(), both.count)
    assert merged.quantile(share) == both.quantile(share)


@given(NUMBERS)
def test_what_is_written_is_read_back(numbers: list[float]) -> None:
    histogram = made(numbers)
    again = read(histogram.plain())
    assert (again.plain(), again.count, again.largest) == (histogram.plain(), histogram.count, histogram.largest)


def test_memory_is_bounded_whatever_the_numbers() -> None:
    histogram = made([*np.geomspace(1e-300, 1e300, 20_000).tolist(), 0.0, float("inf")])
    assert histogram.count == 20_002
    assert len(histogram.plain()["buckets"]) <= 865
    assert histogram.quantile(0.0) == pytest.approx(LEAST, rel=ERROR)
    assert read(histogram.plain()).largest == MOST


def test_nothing_counted_has_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None
    assert read(Histogram().plain()).count == 0


@pytest.mark.parametrize("number", [float("nan"), -1.0])
def test_what_is_no_latency_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="numbers ≥ 0"):
        Histogram().add(number)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_beyond_the_whole_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="expected 0 to 1"):
        made([1.0]).quantile(share)


HOSTILE = {
    "no object": [],
    "no buckets": {"largest": 1.0},
    "a bucket beyond the last": {"largest": 1e6, "buckets": [[347, 1]]},
    "a bucket before the first": {"largest": 1e-9, "buckets": [[-519, 1]]},
    "a bucket twice": {"largest": 1.0, "buckets": [[0, 1], [0, 1]]},
    "a count of 0": {"largest": 1.0, "buckets": [[0, 0]]},
    "a count of parts": {"largest": 1.0, "buckets": [[0, 1.5]]},
    "a pair of one": {"largest": 1.0, "buckets": [[0]]},
    "counts that no machine has": {"largest": 1.0, "buckets": [[0, 1 << 63]]},
    "a largest number outside the highest bucket": {"largest": 2.0, "buckets": [[0, 1]]},
    "a negative largest number": {"largest": -1.0, "buckets": []},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_histograms_are_refused(name: str) -> None:
    with pytest.raises(FormatError):
        read(HOSTILE[name])


def test_more_buckets_than_there_are_are_refused() -> None:
    with pytest.raises(LimitError):
        Histogram.parse(Node({"largest": 1.0, "buckets": [[0, 1]] * 866}, "$"))


def test_a_usual_histogram_is_not_refused() -> None:
    assert read({"largest": 1.0, "buckets": [[-10, 3], [0, 1]]}).count == 4
