"""Whether a window has drifted from the reference: stable, watch, or drifted, with the reason. Pure.

A column has drifted where the difference is both sure and large. Sure: its chance, were nothing changed, is below the
significance after Holm's correction for all tests of the window (S. Holm, "A simple sequentially rejective multiple
test procedure", Scand. J. Statist. 6, 1979), so that a window without drift is called drifted less often than that,
however many columns it has; both samples count, so that a small reference is no false alarm. Large: its Jensen–Shannon
distance is above a limit, so that a trifle among a million rows is none either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from edge_infer.errors import UsageError
from edge_infer.monitor.basis import Basis
from edge_infer.monitor.counts import Counts
from edge_infer.monitor.drift import chi_squared, jensen_shannon, kolmogorov_smirnov, psi
from edge_infer.monitor.profile import Profile
from edge_infer.monitor.summary import Summary

if TYPE_CHECKING:
    from numpy.typing import NDArray  # takes more than half a millisecond to import

__all__ = ["DRIFTED", "STABLE", "UNKNOWN", "WATCH", "Drift", "DriftSettings", "Part", "judge"]

STABLE: Final = "stable"
WATCH: Final = "watch"
DRIFTED: Final = "drifted"
UNKNOWN: Final = "unknown"
_WORSE: Final = (STABLE, WATCH, DRIFTED)
_LEAST_UNSEEN: Final = 10  # rows


class DriftSettings(NamedTuple):
    """least_rows: that a window must have to be judged; significance: the share of windows without drift that may be
    called drifted; watch, drifted: the Jensen–Shannon distance from which on a sure difference is called so. A shift of
    a normal column's mean by half its standard deviation is a distance of 0.21, by a tenth of it 0.04; missing values
    that go from 2 % to 10 % are 0.15. unseen: the share of texts that training never had from which on a column has
    drifted, of at least ten rows, whatever the tests say; from a quarter of it on it is watched."""

    least_rows: int = 200
    significance: float = 0.001
    watch: float = 0.04
    drifted: float = 0.08
    unseen: float = 0.02

    def checked(self) -> DriftSettings:
        """Itself. Raises UsageError for what makes no sense."""
        if self.least_rows < 1:
            raise UsageError(f"least_rows: expected a whole number ≥ 1, got {self.least_rows!r:.60}")
        if not 0 < self.significance < 1:
            raise UsageError(f"significance: expected a share above 0 and below 1, got {self.significance!r:.60}")
        if not 0 < self.unseen <= 1:
            raise UsageError(f"unseen: expected a share above 0 and at most 1, got {self.unseen!r:.60}")
        if not 0 <= self.watch <= self.drifted <= 1:
            raise UsageError(
                f"watch, drifted: expected distances from 0 to 1, the first not above the second, got "
                f"{self.watch!r:.60} and {self.drifted!r:.60}"
            )
        return self


class Part(NamedTuple):
    """One column, the labels, or the score of one class, in the window beside the reference.

    kind: "column", "labels" or "score"; rows: of the window; psi, distance (Jensen–Shannon), ks (of numbers alone) and
    chi_squared: the statistics, None where nothing was compared; p: the least of its tests', after Holm; missing,
    other: the shares of missing values, and of texts beside the known categories, before and now; unseen: of those that
    the model does not know; outside: the share of numbers out of training's range.
    """

    name: str
    kind: str
    rows: int
    verdict: str
    reason: str
    psi: float | None = None
    distance: float | None = None
    ks: float | None = None
    chi_squared: float | None = None
    p: float | None = None
    missing: tuple[float, float] = (0.0, 0.0)
    other: tuple[float, float] = (0.0, 0.0)
    unseen: float = 0.0
    outside: float = 0.0


class Drift(NamedTuple):
    """verdict: the worst of all parts; rows: that were looked at."""

    verdict: str
    reason: str
    rows: int
    parts: tuple[Part, ...]


class _Pair(NamedTuple):
    """What is compared: the places' counts of both sides, other texts and missing values at the end."""

    name: str
    kind: str
    profile: Profile
    counts: Counts
    reference: NDArray[np.int64]
    window: NDArray[np.int64]


def judge(basis: Basis, summary: Summary, settings: DriftSettings | None = None) -> Drift:
    """A window, or several merged, of a release beside the reference in its file."""
    chosen = settings or DriftSettings()
    pairs = [_pair(*part) for part in _parts(basis, summary)]
    tests = [_tests(pair, chosen) for pair in pairs]
    adjusted = iter(_holm([p for each in tests for p in each]))
    least = [min((next(adjusted) for _ in each), default=None) for each in tests]
    parts = tuple(_part(pair, p, chosen) for pair, p in zip(pairs, least, strict=True))
    verdict, reason = _in_all(basis, summary, parts, chosen)
    return Drift(verdict, reason, summary.looked_at, parts)


def _parts(basis: Basis, summary: Summary) -> Iterator[tuple[str, str, Profile, Counts]]:
    for column in basis.columns:
        yield (
            column.name,
            "column",
            column.profile,
            summary.columns.get(column.name) or Counts(len(column.profile.counts)),
        )
    if basis.labels is not None and summary.labels is not None:
        yield "answer", "labels", basis.labels, summary.labels
    classes = basis.labels.categories if basis.labels is not None and basis.labels.categories else ()
    for place, (profile, counts) in enumerate(zip(basis.scores, summary.scores, strict=False)):
        name = classes[place] if len(classes) == len(basis.scores) else str(place)
        if len(basis.scores) != 2 or place == 1:  # of two, the one tells the other
            yield name, "score", profile, counts


def _pair(name: str, kind: str, profile: Profile, counts: Counts) -> _Pair:
    if len(counts.counts) != len(profile.counts):  # of windows that an earlier edge-infer has counted in another way
        counts = Counts(len(profile.counts))
    reference = np.array([*profile.counts, profile.other, profile.missing], np.int64)
    window = np.array([*counts.counts, counts.other, counts.missing], np.int64)
    return _Pair(name, kind, profile, counts, reference, window)


def _tests(pair: _Pair, settings: DriftSettings) -> list[float]:
    """The chances of its tests; none where there is nothing to compare."""
    if not pair.reference.sum() or pair.window.sum() < settings.least_rows:
        return []
    found = [chi_squared(pair.reference, pair.window).p]
    if pair.profile.edges is not None and len(pair.profile.counts) > 1:
        found.append(kolmogorov_smirnov(pair.reference[:-2], pair.window[:-2]).p)
    return found


def _holm(chances: Sequence[float]) -> list[float]:
    """Adjusted, in the same order."""
    adjusted, largest = [0.0] * len(chances), 0.0
    for rank, place in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        largest = max(largest, min(1.0, (len(chances) - rank) * chances[place]))
        adjusted[place] = largest
    return adjusted


def _part(pair: _Pair, p: float | None, settings: DriftSettings) -> Part:
    rows = int(pair.window.sum())
    about = Part(
        pair.name, pair.kind, rows, UNKNOWN, "", missing=_shares(pair, -1), other=_shares(pair, -2),
        unseen=pair.counts.unseen / rows if rows else 0.0,
        outside=(pair.counts.below + pair.counts.above) / rows if rows else 0.0,
    )  # fmt: skip
    if not pair.reference.sum():
        return about._replace(reason="the file has no reference to compare with")
    if p is None:
        return about._replace(reason=f"{rows:,} of the {settings.least_rows:,} rows that are needed")
    distance = jensen_shannon(pair.reference, pair.window)
    ks = kolmogorov_smirnov(pair.reference[:-2], pair.window[:-2]).statistic if pair.profile.edges is not None else None
    sure = p < settings.significance
    verdict = STABLE if not sure or distance < settings.watch else WATCH if distance < settings.drifted else DRIFTED
    verdict = max(verdict, _of_unseen(pair, about.unseen, settings), key=_WORSE.index)
    return about._replace(
        verdict=verdict,
        reason=_reason(pair, verdict),
        psi=psi(pair.reference, pair.window),
        distance=distance,
        ks=ks,
        chi_squared=chi_squared(pair.reference, pair.window).statistic,
        p=p,
    )


def _of_unseen(pair: _Pair, share: float, settings: DriftSettings) -> str:
    if pair.counts.unseen < _LEAST_UNSEEN:
        return STABLE
    return DRIFTED if share >= settings.unseen else WATCH if share >= settings.unseen / 4 else STABLE


def _shares(pair: _Pair, place: int) -> tuple[float, float]:
    """Of that place, before and now."""
    before, now = pair.reference.sum(), pair.window.sum()
    return (
        float(pair.reference[place] / before) if before else 0.0,
        float(pair.window[place] / now) if now else 0.0,
    )


def _reason(pair: _Pair, verdict: str) -> str:
    """What has changed most, for people."""
    if verdict == STABLE:
        return "as in the reference"
    before, now = pair.reference / pair.reference.sum(), pair.window / pair.window.sum()
    place = int(np.abs(now - before).argmax())
    return f"{_place(pair, place)}: {before[place]:.1%} before, {now[place]:.1%} now"


def _place(pair: _Pair, place: int) -> str:
    profile, last = pair.profile, len(pair.profile.counts)
    if place == last + 1:
        return "missing values"
    if place == last:
        return "other categories" if pair.kind == "column" else "other labels"
    if profile.categories is not None:
        return repr(profile.categories[place])
    edges = profile.edges or ()
    if not edges:
        return "numbers"
    if place == 0:
        return f"below {edges[0]:g}"
    return f"from {edges[-1]:g} on" if place == last - 1 else f"from {edges[place - 1]:g} to {edges[place]:g}"


def _in_all(basis: Basis, summary: Summary, parts: tuple[Part, ...], settings: DriftSettings) -> tuple[str, str]:
    for verdict in (DRIFTED, WATCH):
        found = [part for part in parts if part.verdict == verdict]
        if found:
            worst = max(found, key=lambda part: part.distance or 0.0)
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            return verdict, f"{_named(worst)}: {worst.reason}{more}"
    if any(part.verdict == STABLE for part in parts):
        return STABLE, "as in the reference"
    if not basis.rows:
        return UNKNOWN, "the file has no reference; convert it with data= (--data)"
    return UNKNOWN, f"{summary.looked_at:,} of the {settings.least_rows:,} rows that are needed"


def _named(part: Part) -> str:
    return {"column": part.name, "labels": "labels", "score": f"score of {part.name}"}[part.kind]
