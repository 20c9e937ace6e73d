"""The TOML file that `convert --card` names. The converter judges what stands in it."""

from __future__ import annotations

import tomllib
from typing import Any

from edge_infer.cli.console import printable
from edge_infer.errors import UsageError
from edge_infer.limits import LIMITS

__all__ = ["read_card_file"]


def read_card_file(path: str) -> dict[str, Any]:
    """Its tables.

    Raises:
        UsageError: it is not TOML, or larger than a manifest may be.
        OSError: as the system says.
    """
    with open(path, "rb") as file:
        text = file.read(LIMITS.manifest_bytes + 1)
    if len(text) > LIMITS.manifest_bytes:
        raise UsageError(f"--card: {path!r} has more than {LIMITS.manifest_bytes:,} bytes")
    try:
        return tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise UsageError(f"--card: expected TOML in UTF-8 in {path!r}: {printable(str(error)):.200}") from None
