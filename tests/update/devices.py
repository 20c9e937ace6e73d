"""A device that updates from a repository, and what an attacker does to that."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tuf.api.metadata import Metadata, MetaFile, Snapshot, TargetFile, Timestamp

from edge_infer.errors import EdgeInferError, NotInstalledError, UpdateError
from edge_infer.store import Store
from edge_infer.store.files import Files
from edge_infer.update.client import Updated, update
from edge_infer.update.index import Index, parse_index, render_index
from edge_infer.update.keyring import Keyring

NAME = "pets"


class Device:
    """A store, and the repository that it updates from; the first root is trusted."""

    def __init__(self, repository: Path, folder: Path, *, files: Files | None = None) -> None:
        self.repository = repository
        self.store = Store(folder, files=files)

    @property
    def root(self) -> Path:
        return self.repository / "metadata" / "1.root.json"

    def update(self, *names: str, source: Any = None, first: bool | None = None, **options: Any) -> Updated:
        """What came of the model "pets", or of the one that is named."""
        known = (Path(self.store.folder) / "update" / "metadata" / "1.root.json").exists()
        if (not known) if first is None else first:
            options["root"] = self.root
        found = update(self.store, source or str(self.repository), names or [NAME], **options)
        return found[0]

    def refused(self, kind: str, *names: str, **options: Any) -> EdgeInferError:
        """The error of the whole update, or of the model, whose kind it must be: "mixed", "mixed or oversized"."""
        before = self.active()
        try:
            error = self.update(*names, **options).error
        except UpdateError as told:
            error = told
        assert error is not None, "it was taken"
        assert getattr(error, "kind", type(error).__name__) in kind.split(" or "), error
        assert self.active() == before
        return error

    def active(self, name: str = NAME) -> str | None:
        try:
            state = self.store.state(name)
        except NotInstalledError:
            return None
        release = state.of_digest(state.active)
        return release.version if release else None

    def partials(self) -> list[Path]:
        return sorted(Path(self.store.folder).glob("update/partial/*"))


# --- what stands in a repository --------------------------------------------------------


def newest(repository: Path, role: str) -> Path:
    """The file of a role's highest version."""
    found = repository.glob(f"metadata/*.{role}.json")
    return max(found, key=lambda path: int(path.name.partition(".")[0]))


def target(repository: Path, file: str) -> Path:
    """The file of a target that is there once."""
    (found,) = repository.glob(f"targets/*/{'[0-9a-f]' * 64}.{file}")
    return found


def copy(repository: Path, name: str) -> Path:
    to = repository.with_name(name)
    shutil.copytree(repository, to)
    return to


class Thief:
    """Somebody who has keys of a repository, and signs what edge-infer publish would not."""

    def __init__(self, repository: Path, keys: Path) -> None:
        self.repository, self.keyring = repository, Keyring(keys)

    def sign(self, path: Path, role: str, change: Callable[[Any], None]) -> bytes:
        """Metadata with a change, signed with the role's keys; as it stands in the file then."""
        metadata = Metadata.from_file(str(path))
        change(metadata.signed)
        metadata.signatures.clear()
        for key in self.keyring._read(role):
            metadata.sign(key.signer, append=True)
        data = metadata.to_bytes()
        path.write_bytes(data)
        return data

    def publish(self, channel: str, change: Callable[[Any], None]) -> None:
        """A channel's metadata with a change, and all above it anew: he has the keys of all of them."""
        old = newest(self.repository, channel)
        version = int(old.name.partition(".")[0]) + 1
        path = old.with_name(f"{version}.{channel}.json")
        shutil.copy(old, path)

        def changed(signed: Any) -> None:
            signed.version = version
            change(signed)

        self.sign(path, channel, changed)
        self._snapshot(f"{channel}.json", version)

    def index(self, change: Callable[[Index], bytes], channel: str = "stable") -> None:
        """A model's index with other bytes."""
        (old,) = [newest_of(self.repository, f"targets/{channel}/*.{NAME}.json")]
        data = change(parse_index(old.read_bytes()))
        info = TargetFile.from_data(f"{channel}/{NAME}.json", data, ["sha256"])
        (old.parent / f"{info.hashes['sha256']}.{NAME}.json").write_bytes(data)
        self.publish(channel, lambda signed: signed.targets.update({info.path: info}))

    def _snapshot(self, name: str, version: int) -> None:
        old = newest(self.repository, "snapshot")
        number = int(old.name.partition(".")[0]) + 1
        path = old.with_name(f"{number}.snapshot.json")
        shutil.copy(old, path)

        def list_(signed: Snapshot) -> None:
            signed.version = number
            signed.meta[name] = MetaFile(version)

        self.sign(path, "snapshot", list_)

        def lead(signed: Timestamp) -> None:
            signed.version += 1
            signed.snapshot_meta = MetaFile(number)

        self.sign(self.repository / "metadata" / "timestamp.json", "timestamp", lead)


def newest_of(repository: Path, pattern: str) -> Path:
    return max(repository.glob(pattern), key=lambda path: path.stat().st_mtime_ns)


def altered(index: Index, **changes: Any) -> bytes:
    """An index whose last release is changed, unchecked."""
    return render_index(index._replace(releases=(*index.releases[:-1], index.releases[-1]._replace(**changes))))


# --- servers ----------------------------------------------------------------------------


class Plain(SimpleHTTPRequestHandler):
    """Python's own server of a folder, which knows no ranges."""

    asked: list[tuple[str, str | None]]  # paths with the range that was asked for

    def log_message(self, *about: object) -> None:
        pass

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Range")))
        super().do_GET()


class Ranged(Plain):
    """It knows ranges. cut: of a model's file so many bytes are sent, then the connection is closed, once."""

    cut: int | None = None

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append((self.path, wanted))
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data, start = path.read_bytes(), 0
        if wanted is not None:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        most, stopped = len(data), type(self).cut
        if stopped is not None and path.suffix == ".onnx":
            most, type(self).cut = start + stopped, None
        self.wfile.write(data[start:most])
        self.close_connection = True


@contextmanager
def served(folder: Path, kind: type[Plain]) -> Iterator[tuple[str, type[Plain]]]:
    """The address, and the class of handlers that serves there, with what it was asked."""
    handler = type("Handler", (kind,), {"asked": []})
    with running(partial(handler, directory=str(folder))) as url:
        yield url, handler


@contextmanager
def running(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def warned(text: str) -> Any:
    from edge_infer.store.store import StoreWarning

    return pytest.warns(StoreWarning, match=text)
