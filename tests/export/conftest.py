"""A real browser, web apps of real models in it, and a server that can be stopped."""

from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from edge_infer.artifact import parse_artifact
from edge_infer.errors import UsageError
from edge_infer.export.web import export_web
from edge_infer.export.web_runtime import PINNED, Runtime, find_runtime
from tests.cli.conftest import plain, run  # noqa: F401  # fixtures

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "artifacts" / "samples" / "format-1"
PENGUINS, DIABETES, DIGITS = (SAMPLES / f"{name}-1.0.0.onnx" for name in ("penguins", "diabetes", "digits"))
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
READY = "#runtime-state[data-state=ready]"
KEPT = "#offline-state[data-state=ready]"


class Server:
    """A static host of one folder, on a free port of this machine. `stop` may be called twice."""

    def __init__(self, folder: Path) -> None:
        handler = functools.partial(_Quiet, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def stop(self) -> None:
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """A test prints no requests."""


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Server]]:
    servers: list[Server] = []

    def start(folder: Path) -> Server:
        servers.append(Server(folder))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    """The pinned onnxruntime-web."""
    try:
        return find_runtime()
    except UsageError as error:
        pytest.skip(f"{str(error).splitlines()[0]} Run npm pack {PINNED.spec} in this folder.")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, with a profile of its own; its driver's event loop would be in the way of other tests."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_OPTIONS))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh profile. An error that the page does not catch fails the test, and so does a request to another host."""
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(30_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    context.on("request", lambda request: None if _is_here(request.url) else errors.append(request.url))
    yield page
    context.close()
    assert errors == []


def _is_here(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "file:///", "data:", "blob:"))


App = Callable[..., Path]


@pytest.fixture(scope="session")
def app(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> App:
    """The web app of a file or of bytes, made once for each."""
    made: dict[tuple[bytes, bool], Path] = {}

    def export(model: Path | bytes, *, single_file: bool = False) -> Path:
        data, source = (model, None) if isinstance(model, bytes) else (model.read_bytes(), str(model))
        if (data, single_file) not in made:
            target = tmp_path_factory.mktemp("web") / ("app.html" if single_file else "app")
            export_web(parse_artifact(data, source=source), target, runtime=runtime, single_file=single_file)
            made[data, single_file] = target
        return made[data, single_file]

    return export
