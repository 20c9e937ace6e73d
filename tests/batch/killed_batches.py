"""Batches that are killed at random and gone on with, in a process of their own: used by test_resume, also by hand.

python -m tests.batch.killed_batches MODEL FOLDER KILLS SEED OUTPUT...

FOLDER has in.csv; for each OUTPUT's name, the whole run is made first. Prints one JSON object: kills, and the names of
outputs that were compared, equal byte for byte.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import edge_infer
from edge_infer.batch import job

MEMORY = 8 << 20


def main() -> None:
    model_path, folder, kills, seed, *outputs = sys.argv[1:]
    chance = random.Random(int(seed))
    job._FLUSH_SECONDS = 0.005
    model = edge_infer.load(model_path)
    whole = Path(folder) / "whole"
    whole.mkdir()
    killed, compared = 0, []
    while killed < int(kills):
        name = outputs[len(compared) % len(outputs)]
        started = time.monotonic()
        if not (whole / name).exists():
            _run(model, folder, whole / name)
        seconds = time.monotonic() - started
        killed += _killed(model, folder, name, chance, max(seconds, 0.05))
        for suffix in ("", ".rejected.jsonl"):
            found = Path(folder) / (name + suffix)
            assert found.read_bytes() == (whole / (name + suffix)).read_bytes(), found
            found.unlink()
        assert not list(Path(folder).glob(name + ".*")), "something is left behind"
        compared.append(name)
    print(json.dumps({"kills": killed, "compared": compared}))


def _run(model: edge_infer.Model, folder: str, output: Path, *, resume: bool = False) -> None:
    model.predict_file(
        Path(folder) / "in.csv", output, keep=["id"], memory=MEMORY, threads=2, resume=resume, on_error="reject"
    )


def _killed(model: edge_infer.Model, folder: str, name: str, chance: random.Random, seconds: float) -> int:
    """Until it comes through; how often it was killed."""
    kills = 0
    while True:
        child = os.fork()
        if child == 0:
            _run(model, folder, Path(folder) / name, resume=True)
            os._exit(0)
        time.sleep(chance.uniform(0, (0.6 + 0.05 * kills) * seconds))  # longer and longer, so that it comes through
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            return kills
        kills += 1


if __name__ == "__main__":
    main()
