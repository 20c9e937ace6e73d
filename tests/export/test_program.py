"""The page's program reads cells, times, CSV files and records as Python does, and refuses them in the same words."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

import edge_infer
from edge_infer.cli import csv_rows
from edge_infer.columns import Misfit, NumberReader, WholeReader
from edge_infer.csv_cells import BadCell, cell_reader
from edge_infer.errors import InputError
from edge_infer.time_units import BadTime, units_of
from edge_infer.times import TimeType
from tests.export import models
from tests.export.conftest import PENGUINS, App
from tests.export.driving import Serve

_CELLS = [
    *(
        "",
        "NA",
        "nan",
        " 1.5 ",
        "1e5",
        "1_000",
        "1,5",
        "0x10",
        "inf",
        "-Infinity",
        "+7",
        "-0",
        "0.1",
        "1e400",
        "16777217",
    ),
    *(
        "9007199254740993",
        "123456789012345678901",
        "true",
        "YES",
        "f",
        "2",
        "text",
        " NA ",
        "1.",
        ".5",
        "e5",
        "--1",
        "0007",
    ),
]
_COLUMNS = [
    edge_infer.manifest.Column("a", kind, kind, "t", 0, missing=missing, infinite=infinite)
    for kind in ("number", "integer", "boolean")
    for missing in (False, True)
    for infinite in (False, True)
]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_cells_are_read_or_refused_as_by_python(dtype: str, page: Page, app: App, serve: Serve) -> None:
    page.goto(serve(app(PENGUINS)).url)
    columns = [c for c in _COLUMNS if dtype != "int64" or (not c.missing and not c.infinite)]
    asked = [(column._asdict() | {"index": 0}, text) for column in columns for text in _CELLS]
    here = page.evaluate(
        """async ([asked, tensor]) => {
          const { elementReader, valueOf } = await import("./schema.js");
          return asked.map(([column, text]) => {
            try { return String(elementReader(column, tensor)(valueOf(column, text))); }
            catch (error) { return `${error.expected}, got ${error.got}`; }
          });
        }""",
        [asked, {"dtype": dtype, "name": "t", "width": 1}],
    )
    there = [python_cell(column, dtype, text) for column in columns for text in _CELLS]
    for (column, text), a, b in zip(asked, here, there, strict=True):
        same = a == b or ("got" not in a + b and (float(a) == float(b) or a.lower() == b.lower() == "nan"))
        assert same, (column["kind"], text, a, b)


def python_cell(column: Any, dtype: str, text: str) -> str:
    reader = WholeReader(column) if dtype == "int64" else NumberReader(column, dtype)
    try:
        return str(reader.one(cell_reader(column)(text))).replace("inf", "Infinity")
    except BadCell as bad:
        return f"{bad.expected}, got {text!r}"
    except Misfit as misfit:
        return f"{misfit.expected}, got {misfit.got}"


_TIMES = [
    *(
        "2024-05-01",
        "2024-05-01T12:30",
        "2024-05-01 12:30:59.999999",
        "2024-05-01T12:30:00.5",
        "1969-12-31T23:59:59.999",
    ),
    *(
        "2024-02-30",
        "2024-13-01",
        "0001-01-01",
        "9999-12-31T23:59:59",
        "1677-01-01",
        "2262-01-01",
        "1678-01-01",
        "x",
        "",
    ),
    *("2024-05-01T24:30", "2024-05-01T12:30Z", "2024-05-01T12:30+02:00", "2024-05-01T12:30:00-09:30", " 2024-05-01 "),
    *("2024-05-01T12:30:00.123456789", "1969-12-31T23:59:59.999999999", "2024-05-01T12:30:00,1234567891+02:00"),
    *("1677-12-31T23:59:59.999999999", "2261-12-31T23:59:59.999999999", "1970-01-01T00:00:00.0000001Z"),
    *("2024-05-01T12", "2024-05-01T12:30+0200", "0000-01-01", "1900-02-29", "2000-02-29", "1969-12-31T12:00:00.000001"),
]


def test_times_count_as_in_python(page: Page, app: App, serve: Serve) -> None:
    page.goto(serve(app(PENGUINS)).url)
    dtypes = [f"datetime64[{unit}{zone}]" for unit in ("D", "h", "m", "s", "ms", "us", "ns") for zone in ("", ", UTC")]
    asked = [(dtype, text) for dtype in dtypes for text in _TIMES]
    here = page.evaluate(
        """async (asked) => {
          const { timeType, unitsOf } = await import("./times.js");
          return asked.map(([dtype, text]) => {
            try { return unitsOf(text, timeType(dtype)); } catch (error) { return error.message; }
          });
        }""",
        asked,
    )
    for (dtype, text), got in zip(asked, here, strict=True):
        try:
            wanted: Any = float(units_of(text, TimeType.parse(dtype)))  # type: ignore[arg-type]
        except BadTime as error:
            wanted = str(error)
        assert (got if isinstance(got, str) else float(got)) == wanted, (dtype, text)


_SHEETS = [
    *("a,b\n1,2\n", "a,b\r\n1,2", 'a,"b"\n"x, y","say ""no"""\n', "a\n\n1\n\n\n2", 'a,b\n"1\n2",3\n4,5\n', "a,b\n,\n"),
    *('a\n""\n', "a;b\n1,5;2\n", "a\tb\n1\t2\n", "\ufeffa,b\n1,2\n", 'a,b\nx"y,2\n', "a\r1\r2", "\n\na,b\n1,2\n"),
]


def test_csv_files_are_read_as_by_python(page: Page, app: App, serve: Serve) -> None:
    page.goto(serve(app(PENGUINS)).url)
    for sheet in _SHEETS:
        text = csv_rows._decoded(sheet.encode(), "")
        delimiter = csv_rows._delimiter(text, ["a", "b"])
        wanted = csv_rows._read(text, delimiter, "")
        here = page.evaluate(
            """async ([text, delimiter]) => (await import("./table.js")).parseCsv(text, delimiter)""", [text, delimiter]
        )
        assert (here["records"], here["lines"]) == (wanted.records, wanted.lines), sheet


def test_a_record_that_python_refuses_is_refused_in_the_same_words(page: Page, app: App, serve: Serve) -> None:
    page.goto(serve(app(models.made("people").data)).url)
    model = edge_infer.load(models.made("people").data)
    names = [column.name for column in model.manifest.inputs.columns]
    for row in ([1.5, None, 3.0, "north", True], [1e39, 2.5, 70000000, "somewhere", None], [1.0, 2, 3, None, False]):
        with pytest.raises(InputError) as caught:
            model.predict(dict(zip(names, row, strict=True)))
        told = page.evaluate(
            """async (row) => {
              const { Packer } = await import("./model.js");
              const app = await (await fetch("app.json")).json();
              return new Packer(app.manifest.inputs).mismatches(row).map(String);
            }""",
            row,
        )
        assert told == [str(mismatch).partition(" (did you mean")[0] for mismatch in caught.value.mismatches], row
