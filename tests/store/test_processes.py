"""Several processes use one store at the same time: real ones, and some are killed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edge_infer.errors import NotInstalledError
from edge_infer.store import Store
from tests.store.releases import ROW, answer, artifact

ROOT = Path(__file__).parents[2]
VERSIONS = ("1.0.0", "1.1.0")
KILLS = 60

_READER = """
import json, select, sys
import edge_infer
row, allowed = json.loads(sys.argv[1]), json.loads(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
loads = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    model = edge_infer.load("pets")
    wanted = allowed[model.manifest.version]
    for _ in range(20):
        got = model.predict(row)
        if abs(got - wanted) > 1e-3:
            sys.exit(f"{model.manifest.version} answered {got}")
    loads += 1
print(loads)
"""


def _environment(store: Store) -> dict[str, str]:
    return {**os.environ, "EDGE_INFER_HOME": store.folder}


def test_readers_see_no_half_change_while_releases_change(store: Store) -> None:
    for version in VERSIONS:
        store.install(artifact(version))
    allowed = json.dumps({version: answer(version) for version in VERSIONS})
    command = [sys.executable, "-c", _READER, json.dumps(ROW), allowed]
    readers = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment(store), cwd=ROOT
        )
        for _ in range(4)
    ]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdin is not None
        reader.stdout.readline()
        reader.stdin.write("go\n")
        reader.stdin.flush()
    for change in range(200):
        store.activate(f"pets@{VERSIONS[change % 2]}", allow_older=True)
    loads = [int(reader.communicate("stop\n", timeout=60)[0]) for reader in readers]
    assert [reader.returncode for reader in readers] == [0] * 4
    assert min(loads) > 0
    numbers = [event.number for event in store.log("pets")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_writers_take_turns(store: Store) -> None:
    for version in VERSIONS:
        store.install(artifact(version))
    wrong: list[BaseException] = []

    def change() -> None:
        try:
            for place in range(25):
                Store(store.folder).activate(f"pets@{VERSIONS[place % 2]}", allow_older=True)
        except BaseException as error:  # noqa: BLE001  # told below
            wrong.append(error)

    threads = [threading.Thread(target=change) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert [event.number for event in store.log("pets")] == list(range(1, 103))


def test_a_writer_that_is_killed_leaves_a_store_that_works(store: Store, tmp_path: Path) -> None:
    """The real command line, killed at any time; the lock goes with the process."""
    files = {}
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        files[version] = tmp_path / f"pets-{version}.onnx"
        files[version].write_bytes(artifact(version))
    for version in ("1.1.0", "1.2.0", "1.0.0"):
        store.install(artifact(version), allow_older=True)
    commands = [
        ["install", "--allow-older", str(files["1.1.0"])],
        ["install", "--allow-older", str(files["1.2.0"])],
        ["activate", "pets@1.0.0", "--allow-older"],
        ["rollback", "pets"],
        ["prune", "--keep", "3"],
        ["install", "--allow-older", str(files["1.0.0"])],
    ]
    chance, took = random.Random(0), _seconds_of(["list"], store)
    killed = 0
    for turn in range(10 * KILLS):
        process = subprocess.Popen(
            [sys.executable, "-m", "edge_infer.cli.main", *commands[turn % len(commands)]],
            env=_environment(store),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(took * chance.uniform(0.4, 1.6))
        process.kill()
        killed += process.wait() == -9
        state = store.state("pets")
        active = state.of_digest(state.active)
        assert active is not None
        assert store.load("pets").predict(ROW) == pytest.approx(answer(active.version))
        if killed == KILLS:
            break
    assert killed == KILLS
    store.prune()
    assert list(Path(store.folder, "tmp").iterdir()) == []
    assert len(list(Path(store.folder, "artifacts").iterdir())) == len(store.state("pets").releases)


def _seconds_of(arguments: list[str], store: Store) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "edge_infer.cli.main", *arguments],
        env=_environment(store),
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - start


def test_a_model_that_is_loaded_outlives_its_release(store: Store) -> None:
    store.install(artifact("1.0.0"))
    model = store.load("pets")
    store.remove("pets")
    assert model.predict(ROW) == pytest.approx(answer("1.0.0"))
    with pytest.raises(NotInstalledError):
        store.load("pets")
