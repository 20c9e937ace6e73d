"""python -m benchmarks.web_app [MODEL] [--runs N]: from opening an exported app to its first answer, in Chromium here.

Prints one JSON object, times in seconds (median and worst of N runs, each with a fresh profile): `first visit` from a
server on this machine, `offline` the same app opened again with the server gone, `single file` from the disk. And what
the apps weigh, in bytes. It needs onnxruntime-web (`edge-infer export web --help`) and Chromium.
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from edge_infer import read_artifact
from edge_infer.export.web import export_web
from edge_infer.export.web_runtime import PINNED, find_runtime

_MODEL = Path(__file__).parents[1] / "artifacts" / "samples" / "format-1" / "penguins-1.0.0.onnx"
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """No requests among the results."""


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web_app", description=__doc__)
    parser.add_argument("model", nargs="?", default=str(_MODEL))
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args(argv)
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        print("no Chromium on this machine: apt-get install chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        artifact, runtime = read_artifact(options.model), find_runtime()
        app, single = Path(folder) / "app", Path(folder) / "app.html"
        weights = {
            "folder": export_web(artifact, app, runtime=runtime).parts,
            "single file": export_web(artifact, single, runtime=runtime, single_file=True).parts,
        }
        browser = playwright.chromium.launch(executable_path=program, args=_OPTIONS)
        times: dict[str, list[float]] = {"first visit": [], "offline": [], "single file": []}
        for _ in range(options.runs):
            first, offline = _folder(browser, app)
            times["first visit"].append(first)
            times["offline"].append(offline)
            times["single file"].append(_single(browser, single))
        version = browser.version
        browser.close()
    shown = {name: {"median": round(statistics.median(t), 3), "worst": round(max(t), 3)} for name, t in times.items()}
    print(json.dumps({"chromium": version, "runtime": PINNED.spec, "seconds": shown, "bytes": weights}, indent=2))
    return 0


def _folder(browser: Browser, app: Path) -> tuple[float, float]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(app)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    context = browser.new_context()
    page = context.new_page()
    first = _first_answer(page, url)
    page.wait_for_selector("#offline-state[data-state=ready]")
    server.shutdown()
    server.server_close()
    offline = _first_answer(page, url)
    context.close()
    return first, offline


def _single(browser: Browser, path: Path) -> float:
    context = browser.new_context()
    seconds = _first_answer(context.new_page(), path.as_uri())
    context.close()
    return seconds


def _first_answer(page: Page, url: str) -> float:
    """The form is filled in and sent while the model is still loading: its answer is waited for."""
    start = time.perf_counter()
    page.goto(url)
    page.click("#example-button")
    page.click("#answer-button")
    page.wait_for_selector("#answer-body :is(.headline, .several, .numbers)")
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
