"""The passphrase of a signing key: from the environment or the terminal, never from the command line."""

from __future__ import annotations

import os
import sys
from typing import Final

from edge_infer.errors import UsageError

__all__ = ["ask"]

_VARIABLE: Final = "EDGE_INFER_PASSPHRASE"


def ask(*, twice: bool = False) -> str:
    """What EDGE_INFER_PASSPHRASE holds, or what is typed; `twice` where a new one is chosen.

    Raises:
        UsageError: nobody can be asked, nothing was typed, or not the same again.
    """
    given = os.environ.get(_VARIABLE)
    if given:
        return given
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(f"--passphrase: there is no terminal to ask at; set {_VARIABLE}")
    import getpass

    typed = getpass.getpass("Passphrase: ")
    if not typed:
        raise UsageError("the passphrase is empty; leave out --passphrase for a key without one")
    if twice and getpass.getpass("Again: ") != typed:
        raise UsageError("the two passphrases differ; nothing was made")
    return typed
