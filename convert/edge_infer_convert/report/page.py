"""The page: verdict, results by method, pictures, differences, schema. Pure: a manifest and a comparison to text."""

from __future__ import annotations

from importlib.resources import files
from string import Template
from typing import Final

from edge_infer.manifest import Manifest, Metric
from edge_infer_convert.parity import Comparison, Parity
from edge_infer_convert.report.answers import Answers, answers
from edge_infer_convert.report.labels import confusion
from edge_infer_convert.report.pictures import Picture, histogram, scatter
from edge_infer_convert.report.tables import differences, outputs, probe_kinds, results, schema
from edge_infer_convert.report.text import counted, escaped, isolated, number, told

__all__ = ["render_page"]

_NEAR_TIE: Final = (
    "In a near tie the original’s own best two scores agree within the tolerance, so that rounding decides and either "
    "answer is right."
)


def render_page(name: str, manifest: Manifest, parity: Parity) -> str:
    """One HTML document without links to anything outside it."""
    folder = files(__package__)
    parts = [answers(parity, comparison) for comparison in parity.comparisons]
    return Template(folder.joinpath("template.html").read_text(encoding="utf-8")).substitute(
        style=folder.joinpath("style.css").read_text(encoding="utf-8"),
        name=isolated(name, 100),
        title=escaped(name, 100),
        verdict=_verdict(parity),
        facts=_facts(manifest),
        results=results(parity, parts),
        borderline=_borderline(parity),
        methods=_methods(manifest, parity, parts),
        differences=differences(manifest, parity, parts),
        probes=probe_kinds(parity),
        schema=schema(manifest),
        outputs=outputs(manifest),
    )


def _verdict(parity: Parity) -> str:
    rows = len(parity.probes.rows)
    if not rows or not parity.comparisons:
        return _banner("bad", "✗ Nothing was compared", "There is no row, or no method, to compare.")
    if parity.equal:
        return _equal(rows, parity.borderline_rows)
    wrong = f"{parity.differing_rows:,} of {counted(rows, 'probe row')}"
    return _banner(
        "bad",
        f"✗ Differs in {wrong}",
        f"The converted model differs from the original in {wrong}; no artifact was written at this precision.",
    )


def _equal(rows: int, borderline: int) -> str:
    rest = "The converted model gives the original’s answers, within the tolerances below."
    if not borderline:
        return _banner("good", f"✓ Equal on {counted(rows, 'probe row')}", rest)
    head = f"✓ Equal on {counted(rows - borderline, 'probe row')}, {counted(borderline, 'near tie')} aside"
    return _banner("good", head, f"{rest} {_NEAR_TIE}")


def _banner(side: str, head: str, rest: str) -> str:
    return f'<div class="verdict {side}"><p class="head">{head}</p><p>{rest}</p></div>'


def _facts(manifest: Manifest) -> str:
    """What is known at this stage: a failed conversion has no version and no source."""
    source = manifest.source
    versions = ", ".join(f"{escaped(key)} {escaped(text)}" for key, text in sorted(source.versions.items()))
    short = {
        "Version": f"{escaped(manifest.version)}, release {manifest.release}" if manifest.release else "",
        "Task": escaped(manifest.task.replace("_", " ")),
        "Precision": escaped(manifest.precision),
        "Inputs": counted(len(manifest.inputs.columns), "column"),
        "Training rows in the graph": f"{manifest.training_rows:,}" if manifest.training_rows else "",
    }
    long = {
        "Description": told(manifest.description, 400) if manifest.description else "",
        "License": told(manifest.license, 200) if manifest.license else "",
        "Metrics, as stated": "<br>".join(_metric(metric) for metric in manifest.metrics),
        "Why this precision": isolated(manifest.precision_reason, 300) if manifest.precision_reason else "",
        "Steps of the original": isolated(source.estimator, 400) if source.estimator else "",
        "Made with": versions,
    }
    return _listed(short, "short") + _listed(long, "whole")


def _metric(metric: Metric) -> str:
    return f"{isolated(metric.type)} {number(metric.value)} on {told(metric.dataset, 200)}"


def _listed(facts: dict[str, str], kind: str) -> str:
    return "".join(f'<div class="{kind}"><dt>{key}</dt><dd>{text}</dd></div>' for key, text in facts.items() if text)


def _borderline(parity: Parity) -> str:
    count = sum(int(comparison.borderline.sum()) for comparison in parity.comparisons)
    return f"<p>{_exact(parity) if parity.exact else _near(parity, count)}</p>{_rounded(parity)}{_proof(parity)}"


def _exact(parity: Parity) -> str:
    return (
        f"This model counts or votes, so that every label must be the original’s, ties included: {parity.ties:,} of "
        "the rows tie or nearly tie."
    )


def _near(parity: Parity, count: int) -> str:
    return f"Near ties: {parity.ties:,}; decided otherwise: {count:,}. {_NEAR_TIE} They do not count as differences."


def _rounded(parity: Parity) -> str:
    if parity.rounded is None:
        return ""
    rows, differing, itself = parity.rounded
    return (
        "<p>Compared is the original’s answer to the rows as they are. Asked with the same numbers rounded to "
        f"float32, it differs from itself in {itself:,} of {counted(rows, 'row')}, and from the converted model in "
        f"{differing:,}.</p>"
    )


def _proof(parity: Parity) -> str:
    if parity.proof is None or not parity.proof.trees:
        return ""
    return (
        f"<p>{counted(parity.proof.trees, 'tree')} with {counted(parity.proof.nodes, 'node')} were read back from the "
        "graph: every feature, threshold, child, route of missing values and leaf equals the fitted one.</p>"
    )


def _methods(manifest: Manifest, parity: Parity, parts: list[Answers | None]) -> str:
    sections = []
    for place, (comparison, part) in enumerate(zip(parity.comparisons, parts, strict=True)):
        body = _no_picture(comparison) if part is None else _method(manifest, part, place)
        sections.append(f"<section><h3>{escaped(comparison.method)}</h3>{body}</section>")
    return "\n".join(sections)


def _method(manifest: Manifest, part: Answers, number: int) -> str:
    if part.share is None:
        return confusion(part, manifest.output(part.method))
    places = part.original.shape[1]
    pooled = f"<p>{places:,} numbers a row, all in the same pictures.</p>" if places > 1 else ""
    shown = [picture for picture in (scatter(part, number), histogram(part, number)) if picture is not None]
    return f'{pooled}<div class="pictures">{"".join(_figure(picture) for picture in shown)}</div>'


def _figure(picture: Picture) -> str:
    note = f"<figcaption>{picture.note}</figcaption>" if picture.note else ""
    return f"<figure>{picture.svg}{note}</figure>"


def _no_picture(comparison: Comparison) -> str:
    shape = getattr(comparison.original, "shape", "unknown")
    return f"<p>No picture: answers of the shape {escaped(shape)}.</p>"
