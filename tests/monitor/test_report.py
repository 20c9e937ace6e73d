"""The page of a monitor: small, closed to the network, and safe whatever names a file has."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edge_infer.monitor.basis import Basis, ColumnBasis
from edge_infer.monitor.counts import Counts
from edge_infer.monitor.looking import Look, look
from edge_infer.monitor.profile import Profile
from edge_infer.monitor.report import render_page, write_report
from edge_infer.monitor.summary import Summary
from edge_infer.monitor.windows import Stamp, add
from edge_infer.store.files import Files

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
WICKED = "<script>alert('a & b')</script>\x1b[2J\u202e"


@pytest.fixture
def wide(tmp_path: Path) -> Look:
    """200 columns over 48 hours, one of them with a name that wants to be code, and drifted."""
    rng, names = np.random.default_rng(0), [WICKED, *(f"column {i}" for i in range(199))]
    edges = tuple(np.linspace(-1.2, 1.2, 9).tolist())
    columns = tuple(ColumnBasis(name, "number", Profile((100,) * 10, edges=edges), None) for name in names)
    basis = Basis("wide", "1.0.0", "b" * 64, "regression", 1000, columns, Profile((0,), edges=()), None, ())
    for hour in range(48):
        summary = Summary()
        summary.count_call("predict", 100)
        summary.rows = summary.looked_at = 100
        summary.latency.add_all(rng.lognormal(-11, 0.3, 100))
        summary.count_error(WICKED)
        for name in names:
            summary.columns[name] = Counts(10)
            shift = 3 if name == WICKED else 0
            summary.columns[name].add_numbers(rng.normal(shift, 1, 100), np.array(edges))
        stamp = Stamp(f"2026-11-{1 + hour // 24:02}T{hour % 24:02}:00:00+00:00", "boot", hour * 3600.0)
        add(Files(tmp_path), basis, stamp, stamp, summary, keep_hours=48, keep_days=9)
    return look(Files(tmp_path), "wide", last=48)


def test_a_page_of_200_columns_is_below_a_megabyte(wide: Look, tmp_path: Path) -> None:
    size = write_report([wide], tmp_path / "report.html")
    assert size == (tmp_path / "report.html").stat().st_size < 1_000_000
    assert wide.drift.verdict == "drifted"


def test_names_are_shown_and_never_run(wide: Look) -> None:
    page = render_page([wide])
    assert "<script" not in page
    assert "&lt;script&gt;alert(" in page
    assert "\x1b" not in page
    assert "\u202e" not in page


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
def test_a_browser_asks_no_network_and_finds_no_error(wide: Look, tmp_path: Path) -> None:
    write_report([wide], tmp_path / "report.html")
    with ThreadPoolExecutor(
        1
    ) as pool:  # other tests of the process may have a browser open, whose loop is this thread's
        asked, told = pool.submit(_opened, tmp_path / "report.html").result()
    assert told == []
    assert {url.partition(":")[0] for url in asked} == {"file"}


def _opened(page_file: Path) -> tuple[list[str], list[str]]:
    """What the page asked for, and what the browser had to say, at two widths."""
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    told: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for width, scheme in ((390, "light"), (1280, "dark")):
            page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True)  # type: ignore[arg-type]
            page.on("request", lambda request: asked.append(request.url))
            page.on("console", lambda message: told.append(message.text))
            page.on("pageerror", lambda error: told.append(str(error)))
            page.goto(page_file.as_uri())
            assert page.locator("article").count() == 200
            assert "drifted" in page.locator(".verdict").inner_text()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        browser.close()
    return asked, told
