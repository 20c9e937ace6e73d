"""An artifact measured on this machine, in a fresh process that holds the runtime and nothing of the converter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

from edge_infer.errors import InferenceError
from edge_infer.tensor_goldens import Recipe

__all__ = ["Measured", "measured"]

_SECONDS: Final = 0.2  # of calls, after a warm-up
_PATIENCE: Final = 600.0  # seconds, for the whole process


class Measured(NamedTuple):
    """p50: seconds of a call on one thread, the median of the quietest of four moments. peak: the most bytes that the
    process held; None where nothing tells."""

    p50: float
    peak: int | None


def measured(artifact: bytes, call: Mapping[str, Recipe], seconds: float = _SECONDS) -> Measured:
    """Load the artifact and repeat one call that is made up. Raises InferenceError where the process ends without."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    recipes = json.dumps({name: recipe._asdict() for name, recipe in call.items()})
    command = [sys.executable, "-P", "-m", "edge_infer_convert.quantize.measured_process", str(seconds), recipes]
    try:
        ran = subprocess.run(
            command, input=artifact, capture_output=True, timeout=_PATIENCE, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise InferenceError(f"a call was not measured within {_PATIENCE:g} s") from None
    if ran.returncode:
        last = (ran.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise InferenceError(f"the process that measured it ended with exit code {ran.returncode}: {last:.200}")
    told = json.loads(ran.stdout)
    return Measured(told["p50"], told["peak"])
