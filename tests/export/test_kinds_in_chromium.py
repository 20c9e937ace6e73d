"""Every kind of model answers in a real browser, with the network off, as in Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page

import edge_infer
from tests.export import models
from tests.export.conftest import DIABETES, DIGITS, READY, App
from tests.export.driving import Serve, answered, opened_offline, self_tested


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(models.MADE))
def test_every_kind_of_model_answers_offline_as_python(
    name: str, page: Page, app: App, serve: Serve, tmp_path: Path
) -> None:
    made = models.made(name)
    made.rows.to_csv(tmp_path / "rows.csv", index=False)
    opened_offline(page, app(made.data), serve)
    rows, summary = answered(page, tmp_path / "rows.csv")
    assert summary == f"{len(made.rows)} rows answered."
    check_answers(rows, edge_infer.load(made.data), made.rows)
    text, kind = self_tested(page)
    assert kind == "passed", text
    page.click("#example-button")
    page.click("#answer-button")
    page.wait_for_selector("#answer-body :is(.headline, .several, .numbers)")


def check_answers(rows: list[dict[str, str]], model: edge_infer.Model, data: pd.DataFrame) -> None:
    """The columns behind the file's own are those of `predict`, then of `predict_proba`, or of the only method."""
    answers = np.array([list(row.values())[len(data.columns) :] for row in rows])
    given = data if model.manifest.inputs.style == "columns" else data.to_numpy()
    given = data.iloc[:, 0].tolist() if model.manifest.inputs.style == "texts" else given
    methods = [output.method for output in model.manifest.outputs]
    wanted = []
    for method in [one for one in methods if one in ("predict", "predict_proba")] or methods[:1]:
        answer = getattr(model, method)(given)
        parts = answer if isinstance(answer, list) else [answer]
        wanted += [part.reshape(len(data), -1) for part in parts]
    at = 0
    for part in wanted:
        here = answers[:, at : at + part.shape[1]]
        at += part.shape[1]
        if part.dtype.kind in "OUb":
            assert here.tolist() == [[str(x).lower() if isinstance(x, bool | np.bool_) else x for x in r] for r in part]
        else:
            np.testing.assert_allclose(here.astype(float), part.astype(float), rtol=2e-6, atol=1e-6)
    assert at == answers.shape[1]


def test_a_plain_onnx_file_answers_as_python(page: Page, app: App, serve: Serve, tmp_path: Path, plain: Path) -> None:
    (tmp_path / "rows.csv").write_text("x0,x1\n2,1\n4,0\n0,1\n")
    page.goto(serve(app(plain)).url)
    rows, summary = answered(page, tmp_path / "rows.csv")
    assert summary == "3 rows answered."
    assert [list(row.values())[2] for row in rows] == ["1.5", "0.25", ""]  # infinite: empty, as edge-infer writes it
    assert page.is_disabled("#test-button")


def test_a_model_of_very_many_columns_takes_them_as_csv(page: Page, app: App, serve: Serve, tmp_path: Path) -> None:
    page.goto(serve(app(models.wide())).url)
    page.wait_for_selector(READY)
    assert "The model takes 400 columns, too many for a form" in page.inner_text("#form-note")
    assert page.is_disabled("#answer-button")
    (tmp_path / "rows.csv").write_text(",".join(f"x{i}" for i in range(400)) + "\n" + ",".join(["1"] * 400) + "\n")
    rows, _ = answered(page, tmp_path / "rows.csv")
    assert list(rows[0].values())[400:] == ["400"]


@pytest.mark.parametrize("path", [DIABETES, DIGITS], ids=["regression", "a matrix"])
def test_other_samples_pass_their_self_test(path: Path, page: Page, app: App, serve: Serve) -> None:
    page.goto(serve(app(path)).url)
    text, kind = self_tested(page)
    assert kind == "passed", text


def test_a_text_that_onnxruntime_web_would_cut_is_refused(page: Page, app: App, serve: Serve, tmp_path: Path) -> None:
    """It ends a text at U+0000."""
    page.goto(serve(app(models.made("texts").data)).url)
    (tmp_path / "rows.csv").write_text('text\n"good\0 bad bad"\n"good\1 bad bad"\n')
    rows, summary = answered(page, tmp_path / "rows.csv")
    assert summary == "1 row answered, 1 row refused."
    assert "expected text without the character U+0000" in rows[0]["error"]
    text, kind = self_tested(page)
    assert kind == "passed"
    assert "predict: 59 of 59 agree" in text
    assert "1 golden row was left out: it has a text with the character U+0000" in text
