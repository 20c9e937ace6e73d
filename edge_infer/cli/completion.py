"""What the shell completes: platforms, and names in the store. Where none fits, the shell offers files by itself."""

from __future__ import annotations

__all__ = ["models", "platforms", "releases"]


def models(incomplete: str) -> list[str]:
    """Models in the store; once a name is there in full, its releases as NAME@VERSION too."""
    name = incomplete.partition("@")[0]
    known = _releases()
    found = known.get(incomplete, []) if "@" not in incomplete else known.get(name, [])
    return [each for each in (*known, *found) if each.startswith(incomplete)]


def releases(incomplete: str) -> list[str]:
    """Installed releases, as NAME@VERSION."""
    return [each for there in _releases().values() for each in there if each.startswith(incomplete)]


def platforms(incomplete: str) -> list[str]:
    """What `bundle --platform` takes."""
    from edge_infer.bundle.targets import PLATFORMS

    return [each for each in PLATFORMS if each.startswith(incomplete)]


def _releases() -> dict[str, list[str]]:
    """By model. A store that cannot be read completes nothing: a shell is no place for its error."""
    from edge_infer.errors import EdgeInferError
    from edge_infer.store import Store

    try:
        store = Store()
        return {name: [f"{name}@{each.version}" for each in store.state(name).releases] for name in store.names()}
    except (EdgeInferError, OSError):
        return {}
