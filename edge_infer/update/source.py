"""Where a repository's files come from: a folder or an address, read in the same way.

What is read is believed by nobody: TUF's metadata says what it must be. A source only keeps to its folder or address,
and to the time that it is given.
"""

from __future__ import annotations

import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from edge_infer.errors import UnsafePathError, UpdateError, UsageError
from edge_infer.extras import needs
from edge_infer.store.files import Files

__all__ = ["Deadline", "FolderSource", "HttpSource", "Source", "open_source"]

_PIECE: Final = 1 << 18
_PART: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._+~%-]{1,255}")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SILENCE: Final = 30.0  # seconds in which a server must send something
_REDIRECTS: Final = 3
_TRIES: Final = 2  # more, to get an answer at all


class Source(Protocol):
    """A repository. shown: for messages."""

    shown: str

    def pieces(self, path: str, start: int = 0) -> Iterator[bytes]:
        """A file's bytes from `start` on. path: below the repository, with "/", such as "metadata/timestamp.json".

        Raises:
            UpdateError: "absent", "unsafe" or "unreachable".
        """


def open_source(text: str, *, silence: float = _SILENCE) -> Source:
    """The source that a folder's path or an address names. silence: seconds that a server may send nothing.

    Raises:
        UsageError: an address that is none of http and https.
        UpdateError: "unreachable": there is no such folder.
    """
    match = _SCHEME.match(text)
    if match is None:
        return FolderSource(text)
    if match[1].lower() not in ("http", "https"):
        raise UsageError(f"{text}: expected a folder, or an address that begins with http:// or https://")
    return HttpSource(text, silence)


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if not all(_PART.fullmatch(part) for part in parts):
        raise UpdateError("unsafe", f"{path!r:.200}: expected the plain name of a file of the repository")
    return parts


class FolderSource:
    """A folder, such as a USB stick's. No link in it is followed."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._files = Files(folder)
        self.shown = self._files.root
        if not os.path.isdir(self._files.root):
            raise UpdateError("unreachable", f"{self.shown}: there is no such folder; is its drive there?")

    def pieces(self, path: str, start: int = 0) -> Iterator[bytes]:
        parts = _parts(path)
        try:
            yield from self._files.pieces(*parts, start=start, size=_PIECE)
        except FileNotFoundError as error:
            raise UpdateError("absent", f"{self._files.shown(tuple(parts))}: there is no such file") from error
        except UnsafePathError as error:
            raise UpdateError("unsafe", f"{error}; copy the repository's own files there") from error
        except OSError as error:
            told = error.strerror or error
            raise UpdateError("unreachable", f"{self._files.shown(tuple(parts))}: it cannot be read: {told}") from error


class HttpSource:
    """An address of http or https. A download goes on in the middle where the server knows ranges (RFC 9110, 14)."""

    def __init__(self, url: str, silence: float = _SILENCE) -> None:
        with needs("update", "urllib3", "updating from an address"):
            import urllib3
        parsed = _parsed(urllib3, url)
        self.shown = url.rstrip("/")
        self._http = urllib3
        self._manager = _manager(urllib3, parsed.scheme, parsed.host)
        self._timeout = urllib3.Timeout(silence)
        self._retries = urllib3.Retry(
            total=None, connect=_TRIES, read=_TRIES, redirect=_REDIRECTS, status=0, other=_TRIES, backoff_factor=0.2
        )

    def pieces(self, path: str, start: int = 0) -> Iterator[bytes]:
        url = "/".join([self.shown, *_parts(path)])
        try:
            yield from self._answer(url, start)
        except (self._http.exceptions.HTTPError, OSError) as error:
            raise UpdateError("unreachable", f"{url}: {_reason(error)}; try again") from error

    def _answer(self, url: str, start: int) -> Iterator[bytes]:
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        response = self._manager.request(
            "GET", url, headers=headers, preload_content=False, timeout=self._timeout, retries=self._retries
        )
        try:
            if response.status == 416:  # it has no more bytes
                return
            _check_answer(url, response, start)
            skipped = start if response.status == 200 else 0  # a server without ranges begins anew
            while piece := response.read1(_PIECE, decode_content=False):
                yield piece[skipped:]
                skipped = max(0, skipped - len(piece))
        finally:
            response.close()


def _parsed(urllib3: Any, url: str) -> Any:
    try:
        parsed = urllib3.util.parse_url(url)
    except urllib3.exceptions.HTTPError:
        parsed = None
    if parsed is None or parsed.auth or parsed.query or parsed.fragment or not parsed.host:
        raise UsageError("expected the plain address of a repository's folder, such as https://example.org/models")
    return parsed


def _check_answer(url: str, response: Any, start: int) -> None:
    if response.status in (403, 404, 410):
        raise UpdateError("absent", f"{url}: there is no such file (the server answered {response.status})")
    begins = response.headers.get("Content-Range", "").replace("=", " ").startswith(f"bytes {start}-")
    if response.status != 200 and not (response.status == 206 and start and begins):
        told = "with other bytes than were asked for" if response.status == 206 else response.status
        raise UpdateError("unreachable", f"{url}: the server answered {told}; try again later")
    coding = response.headers.get("Content-Encoding", "identity")
    if coding != "identity":
        raise UpdateError("unreachable", f"{url}: the server packs it ({coding}) though it was asked not to")


def _manager(urllib3: Any, scheme: str | None, host: str) -> Any:
    """Connections, through the proxy that the environment names (`https_proxy`, `no_proxy` …)."""
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get(scheme or "", proxies.get("all"))
    if proxy is None or proxy_bypass(host):
        return urllib3.PoolManager()
    return urllib3.ProxyManager(proxy)


def _reason(error: BaseException) -> str:
    """Without the objects and addresses, and the classes of connections, that urllib3's messages begin with."""
    inner = getattr(error, "reason", None)
    if isinstance(inner, BaseException):
        return _reason(inner)
    text = " ".join(str(error).split()).rpartition("object at ")[2]
    return re.sub(r"^(0x[0-9a-f]+>|HTTPS?Connection(Pool)?\(.*?\)): ", "", text) or type(error).__name__


class Deadline:
    """How long an update may take. A thread does the reading, so that nothing that hangs or drips outlasts it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = time.monotonic() + seconds

    def pieces(self, source: Source, path: str, start: int = 0) -> Iterator[bytes]:
        """`source.pieces`, until time is over. Raises UpdateError, of the kind "endless" too."""
        pipe: queue.Queue[bytes | BaseException | None] = queue.Queue(maxsize=4)
        ended = threading.Event()
        reader = threading.Thread(target=_read, args=(lambda: source.pieces(path, start), pipe, ended), daemon=True)
        reader.start()
        try:
            while (piece := self._next(pipe, f"{source.shown}/{path}")) is not None:
                yield piece
        finally:
            ended.set()

    def _next(self, pipe: queue.Queue[bytes | BaseException | None], where: str) -> bytes | None:
        left = self._until - time.monotonic()
        try:
            found = pipe.get(timeout=max(left, 0)) if left > 0 else None
        except queue.Empty:
            found = None
            left = 0.0
        if left <= 0:
            raise UpdateError(
                "endless",
                f"{where}: the update was to take {self.seconds:g} s at most, and they are over. What was downloaded "
                "is kept: the next one goes on there (--seconds gives it more time)",
            )
        if isinstance(found, BaseException):
            raise found
        return found


def _read(
    make: Callable[[], Iterator[bytes]], pipe: queue.Queue[bytes | BaseException | None], ended: threading.Event
) -> None:
    def put(item: bytes | BaseException | None) -> None:
        while not ended.is_set():
            try:
                pipe.put(item, timeout=0.5)
            except queue.Full:
                continue
            return

    try:
        pieces = make()
        for piece in pieces:
            put(piece)
            if ended.is_set():
                pieces.close()  # type: ignore[attr-defined]
                return
        put(None)
    except BaseException as error:  # noqa: BLE001  # raised by whoever reads the pipe
        put(error)
