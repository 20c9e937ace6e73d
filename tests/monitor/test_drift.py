"""Statistics and verdicts of drift, judged by scipy; found where it was put, and not where it was not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, root_mean_squared_error

from edge_infer.errors import UsageError
from edge_infer.monitor.basis import Basis, ColumnBasis
from edge_infer.monitor.counts import Counts, positions
from edge_infer.monitor.drift import (
    EMPTY_SHARE,
    chi_squared,
    chi_squared_sf,
    jensen_shannon,
    kolmogorov_sf,
    kolmogorov_smirnov,
    psi,
)
from edge_infer.monitor.profile import Profile
from edge_infer.monitor.quality import Classified, Measured, estimated_accuracy, measured
from edge_infer.monitor.summary import Summary
from edge_infer.monitor.verdict import DRIFTED, STABLE, UNKNOWN, WATCH, DriftSettings, judge

counts = st.integers(2, 12).flatmap(
    lambda places: st.tuples(*(st.lists(st.integers(0, 10**6), min_size=places, max_size=places) for _ in range(2)))
)


def _both(pair: tuple[list[int], list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.array(pair[0]), np.array(pair[1])


# --- formulas ---------------------------------------------------------------------------


@given(st.floats(1e-6, 1e4), st.integers(1, 2000))
def test_the_tail_of_chi_squared_is_scipys(x: float, degrees: int) -> None:
    assert chi_squared_sf(x, degrees) == pytest.approx(stats.chi2.sf(x, degrees), rel=1e-9, abs=1e-12)


@given(st.floats(1e-3, 20))
def test_the_tail_of_kolmogorovs_distribution_is_scipys(x: float) -> None:
    assert kolmogorov_sf(x) == pytest.approx(stats.kstwobign.sf(x), rel=1e-9, abs=1e-12)


@given(counts)
def test_jensen_shannon_is_scipys(pair: tuple[list[int], list[int]]) -> None:
    first, second = _both(pair)
    if first.any() and second.any():
        assert jensen_shannon(first, second) == pytest.approx(jensenshannon(first, second, base=2), abs=1e-9)


@given(counts)
def test_psi_is_the_symmetric_sum_of_scipys_entropies(pair: tuple[list[int], list[int]]) -> None:
    """Σ (w − r) ln (w / r) = KL(w‖r) + KL(r‖w), for shares where no place is empty."""
    first, second = (each + 1 for each in _both(pair))
    r, w = first / first.sum(), second / second.sum()
    assert psi(first, second) == pytest.approx(stats.entropy(w, r) + stats.entropy(r, w), rel=1e-9, abs=1e-12)


def test_psi_of_empty_places_counts_them_as_evidently_does() -> None:
    r, w = np.array([0.5, 0.5, EMPTY_SHARE]), np.array([0.4, EMPTY_SHARE, 0.6])
    assert psi(np.array([50, 50, 0]), np.array([40, 0, 60])) == pytest.approx(
        ((w - r) * np.log(w / r)).sum(), rel=1e-12
    )


@given(counts)
def test_chi_squared_is_scipys_where_no_place_is_rare(pair: tuple[list[int], list[int]]) -> None:
    first, second = (each + 1000 for each in _both(pair))
    found = chi_squared(first, second)
    table = np.stack([first, second])
    expected = stats.chi2_contingency(table, correction=False)
    if expected.expected_freq.min() >= 5:
        assert found.statistic == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
        assert found.p == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-12)


def test_rare_places_are_pooled() -> None:
    pooled = chi_squared(np.array([500, 400, 2, 1, 0]), np.array([450, 450, 0, 1, 3]))
    expected = stats.chi2_contingency([[500, 400, 3], [450, 450, 4]], correction=False)
    assert pooled.statistic == pytest.approx(expected.statistic)


@given(counts)
def test_kolmogorov_smirnov_is_scipys_on_values_that_stand_for_their_bins(pair: tuple[list[int], list[int]]) -> None:
    first, second = (each % 300 for each in _both(pair))
    if first.any() and second.any():
        places = np.arange(len(first))
        wanted = stats.ks_2samp(np.repeat(places, first), np.repeat(places, second), method="asymp")
        assert kolmogorov_smirnov(first, second).statistic == pytest.approx(wanted.statistic, abs=1e-9)


def test_nothing_to_compare_is_no_drift() -> None:
    nothing, some = np.zeros(3, np.int64), np.array([1, 2, 3])
    for first, second in ((nothing, some), (some, nothing), (nothing, nothing)):
        assert chi_squared(first, second).p == 1
        assert kolmogorov_smirnov(first, second).p == 1
        assert np.isfinite(psi(first, second))
        assert np.isfinite(jensen_shannon(first, second))


# --- verdicts ---------------------------------------------------------------------------

RNG = np.random.default_rng(7)
ROWS = 20_000
#: What columns of real data look like: a bell, a long tail, one with gaps, texts, few numbers, dates' months.
POPULATION = pd.DataFrame(
    {
        "bell": RNG.normal(50, 10, ROWS),
        "tail": RNG.lognormal(3, 1, ROWS),
        "gaps": np.where(RNG.random(ROWS) < 0.02, np.nan, RNG.normal(0, 1, ROWS)),
        "town": RNG.choice(["Köln", "Oslo", "Rome", "Lima"], ROWS, p=[0.4, 0.3, 0.2, 0.1]),
        "rooms": RNG.poisson(3, ROWS).astype(float),
        "month": RNG.integers(1, 13, ROWS).astype(float),
    }
)
POPULATION["label"] = np.where(POPULATION["bell"] + RNG.normal(0, 5, ROWS) > 55, "yes", "no")


def _profile(values: pd.Series[Any]) -> Profile:
    """As the converter's `reference` makes it."""
    missing = int(values.isna().sum())
    if values.dtype.kind != "f":
        counted = values.value_counts().sort_index()
        return Profile(tuple(counted.tolist()), missing=missing, categories=tuple(counted.index))
    present = values.dropna().to_numpy()
    edges = np.unique(np.quantile(present, np.linspace(0, 1, 11)[1:-1]))
    places = np.searchsorted(edges, present, side="right")
    return Profile(tuple(np.bincount(places, minlength=len(edges) + 1).tolist()), missing=missing, edges=tuple(edges))


def _basis(sample: pd.DataFrame) -> Basis:
    columns = tuple(
        ColumnBasis(name, "number", _profile(sample[name]), None) for name in sample.columns if name != "label"
    )
    return Basis("m", "1", "a" * 64, "classification", len(sample), columns, _profile(sample["label"]), None, ())


def _window(basis: Basis, rows: pd.DataFrame) -> Summary:
    made = Summary()
    made.rows = made.looked_at = len(rows)
    for column in basis.columns:
        made.columns[column.name] = _counted(column.profile, rows[column.name])
    assert basis.labels is not None
    made.labels = _counted(basis.labels, rows["label"])
    return made


def _counted(profile: Profile, values: pd.Series[Any]) -> Counts:
    found = Counts(len(profile.counts))
    if profile.edges is not None:
        found.add_numbers(values.to_numpy(), np.array(profile.edges))
    else:
        found.add_places(
            positions(values.dropna().tolist(), profile.categories or ()), missing=int(values.isna().sum())
        )
    return found


def _some(rows: int) -> pd.DataFrame:
    return POPULATION.iloc[RNG.integers(0, ROWS, rows)].reset_index(drop=True)


@pytest.mark.parametrize("reference", [300, 5000])
@pytest.mark.parametrize("rows", [200, 1000, 10_000])
def test_no_false_alarms(reference: int, rows: int) -> None:
    """At most one window in a hundred is called drifted, of 1,000 without drift in all."""
    times = 170 if rows < 10_000 else 160
    alarms = 0
    for start in range(0, times, 10):
        basis = _basis(_some(reference))
        alarms += sum(
            judge(basis, _window(basis, _some(rows))).verdict == DRIFTED for _ in range(min(10, times - start))
        )
    assert alarms <= 0.01 * times


SHIFTS: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "mean, half a standard deviation": ("bell", lambda rows: rows.assign(bell=rows["bell"] + 5)),
    "mean of a long tail": ("tail", lambda rows: rows.assign(tail=rows["tail"] * np.exp(0.5))),
    "spread": ("bell", lambda rows: rows.assign(bell=50 + 1.5 * (rows["bell"] - 50))),
    "categories": ("town", lambda rows: rows.assign(town=RNG.choice(["Köln", "Oslo", "Rome", "Lima"], len(rows)))),
    "unseen categories": (
        "town",
        lambda rows: rows.assign(town=rows["town"].mask(RNG.random(len(rows)) < 0.05, "Bonn")),
    ),
    "missing values": ("gaps", lambda rows: rows.assign(gaps=rows["gaps"].mask(RNG.random(len(rows)) < 0.08))),
    "all missing": ("rooms", lambda rows: rows.assign(rooms=np.nan)),
    "labels": ("answer", lambda rows: rows.assign(label=rows["label"].mask(RNG.random(len(rows)) < 0.2, "yes"))),
}


@pytest.mark.parametrize("shift", SHIFTS)
def test_shifts_are_found_within_a_thousand_rows_and_named(shift: str) -> None:
    name, change = SHIFTS[shift]
    found = 0
    for _ in range(50):
        basis = _basis(_some(2000))
        drift = judge(basis, _window(basis, change(_some(1000))))
        drifted = [part.name for part in drift.parts if part.verdict == DRIFTED]
        found += drift.verdict == DRIFTED and drifted == [name]
    assert found >= 49


def test_a_trifle_among_a_million_rows_is_no_alarm() -> None:
    basis = _basis(POPULATION)
    rows = pd.concat([POPULATION.assign(bell=POPULATION["bell"] + 0.3)] * 50)
    assert judge(basis, _window(basis, rows)).verdict == STABLE


def test_between_stable_and_drifted_it_is_watched() -> None:
    basis = _basis(POPULATION)
    drift = judge(basis, _window(basis, POPULATION.assign(bell=POPULATION["bell"] + 1.4)))
    assert drift.verdict == WATCH
    assert drift.reason.startswith("bell: ")


def test_too_few_rows_and_no_reference_are_said() -> None:
    basis = _basis(_some(300))
    drift = judge(basis, _window(basis, _some(100)))
    assert (drift.verdict, drift.reason) == (UNKNOWN, "100 of the 200 rows that are needed")
    empty = [
        c._replace(profile=c.profile._replace(counts=(0,) * len(c.profile.counts), missing=0)) for c in basis.columns
    ]
    blank = basis._replace(rows=0, labels=None, columns=tuple(empty))
    assert "no reference" in judge(blank, _window(basis, _some(1000))).reason


def test_a_constant_column_and_one_that_was_never_counted_are_no_error() -> None:
    column = ColumnBasis("constant", "number", Profile((100,), edges=()), None)
    basis = Basis("m", "1", "a" * 64, "regression", 100, (column, column._replace(name="other")), None, None, ())
    window = Summary()
    window.rows = window.looked_at = 500
    window.columns["constant"] = Counts(1)
    window.columns["constant"].add_numbers(np.ones(500), np.array([]))
    assert [part.verdict for part in judge(basis, window).parts] == [STABLE, UNKNOWN]


@pytest.mark.parametrize(
    "settings", [{"least_rows": 0}, {"significance": 0.0}, {"watch": 0.3, "drifted": 0.2}, {"drifted": 1.5}], ids=str
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(settings))):
        DriftSettings(**settings).checked()


# --- quality ----------------------------------------------------------------------------


def test_accuracy_is_estimated_without_labels() -> None:
    """A calibrated model: the outcome comes true with just the chance that was told."""
    p = RNG.beta(2, 2, 20_000)
    outcomes = RNG.random(20_000) < p
    largest = np.maximum(p, 1 - p)
    window = Summary()
    window.confident, window.confidence, window.doubt = 20_000, largest.sum(), (largest * (1 - largest)).sum()
    estimate = estimated_accuracy(window)
    assert estimate is not None
    assert abs(estimate.accuracy - ((p > 0.5) == outcomes).mean()) < 4 * estimate.error
    assert estimated_accuracy(Summary()) is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1, max_size=60))
def test_accuracy_and_f1_are_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    found = measured(pairs, numbers=False)
    assert isinstance(found, Classified)
    answers, outcomes = zip(*pairs, strict=True)
    assert found.accuracy == pytest.approx(accuracy_score(outcomes, answers), rel=1e-12)
    assert found.f1 == pytest.approx(f1_score(outcomes, answers, average="macro", zero_division=0), rel=1e-12)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=60))
def test_errors_of_numbers_are_scikit_learns(pairs: list[tuple[float, float]]) -> None:
    found = measured([*pairs, ("no number", 1.0)], numbers=True)
    assert isinstance(found, Measured)
    answers, outcomes = zip(*pairs, strict=True)
    assert found.mae == pytest.approx(mean_absolute_error(outcomes, answers), rel=1e-9)
    assert found.rmse == pytest.approx(root_mean_squared_error(outcomes, answers), rel=1e-9)


# --- the reference ----------------------------------------------------------------------


def test_scores_are_profiled_of_held_out_rows_alone() -> None:
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier

    from edge_infer.artifact import parse_artifact
    from edge_infer.manifest import KEY_REFERENCE
    from edge_infer.monitor.profile import parse_reference
    from edge_infer_convert import convert

    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = X.iloc[:, :5]
    forest = RandomForestClassifier(20, random_state=0).fit(X[:300], y[:300])
    plain, held = (
        parse_reference(parse_artifact(made.data).facts.metadata[KEY_REFERENCE])
        for made in (
            convert(forest, data=X[:300], name="m"),
            convert(forest, data=X[:300], reference=X[300:], name="m"),
        )
    )
    assert (plain.rows, set(plain.answers)) == (300, {"predict"})
    assert (held.rows, set(held.answers)) == (269, {"predict", "predict_proba"})
    first, second = held.answers["predict_proba"]
    scores = forest.predict_proba(X[300:])[:, 1]
    edges = [-np.inf, *(second.edges or ()), np.inf]
    assert list(second.counts) == pd.cut(scores, edges, right=False).value_counts().tolist()
    assert sum(first.counts) == 269


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d["columns"]["a"].update(counts=[1]), r"\$\.columns\.a\.counts: expected 3 counts"),
        (lambda d: d["columns"]["a"].update(edges=[1, 0]), "ascend"),
        (lambda d: d["columns"]["a"].update(missing=-1), r"\$\.columns\.a\.missing"),
        (lambda d: d["columns"]["b"]["categories"].update(x=True), r"\$\.columns\.b\.categories\.x"),
        (lambda d: d["answers"].update(other={}), "expected one of predict"),
        (lambda d: d.pop("rows"), "rows"),
        (lambda d: d["columns"]["a"].update(counts=[1, 2, 1 << 60]), "at most"),
    ],
    ids=["counts", "edges", "missing", "category", "method", "rows", "huge"],
)
def test_a_hostile_reference_is_refused_with_its_place(change: Callable[[Any], object], told: str) -> None:
    import json

    from edge_infer.errors import FormatError
    from edge_infer.monitor.profile import parse_reference

    document: dict[str, Any] = {
        "rows": 6,
        "columns": {
            "a": {"missing": 0, "edges": [0, 1.5], "counts": [1, 2, 3], "later": "passed over"},
            "b": {"missing": 1, "categories": {"x": 5}, "rare": 0},
        },
        "answers": {"predict": {}, "predict_proba": [{"edges": [], "counts": [6]}]},
    }
    assert parse_reference(json.dumps(document).encode()).columns["b"].categories == ("x",)
    change(document)
    with pytest.raises(FormatError, match=told):
        parse_reference(json.dumps(document).encode())
