"""Does a release work here? Its goldens are replayed in a process of its own, so that a crash or a hang costs nothing.

The bytes go to that process through a pipe: what was checked is what runs, whatever happens to the file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any, Final, NamedTuple

from edge_infer.errors import RefusedError

__all__ = ["Found", "Limits", "check_health"]

_ROWS_TIMED: Final = 200
_TOLD: Final = "edge-infer health: "
_MIB: Final = 1 << 20
_ROOM: Final = 512 * _MIB  # above a limit of memory, so that what is taken can be told


class Limits(NamedTuple):
    """What a release may take on this device.

    seconds: for the whole check; latency: median seconds of a call of one row; memory: bytes of the process that runs
    it, at most. None: no limit; of memory, half of the device's, beyond which it is refused.
    """

    seconds: float = 120.0
    latency: float | None = None
    memory: int | None = None


class Found(NamedTuple):
    """What the check measured: the median call of one golden row in seconds, and the process's bytes at most."""

    seconds: float | None
    resident: int | None


def check_health(data: bytes, limits: Limits | None = None) -> Found:
    """Verify a model's bytes in a process of its own.

    Raises:
        RefusedError: "unhealthy" where it crashed, is slower or takes more than the limits, or a check failed; "slow"
            where the check took too long, which may be the device's busy moment.
    """
    limits = limits or Limits()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [
        sys.executable,
        "-P",  # the current folder may be anybody's
        "-m",
        "edge_infer.store.gate",
        str(limits.memory + _ROOM if limits.memory else _half_of_memory()),
    ]
    try:
        ran = subprocess.run(
            command, input=data, capture_output=True, timeout=limits.seconds, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise RefusedError(
            "slow", f"the model was not through its golden rows after {limits.seconds:g} s (--seconds allows more)"
        ) from None
    return _judged(ran.returncode, ran.stdout, ran.stderr, limits)


def _judged(code: int, output: bytes, errors: bytes, limits: Limits) -> Found:
    told = next((line for line in output.decode(errors="replace").splitlines() if line.startswith(_TOLD)), None)
    if told is None:
        raise _unhealthy(_end(code, errors))
    found: dict[str, Any] = json.loads(told.removeprefix(_TOLD))
    if found["failed"]:
        raise _unhealthy(found["failed"])
    seconds, resident = found["seconds"], found["resident"]
    if limits.latency is not None and seconds is not None and seconds > limits.latency:
        raise _unhealthy(f"a call takes {seconds * 1e6:,.0f} µs, the limit is {limits.latency * 1e6:,.0f}")
    if limits.memory is not None and resident is not None and resident > limits.memory:
        raise _unhealthy(f"it takes {resident / _MIB:,.0f} MiB of memory, the limit is {limits.memory / _MIB:,.0f}")
    return Found(seconds, resident)


def _end(code: int, errors: bytes) -> str:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"it crashed the process that ran it ({name})"
    last = (errors.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
    return f"the process that ran it ended with exit code {code}: {last:.200}"


def _unhealthy(reason: str) -> RefusedError:
    return RefusedError("unhealthy", f"the model does not work on this machine: {reason}")


def _half_of_memory() -> int:
    """0 where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return 0


# --- the other process ------------------------------------------------------------------


def _main() -> None:
    _limit_memory(int(sys.argv[1]))
    print(_TOLD + json.dumps(_measured(sys.stdin.buffer.read())), flush=True)


def _limit_memory(most: int) -> None:
    """Beyond this, memory is refused rather than taken from the device's other programs."""
    try:
        import resource
    except ImportError:  # Windows
        return
    if most:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _measured(data: bytes) -> dict[str, Any]:
    from edge_infer.options import SessionOptions
    from edge_infer.verification import verify

    checks = verify(data, options=SessionOptions())
    failed = next((f"{check.name}: {check.detail}" for check in checks if check.status == "failed"), None)
    return {"failed": failed, "seconds": None if failed else _median(data), "resident": _resident()}


def _median(data: bytes) -> float | None:
    """Seconds of a call of one golden row, or of the first golden call; None where there is none."""
    import time
    from statistics import median

    from edge_infer.artifact import parse_artifact
    from edge_infer.model import Model
    from edge_infer.options import SessionOptions

    artifact = parse_artifact(data)
    goldens, tensors = artifact.goldens(), artifact.tensor_goldens()
    model = Model(artifact, SessionOptions())
    if tensors is not None:
        answer: Any = model.run
        record = {name: recipe.made() for name, recipe in tensors.cases[0].inputs.items()}
    elif goldens is not None:
        answer = getattr(model, next(iter(goldens.answers)))
        names = [column.name for column in artifact.manifest.inputs.columns]
        record = dict(zip(names, goldens.rows[0], strict=True))
    else:
        return None
    times = []
    for _ in range(_ROWS_TIMED):
        start = time.perf_counter()
        answer(record)
        times.append(time.perf_counter() - start)
    return median(times)


def _resident() -> int | None:
    """Bytes, at most so far. Linux's getrusage counts what stood in memory before this program did (execve(2))."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            found = next((line for line in file if line.startswith("VmHWM:")), None)
    except OSError:
        found = None
    if found is not None:
        return int(found.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    _main()
