"""The power may be cut, or the process killed, anywhere in an update: the store opens, what is active answers, and the
next update goes through."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from edge_infer.store import Store
from edge_infer.store.files import Files, Step
from edge_infer.update import download, source
from edge_infer.update.publisher import Publisher
from tests.store.power import Disk, cuts, write_out
from tests.store.releases import ROW, answer, artifact
from tests.update.conftest import Models
from tests.update.devices import NAME, Device

ROOT = Path(__file__).parents[2]
SEEDS = range(4)
KILLS = 25


class Lived(NamedTuple):
    """The steps of some updates, how many were taken after each, and which version was active then."""

    repository: Path
    steps: list[Step]
    ends: list[tuple[int, str]]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """Updates that are refused, go on with a download, follow new keys, and ask for the device's id."""
    folder = tmp_path_factory.mktemp("lived")
    publisher = Publisher(folder / "repository", folder / "keys")
    steps: list[Step] = []
    device = Device(folder / "repository", folder / "store", files=Files(folder / "store", steps.append))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download, "_FLUSHED", 2000)
        patch.setattr(source, "_PIECE", 1000)
        ends = []
        for part in range(4):
            version = _life(publisher, device, folder, part)
            ends.append((len(steps), version))
        yield Lived(folder / "repository", steps, ends)


def _life(publisher: Publisher, device: Device, folder: Path, part: int) -> str:
    version = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")[part]
    path = folder / f"{NAME}-{version}.onnx"
    path.write_bytes(artifact(version))
    publisher.publish([path], share=0.999999 if part == 3 else None)
    if part == 2:
        publisher.rotate(["root", "timestamp", "stable"])
    if part == 1:  # the copy is under way, and then whole
        (there,) = (folder / "repository").glob(f"targets/stable/*.{path.name}")
        data = there.read_bytes()
        there.write_bytes(data[:3000])
        assert device.update().error is not None
        there.write_bytes(data)
    assert device.update().action == "installed"
    return version


def test_the_steps_are_the_whole_truth(models: Models, tmp_path: Path) -> None:
    """What the steps make is what stands on the disk, so that nothing is written past them."""
    publisher = Publisher(tmp_path / "repository", tmp_path / "keys")
    disk, there = Disk(), tmp_path / "store"
    device = Device(tmp_path / "repository", there, files=Files(there, disk.take))
    for version in ("1.0.0", "1.1.0"):
        publisher.publish([models(version)], share=0.999999)
        device.update()
    found = {path.relative_to(there).parts: path for path in there.rglob("*")}
    assert found.keys() - {("lock",), ("update", "lock")} == disk.names.keys()
    assert all(found[path].read_bytes() == node.data for path, node in disk.names.items() if not node.folder)


@pytest.mark.slow
def test_after_a_cut_anywhere_the_next_update_goes_through(lived: Lived, tmp_path: Path) -> None:
    states = whole = 0
    for taken, state in cuts(lived.steps, SEEDS):
        where, told = tmp_path / f"{states}", f"after {taken} of {len(lived.steps)} steps"
        write_out(state, where)
        device = Device(lived.repository, where)
        assert device.active() in _allowed(taken, lived.ends), told
        before = device.active()
        if before is not None:
            assert device.store.load(NAME).predict(ROW) == pytest.approx(answer(before), rel=1e-6), told
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a download whose bytes were lost begins anew
            found = device.update(first=True, check=True)
            assert found.action == ("current" if before == "1.3.0" else "available"), told
            if states % 20 == 0:  # each takes a process
                device.update(first=True)
                assert device.active() == "1.3.0", told
                whole += 1
        _has_nothing_more(device, told)
        shutil.rmtree(where)
        states += 1
    assert (states, whole) >= (600, 30)


def _allowed(taken: int, ends: list[tuple[int, str]]) -> set[str | None]:
    """What may be active: that of the part under way, before or after. What was done is never undone."""
    versions: list[str | None] = [None, *(version for _, version in ends)]
    part = sum(end <= taken for end, _ in ends)
    return set(versions[part : part + 2])


def _has_nothing_more(device: Device, told: str) -> None:
    device.store.prune()
    folder = Path(device.store.folder)
    assert device.partials() == [], told
    assert list(folder.glob("tmp/*")) == [], told
    releases = device.store.state(NAME).releases if device.store.names() else ()
    assert {path.stem for path in folder.glob("artifacts/*")} == {release.digest for release in releases}, told


@pytest.mark.slow
def test_an_update_that_is_killed_is_finished_by_the_next(publisher: Publisher, models: Models, device: Device) -> None:
    """The real command line, killed at any time."""
    publisher.publish([models("1.0.0")])
    took = _seconds_of(device)
    assert device.active() == "1.0.0"
    chance, killed, newest = random.Random(0), 0, "1.0.0"
    for turn in range(10 * KILLS):
        if device.active() == newest:
            newest = f"1.0.{turn + 1}"
            publisher.publish([models(newest)])
        process = _start(device)
        time.sleep(took * chance.uniform(0.3, 1.1))
        process.kill()
        killed += process.wait() == -9
        active = device.active()
        assert active is not None
        assert Store(device.store.folder).load(NAME).predict(ROW) == pytest.approx(answer(active))
        if killed == KILLS:
            break
    assert killed == KILLS
    assert _start(device).wait() == 0
    assert device.active() == newest
    device.store.prune()
    _has_nothing_more(device, "at the end")


def _start(device: Device) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "edge_infer.cli.main",
            "update",
            NAME,
            "--from",
            device.repository,
            "--root",
            device.root,
        ],
        env={**os.environ, "EDGE_INFER_HOME": device.store.folder},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _seconds_of(device: Device) -> float:
    start = time.perf_counter()
    assert _start(device).wait() == 0
    return time.perf_counter() - start
