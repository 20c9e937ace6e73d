"""What `edge-infer status` tells of candidates that run beside the active release."""

from __future__ import annotations

from typing import Any

from edge_infer.errors import DamagedStoreError, UnsafePathError
from edge_infer.histogram import Histogram
from edge_infer.store import Store
from edge_infer.store.shadow_records import Shadow, plain_shadow

__all__ = ["shadow_facts", "shadow_objects"]


def shadow_facts(store: Store, name: str) -> list[str]:
    """A text for each candidate, or what is wrong with the records."""
    try:
        return [_told(shadow) for shadow in store.shadows(name)]
    except (DamagedStoreError, UnsafePathError) as error:
        return [f"DAMAGED: {error}"]


def shadow_objects(store: Store, name: str) -> dict[str, Any]:
    """For --json."""
    try:
        return {"shadows": [plain_shadow(shadow) for shadow in store.shadows(name)]}
    except (DamagedStoreError, UnsafePathError) as error:
        return {"shadows": [], "shadows_damaged": str(error)}


def _told(shadow: Shadow) -> str:
    found = shadow.agreement
    facts = [f"{found.rows:,} rows"]
    if found.share is not None:
        facts.append(f"{_percent(found.agreeing, found.rows)} agree")
    if found.numbers:
        facts.append(f"largest difference {found.largest:.3g}")
    if found.dropped:
        facts.append(f"{found.dropped:,} calls passed over")
    parts = [", ".join(facts)]
    if found.candidate.count:
        parts.append(
            ", ".join(_latency(f"p{share * 100:g}", share, found.candidate, found.active) for share in (0.5, 0.99))
        )
    if found.errors:
        parts.append(f"{found.errors:,} calls failed, the last one: {found.last_error}")
    return f"{shadow.version}: {'; '.join(parts)}"


def _percent(part: int, whole: int) -> str:
    """Not 100 % where one differs, nor 0 % where one agrees."""
    share = 100 * part / whole
    return f"{share:.0f} %" if part in (0, whole) else f"{min(max(share, 0.1), 99.9):.1f} %"


def _latency(name: str, share: float, candidate: Histogram, active: Histogram) -> str:
    told = f"{name} {_micros(candidate.quantile(share))} µs"
    return f"{told} (active {_micros(active.quantile(share))})"


def _micros(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds * 1e6:,.3g}" if seconds < 1e-3 else f"{seconds * 1e6:,.0f}"
