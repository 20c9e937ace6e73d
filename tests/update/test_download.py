"""Downloads go on where they ended, over real connections that are cut, drip, never end or lie."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from edge_infer.errors import StoreWriteError, UpdateError
from edge_infer.store import files
from edge_infer.store.files import Files, Step
from edge_infer.store.updates import extend_partial, updating
from edge_infer.update.client import update
from edge_infer.update.publisher import Publisher
from edge_infer.update.source import Deadline, FolderSource, HttpSource, Source
from tests.update.conftest import Models
from tests.update.devices import Device, Plain, Ranged, running, served, target, warned

FILE = "pets-1.0.0.onnx"


@pytest.fixture
def published(publisher: Publisher, models: Models, device: Device) -> Device:
    publisher.publish([models("1.0.0")])
    return device


def _model(device: Device) -> bytes:
    return target(device.repository, FILE).read_bytes()


def _have(device: Device, data: bytes) -> None:
    """As an earlier update left it."""
    digest = target(device.repository, FILE).name.partition(".")[0]
    extend_partial(device.store.files, digest, data, at=0)


class Counting:
    """A source that notes from where on models were read."""

    def __init__(self, source: Source) -> None:
        self.shown, self._source = source.shown, source
        self.starts: list[int] = []

    def pieces(self, path: str, start: int = 0) -> Iterator[bytes]:
        if path.endswith(".onnx"):
            self.starts.append(start)
        return self._source.pieces(path, start)


# --- going on ---------------------------------------------------------------------------


def test_a_connection_that_is_cut_is_gone_on_with(published: Device) -> None:
    with served(published.repository, Ranged) as (url, handler):
        handler.cut = 1000  # type: ignore[attr-defined]
        published.refused("unreachable", source=url)
        assert [path.stat().st_size for path in published.partials()] == [1000]
        assert published.update(source=url).action == "installed"
        ranges = [wanted for path, wanted in handler.asked if path.endswith(".onnx")]
    assert ranges == [None, "bytes=1000-"]
    assert published.partials() == []


def test_a_connection_that_is_cut_often_is_gone_on_with(published: Device) -> None:
    size, turns = len(_model(published)), 0
    with served(published.repository, Ranged) as (url, handler):
        handler.cut = size // 5 + 1  # type: ignore[attr-defined]
        while published.update(source=url).error is not None:
            turns += 1
            assert sum(path.stat().st_size for path in published.partials()) == turns * (size // 5 + 1)
            handler.cut = size // 5 + 1  # type: ignore[attr-defined]
    assert turns == 4


def test_a_server_without_ranges_begins_again(published: Device) -> None:
    _have(published, _model(published)[:1000])
    with served(published.repository, Plain) as (url, handler):
        assert published.update(source=url).action == "installed"
        assert [wanted for path, wanted in handler.asked if path.endswith(".onnx")] == ["bytes=1000-"]


def test_a_folder_is_read_from_where_it_ended(published: Device) -> None:
    _have(published, _model(published)[:1000])
    source = Counting(FolderSource(published.repository))
    assert published.update(source=source).action == "installed"
    assert source.starts == [1000]


def test_what_is_there_as_a_whole_is_not_read_again(published: Device) -> None:
    _have(published, _model(published))
    source = Counting(FolderSource(published.repository))
    assert published.update(source=source).action == "installed"
    assert source.starts == []


@pytest.mark.parametrize("wrong", [b"x" * 1000, b"x" * 100_000])
def test_a_wrong_beginning_is_removed_and_told(published: Device, wrong: bytes) -> None:
    _have(published, wrong)
    with warned("begins anew"):
        assert published.update().action == "installed"
    assert published.partials() == []


def test_a_wrong_beginning_and_a_wrong_file_end_it(published: Device) -> None:
    path = target(published.repository, FILE)
    path.write_bytes(b"y" * path.stat().st_size)
    _have(published, b"x" * 1000)
    with warned("begins anew"):
        published.refused("mixed")
    assert published.partials() == []


def test_a_file_that_is_still_copied_is_gone_on_with(published: Device) -> None:
    path, data = target(published.repository, FILE), _model(published)
    path.write_bytes(data[:2000])
    assert "ended after 2,000" in str(published.refused("mixed"))
    path.write_bytes(data)
    source = Counting(FolderSource(published.repository))
    assert published.update(source=source).action == "installed"
    assert source.starts == [2000]


def test_a_beginning_of_a_file_that_is_too_long_is_removed(published: Device) -> None:
    path, data = target(published.repository, FILE), _model(published)
    _have(published, data[:1000])
    path.write_bytes(data + b"\0")
    published.refused("endless")
    assert published.partials() == []


def test_prune_removes_unfinished_downloads(published: Device) -> None:
    _have(published, b"x" * 1000)
    assert published.store.prune() == 1000
    assert published.partials() == []


def test_an_update_of_all_models_removes_what_it_does_not_need(published: Device) -> None:
    published.update()
    extend_partial(published.store.files, "0" * 64, b"x", at=0)
    update(published.store, str(published.repository))
    assert published.partials() == []


def test_a_full_disk_is_told_and_gone_on_from(publisher: Publisher, models: Models, tmp_path: Path) -> None:
    publisher.publish([models("1.0.0")])
    full = True

    def watch(step: Step) -> None:
        if full and step.kind == "flush" and step.path[:2] == ("update", "partial"):
            raise OSError(errno.ENOSPC, "no space")

    device = Device(tmp_path / "repository", tmp_path / "store", files=Files(tmp_path / "store", watch))
    error = device.update().error
    assert type(error).__name__ == "StoreWriteError"
    assert "disk is full" in str(error)
    full = False
    assert device.update().action == "installed"


def test_a_download_that_another_process_changes_is_told(published: Device) -> None:
    _have(published, b"x" * 1000)
    digest = target(published.repository, FILE).name.partition(".")[0]
    for at in (0, 999, 1001):
        with pytest.raises(StoreWriteError, match="another process"):
            extend_partial(published.store.files, digest, b"y", at=at)
    extend_partial(published.store.files, digest, b"y", at=1000)
    assert published.partials()[0].read_bytes() == b"x" * 1000 + b"y"


def test_updates_of_one_store_take_turns(published: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_LOCK_SECONDS", 0.05)
    with updating(published.store.files):
        with pytest.raises(StoreWriteError, match="another process"):
            published.update()
        assert published.update(check=True).action == "available"  # which changes nothing
    assert published.update().action == "installed"


# --- servers that lie -------------------------------------------------------------------


class Odd(BaseHTTPRequestHandler):
    """A server with an answer of its own for some paths, as files for the others."""

    protocol_version = "HTTP/1.1"
    folder: Path
    ended: Event
    odd: Callable[[Any], None]

    def log_message(self, *about: object) -> None:
        pass

    def is_odd(self) -> bool:
        return True

    def do_GET(self) -> None:
        self.close_connection = True
        path = self.folder / self.path.lstrip("/")
        with contextlib.suppress(ConnectionError):
            if self.is_odd():
                type(self).odd(self)
            elif not path.is_file():
                self.send_error(404)
            else:
                self.answer(path.read_bytes())

    def answer(self, data: bytes, *, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def _odd(folder: Path, odd: Callable[[Any], None], ending: str) -> Iterator[str]:
    ended = Event()

    def is_odd(self: Odd) -> bool:
        return self.path.endswith(ending)

    handler = type("Handler", (Odd,), {"folder": folder, "ended": ended, "odd": odd, "is_odd": is_odd})
    with running(handler) as url:
        yield url
        ended.set()


def _never_ends(self: Odd) -> None:
    self.send_response(200)
    self.end_headers()
    while not self.ended.is_set():
        self.wfile.write(b"\0" * 65536)


def _drips(self: Odd) -> None:
    self.send_response(200)
    self.end_headers()
    while not self.ended.wait(0.02):
        self.wfile.write(b" ")


def _drips_headers(self: Odd) -> None:
    self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not self.ended.wait(0.02):
        self.wfile.write(b"x")


def _is_silent(self: Odd) -> None:
    self.ended.wait(30)


def _hangs_up(self: Odd) -> None:
    self.connection.shutdown(socket.SHUT_RDWR)


def _fails(self: Odd) -> None:
    self.answer(b"busy", status=503, Retry_After="60")


def _other_range(self: Odd) -> None:
    self.answer(b"x" * 100, status=206, Content_Range="bytes 7-106/107")


def _packed(self: Odd) -> None:
    import gzip

    data = gzip.compress((self.folder / self.path.lstrip("/")).read_bytes())
    self.answer(data, Content_Encoding="gzip")


def _leads_to(where: str) -> Callable[[Any], None]:
    def lead(self: Odd) -> None:
        self.answer(b"", status=302, Location=where or self.path)

    return lead


LIES: dict[str, tuple[Callable[[Any], None], str, str]] = {
    "a timestamp without end": (_never_ends, "timestamp.json", "oversized"),
    "a model without end": (_never_ends, ".onnx", "endless"),
    "a timestamp that drips": (_drips, "timestamp.json", "endless"),
    "headers that drip": (_drips_headers, "timestamp.json", "endless"),
    "a model that drips": (_drips, ".onnx", "endless"),
    "silence": (_is_silent, "timestamp.json", "unreachable"),
    "a connection that is closed": (_hangs_up, "timestamp.json", "unreachable"),
    "a server that is busy": (_fails, "snapshot.json", "unreachable"),
    "other bytes than those that were asked for": (_other_range, ".onnx", "unreachable"),
    "a model that is packed": (_packed, ".onnx", "unreachable"),
    "a way to a file of the device": (_leads_to("file:///etc/passwd"), "timestamp.json", "unreachable"),
    "a way to ftp": (_leads_to("ftp://127.0.0.1/x"), "timestamp.json", "unreachable"),
    "a way in a circle": (_leads_to(""), "timestamp.json", "unreachable"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_lies_is_refused(published: Device, lie: str) -> None:
    odd, ending, kind = LIES[lie]
    seconds = 1.5 if "drip" in lie else 60.0
    with _odd(published.repository, odd, ending) as url:
        published.refused(kind, source=HttpSource(url, silence=0.5), seconds=seconds)
    with warned("begins anew") if lie == "a model that drips" else contextlib.nullcontext():
        assert published.update().action == "installed"


def test_a_model_that_drips_is_kept_as_far_as_it_came(published: Device) -> None:
    data = _model(published)

    def drips(self: Odd) -> None:
        self.send_response(200)
        self.end_headers()
        for position in range(0, len(data), 64):
            self.wfile.write(data[position : position + 64])
            if self.ended.wait(0.05):
                return

    with _odd(published.repository, drips, ".onnx") as url:
        published.refused("endless", source=url, seconds=1.5)
    (partial,) = published.partials()
    assert data.startswith(partial.read_bytes())
    assert partial.stat().st_size > 0
    assert published.update().action == "installed"


def test_an_honest_server_may_lead_elsewhere_and_be_slow(published: Device) -> None:
    with served(published.repository, Ranged) as (there, _):

        def slowly(self: Odd) -> None:
            time.sleep(0.05)
            _leads_to(f"{there}{self.path}")(self)

        with _odd(published.repository, slowly, ".json") as url:
            assert published.update(source=HttpSource(url, silence=5)).action == "installed"


def test_the_environment_names_a_proxy(published: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def pass_on(self: Odd) -> None:
        asked.append(self.path)
        path = self.folder / self.path.removeprefix("http://models.invalid/")
        if path.is_file():
            self.answer(path.read_bytes())
        else:
            self.send_error(404)

    with _odd(published.repository, pass_on, "") as url:
        monkeypatch.setenv("http_proxy", url)
        assert published.update(source="http://models.invalid").action == "installed"
    assert "http://models.invalid/metadata/timestamp.json" in asked


def test_a_proxy_that_hangs_up_is_asked_again(published: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one does with a connection that was kept, at the moment in which it is used again."""
    hung_up: set[str] = set()

    def hangs_up_once(self: Odd) -> None:
        path = self.folder / self.path.removeprefix("http://models.invalid/")
        if not path.is_file():
            self.send_error(404)
        elif self.path in hung_up:
            self.answer(path.read_bytes())
        else:
            hung_up.add(self.path)

    with _odd(published.repository, hangs_up_once, "") as url:
        monkeypatch.setenv("http_proxy", url)
        assert published.update(source="http://models.invalid").action == "installed"
    assert "http://models.invalid/metadata/timestamp.json" in hung_up


def test_nothing_listens(published: Device) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = published.refused("unreachable", source=f"http://127.0.0.1:{port}")
    assert "0x" not in str(error)


def test_a_deadline_that_is_over_ends_it(published: Device) -> None:
    deadline = Deadline(0.0)
    with pytest.raises(UpdateError, match="are over"):
        list(deadline.pieces(FolderSource(published.repository), "metadata/timestamp.json"))
