"""What calibrates and what judges: never the same examples where there are enough; and the choice between variants."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer_convert.deep.inputs import spec_of
from edge_infer_convert.quantize.calibration import given_sample, made_sample, split
from edge_infer_convert.quantize.choosing import FLOAT, Tried, best, objection
from edge_infer_convert.quantize.metrics import Score


@given(st.integers(1, 5000), st.booleans())
def test_what_calibrates_does_not_judge(count: int, calibrated: bool) -> None:
    found = split(count, calibrated=calibrated)
    both = np.intersect1d(found.calibrating, found.judging)
    assert len(found.judging) >= 1
    assert len(found.judging) <= 1000
    assert len(found.calibrating) <= 512
    assert (len(found.calibrating) > 0) == calibrated
    assert (len(both) > 0) == (found.sample == "calibration") == (calibrated and count < 40)
    everything = np.concatenate([found.calibrating, found.judging])
    assert everything.min() >= 0
    assert everything.max() < count


def test_sorted_samples_are_spread_over_both_parts() -> None:
    labels = np.repeat(np.arange(10), 60)
    found = split(600, calibrated=True)
    for places in (found.calibrating, found.judging):
        assert np.bincount(labels[places]).min() >= 30


def test_examples_lie_along_the_batch_wherever_it_stands() -> None:
    told = [spec_of("x", "float32[batch, 3]"), spec_of("hidden", "float32[1, batch, 4]"), spec_of("rate", "int64[]")]
    arrays = {"x": np.arange(30, dtype=np.float32).reshape(10, 3), "rate": np.array(16000)}
    arrays["hidden"] = np.arange(40, dtype=np.float32).reshape(1, 10, 4)
    sample = given_sample(arrays, told)
    assert sample is not None
    call = sample.call(np.array([2, 7]))
    np.testing.assert_array_equal(call["x"], arrays["x"][[2, 7]])
    np.testing.assert_array_equal(call["hidden"], arrays["hidden"][:, [2, 7]])
    assert call["rate"] == 16000
    assert (sample.examples, sample.fixed) == (10, False)


def test_of_a_fixed_batch_an_example_is_a_call() -> None:
    told = [spec_of("x", "float32[4, 3]")]
    sample = given_sample(np.arange(36, dtype=np.float32).reshape(12, 3), told)
    assert sample is not None
    assert (sample.examples, sample.fixed) == (3, True)
    np.testing.assert_array_equal(sample.call(np.array([1]))["x"][:, 0], [12, 15, 18, 21])


@pytest.mark.parametrize("text", ["float32[batch, 3] 5..6", "float32[2, 3] 5..6", "int64[batch] 5..6"])
def test_a_sample_that_is_made_up_lies_in_the_range(text: str) -> None:
    sample = made_sample([spec_of("x", text)], count=50)
    assert sample.made
    assert sample.examples == 50
    assert 5 <= sample.feeds["x"].min() < sample.feeds["x"].max() <= 6


# --- the choice -------------------------------------------------------------------------

BASE = Tried(FLOAT, FLOAT, 1000, 1e-3, None, None, False, "")


def row(size: int, p50: float, loss: float = 0.0) -> Tried:
    return Tried(f"{size}-{p50}", "int8", size, p50, None, Score("accuracy", "y", 1.0, 1.0, loss, 9), False, "")


@pytest.mark.parametrize(
    ("tried", "kept"),
    [
        (row(300, 9e-3), True),  # smaller, though slower
        (row(2000, 5e-4), True),  # faster, though larger
        (row(960, 9.9e-4), False),  # neither, by 5%
        (row(300, 5e-4, loss=0.5), True),
        (row(300, 5e-4, loss=0.51), False),
        (row(300, 5e-4, loss=-3), True),
        (row(300, 5e-4, loss=math.inf), False),
    ],
)
def test_one_is_kept_that_is_smaller_or_faster_and_within_the_loss(tried: Tried, kept: bool) -> None:
    assert (objection(tried, BASE, 0.5) is None) == kept


def test_the_least_size_times_time_is_best_and_the_first_of_equal_ones() -> None:
    slow, fast, near = row(250, 4e-3), row(300, 1e-3), row(290, 1e-3)
    assert best([slow, fast, near], BASE) is fast
    assert best([near, fast], BASE) is near
    assert best([], BASE) is None
