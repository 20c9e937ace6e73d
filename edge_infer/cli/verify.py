"""`edge-infer verify`: a line for each check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edge_infer.cli.console import dumps, encodes, is_terminal, wrapped, write
from edge_infer.cli.model_file import model_file
from edge_infer.errors import UsageError
from edge_infer.verification import Check, verify

__all__ = ["run", "show_checks"]

_SIGNS: Final = {"ok": "✓", "failed": "✗", "not checked": "–"}
_WORDS: Final = {"ok": "ok  ", "failed": "FAIL", "not checked": "--  "}
_COLOURS: Final = {"ok": "32", "failed": "31", "not checked": "2"}


def run(*, model: str, trust: Sequence[str], signature: str | None, identity: str | None, json: bool) -> int:
    """The command; its exit code: 1 if any check failed."""
    checks = _checks(model_file(model), trust, signature, identity)
    ok = all(check.status != "failed" for check in checks)
    if json:
        write(dumps({"file": model, "ok": ok, "checks": [check._asdict() for check in checks]}))
    else:
        show_checks(checks)
        write("verified" if ok else "NOT verified")
    return 0 if ok else 1


def _checks(model: str, trust: Sequence[str], signature: str | None, identity: str | None) -> list[Check]:
    if not trust:
        if signature is not None:
            raise UsageError("--signature: a signature is checked against keys; give --trust KEY.pub too")
        return verify(model, identity=identity)
    from datetime import UTC, datetime

    from edge_infer.signing import TrustedKeys

    keys = TrustedKeys.read(*trust)
    return verify(model, trust=keys, signature=signature, now=datetime.now(UTC), identity=identity)


def show_checks(checks: list[Check]) -> None:
    """Sign, name and detail of each, aligned and folded to 80 columns."""
    room = max(len(check.name) for check in checks)
    for check in checks:
        sign = _sign(check.status)
        lead = f"{check.name:<{room}}  "
        # a terminal's colours take no columns, so the fold counts the bare sign
        detail = "NOT CHECKED: " + check.detail if check.status == "not checked" else check.detail
        bare = len(_SIGNS[check.status] if encodes("✓✗–") else _WORDS[check.status]) + 1
        write(f"{sign} {lead}{wrapped(detail, bare + len(lead))}")


def _sign(status: str) -> str:
    sign = _SIGNS[status] if encodes("✓✗–") else _WORDS[status]
    import os

    if is_terminal() and not os.environ.get("NO_COLOR"):
        return f"\x1b[{_COLOURS[status]}m{sign}\x1b[0m"
    return sign
