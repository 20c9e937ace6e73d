"""The parity report: one HTML file that stands alone, whatever the columns are called and whatever the answers are."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_infer.errors import ParityError
from edge_infer.manifest import Column, Metric
from edge_infer_convert import Conversion, convert, estimators, parity
from edge_infer_convert.demo import train
from edge_infer_convert.parity import Comparison, Parity
from edge_infer_convert.report import write_report
from edge_infer_convert.report.axes import tick_texts, ticks, window
from edge_infer_convert.report.text import escaped

_VOID = {"meta", "br"}


class _Page(HTMLParser):
    """Balanced tags, ids and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value or "" for key, value in attrs if key == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _not_finite(page: _Page) -> list[str]:
    """Places in pictures that are no numbers."""
    places = [value or "" for key, value in page.attributes if key in {"d", "x", "y", "cx", "cy", "width", "height"}]
    return [place for place in places if re.search("nan|inf", place, re.IGNORECASE)]


@functools.cache
def _penguins() -> Conversion:
    model, X, _ = train()
    return convert(model, data=X, name="penguins")


@functools.cache
def _diabetes() -> Conversion:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    return convert(make_pipeline(StandardScaler(), LinearRegression()).fit(X, y), data=X, name="diabetes")


@functools.cache
def _several() -> Conversion:
    X, y = load_diabetes(return_X_y=True)
    return convert(LinearRegression().fit(X, np.c_[y, -y, y**2]), data=X, name="several")


@functools.cache
def _scaler() -> Conversion:
    X, _ = load_diabetes(return_X_y=True)
    return convert(StandardScaler().fit(X), data=X, name="scaler")


@functools.cache
def _numbered() -> Conversion:
    X, y = load_diabetes(return_X_y=True)
    return convert(LogisticRegression().fit(X, y > 140), data=X, name="numbered")


_CONVERSIONS = {f.__wrapped__.__name__: f for f in (_penguins, _diabetes, _several, _scaler, _numbered)}


def _written(folder: Path, conversion: Conversion, parity: Parity | None = None) -> str:
    path = folder / "parity.html"
    write_report(path, conversion.manifest.name, conversion.manifest, parity or conversion.parity)
    return path.read_text(encoding="utf-8")


def _spoilt(parity: Parity, method: str, values: dict[int, object]) -> Parity:
    """The same comparison, with other converted answers in some rows."""
    return parity._replace(comparisons=[_changed(c, values) if c.method == method else c for c in parity.comparisons])


def _changed(comparison: Comparison, values: dict[int, object]) -> Comparison:
    converted, differs = comparison.converted.copy(), comparison.differs.copy()
    for row, value in values.items():
        converted[row], differs[row] = value, True
    return comparison._replace(converted=converted, differs=differs)


@pytest.mark.parametrize("case", _CONVERSIONS)
def test_page_is_balanced_and_stands_alone(case: str, tmp_path: Path) -> None:
    text = _written(tmp_path, _CONVERSIONS[case]())
    page = _Page(text)
    assert page.open == []
    assert {"h1", "h2", "h3", "caption", "main", "html"} <= set(page.tags)
    assert not {"script", "img", "link", "iframe", "object", "base"} & set(page.tags)
    assert not {"src", "href", "style"} & {key for key, _ in page.attributes}
    assert "http://" not in text
    assert "https://" not in text
    assert not re.search(r"url\(|@import", text)
    assert len(set(page.ids)) == len(page.ids)
    assert not _not_finite(page)
    assert len(text) < 400_000


@pytest.mark.parametrize("case", _CONVERSIONS)
def test_same_input_gives_the_same_bytes(case: str, tmp_path: Path) -> None:
    assert _written(tmp_path, _CONVERSIONS[case]()) == _written(tmp_path, _CONVERSIONS[case]())


@pytest.mark.parametrize("case", _CONVERSIONS)
def test_every_picture_has_a_title_and_a_description(case: str, tmp_path: Path) -> None:
    text = _written(tmp_path, _CONVERSIONS[case]())
    pictures = re.findall(r"<svg.*?</svg>", text)
    assert all('role="img"' in svg and "<title " in svg and "<desc " in svg for svg in pictures)
    numbers = [c for c in _CONVERSIONS[case]().parity.comparisons if c.tolerance.relative]
    assert len(pictures) == 2 * len(numbers)


def test_convert_writes_the_report(tmp_path: Path) -> None:
    model, X, _ = train()
    path = tmp_path / "parity.html"
    conversion = convert(model, data=X, name="penguins", report=path)
    text = path.read_text(encoding="utf-8")
    equal = len(conversion.parity.probes.rows) - conversion.parity.borderline_rows
    assert f"Equal on {equal:,} probe rows" in text
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_conversion_leaves_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoilt(*arguments: Any, **options: Any) -> Parity:
        return _spoilt(parity.compare(*arguments, **options), "predict_proba", {2: -1.0})

    monkeypatch.setattr(estimators, "compare", spoilt)
    model, X, _ = train()
    path = tmp_path / "parity.html"
    with pytest.raises(ParityError):
        convert(model, data=X, name="penguins", precision="float64", report=path)
    assert "Differs in 1 of " in path.read_text(encoding="utf-8")


def test_a_later_report_replaces_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "parity.html"
    for made in (_penguins(), _diabetes()):
        write_report(path, made.manifest.name, made.manifest, made.parity)
    text = path.read_text(encoding="utf-8")
    assert "diabetes" in text
    assert "penguins" not in text


def test_equal_labels_stand_on_the_diagonal_of_the_confusion_matrix(tmp_path: Path) -> None:
    text = _written(tmp_path, _penguins())
    matrix = re.search(r'<table class="confusion">.*?</table>', text, re.DOTALL)
    assert matrix is not None
    assert matrix[0].count('class="n same"') == 3
    assert 'class="n bad"' not in matrix[0]
    beside = [int(count) for count in re.findall(r'class="n tie">(\d+)<', matrix[0])]
    assert sum(beside) == int(_penguins().parity.comparisons[0].borderline.sum())


def test_a_differing_number_is_shown_with_its_row(tmp_path: Path) -> None:
    parity = _spoilt(_diabetes().parity, "predict", {7: 1234.5, 401: np.nan, 402: np.inf, 403: -np.inf})
    page = _Page(_written(tmp_path, _diabetes(), parity))
    assert "Differs in 4 of " in page.text
    assert "Equal on" not in page.text
    assert "differs in 4 rows" in page.text
    for text in ("1234.5", "NaN", "∞", "−∞", "age = "):
        assert text in page.text
    assert page.tags.count("circle") == 5  # four rings and the legend's
    assert not _not_finite(page)


def test_a_differing_label_is_shown_with_its_row(tmp_path: Path) -> None:
    labels = _penguins().parity.comparisons[0]
    original = labels.original
    confused = 1 + int(((original == "Gentoo") & (labels.converted == "Adelie")).sum())  # borderline rows are told too
    row = int(np.flatnonzero(original == "Gentoo")[0])
    text = _written(tmp_path, _penguins(), _spoilt(_penguins().parity, "predict", {row: "Adelie"}))
    page = _Page(text)
    assert "Differs in 1 of " in page.text
    assert f'<td class="n bad">{confused}</td>' in text
    assert text.count('<td class="n bad">') == 1, "borderline rows are no differences"
    assert re.search(r"<tr><th scope=\"row\">predict</th>.*Gentoo.*Adelie.*differs</strong>", text)


def test_borderline_rows_do_not_count_as_differences(tmp_path: Path) -> None:
    first = _penguins().parity.comparisons[0]
    borderline = np.zeros(len(first.differs), dtype=bool)
    borderline[[3, 5]] = True
    parity = _penguins().parity._replace(comparisons=[first._replace(borderline=borderline)])
    page = _Page(_written(tmp_path, _penguins(), parity))
    assert f"Near ties: {parity.ties}; decided otherwise: 2." in page.text
    assert f"Equal on {len(borderline) - 2:,} probe rows, 2 near ties aside" in page.text
    assert "equal but for 2 near ties" in page.text


def test_rows_of_the_callers_data_are_not_shown(tmp_path: Path) -> None:
    kinds = _diabetes().parity.probes.kinds
    row = kinds.index("sample")
    cell = repr(_diabetes().parity.probes.rows[row][0])
    parity = _spoilt(_diabetes().parity, "predict", {row: 1e6})
    text = _written(tmp_path, _diabetes(), parity)
    assert "a row of your data, not shown" in text
    assert cell not in text


_HOSTILE = {
    "script": "<script>alert(1)</script>",
    "quotes": "\"' onmouseover='x",
    "close": "</style></title></svg></td>",
    "entity": "&lt;b&gt; & $name",
    "rtl": "abc\u202etxt.exe \u05d0\u05d1",
    "control": "a\x00b\x1b[31mc\ud800",
    "long": "x" * 5000,
    "braces": "{x} {0} %s",
}


@pytest.mark.parametrize("case", _HOSTILE)
def test_hostile_names_and_labels_are_only_text(case: str, tmp_path: Path) -> None:
    hostile = _HOSTILE[case]
    harmless = _Page(_written(tmp_path, *_with_text_everywhere(_penguins(), "harmless")))
    text = _written(tmp_path, *_with_text_everywhere(_penguins(), hostile))
    page = _Page(text)
    assert page.open == []
    assert page.tags == harmless.tags
    assert page.attributes == harmless.attributes
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e]", text)
    described = 1 + 3 + len(_penguins().manifest.inputs.columns)  # steps, and what the author tells
    assert len(re.findall("x{61,}", text)) <= described
    assert "x" * 401 not in text


def _with_text_everywhere(conversion: Conversion, text: str) -> tuple[Conversion, Parity]:
    """The text as column, category, tensor, class, estimator, version, cell and answer, and as what people are told."""
    manifest, parity = conversion.manifest, conversion.parity
    columns = tuple(
        c._replace(
            name=f"{text}{i}" if i else text,
            categories=(text,) if c.categories else None,
            tensor=text,
            unit=text,
            description=text,
        )
        for i, c in enumerate(manifest.inputs.columns)
    )
    outputs = tuple(o._replace(classes=((text, *o.classes[0][1:]),) if o.classes else None) for o in manifest.outputs)
    source = manifest.source._replace(estimator=text, versions={text: text})
    changed = manifest._replace(
        inputs=manifest.inputs._replace(columns=columns),
        outputs=outputs,
        source=source,
        missing_methods={},
        description=text,
        license=text,
        metrics=(Metric(text, 0.5, text),),
    )
    first = parity.comparisons[0]
    labels = np.where(first.original == first.original[0], text, first.original).astype(object)
    rows = [tuple(text if isinstance(cell, str) else cell for cell in row) for row in parity.probes.rows]
    comparison = first._replace(original=labels, converted=labels.copy(), differs=first.differs.copy())
    comparison.converted[0] = "other"
    comparison.differs[0] = True
    spoilt = Parity(parity.probes._replace(rows=rows), [comparison, *parity.comparisons[1:]])
    return conversion._replace(manifest=changed), spoilt


def test_text_is_safe_inside_attributes() -> None:
    assert escaped("\"'<>&") == "&quot;&#x27;&lt;&gt;&amp;"


def test_plain_names_are_not_mangled(tmp_path: Path) -> None:
    text = _written(tmp_path, _penguins())
    for name in ("bill_length_mm", "island", "Torgersen", "Chinstrap"):
        assert f"<bdi>{name}</bdi>" in text
    assert "SimpleImputer → " in text


def test_hundreds_of_columns_are_folded(tmp_path: Path) -> None:
    columns = tuple(Column(f"c{i}", "number", "float64", "x", i, False) for i in range(700))
    manifest = _diabetes().manifest
    wide = manifest._replace(inputs=manifest.inputs._replace(columns=columns))
    page = _Page(_written(tmp_path, _diabetes()._replace(manifest=wide)))
    assert "details" in page.tags
    assert "700 columns" in page.text
    assert "details" not in _Page(_written(tmp_path, _diabetes())).tags


_ODD_ARRAYS: dict[str, Callable[[int], Any]] = {
    "label columns first": lambda rows: np.zeros((2, rows, 3)),
    "label columns of text": lambda rows: np.full((rows, 2), "a", dtype=object),
    "many label columns": lambda rows: np.full((rows, 9), 1),
    "no numbers": lambda rows: np.full((rows, 2), np.nan),
    "infinite": lambda rows: np.full(rows, np.inf),
    "huge": lambda rows: np.linspace(-1.0, 1.0, rows) * 1.7e308,
    "tiny": lambda rows: np.full(rows, 5e-324),
    "constant": lambda rows: np.full(rows, 1e12),
    "no places": lambda rows: np.zeros((rows, 0)),
    "other rows": lambda rows: np.zeros(3),
    "scalar": lambda rows: np.array(0.0),
    "lists": lambda rows: np.array([[i] * (i % 3) for i in range(rows)], dtype=object),
}


@pytest.mark.parametrize("case", _ODD_ARRAYS)
@pytest.mark.parametrize("numeric", [True, False])
def test_unusual_answers_do_not_break_the_page(case: str, numeric: bool, tmp_path: Path) -> None:
    parity = _penguins().parity
    array = _ODD_ARRAYS[case](len(parity.probes.rows))
    first = parity.comparisons[2 if numeric else 0]
    comparison = first._replace(original=array, converted=array)
    page = _Page(_written(tmp_path, _penguins(), Parity(parity.probes, [comparison])))
    assert page.open == []
    assert "Equal on" in page.text


def test_label_columns_may_stand_before_the_rows(tmp_path: Path) -> None:
    first, flags = _penguins().parity.comparisons[1], np.array([True, False])
    original = np.random.default_rng(1).random((2, len(_penguins().parity.probes.rows), 3))
    converted = original.copy()
    converted[1, 17, 2] += 0.5
    comparison = first._replace(original=original, converted=converted, differs=flags, borderline=~flags)
    page = _Page(_written(tmp_path, _penguins(), Parity(_penguins().parity.probes, [comparison])))
    assert "6 numbers a row" in page.text
    assert "predict_proba [5]" in page.text


def test_nothing_compared_is_not_called_equal(tmp_path: Path) -> None:
    parity = _penguins().parity
    text = _written(tmp_path, _penguins(), Parity(parity.probes, []))
    assert "Nothing was compared" in text
    assert "Equal on" not in text


def test_pictures_stay_small_and_keep_the_worst(tmp_path: Path) -> None:
    rows, rng = len(_penguins().parity.probes.rows), np.random.default_rng(1)
    first = _penguins().parity.comparisons[2]
    original = rng.normal(size=(rows, 300))
    converted = original * (1 + 1e-12)
    converted[17, 211] += 1.0
    differs = np.arange(rows) == 17
    comparison = first._replace(original=original, converted=converted, differs=differs)
    text = _written(tmp_path, _penguins(), Parity(_penguins().parity.probes, [comparison]))
    assert len(text) < 100_000
    assert "[211]" in text
    assert _Page(text).tags.count("circle") == 2


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-7, 12, ["−5", "0", "5", "10"]),
        (0, 7e9, ["0", "2e9", "4e9", "6e9"]),
        (0, 2.2e-9, ["0", "5e−10", "1e−9", "1.5e−9", "2e−9"]),
        (1_000_000, 1_000_001, None),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, texts: list[str] | None) -> None:
    values = ticks(low, high)
    assert 2 <= len(values) <= 7
    assert all(low <= value <= high * (1 + 1e-12) for value in values)
    assert len(set(tick_texts(values))) == len(values)
    if texts:
        assert tick_texts(values) == texts


@pytest.mark.parametrize("values", [[0.0], [5e-324], [1e12], [-1e299, 1e299], [1.0, np.nan, np.inf]])
def test_every_window_has_a_width_and_ticks(values: list[float]) -> None:
    span = window(np.array(values))
    assert span is not None
    assert span[0] < span[1]
    assert tick_texts(ticks(*span))


def test_no_window_without_a_finite_number() -> None:
    assert window(np.array([np.nan, np.inf, 1.7e308])) is None


def test_category_columns_of_a_frame_are_described(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": [1.0, 2.0, 3.0, 4.0] * 5, "k": [1, 2, 3, 4] * 5})
    model = LogisticRegression().fit(frame, frame["k"] > 2)
    page = _Page(_written(tmp_path, convert(model, data=frame, name="kinds")))
    assert "number (float64)" in page.text
    assert "1 to 4" in page.text
