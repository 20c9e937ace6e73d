"""Sizes beside the batch that vary are asked too: an export may be right for one of them only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from numpy.typing import NDArray

from edge_infer.errors import InferenceError, ParityError
from edge_infer_convert.deep.inputs import calls_of, clean_name, spec_of
from edge_infer_convert.deep.parity import compare_tensors

Feeds = Mapping[str, NDArray[Any]]
INPUTS = [spec_of("x", "float32[batch, length=4, 3]"), spec_of("mask", "float32[batch, length=4]")]


def sums(feeds: Feeds) -> dict[str, NDArray[Any]]:
    return {"y": (feeds["x"] * feeds["mask"][..., None]).sum(1)}


def sums_of_four(feeds: Feeds) -> dict[str, NDArray[Any]]:
    """As an exporter unrolls a loop over a length of 4."""
    return {"y": (feeds["x"] * feeds["mask"][..., None])[:, :4].sum(1)}


def only_four(feeds: Feeds) -> dict[str, NDArray[Any]]:
    if feeds["x"].shape[1] != 4:
        raise InferenceError("a length of 4 is expected")
    return sums(feeds)


def test_all_that_varies_is_larger_once_and_smaller_once() -> None:
    calls = list(calls_of(INPUTS))
    assert [call.kind for call in calls] == ["made"] * 8 + ["resized"] * 2
    assert {call.feeds["x"].shape[1] for call in calls[:8]} == {4}
    assert [(call.feeds["x"].shape, call.feeds["mask"].shape) for call in calls[8:]] == [
        ((2, 7, 3), (2, 7)),
        ((2, 2, 3), (2, 2)),
    ]
    assert {call.kind for call in calls_of([spec_of("x", "float32[batch, 4]")])} == {"made"}


def test_what_is_right_for_one_size_only_is_told() -> None:
    with pytest.raises(ParityError) as caught:
        compare_tensors(calls_of(INPUTS), sums, sums_of_four)
    assert "resized; x [2, 7, 3]" in str(caught.value.__dict__)
    with pytest.raises(ParityError, match=r"fails on call 8 \(resized; x \[2, 7, 3\](.|\n)*give it as a number"):
        compare_tensors(calls_of(INPUTS), sums, only_four)


def test_the_original_need_not_take_other_sizes() -> None:
    found = compare_tensors(calls_of(INPUTS), only_four, sums_of_four)
    assert (found.calls, found.kinds) == (8, {"made": 16})
    found = compare_tensors(calls_of(INPUTS), sums, sums)
    assert (found.calls, found.kinds["resized"]) == (10, 4)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("x:0", "x"),
        ("serving_default_x:0", "serving_default_x"),
        ("a/b c", "a_b_c"),
        ("é", "tensor"),
        ("x.1-y", "x.1-y"),
    ],
)
def test_names_are_cleaned(name: str, clean: str) -> None:
    assert clean_name(name) == clean
