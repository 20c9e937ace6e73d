"""Several halvings at a time find what they find one by one, to the last bit."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_infer_convert.probes import _HALVINGS, _halved

_PLACES = st.lists(st.floats(0.0, 1.0, exclude_min=True, exclude_max=True), min_size=1, max_size=5)


class _Labels:
    """A label that changes at some places of the way from the first row to the second; `refused` lie between two."""

    def __init__(self, borders: list[list[float]], refused: tuple[float, float] = (2.0, 2.0)) -> None:
        self.borders, self.refused, self.asked = borders, refused, 0

    def alike(self, shares: NDArray[np.float64]) -> NDArray[np.bool_]:
        low, high = self.refused
        if ((shares > low) & (shares < high)).any():
            raise ValueError("a row that the original refuses")
        self.asked += 1
        return np.array(
            [np.searchsorted(np.sort(own), row) % 2 == 0 for own, row in zip(self.borders, shares, strict=True)]
        )


def _found(labels: _Labels, halvings: tuple[int, ...]) -> Any:
    low, high = np.zeros(len(labels.borders)), np.ones(len(labels.borders))
    for count in halvings:
        low, high = _halved(low, high, count, labels.alike)
    return low.tolist(), high.tolist()


@given(st.lists(_PLACES, min_size=1, max_size=4))
def test_several_halvings_at_a_time_end_where_single_ones_do(borders: list[list[float]]) -> None:
    together, single = _Labels(borders), _Labels(borders)
    assert _found(together, _HALVINGS) == _found(single, (1,) * 52)
    assert (together.asked, single.asked) == (24, 52)


@given(_PLACES, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_row_that_is_refused_beside_the_way_takes_no_pair_away(own: list[float], one: float, other: float) -> None:
    between = (min(one, other), max(one, other))

    def outcome(halvings: tuple[int, ...]) -> Any:
        try:
            return _found(_Labels([own], between), halvings)
        except ValueError:
            return "refused"

    assert outcome(_HALVINGS) == outcome((1,) * 52)


def test_the_halvings_reach_the_last_bit_of_a_float64() -> None:
    assert sum(_HALVINGS) == 52
    ends = _found(_Labels([[1 / 3]]), _HALVINGS)
    assert [high - low for low, high in zip(*ends, strict=True)] == [2.0**-52]
    assert all(low < 1 / 3 <= high for low, high in itertools.pairwise(np.ravel(ends).tolist()))
