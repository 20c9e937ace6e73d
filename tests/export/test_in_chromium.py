"""The exported app in a real browser, with the network off: its answers are those of Python."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import edge_infer
from edge_infer.artifact import parse_artifact
from edge_infer.export.web import export_web
from edge_infer_convert.demo import load_penguins
from tests.export import models
from tests.export.conftest import DIABETES, KEPT, PENGUINS, READY, App
from tests.export.driving import Serve, answered, opened_offline, self_tested


def test_a_form_filled_in_offline_answers_as_python(page: Page, app: App, serve: Serve) -> None:
    opened_offline(page, app(PENGUINS), serve)
    record = {"island": "Biscoe", "sex": None, "bill_length_mm": 46.5, "bill_depth_mm": 14.5, "flipper_length_mm": None}
    record["body_mass_g"] = 4400.0
    page.get_by_label("island", exact=True).select_option(label="Biscoe")
    page.get_by_label("sex", exact=True).select_option(label="— missing —")
    page.get_by_label("bill_length_mm").fill("46.5")
    page.get_by_label("bill_depth_mm").fill("14.5")
    page.get_by_label("body_mass_g").fill("4400")
    page.get_by_role("button", name="Answer", exact=True).click()
    page.wait_for_selector("#prediction")
    model = edge_infer.load(PENGUINS)
    assert page.inner_text("#prediction") == model.predict(record)
    shown = {
        bar.query_selector(".label").inner_text(): float(bar.query_selector(".value").get_attribute("data-value"))  # type: ignore[union-attr, arg-type]
        for bar in page.query_selector_all(".bar")
    }
    classes = ["Adelie", "Chinstrap", "Gentoo"]
    np.testing.assert_allclose([shown[name] for name in classes], model.predict_proba(record), rtol=0, atol=1e-6)


def test_all_penguins_complete_or_not_are_answered_offline_as_python(
    page: Page, app: App, serve: Serve, tmp_path: Path
) -> None:
    X, _ = load_penguins()
    complete = X.notna().all(axis=1)
    assert complete.sum() == 333
    assert (~complete).sum() == 11
    X.to_csv(tmp_path / "penguins.csv", index=False)
    opened_offline(page, app(PENGUINS), serve)
    rows, summary = answered(page, tmp_path / "penguins.csv")
    model = edge_infer.load(PENGUINS)
    assert summary == "344 rows answered."
    assert [row["prediction"] for row in rows] == model.predict(X).tolist()
    here = [[float(row[f"P({name})"]) for name in ("Adelie", "Chinstrap", "Gentoo")] for row in rows]
    np.testing.assert_allclose(here, model.predict_proba(X), rtol=0, atol=1e-6)


def test_the_self_test_replays_all_goldens(page: Page, app: App, serve: Serve) -> None:
    page.goto(serve(app(PENGUINS)).url)
    text, kind = self_tested(page)
    assert kind == "passed"
    assert "predict: 60 of 60 agree" in text
    assert "predict_proba: 60 of 60 agree, largest difference" in text


def test_the_self_test_fails_where_an_answer_is_not_the_originals(page: Page, app: App, serve: Serve) -> None:
    page.goto(serve(app(models.penguins_with_a_wrong_golden())).url)
    text, kind = self_tested(page)
    assert kind == "failed"
    assert "predict: 59 of 60 agree; the first that differs is row 7" in text


def test_refused_rows_are_told_by_line_in_pythons_words(page: Page, app: App, serve: Serve, tmp_path: Path) -> None:
    page.goto(serve(app(PENGUINS)).url)
    lines = [
        "island,sex,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g",
        "Biscoe,male,46.5,14.5,213,4400",
        'Biscoe,male,"46,5",14.5,213,4400',
        "Biscoe,male,inf,14.5,213,1e39",
        "Biscoe,male,46.5",
        '"Bis\ncoe",,,,,',
    ]
    (tmp_path / "some.csv").write_text("\n".join(lines), encoding="utf-8")
    rows, summary = answered(page, tmp_path / "some.csv")
    assert summary == "2 rows answered, 3 rows refused."
    assert page.query_selector_all("#rows-refused li")[0].inner_text().startswith("line 3: column 'bill_length_mm'")
    assert [row["error"] for row in rows] == [
        "",
        "column 'bill_length_mm': expected a number, got '46,5'",
        "column 'bill_length_mm': expected a finite number, got inf; "
        "column 'body_mass_g': expected a number that fits float32, got 1e+39",
        "expected 6 cells as in the header, got 3",
        "",
    ]
    assert [bool(row["prediction"]) for row in rows] == [True, False, False, False, True]


def test_a_file_that_is_dropped_is_answered(page: Page, app: App, serve: Serve) -> None:
    page.goto(serve(app(PENGUINS)).url)
    page.wait_for_selector(READY)
    X, _ = load_penguins()
    dropped = page.evaluate_handle(
        """(text) => {
          const data = new DataTransfer();
          data.items.add(new File([text], "some.csv"));
          return data;
        }""",
        X.head(3).to_csv(index=False),
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
    page.wait_for_selector("#csv-download")
    assert page.inner_text("#rows-summary") == "3 rows answered."
    assert page.get_attribute("#csv-download", "download") == "some-answers.csv"


def test_a_form_that_does_not_fit_tells_each_field(page: Page, app: App, serve: Serve) -> None:
    page.goto(serve(app(PENGUINS)).url)
    page.get_by_label("bill_length_mm").fill("long")
    page.get_by_role("button", name="Answer", exact=True).click()
    page.wait_for_selector("#answer-body li")
    told = page.inner_text("#answer-body")
    assert "bill_length_mm: expected a number, got 'long'" in told
    assert "island: expected one of the list, got nothing chosen" in told
    assert page.get_by_label("bill_length_mm").get_attribute("aria-invalid") == "true"
    assert page.evaluate("document.activeElement.id") == "field-0"  # the first that does not fit


def test_clearing_brings_the_form_back_as_it_was(page: Page, app: App, serve: Serve) -> None:
    page.goto(serve(app(PENGUINS)).url)
    page.wait_for_selector(READY)
    values = "[...document.querySelectorAll('#fields input, #fields select')].map((e) => [e.value, e.hidden])"
    before = page.evaluate(values)
    page.click("#example-button")
    page.get_by_label("sex", exact=True).select_option(label="another value …")
    page.get_by_label("sex: another value").fill("unsexed")
    page.click("#answer-button")
    page.wait_for_selector("#prediction")
    assert "sex: training did not know 'unsexed'." in page.inner_text("#answer-body")
    page.get_by_role("button", name="Clear").click()
    page.wait_for_selector("#field-1-other", state="hidden")
    assert page.evaluate(values) == before


def test_an_unknown_category_is_not_cut_to_a_known_one(page: Page, app: App, serve: Serve, tmp_path: Path) -> None:
    page.goto(serve(app(PENGUINS)).url)
    X = load_penguins()[0].head(2)
    X["sex"] = ["male\0", "\ue000"]  # the second is how the graph is told of a missing one
    X.to_csv(tmp_path / "rows.csv", index=False)
    rows, _ = answered(page, tmp_path / "rows.csv")
    here = [[float(row[f"P({name})"]) for name in ("Adelie", "Chinstrap", "Gentoo")] for row in rows]
    np.testing.assert_allclose(here, edge_infer.load(PENGUINS).predict_proba(X), rtol=0, atol=1e-6)


# --- one file ---------------------------------------------------------------------------


def test_a_single_file_answers_from_a_disk(page: Page, app: App, tmp_path: Path) -> None:
    page.context.set_offline(True)
    page.goto(app(PENGUINS, single_file=True).as_uri())
    page.wait_for_selector(READY)
    X, _ = load_penguins()
    X.to_csv(tmp_path / "penguins.csv", index=False)
    rows, _ = answered(page, tmp_path / "penguins.csv")
    assert [row["prediction"] for row in rows] == edge_infer.load(PENGUINS).predict(X).tolist()
    assert self_tested(page)[1] == "passed"
    assert page.inner_text("#offline-state") == "One file: works offline"


# --- an app that is installed, damaged or renewed ---------------------------------------


def test_browsers_find_it_installable(page: Page, app: App, serve: Serve) -> None:
    page.goto(serve(app(PENGUINS)).url)
    page.wait_for_selector(KEPT)
    session = page.context.new_cdp_session(page)
    told = session.send("Page.getAppManifest")
    assert told["errors"] == []
    manifest = json.loads(told["data"])
    assert {icon["sizes"] for icon in manifest["icons"]} == {"192x192", "512x512"}
    # A profile of a test is as a private window, from which no browser installs.
    errors = {error["errorId"] for error in session.send("Page.getInstallabilityErrors")["installabilityErrors"]}
    assert errors <= {"in-incognito"}


@pytest.mark.parametrize("name", ["model.onnx", "onnxruntime.bin", "onnxruntime.js", "schema.js", "app.json"])
def test_a_changed_file_is_never_used(
    name: str, browser: Any, app: App, serve: Serve, tmp_path: Path, runtime: Any
) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    for path in app(PENGUINS).iterdir():
        data = bytearray(path.read_bytes())
        if path.name == name:
            data[len(data) // 2] ^= 1
        (folder / path.name).write_bytes(data)
    context = browser.new_context()
    page = context.new_page()
    page.goto(serve(folder).url)
    page.wait_for_timeout(1500)
    assert page.query_selector(READY) is None
    assert page.query_selector(KEPT) is None
    if name in ("model.onnx", "onnxruntime.bin", "app.json"):
        assert f"{name} is not there, or not as it was exported" in page.inner_text("#trouble")
    context.close()


def test_a_newer_export_is_offered_and_taken(page: Page, app: App, serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "served"
    shutil.copytree(app(PENGUINS), folder)
    page.goto(serve(folder).url)
    page.wait_for_selector(KEPT)
    page.reload()
    page.wait_for_selector(KEPT)
    shutil.rmtree(folder)
    shutil.copytree(app(DIABETES), folder)
    page.reload()  # still the old one, whole
    assert page.title() == "penguins"
    page.wait_for_selector("#update:not([hidden])")
    page.click("#update-now")
    page.get_by_role("heading", name="diabetes").wait_for()
    page.wait_for_selector(READY)
    names = page.evaluate("caches.keys()")
    assert len(names) == 1


# --- hostile texts ----------------------------------------------------------------------


@pytest.mark.parametrize("single_file", [False, True], ids=["folder", "one file"])
def test_texts_of_a_model_run_no_script(
    single_file: bool, page: Page, runtime: Any, serve: Serve, tmp_path: Path
) -> None:
    target = tmp_path / ("app.html" if single_file else "app")
    artifact = parse_artifact(models.hostile_penguins())
    export_web(artifact, target, runtime=runtime, title=models.HOSTILE, single_file=single_file)
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    page.goto(target.as_uri() if single_file else serve(target).url)
    page.wait_for_selector(READY)
    page.click("#example-button")
    page.click("#answer-button")
    page.wait_for_selector("#prediction")
    page.click("#test-button")
    page.wait_for_selector("#verdict")
    assert page.evaluate("window.hacked") is None
    assert page.title() == models.HOSTILE.strip()
    assert models.HOSTILE in (page.text_content("#card") or "")  # shown as it is
    assert models.HOSTILE in (page.text_content("#fields") or "")


@pytest.mark.parametrize("single_file", [False, True])
def test_people_are_told_of_fields_and_model(single_file: bool, page: Page, app: App, serve: Serve) -> None:
    target = app(models.told_penguins(), single_file=single_file)
    page.goto(target.as_uri() if single_file else serve(target).url)
    page.wait_for_selector(READY)
    field = page.get_by_role("textbox", name="body_mass_g g", exact=True)
    expect(field).to_have_accessible_description("The body_mass_g. 2700 to 6300 in training; empty: missing")
    expect(page.get_by_role("combobox", name="island", exact=True)).to_have_accessible_description("")
    card = [line for line in page.inner_text("#card").splitlines() if line.strip()]
    for line in ("For trying out.", "Not for research.", "CC0-1.0", "accuracy 0.985 on held-out 20 %"):
        assert line in card
    page.click("#example-button")
    page.click("#answer-button")
    page.wait_for_selector("#prediction")


def test_a_model_that_tells_nothing_has_no_empty_lines(page: Page, app: App, serve: Serve) -> None:
    page.goto(serve(app(PENGUINS)).url)
    page.wait_for_selector(READY)
    assert page.query_selector_all(".unit") == []
    assert not {"Description", "License", "Metrics, as stated"} & set(page.inner_text("#card").splitlines())
    assert [hint.bounding_box() for hint in page.query_selector_all(".hint:empty") if hint.is_visible()] == []


def test_what_people_are_told_cannot_turn_the_text_around(page: Page, app: App, serve: Serve) -> None:
    page.goto(serve(app(models.told_penguins("\u202e\x1b\x9b\u2067"))).url)
    page.wait_for_selector(READY)
    text = page.evaluate("document.body.textContent")
    assert not set("\u202e\x1b\x9b\u2067") & set(text)
    assert text.count("\\u202e\\u001b\\u009b\\u2067") == 4 + 4 + 1  # units, descriptions, the license


# --- for everybody ----------------------------------------------------------------------

_UNLABELLED = """[...document.querySelectorAll("input, select, textarea, button, progress")]
  .filter((e) => !e.hidden && !(e.labels?.length || e.ariaLabel || (e.tagName === "BUTTON" && e.textContent.trim())))
  .map((e) => e.outerHTML)"""
_CONTRAST = """() => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !e.checkVisibility()) continue;
    if (e.closest("script, noscript, :disabled")) continue;
    const [a, b] = [luminance(parse(getComputedStyle(e).color)), luminance(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push([e.outerHTML.slice(0, 80), ratio]);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_control_has_a_label_and_every_text_contrast(scheme: Any, page: Page, app: App, serve: Serve) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(serve(app(PENGUINS)).url)
    page.wait_for_selector(KEPT)
    page.click("#answer-button")  # with messages
    page.wait_for_selector("#answer-body li")
    assert page.evaluate(_UNLABELLED) == []
    assert page.evaluate(_CONTRAST) == []
    page.click("#example-button")
    page.click("#answer-button")
    page.wait_for_selector("#prediction")
    page.click("#test-button")
    page.wait_for_selector("#verdict")
    assert page.evaluate(_CONTRAST) == []


def test_the_keyboard_alone_is_enough(page: Page, app: App, serve: Serve) -> None:
    page.goto(serve(app(PENGUINS)).url)
    page.wait_for_selector(READY)
    page.get_by_label("island", exact=True).focus()
    for keys in ("Biscoe", "female", "46.5", "14.5", "213", "4400"):
        page.keyboard.type(keys)
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "answer-button"
    page.keyboard.press("Enter")
    page.wait_for_selector("#prediction")
    record = dict(zip(load_penguins()[0].columns, ["Biscoe", "female", 46.5, 14.5, 213, 4400], strict=True))
    assert page.inner_text("#prediction") == edge_infer.load(PENGUINS).predict(record)


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_is_wider_than_the_screen(width: int, page: Page, app: App, serve: Serve) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(serve(app(PENGUINS)).url)
    page.wait_for_selector(READY)
    page.click("#example-button")
    page.click("#answer-button")
    page.wait_for_selector("#prediction")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_while_the_page_loads(width: int, page: Page, app: App, serve: Serve) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(serve(app(PENGUINS)).url)
    page.wait_for_selector(KEPT)
    shifts = page.evaluate(
        """() => new Promise((done) => {
          new PerformanceObserver((list) => done(list.getEntries().map((entry) => entry.value)))
            .observe({ type: "layout-shift", buffered: true });
          setTimeout(() => done([]), 300);
        })"""
    )
    assert sum(shifts) < 0.01
