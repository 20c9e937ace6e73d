"""The README's picture is drawn from the recorded results, and stands on its own."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.picture import _grid, drawn, write_picture
from benchmarks.results import spent

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RESULTS = json.loads((BENCHMARKS / "results.json").read_text(encoding="utf-8"))
_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def picture() -> ElementTree.Element:
    """Parsed: it is well-formed, or the tests fail."""
    return ElementTree.fromstring((BENCHMARKS / "results.svg").read_text(encoding="utf-8"))


def test_the_picture_is_that_of_the_recorded_results() -> None:
    assert (BENCHMARKS / "results.svg").read_text(encoding="utf-8") == drawn(RESULTS)


def test_every_bar_has_its_value_and_its_length(picture: ElementTree.Element) -> None:
    rows = [row for row in RESULTS["parts"]["one_row"] if row["method"] == "predict_proba"]
    wanted = [row["seconds"] for row in rows if row["case"] != "scikit-learn"]
    bars = [float(bar.get("width", 0)) for bar in picture.iter(f"{_SVG}rect") if bar.get("class") != "card"]
    values = [str(text.text).strip() for text in picture.iter(f"{_SVG}text") if text.get("class") == "value"]
    assert values == [spent(seconds) for seconds in wanted]
    longest = max(wanted)
    assert bars == pytest.approx([max(bars) * seconds / longest for seconds in wanted], abs=0.1)


def test_shares_are_of_the_documented_way(picture: ElementTree.Element) -> None:
    first = [row for row in RESULTS["parts"]["one_row"] if row["method"] == "predict_proba"][:5]
    seconds = {row["case"]: row["seconds"] for row in first}
    share = seconds["edge_infer, dict"] / seconds["documented"]
    assert f"· {share:.2f} ×" in [span.text for span in picture.iter(f"{_SVG}tspan")]


def test_the_picture_stands_on_its_own(picture: ElementTree.Element) -> None:
    assert {"title", "desc"} <= {child.tag.removeprefix(_SVG) for child in picture}
    assert {element.tag.removeprefix(_SVG) for element in picture.iter()} == {
        *("svg", "title", "desc", "style", "rect", "path", "text", "tspan")
    }
    assert int(picture.get("width", 1000)) <= 800
    style = str(picture.findtext(f"{_SVG}style"))
    assert "prefers-color-scheme: dark" in style
    assert "url(" not in style


@pytest.mark.parametrize("most", [1e-6, 3.98e-5, 4.4e-6, 9.999e-6, 2.5e-3, 0.7])
def test_the_scale_has_a_few_lines_whatever_its_length(most: float) -> None:
    labels = [line for line in _grid(most, 100.0) if "tick" in line]
    assert 3 <= len(labels) <= 7


def test_names_are_escaped(tmp_path: Path) -> None:
    named = [row | {"model": "<a> & b"} for row in RESULTS["parts"]["one_row"][:10]]
    document = RESULTS | {"parts": {"one_row": named}, "machine": RESULTS["machine"] | {"CPU": "<fast> & new"}}
    (tmp_path / "results.json").write_text(json.dumps(document), encoding="utf-8")
    write_picture(tmp_path)
    parsed = ElementTree.fromstring((tmp_path / "results.svg").read_text(encoding="utf-8"))
    assert "<a> & b" in [text.text for text in parsed.iter(f"{_SVG}text")]
