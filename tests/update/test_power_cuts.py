"""A publication may be stopped anywhere: devices are served what was published before, or all of what is new."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from edge_infer.errors import PublishError
from edge_infer.store.files import Files, Step
from edge_infer.update.publisher import Publisher
from tests.store.power import Disk, cuts, write_out
from tests.store.releases import artifact
from tests.update.served import Client

Part = Callable[[Publisher, dict[str, Path]], object]

#: Parts of a repository's life, and what a device finds after each.
LIFE: list[tuple[Part, list[str]]] = [
    (lambda publisher, files: publisher.publish([files["1.0.0"]]), ["1.0.0"]),
    (lambda publisher, files: publisher.publish([files["1.1.0"]], share=0.5), ["1.0.0", "1.1.0"]),
    (lambda publisher, files: publisher.rotate(["timestamp", "snapshot"]), ["1.0.0", "1.1.0"]),
    (lambda publisher, files: publisher.change(["pets@1.1.0"], halted=True), ["1.0.0", "1.1.0 halted"]),
    (lambda publisher, files: publisher.rotate(["root", "targets", "stable"]), ["1.0.0", "1.1.0 halted"]),
    (lambda publisher, files: publisher.refresh(), ["1.0.0", "1.1.0 halted"]),
    (
        lambda publisher, files: publisher.publish([files["1.2.0"], files["1.0.0-cats"]]),
        ["1.0.0", "1.1.0 halted", "1.2.0", "cats"],
    ),
]
SEEDS = range(4)


class Life(NamedTuple):
    """What was done: all steps, how many were taken after each part, and the files of keys after each step."""

    steps: list[Step]
    ends: list[int]
    keys: list[dict[str, bytes]]
    models: dict[str, Path]
    root: bytes


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder = tmp_path_factory.mktemp("life")
    models = {}
    for version, name in (("1.0.0", "pets"), ("1.1.0", "pets"), ("1.2.0", "pets"), ("1.0.0", "cats")):
        key = version if name == "pets" else f"{version}-{name}"
        models[key] = folder / f"{name}-{version}.onnx"
        models[key].write_bytes(artifact(version, name=name))
    steps: list[Step] = []
    keys: list[dict[str, bytes]] = [{}]

    def watch(step: Step) -> None:
        steps.append(step)
        keys.append(_read_all(folder / "keys"))

    publisher = Publisher(folder / "repository", folder / "keys", files=Files(folder / "repository", watch))
    ends = []
    for part, _ in LIFE:
        part(publisher, models)
        ends.append(len(steps))
    return Life(steps, ends, keys, models, (folder / "repository" / "metadata" / "1.root.json").read_bytes())


def _read_all(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def _write_keys(keys: dict[str, bytes], folder: Path) -> None:
    folder.mkdir()
    for name, data in keys.items():
        (folder / name).touch(0o600)
        (folder / name).write_bytes(data)


def _found(client: Client) -> list[str]:
    index = client.index()
    found = [f"{each.version}{' halted' if each.halted else ''}" for each in index.releases] if index else []
    return found + (["cats"] if client.versions("cats") else [])


def test_the_steps_are_the_whole_truth(life: Life, tmp_path: Path) -> None:
    """What the steps make is what stands on the disk, so that nothing is written past them."""
    disk, there = Disk(), tmp_path / "repository"
    publisher = Publisher(there, tmp_path / "keys", files=Files(there, disk.take))
    for part, _ in LIFE:
        part(publisher, life.models)
    found = {path.relative_to(there).parts: path for path in there.rglob("*")}
    assert found.keys() - {("lock",)} == disk.names.keys()
    assert all(found[path].read_bytes() == node.data for path, node in disk.names.items() if not node.folder)


def test_after_a_cut_anywhere_devices_are_served_and_publishing_goes_on(life: Life, tmp_path: Path) -> None:
    states, last = 0, -1
    for taken, state in cuts(life.steps, SEEDS):
        where = tmp_path / f"{states}"
        where.mkdir()
        write_out(state, where / "repository")
        _check_served(life, taken, where)
        if taken != last:  # once for each step: flushing takes long
            _check_again(life, taken, where)
        shutil.rmtree(where)
        states, last = states + 1, taken
    assert states >= 500


@pytest.mark.parametrize("part", [1, 3], ids=["publish", "halt"])
def test_a_killed_publication_that_is_repeated_lasts(part: int, life: Life, tmp_path: Path) -> None:
    """The process is killed after any step, the same is published again, and then the power is cut."""
    for killed in range(life.ends[part - 1], life.ends[part] + 1):
        disk, where = Disk(), tmp_path / f"{killed}"
        for step in life.steps[:killed]:
            disk.take(step)
        where.mkdir()
        write_out(disk.after_a_cut(1), where / "repository")
        _write_keys(life.keys[killed], where / "keys")
        files = Files(where / "repository", disk.take)
        LIFE[part][0](Publisher(where / "repository", where / "keys", files=files), life.models)
        write_out(disk.after_a_cut(0), where / "cut")
        assert _found(Client(where / "cut", where / "kept", life.root)) == LIFE[part][1], killed
        shutil.rmtree(where)


def _part(life: Life, taken: int) -> int:
    """The number of the part under way; that of the last one where all is done."""
    return min(sum(end <= taken for end in life.ends), len(LIFE) - 1)


def _check_served(life: Life, taken: int, where: Path) -> None:
    """What the part under way found, or what it leaves. The first one makes an empty repository before it publishes."""
    part, told = _part(life, taken), f"after {taken} of {len(life.steps)} steps"
    before = LIFE[part - 1][1] if part else []
    if part or (where / "repository" / "metadata" / "timestamp.json").exists():
        found = _found(Client(where / "repository", where / "kept", life.root))
        assert found in (before, LIFE[part][1]), told


def _check_again(life: Life, taken: int, where: Path) -> None:
    """The same part again does its work, for a device of the time before too."""
    part, told = _part(life, taken), f"after {taken} of {len(life.steps)} steps"
    repository = where / "repository"
    _write_keys(life.keys[taken], where / "keys")
    LIFE[part][0](Publisher(repository, where / "keys"), life.models)
    root = life.root if part else None
    assert _found(Client(repository, where / ("kept" if part else "first"), root)) == LIFE[part][1], told
    assert list((repository / "tmp").iterdir()) == [], told


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_a_rotation_of_a_lost_key_that_was_stopped_is_finished_by_the_same_command(
    role: str, life: Life, tmp_path: Path
) -> None:
    """There devices may have to wait, since nobody can sign by the old key; what they get is never wrong."""
    base = tmp_path / "base"
    Publisher(base / "repository", base / "keys").publish([life.models["1.0.0"]])
    (base / "keys" / f"{role}.key").unlink()
    stopped, finished, unfinished = 0, False, 0
    while not finished:
        where = tmp_path / f"{stopped}"
        shutil.copytree(base, where)
        finished = _rotated_for(role, stopped, where)
        unfinished += _tells_what_to_do(role, where, life.models["1.1.0"])
        Publisher(where / "repository", where / "keys").rotate([role])
        assert _found(Client(where / "repository", where / "kept")) == ["1.0.0"], stopped
        Publisher(where / "repository", where / "keys").publish([life.models["1.1.0"]])
        assert _found(Client(where / "repository", where / "kept")) == ["1.0.0", "1.1.0"], stopped
        shutil.rmtree(where)
        stopped += 1
    assert stopped > 10
    assert unfinished > 3


def _tells_what_to_do(role: str, where: Path, model: Path) -> bool:
    """Whether publishing is refused until the rotation is finished."""
    if not (where / "repository" / "metadata" / "2.root.json").exists():
        return False
    copy = where.with_name("copy")
    shutil.copytree(where, copy)
    refusal = ""
    try:
        Publisher(copy / "repository", copy / "keys").publish([model])
    except PublishError as error:
        refusal = str(error)
    shutil.rmtree(copy)
    assert refusal == "" or f"--rotate {role} finishes it" in refusal
    return bool(refusal)


def _rotated_for(role: str, steps: int, where: Path) -> bool:
    """Whether so many steps were enough."""
    left = [steps]

    def watch(step: Step) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise _Stop

    try:
        Publisher(where / "repository", where / "keys", files=Files(where / "repository", watch)).rotate([role])
    except _Stop:
        return False
    return True


class _Stop(Exception):
    """The process ends here."""
