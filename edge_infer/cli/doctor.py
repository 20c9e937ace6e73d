"""`edge-infer doctor`: one screen of what this machine can run, and what to do where it cannot."""

from __future__ import annotations

from edge_infer.cli.console import dumps, wrapped, write
from edge_infer.doctor.facts import gathered
from edge_infer.doctor.findings import Finding, findings, verdict

__all__ = ["lines", "run"]

_SIGNS = {"ok": "✓", "failed": "✗", "not checked": "–"}


def run(*, model: str, json: bool) -> int:
    """The command; its exit code: 1 if anything that is needed fails."""
    facts = gathered(model)
    found = findings(facts)
    ok = all(finding.status != "failed" for finding in found)
    if json:
        told = [finding._asdict() for finding in found]
        write(dumps({"ok": ok, "verdict": verdict(found), "findings": told, "facts": facts.document()}))
    else:
        for line in lines(found):
            write(line)
    return 0 if ok else 1


def lines(found: tuple[Finding, ...]) -> list[str]:
    """A line for each finding, what to do below it, and the verdict; folded to 80 columns."""
    room = max(len(finding.name) for finding in found)
    shown = []
    for finding in found:
        lead = f"{_SIGNS[finding.status]} {finding.name:<{room}}  "
        shown.append(lead + wrapped(finding.detail, len(lead)))
        if finding.remedy:
            indent = " " * len(lead)
            shown.append(f"{indent}→ {wrapped(finding.remedy, len(indent) + 2)}")
    return [line for text in [*shown, verdict(found)] for line in text.split("\n")]
