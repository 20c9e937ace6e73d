"""XGBoost's binary files: whole ones pass, every torn one is told, and no bytes crash the walk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st

from edge_infer_convert.boosters.ubjson import check_whole


def saved(folder: Path, objective: str) -> bytes:
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    classes = {"num_class": 3} if objective.startswith("multi") else {}
    booster = xgboost.train({"objective": objective, **classes}, xgboost.DMatrix(X, y), 3)
    booster.set_attr(note="a text")
    booster.save_model(folder / "m.ubj")
    return (folder / "m.ubj").read_bytes()


@pytest.mark.parametrize("objective", ["reg:squarederror", "multi:softprob"])
def test_a_saved_model_is_whole_and_no_part_of_it_is(objective: str, tmp_path: Path) -> None:
    data = saved(tmp_path, objective)
    check_whole(data)
    for size in range(len(data)):
        with pytest.raises(ValueError, match="ends early"):
            check_whole(data[:size])
    with pytest.raises(ValueError, match="1 bytes behind the end"):
        check_whole(data + b"Z")


@given(st.binary(max_size=200), st.sampled_from([b"", b"{", b"[", b"[$d#", b"{#i\x02", b"[" * 90]))
def test_other_bytes_are_told_or_pass_and_never_crash(data: bytes, head: bytes) -> None:
    try:
        check_whole(head + data)
    except ValueError as error:
        assert "byte" in str(error) or "length" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"{}", True),
        (b"[]", True),
        (b"[i\x01i\x02]", True),
        (b"[#i\x02i\x01i\x02", True),
        (b"[$d#i\x01\0\0\0\0", True),
        (b"{U\x01aSU\x02hi}", True),
        (b"{#i\x01U\x01aT", True),
        (b"[$S#i\x01i\x01x", True),
        (b"[$d#i\x02\0\0\0\0", False),
        (b"[$d\0", False),
        (b"[#i\xffi", False),
        (b"[#L\x7f\xff\xff\xff\xff\xff\xff\xff", False),
        (b"q", False),
    ],
)
def test_values_of_the_format(data: bytes, whole: bool) -> None:
    if whole:
        check_whole(data)
        return
    with pytest.raises(ValueError, match="byte"):
        check_whole(data)
