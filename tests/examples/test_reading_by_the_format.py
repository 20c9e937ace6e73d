"""The reader that stands in FORMAT.md, section 11: onnxruntime and numpy alone, and edge-infer's answers."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import edge_infer
from tests.examples.conftest import Made
from tests.examples.models import MADE, PENGUINS, REFUSED, assert_equal, by_rows

FORMAT = Path(__file__).parents[2] / "artifacts" / "FORMAT.md"


@pytest.fixture(scope="module")
def reader() -> SimpleNamespace:
    """The block of Python in the text, as a module."""
    section = FORMAT.read_text(encoding="utf-8").partition("## 11. ")[2]
    (block,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "FORMAT.md", "exec"), names)
    imported = set(re.findall(r"^(?:import|from) (.+?)(?: import .*)?(?: as .*)?$", block, re.MULTILINE))
    modules = {name.strip() for line in imported for name in line.split(",")}
    assert modules - sys.stdlib_module_names == {"numpy", "onnxruntime"}
    return SimpleNamespace(**names)


def cells(model: edge_infer.Model, records: list[Any]) -> list[list[Any]]:
    names = [column.name for column in model.manifest.inputs.columns]
    if isinstance(records[0], str):
        return [[text] for text in records]
    return [[record[name] for name in names] if isinstance(record, dict) else record for record in records]


@pytest.mark.parametrize("name", ["penguins", "penguins with gaps", "diabetes", "digits", *MADE])
def test_reader_of_the_text_gives_the_answers_of_edge_infer(
    reader: SimpleNamespace, made: Callable[[str], Made], name: str
) -> None:
    path, records = made(name)
    model = edge_infer.load(path)
    session, manifest = reader.open_model(str(path))
    for output in model.manifest.outputs:
        got = reader.answer(session, manifest, output.method, cells(model, records))
        assert_equal(got, by_rows(getattr(model, output.method)(records), len(records)))


@pytest.mark.parametrize("case", REFUSED)
def test_reader_of_the_text_refuses_what_edge_infer_refuses(
    reader: SimpleNamespace, made: Callable[[str], Made], case: str
) -> None:
    name, change, column = REFUSED[case]
    path, records = made(name)
    session, manifest = reader.open_model(str(path))
    model = edge_infer.load(path)
    (good,) = cells(model, records[:1])
    bad = [change.get(one.name, cell) for one, cell in zip(model.manifest.inputs.columns, good, strict=True)]
    assert len(reader.answer(session, manifest, "predict", [good])) == 1
    names = [one.name for one in model.manifest.inputs.columns]
    with pytest.raises(edge_infer.InputError, match=column):
        model.predict(dict(zip(names, bad, strict=True)))
    with pytest.raises(ValueError, match=r"column|day is out of range"):
        reader.answer(session, manifest, "predict", [bad])


def test_reader_of_the_text_refuses_a_later_format(reader: SimpleNamespace, tmp_path: Path) -> None:
    later = PENGUINS.read_bytes().replace(b'{"format":1,', b'{"format":9,')
    (tmp_path / "model.onnx").write_bytes(later)
    with pytest.raises(ValueError, match="later format"):
        reader.open_model(str(tmp_path / "model.onnx"))
