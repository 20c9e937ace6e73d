"""What a disk may hold after the power was cut: made from the steps that a store took.

What counts as lasting is what POSIX promises and no more: a file's bytes once the file was flushed, the names in a
folder once that folder was. All else may be there or not, in any order, and of bytes that were not flushed any part.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path as Folder
from typing import NamedTuple

from edge_infer.store.files import Path, Step


class _Node:
    """A file or a folder: what was written, and how much of it was flushed."""

    def __init__(self, *, folder: bool) -> None:
        self.folder = folder
        self.data, self.flushed = b"", 0


class _Named(NamedTuple):
    """A change of names: `node` appears as `path` (None: it goes), and goes from `source`."""

    path: Path
    node: _Node | None
    source: Path | None = None


class Disk:
    """The state after some steps. `names` is what a running system sees."""

    def __init__(self) -> None:
        self.names: dict[Path, _Node] = {}
        self._lasting: dict[Path, _Node] = {}
        self._pending: list[_Named] = []

    def take(self, step: Step) -> None:
        if step.kind in ("make", "create"):
            self._name(_Named(step.path, _Node(folder=step.kind == "make")))
        elif step.kind == "write":
            self.names[step.path].data += step.data
        elif step.kind == "flush":
            node = self.names[step.path]
            node.flushed = len(node.data)
        elif step.kind == "rename":
            self._name(_Named(step.target, self.names[step.path], step.path))
        elif step.kind == "remove":
            self._name(_Named(step.path, None))
        else:
            assert step.kind == "flush folder"
            self._last(step.path)

    def _name(self, change: _Named) -> None:
        _apply(self.names, change)
        self._pending.append(change)

    def _last(self, folder: Path) -> None:
        """A rename lasts once the folder of its new name is flushed."""
        kept = []
        for change in self._pending:
            if change.path[:-1] == folder:
                _apply(self._lasting, change)
            else:
                kept.append(change)
        self._pending = kept

    def after_a_cut(self, seed: int) -> dict[Path, bytes | None]:
        """Files with their bytes, and folders (None). 0: nothing that was not flushed; 1: everything; 2: names, but no
        bytes; else any of them."""
        chance = random.Random(seed)
        names = dict(self._lasting)
        for change in self._pending:
            if seed in (1, 2) or (seed > 2 and chance.random() < 0.5):
                _apply(names, change)
        return {
            path: None if node.folder else node.data[: _kept(node, seed, chance)]
            for path, node in names.items()
            if all(path[:depth] in names for depth in range(1, len(path)))
        }


def _apply(names: dict[Path, _Node], change: _Named) -> None:
    if change.source is not None:
        names.pop(change.source, None)
    if change.node is None:
        names.pop(change.path, None)
    else:
        names[change.path] = change.node


def _kept(node: _Node, seed: int, chance: random.Random) -> int:
    if seed in (0, 2):
        return node.flushed
    return len(node.data) if seed == 1 else chance.randint(node.flushed, len(node.data))


def cuts(steps: list[Step], seeds: range) -> Iterator[tuple[int, dict[Path, bytes | None]]]:
    """Each different state after each prefix of the steps: how many were taken, and what the disk holds."""
    disk, seen = Disk(), set()
    for taken in range(len(steps) + 1):
        for seed in seeds:
            state = disk.after_a_cut(seed)
            key = taken, tuple(sorted((path, data or b"") for path, data in state.items()))
            if key not in seen:
                seen.add(key)
                yield taken, state
        if taken < len(steps):
            disk.take(steps[taken])


def write_out(state: dict[Path, bytes | None], folder: Folder) -> None:
    folder.mkdir()
    for path, data in sorted(state.items()):
        where = folder.joinpath(*path)
        if data is None:
            where.mkdir()
        else:
            where.write_bytes(data)
