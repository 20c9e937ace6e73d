"""What the page says of each model, from top to bottom: verdict, what to do, calls and latencies, columns, errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Final

from edge_infer.monitor.basis import Basis
from edge_infer.monitor.counts import Counts
from edge_infer.monitor.looking import Look
from edge_infer.monitor.profile import Profile
from edge_infer.monitor.quality import quality_text
from edge_infer.monitor.report.pictures import bars, over_time
from edge_infer.monitor.summary import Summary
from edge_infer.monitor.verdict import DRIFTED, STABLE, UNKNOWN, WATCH, Part

__all__ = ["render_page"]

_ORDER: Final = {DRIFTED: 0, WATCH: 1, STABLE: 2, UNKNOWN: 3}
_SIGNS: Final = {STABLE: "✓", WATCH: "!", DRIFTED: "✗", UNKNOWN: "–"}
_MOST_ERRORS: Final = 20
_LONGEST: Final = 200  # characters of a text out of a file
_TO_DO: Final = {
    DRIFTED: (
        "Look at the columns that are marked below: has the world changed, or what feeds the model (a unit, a sensor, "
        "a default)?",
        "Record what came true (<code>edge-infer monitor outcomes</code>), so that you see whether answers got worse.",
        "Convert a model that was trained on newer data, and let it run in the shadow, then on trial.",
    ),
    WATCH: (
        "Nothing needs to be done at once. Look again when more rows are there; see which columns are marked below.",
    ),
    STABLE: ("Nothing.",),
    UNKNOWN: (
        "Wait for more rows, or convert the model with its data (<code>--data</code>): else there is nothing to "
        "compare with.",
    ),
}


def render_page(looks: Sequence[Look]) -> str:
    """One HTML document."""
    style = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    names = ", ".join(f"{look.name} {look.whole.version}" for look in looks)
    body = "\n".join(_model(look, number) for number, look in enumerate(looks))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{_text(names)}: watched</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _model(look: Look, number: int) -> str:
    parts = [
        f'<section aria-labelledby="model{number}">',
        f'<h1 id="model{number}">{_text(look.name)} <small>{_text(look.whole.version)}</small></h1>',
        f'<p class="verdict {look.drift.verdict}"><b>{_SIGNS[look.drift.verdict]} {look.drift.verdict}</b> '
        f"{_text(look.drift.reason)}</p>",
        _facts(look),
        "<h2>What to do next</h2>",
        f"<ul>{''.join(f'<li>{each}</li>' for each in _TO_DO[look.drift.verdict])}</ul>",
        *_time(look),
        *_columns(look),
        *_errors(look.whole.summary),
        "</section>",
    ]
    return "\n".join(parts)


def _facts(look: Look) -> str:
    summary, estimate = look.whole.summary, look.estimate
    facts = {
        "Seen": f"{_minute(look.whole.since)} to {_minute(look.whole.until)} UTC",
        "Calls": f"{sum(summary.calls.values()):,}",
        "Rows": f"{summary.rows:,}" + (f", {summary.looked_at:,} of them looked at" if summary.skipped else ""),
        "Errors": f"{summary.failures:,}",
        "One record": _latency(summary),
        "Many rows": f"{summary.batch_rows / summary.batch_seconds:,.0f} a second" if summary.batch_seconds else "",
        "Accuracy, estimated": f"{estimate.accuracy:.1%} ± {2 * estimate.error:.1%}" if estimate else "",
        "Outcomes": _text(quality_text(look.quality)) if look.quality else "",
        "Releases seen besides": _text(", ".join(look.other)),
    }
    return f"<dl>{''.join(f'<div><dt>{name}</dt><dd>{fact}</dd></div>' for name, fact in facts.items() if fact)}</dl>"


def _latency(summary: Summary) -> str:
    if not summary.latency.count:
        return ""
    p50, p99, most = (summary.latency.quantile(share) or 0.0 for share in (0.5, 0.99, 1.0))
    return f"p50 {seconds(p50)}, p99 {seconds(p99)}, at most {seconds(most)}"


def _time(look: Look) -> Iterator[str]:
    if len(look.windows) < 2:
        return
    labels = [_start(window.start) for window in look.windows]
    yield "<h2>Over time</h2>"
    calls = [float(sum(window.summary.calls.values())) for window in look.windows]
    yield over_time("Calls", labels, {"calls": list(calls)}, lambda value: f"{value:,.0f}")
    quantiles = {
        f"p{share:g}": [window.summary.latency.quantile(share / 100) for window in look.windows] for share in (50, 99)
    }
    if any(value is not None for values in quantiles.values() for value in values):
        yield over_time("Latency of one record", labels, quantiles, seconds)
    failures = [float(window.summary.failures) for window in look.windows]
    if any(failures):
        yield over_time("Errors", labels, {"errors": list(failures)}, lambda value: f"{value:,.0f}")


def _columns(look: Look) -> Iterator[str]:
    if look.basis is None or not look.drift.parts:
        return
    yield "<h2>Columns and answers beside the reference</h2>"
    yield '<p class="key"><span class="before"></span> reference <span class="now"></span> now</p>'
    yield '<div class="parts">'
    spreads = dict(_spreads(look.basis, look.whole.summary))
    for part in sorted(look.drift.parts, key=lambda part: (_ORDER[part.verdict], -(part.distance or 0.0))):
        yield _part(part, *spreads[part.kind, part.name])
    yield "</div>"


def _spreads(basis: Basis, summary: Summary) -> Iterator[tuple[tuple[str, str], tuple[Profile, Counts]]]:
    """By the kind and the name of a part."""
    for column in basis.columns:
        counts = summary.columns.get(column.name) or Counts(len(column.profile.counts))
        yield ("column", column.name), (column.profile, counts)
    if basis.labels is not None and summary.labels is not None:
        yield ("labels", "answer"), (basis.labels, summary.labels)
    classes = basis.labels.categories if basis.labels is not None and basis.labels.categories else ()
    for place, (profile, scores) in enumerate(zip(basis.scores, summary.scores, strict=False)):
        name = classes[place] if len(classes) == len(basis.scores) else str(place)
        yield ("score", name), (profile, scores)


def _part(part: Part, profile: Profile, counts: Counts) -> str:
    name = {"column": part.name, "labels": "Labels", "score": f"Score of {part.name}"}[part.kind]
    facts = [
        f"distance {part.distance:.3f}" if part.distance is not None else "",
        f"PSI {part.psi:.3f}" if part.psi is not None else "",
        f"KS {part.ks:.3f}" if part.ks is not None else "",
        f"p {part.p:.1g}" if part.p is not None else "",
        f"missing {part.missing[0]:.1%} → {part.missing[1]:.1%}" if any(part.missing) else "",
        f"unseen {part.unseen:.1%}" if part.unseen else "",
        f"out of range {part.outside:.1%}" if part.outside else "",
    ]
    return (
        f'<article class="{part.verdict}"><h3><span>{_SIGNS[part.verdict]}</span> {_text(name)}</h3>'
        f"{bars(profile, counts, _text(name))}<p>{_text(part.reason)}</p>"
        f'<p class="facts">{" · ".join(fact for fact in facts if fact)}</p></article>'
    )


def _errors(summary: Summary) -> Iterator[str]:
    if not summary.errors:
        return
    yield "<h2>Errors</h2>\n<table><thead><tr><th>what</th><th>calls</th></tr></thead><tbody>"
    for kind, times in sorted(summary.errors.items(), key=lambda item: -item[1])[:_MOST_ERRORS]:
        yield f"<tr><td>{_text(kind)}</td><td>{times:,}</td></tr>"
    yield "</tbody></table>"


def seconds(value: float) -> str:
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


def _start(start: str) -> str:
    """Of a window: "20261128T20" → "11-28 20:00"."""
    day = f"{start[4:6]}-{start[6:8]}"
    return f"{day} {start[9:11]}:00" if "T" in start else day


def _minute(utc: str) -> str:
    return escape(utc[:16].replace("T", " "))


def _text(text: str) -> str:
    """Out of a file: nobody vouches for it."""
    shown = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    plain = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in shown)
    return f"<bdi>{escape(plain)}</bdi>" if plain and not plain.isascii() else escape(plain)
