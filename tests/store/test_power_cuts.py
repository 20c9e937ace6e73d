"""The power may be cut anywhere: the store opens again, what is active answers, and prune leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_infer.errors import NotInstalledError, RefusedError
from edge_infer.store import Store
from edge_infer.store.files import Files, Step
from edge_infer.store.loading import StoreWarning
from edge_infer.store.on_trial import begin
from edge_infer.store.trial import Terms
from tests.store.power import Disk, cuts, write_out
from tests.store.releases import ROW, answer, artifact


def _refused(store: Store) -> None:
    with pytest.raises(RefusedError, match="older"):
        store.install(artifact("0.9.0"))


def _confirms(store: Store) -> None:
    with store.load("pets") as model:
        model.predict(ROW)


def _dies(store: Store) -> None:
    """A start whose process is gone, so that the system has let go of its file; then the next one."""
    _, begun = begin(store._files, "pets")
    assert begun is not None
    os.close(begun.descriptor)
    with pytest.warns(StoreWarning, match=r"1 process that ran it crashed.*1\.1\.0 is active again"):
        store.load("pets")


#: Steps of a device's life, and the version that is active after each (None: none).
LIFE: list[tuple[Callable[[Store], Any], str | None]] = [
    (lambda store: store.install(artifact("1.0.0")), "1.0.0"),
    (lambda store: store.install(artifact("1.1.0")), "1.1.0"),
    (lambda store: store.install(artifact("1.2.0"), activate=False), "1.1.0"),
    (lambda store: store.activate("pets@1.2.0"), "1.2.0"),
    (lambda store: store.rollback("pets"), "1.1.0"),
    (lambda store: store.activate("pets@1.2.0", trial=Terms(answers=1)), "1.2.0"),
    (_confirms, "1.2.0"),
    (lambda store: store.rollback("pets"), "1.1.0"),
    (lambda store: store.activate("pets@1.2.0", trial=Terms(seconds=3600, crashes=1)), "1.2.0"),
    (_dies, "1.1.0"),
    (_refused, "1.1.0"),
    (lambda store: store.install(artifact("2.0.0")), "2.0.0"),
    (lambda store: store.prune(keep=1), "2.0.0"),
    (lambda store: store.remove("pets@1.1.0"), "2.0.0"),
    (lambda store: store.remove("pets"), None),
]
SEEDS = range(7)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Step], list[int]]:
    """All steps of that life, and how many were taken after each part of it."""
    steps: list[Step] = []
    store = Store(files=Files(tmp_path_factory.mktemp("lived") / "store", steps.append))
    ends = []
    for change, _ in LIFE:
        change(store)
        ends.append(len(steps))
    return steps, ends


def test_the_steps_are_the_whole_truth(lived: Any, tmp_path: Path) -> None:
    """What the steps make is what stands on the disk, so that nothing is written past them."""
    disk, there = Disk(), tmp_path / "store"
    store = Store(files=Files(there, disk.take))
    for change, _ in LIFE[:13]:
        change(store)
    found = {path.relative_to(there).parts: path for path in there.rglob("*")}
    assert found.keys() - {("lock",)} == disk.names.keys()
    assert all(found[path].read_bytes() == node.data for path, node in disk.names.items() if not node.folder)


def test_after_a_cut_anywhere_the_store_opens_and_answers(lived: Any, tmp_path: Path) -> None:
    steps, ends = lived
    states = 0
    for taken, state in cuts(steps, SEEDS):
        where = tmp_path / f"{states}"
        write_out(state, where)
        allowed = _allowed(taken, ends)
        _check(Store(where), allowed, f"after {taken} of {len(steps)} steps")
        if states % 10 == 0:  # each takes a process
            assert Store(where).install(artifact("1.0.0"), allow_older=True).active
        shutil.rmtree(where)
        states += 1
    assert states >= 500


def test_a_killed_install_that_is_repeated_lasts(tmp_path: Path) -> None:
    """The process is killed after any step, the same is installed again, and then the power is cut."""
    steps: list[Step] = []
    store = Store(files=Files(tmp_path / "whole", steps.append))
    store.install(artifact("1.0.0"))
    begun = len(steps)
    store.install(artifact("1.1.0"))
    for killed in range(begun, len(steps) + 1):
        disk = Disk()
        for step in steps[:killed]:
            disk.take(step)
        folder = tmp_path / f"{killed}"
        write_out(disk.after_a_cut(1), folder)
        Store(files=Files(folder, disk.take)).install(artifact("1.1.0"))
        cut = tmp_path / f"{killed}-cut"
        write_out(disk.after_a_cut(0), cut)
        assert Store(cut).load("pets").predict(ROW) == pytest.approx(answer("1.1.0")), killed


def _allowed(taken: int, ends: list[int]) -> set[str | None]:
    """What may be active: that of the part under way, before or after. What was done is never undone."""
    part = sum(end <= taken for end in ends)
    before = LIFE[part - 1][1] if part else None
    after = LIFE[part][1] if part < len(LIFE) else before
    return {before, after}


def _check(store: Store, allowed: set[str | None], where: str) -> None:
    found = _active(store)
    assert found in allowed, where
    if found is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StoreWarning)  # a release on trial may give way
            with store.load("pets") as model:
                answered = model.predict(ROW)
        found = _active(store)
        assert found in allowed, where
        assert answered == pytest.approx(answer(str(found)), rel=1e-6), where
        numbers = [event.number for event in store.log("pets")]
        assert numbers == list(range(1, len(numbers) + 1)), where
    store.prune()
    assert _active(store) == found, where
    _has_nothing_more(store, where)


def _active(store: Store) -> str | None:
    try:
        state = store.state("pets")
    except NotInstalledError:
        return None
    release = state.of_digest(state.active)
    return release.version if release else None


def _has_nothing_more(store: Store, where: str) -> None:
    """After prune: the files of releases, and none that a crash has left."""
    folder = Path(store.folder)
    assert list((folder / "tmp").iterdir()) == [], where
    names = {path.stem for path in folder.glob("artifacts/*")}
    releases = store.state("pets").releases if store.names() else ()
    assert names == {release.digest for release in releases}, where
