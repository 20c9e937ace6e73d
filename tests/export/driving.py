"""What a person does with the page, and what it gives."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from tests.export.conftest import KEPT, READY, Server

Serve = Callable[[Path], Server]


def opened_offline(page: Page, folder: Path, serve: Serve) -> None:
    """The app opened once, then again with the server gone and the network off."""
    server = serve(folder)
    page.goto(server.url)
    page.wait_for_selector(KEPT)
    server.stop()
    page.context.set_offline(True)
    page.reload()
    page.wait_for_selector(READY)
    page.wait_for_selector(KEPT)
    assert page.evaluate("navigator.serviceWorker.controller !== null")


def answered(page: Page, path: Path) -> tuple[list[dict[str, str]], str]:
    """What the page's download says of a CSV, and its summary."""
    page.set_input_files("#csv-file", path)
    page.wait_for_selector("#csv-download")
    with page.expect_download() as download:
        page.click("#csv-download")
    with open(download.value.path(), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)), page.inner_text("#rows-summary")


def self_tested(page: Page) -> tuple[str, str]:
    """The verdict, and its class."""
    page.click("#test-button")
    page.wait_for_selector("#verdict")
    return page.inner_text("#test-result"), page.get_attribute("#verdict", "class") or ""
