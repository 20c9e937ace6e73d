"""The manifest: what is written is read back, every limit holds, every mistake is told with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_infer.errors import FormatError, LimitError, NewerFormatError
from edge_infer.limits import LIMITS, Limits
from edge_infer.manifest import (
    FORMAT_VERSION,
    METHODS,
    TASKS,
    Column,
    Cut,
    Inputs,
    Manifest,
    Metric,
    Needs,
    Output,
    Source,
    Tensor,
    parse_manifest,
    render_manifest,
)
from tests.runtime.samples import DIABETES, DIGITS, PENGUINS, manifest_of

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_SMALL = st.integers(0, 2**40)
_TOLD = st.none() | _TEXT.filter(str.strip)  # text for people, left out or with something to read


@st.composite
def inputs(draw: st.DrawFn) -> Inputs:
    names = draw(st.lists(_TEXT, min_size=1, max_size=6, unique=True))
    kinds = [draw(st.sampled_from(["number", "integer", "boolean", "string"])) for _ in names]
    columns, places, first, code = [], {"n": 0, "s": 0}, [], 0
    for name, kind in zip(names, kinds, strict=True):
        tensor = "s" if kind == "string" else "n"
        values: Any = _TEXT if kind == "string" else st.booleans() if kind == "boolean" else st.integers(-5, 5)
        categories = draw(st.lists(values, max_size=3, unique=True).map(tuple))
        if kind != "string" and draw(st.booleans()):
            categories = None
        ends = draw(st.none() | st.tuples(st.floats(-9, 0), st.floats(0, 9)))
        flags = [draw(st.booleans()) for _ in range(3)]
        told = {"unit": draw(_TOLD), "description": draw(_TOLD)}
        columns.append(Column(name, kind, draw(_TEXT), tensor, places[tensor], *flags, categories, ends, **told))
        places[tensor] += 1
        if kind == "string":
            first.append(code)
            code += len(categories) + 2 + draw(st.integers(0, 2))
    tensors = [Tensor("n", draw(st.sampled_from(["float32", "float64", "int64"])), places["n"])] if places["n"] else []
    tensors += [Tensor("s", "string", places["s"], draw(st.none() | _TEXT))] if places["s"] else []
    cut = Cut(draw(_TEXT), tuple(first)) if first else None
    return Inputs(draw(st.sampled_from(["columns", "array"])), tuple(columns), tuple(tensors), cut)


_LABELS = st.sampled_from(
    [
        ("object", ("a", 1, -2.5, True)),
        ("<U3", ("", "日本", "abc")),
        ("bool", (False, True)),
        ("int64", (-(2**63), 2**63 - 1)),
        ("int8", (-128, 127)),
        ("uint16", (0, 65_535)),
        ("float64", (1, 2.5, -1e308)),
        ("float32", (0.5,)),
    ]
)


@st.composite
def outputs(draw: st.DrawFn) -> tuple[Output, ...]:
    made = []
    for method in draw(st.lists(st.sampled_from(METHODS[1:]), unique=True)):
        listed = draw(st.booleans())
        names = tuple(draw(st.lists(_TEXT, min_size=1, max_size=3 if listed else 1)))
        made.append(Output(method, names, "float64", (3,), listed))
    if draw(st.booleans()) and all(output.listed or output.method != "predict_proba" for output in made):
        dtype, labels = draw(_LABELS)
        made.append(Output("predict", ("label",), dtype, (), False, (labels,), draw(_TEXT)))
    return tuple(made)


_PAIRS = st.dictionaries(_TEXT, _TEXT, max_size=3)
_MANIFESTS = st.builds(
    Manifest,
    name=_TEXT,
    version=_TEXT,
    release=_SMALL,
    task=st.sampled_from(TASKS),
    precision=st.sampled_from(["float32", "float64"]),
    precision_reason=_TEXT,
    inputs=inputs(),
    outputs=outputs(),
    source=st.builds(Source, _TEXT, _TEXT, _PAIRS),
    needs=st.builds(
        Needs, st.integers(1, 20), st.dictionaries(_TEXT, st.integers(1, 30)), st.lists(_TEXT).map(tuple), _TEXT
    ),
    missing_methods=_PAIRS,
    training_rows=_SMALL,
    description=_TOLD,
    license=_TOLD,
    interface=st.none(),  # of columns; tests/deep has those of tensors, and quantized ones
    quantization=st.none(),
    metrics=st.lists(
        st.builds(Metric, _TEXT.filter(str.strip), st.floats(-9, 9), _TEXT.filter(str.strip)), max_size=3
    ).map(tuple),
)


@settings(max_examples=150)
@given(_MANIFESTS)
def test_what_is_rendered_is_parsed_back(manifest: Manifest) -> None:
    text = render_manifest(manifest)
    assert parse_manifest(text) == manifest
    assert render_manifest(parse_manifest(text)) == text


def test_the_order_of_a_dict_does_not_change_the_bytes() -> None:
    manifest = parse_manifest(encoded(manifest_of(PENGUINS)))
    turned = dict(reversed(manifest.source.versions.items()))
    assert render_manifest(manifest._replace(source=manifest.source._replace(versions=turned))) == render_manifest(
        manifest
    )


def encoded(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def changed(change: Callable[[dict[str, Any]], object], sample: Any = PENGUINS) -> bytes:
    document = manifest_of(sample)
    change(document)
    return encoded(document)


# --- mistakes ---------------------------------------------------------------------------


def put(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Sets the value at the end of `path`."""

    def change(document: Any) -> None:
        for step in path[:-2]:
            document = document[step]
        document[path[-2]] = path[-1]

    return change


def drop(*path: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return change


COLUMNS = ("inputs", "columns")
CORRUPTIONS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no format": (drop("format"), r"\$: the field 'format' is missing"),
    "format 0": (put("format", 0), r"\$\.format: expected a whole number ≥ 1"),
    "format as text": (put("format", "1"), r"\$\.format: expected a whole number"),
    "format as a fraction": (put("format", 1.0), r"\$\.format: expected a whole number"),
    "format as true": (put("format", True), r"\$\.format: expected a whole number"),
    "name is null": (put("name", None), r"\$\.name: expected text, got null"),
    "negative release": (put("release", -1), r"\$\.release: expected a whole number ≥ 0, got a number -1"),
    "unknown task": (put("task", "guessing"), r"\$\.task: expected 'classification' or"),
    "unknown precision": (put("precision", "float16"), r"\$\.precision: expected 'float32' or 'float64'"),
    "inputs is a list": (put("inputs", []), r"\$\.inputs: expected an object, got a list"),
    "unknown style": (put("inputs", "style", "rows"), r"\$\.inputs\.style: expected"),
    "columns is an object": (put(*COLUMNS, {}), r"\$\.inputs\.columns: expected a list"),
    "a column is text": (put(*COLUMNS, 1, "sex"), r"\$\.inputs\.columns\[1\]: expected an object, got text 'sex'"),
    "unknown kind": (put(*COLUMNS, 3, "kind", "date"), r"\$\.inputs\.columns\[3\]\.kind: expected 'number' or"),
    "unknown tensor": (put(*COLUMNS, 3, "tensor", "x"), r"\$\.inputs\.columns\[3\]\.tensor: expected the name"),
    "a text in a number tensor": (
        put(*COLUMNS, 0, "tensor", "numbers"),
        r"columns\[0\]\.tensor: expected a tensor that",
    ),
    "a number in a text tensor": (
        put(*COLUMNS, 3, "tensor", "strings"),
        r"columns\[3\]\.tensor: expected a tensor that",
    ),
    "index beyond the width": (put(*COLUMNS, 5, "index", 4), r"columns\[5\]\.index: expected a whole number < 4"),
    "negative index": (put(*COLUMNS, 5, "index", -1), r"columns\[5\]\.index: expected a whole number ≥ 0"),
    "two columns in one place": (put(*COLUMNS, 5, "index", 0), r"\$\.inputs\.columns: two columns have the same place"),
    "a place without a column": (drop(*COLUMNS, 5), r"\$\.inputs\.columns: not every place"),
    "a name twice": (put(*COLUMNS, 5, "name", "sex"), r"\$\.inputs\.columns: a column's name stands twice"),
    "missing is 1": (put(*COLUMNS, 2, "missing", 1), r"columns\[2\]\.missing: expected true or false, got a number 1"),
    "a text without categories among others": (
        drop(*COLUMNS, 0, "categories"),
        r"columns: string columns with and without 'categories' share a tensor",
    ),
    "a category of another type": (
        put(*COLUMNS, 0, "categories", [1]),
        r"columns\[0\]\.categories\[0\]: expected text",
    ),
    "a category twice": (
        put(*COLUMNS, 0, "categories", ["a", "a"]),
        r"columns\[0\]\.categories: a category stands twice",
    ),
    "range upside down": (put(*COLUMNS, 2, "range", [2, 1]), r"columns\[2\]\.range: expected two numbers"),
    "range of three": (put(*COLUMNS, 2, "range", [1, 2, 3]), r"columns\[2\]\.range: expected two numbers"),
    "range of text": (put(*COLUMNS, 2, "range", ["a", "b"]), r"columns\[2\]\.range\[0\]: expected a number"),
    "range beyond float64": (put(*COLUMNS, 2, "range", [0, 10**400]), r"columns\[2\]\.range\[1\]: expected a number"),
    "unknown tensor dtype": (
        put("inputs", "tensors", 0, "dtype", "int8"),
        r"\$\.inputs\.tensors\[0\]\.dtype: expected",
    ),
    "width 0": (
        put("inputs", "tensors", 0, "width", 0),
        r"\$\.inputs\.tensors\[0\]\.width: expected a whole number ≥ 1",
    ),
    "a tensor twice": (
        put("inputs", "tensors", 1, "name", "numbers"),
        r"\$\.inputs\.tensors: a tensor's name stands twice",
    ),
    "string columns without a cut": (drop("inputs", "cut"), r"\$\.inputs: string columns with categories need 'cut'"),
    "cut.first too short": (put("inputs", "cut", "first", [0]), r"\$\.inputs\.cut\.first: expected 2 numbers"),
    "cut.first out of order": (
        put("inputs", "cut", "first", [5, 0]),
        r"\$\.inputs\.cut\.first\[1\]: expected .* ≥ 10 .* got 0",
    ),
    "cut.first overlaps": (
        put("inputs", "cut", "first", [0, 4]),
        r"\$\.inputs\.cut\.first\[1\]: expected .* ≥ 5 .* got 4",
    ),
    "cut.first beyond int64": (put("inputs", "cut", "first", [0, 2**70]), r"\$\.inputs\.cut\.first\[1\]: expected"),
    "unknown method": (put("outputs", 0, "method", "guess"), r"\$\.outputs\[0\]\.method: expected 'predict' or"),
    "a method twice": (put("outputs", 1, "method", "predict"), r"\$\.outputs: a method stands twice"),
    "no tensor": (put("outputs", 1, "tensors", []), r"\$\.outputs\[1\]\.tensors: expected one name"),
    "two tensors": (put("outputs", 1, "tensors", ["a", "b"]), r"\$\.outputs\[1\]\.tensors: expected one name"),
    "classes without index": (drop("outputs", 0, "index"), r"\$\.outputs\[0\]: 'classes' and 'index' go together"),
    "index without classes": (drop("outputs", 0, "classes"), r"\$\.outputs\[0\]: 'classes' and 'index' go together"),
    "no label column": (put("outputs", 0, "classes", []), r"\$\.outputs\[0\]\.classes: expected a list of labels"),
    "no label": (put("outputs", 0, "classes", [[]]), r"\$\.outputs\[0\]\.classes\[0\]: expected at least one label"),
    "a label is null": (
        put("outputs", 0, "classes", [["a", None]]),
        r"classes\[0\]\[1\]: expected text, a number or true",
    ),
    "classes are flat": (put("outputs", 0, "classes", ["a"]), r"\$\.outputs\[0\]\.classes\[0\]: expected a list"),
    "fewer classes than probabilities": (
        put("outputs", 0, "classes", [["a"]]),
        r"\$\.outputs: predict has 1 classes, a row",
    ),
    "labels of another dtype": (
        put("outputs", 0, "dtype", "int64"),
        r"classes\[0\]\[0\]: expected a label of the dtype int64",
    ),
    "labels longer than their dtype": (
        put("outputs", 0, "dtype", "<U3"),
        r"classes\[0\]\[0\]: expected a label of the dtype <U3",
    ),
    "a dtype that numpy lacks": (put("outputs", 1, "dtype", "<f5"), r"\$\.outputs\[1\]\.dtype: expected a numpy dtype"),
    "a dtype of Python": (put("outputs", 1, "dtype", "O"), r"\$\.outputs\[1\]\.dtype: expected a numpy dtype"),
    "an endless dtype": (put("outputs", 1, "dtype", "<U99999"), r"\$\.outputs\[1\]\.dtype: expected a numpy dtype"),
    "negative shape": (put("outputs", 1, "shape", [-1]), r"\$\.outputs\[1\]\.shape\[0\]: expected a whole number"),
    "ir_version 0": (put("needs", "ir_version", 0), r"\$\.needs\.ir_version: expected a whole number ≥ 1"),
    "an opset as text": (put("needs", "opsets", "", "18"), r"\$\.needs\.opsets\.: expected a whole number"),
    "a version as a number": (put("source", "versions", "numpy", 2), r"\$\.source\.versions\.numpy: expected text"),
    "a unit is a number": (put(*COLUMNS, 2, "unit", 1), r"columns\[2\]\.unit: expected text, got a number 1"),
    "a unit of nothing": (put(*COLUMNS, 2, "unit", " \n"), r"columns\[2\]\.unit: expected text that is not empty"),
    "a license of texts": (put("license", ["MIT"]), r"\$\.license: expected text, got a list"),
    "metrics is an object": (put("metrics", {"accuracy": 1}), r"\$\.metrics: expected a list, got an object"),
    "a metric is a number": (put("metrics", [1]), r"\$\.metrics\[0\]: expected an object, got a number 1"),
    "a metric without its data": (
        put("metrics", [{"type": "f1", "value": 1}]),
        r"\$\.metrics\[0\]: the field 'dataset' is missing",
    ),
    "a metric as text": (
        put("metrics", [{"type": "f1", "value": "1", "dataset": "test"}]),
        r"\$\.metrics\[0\]\.value: expected a number, got text '1'",
    ),
    "missing_methods is a list": (put("missing_methods", []), r"\$\.missing_methods: expected an object"),
}


@pytest.mark.parametrize("case", CORRUPTIONS)
def test_a_corruption_is_told_with_its_path(case: str) -> None:
    change, message = CORRUPTIONS[case]
    with pytest.raises(FormatError, match=message):
        parse_manifest(changed(change))


def test_a_lone_surrogate_in_a_text_for_people_is_refused() -> None:
    document = manifest_of(PENGUINS) | {"description": "\ud800"}
    with pytest.raises(FormatError, match=r"\$\.description: expected text that UTF-8 can write"):
        parse_manifest(json.dumps(document).encode())


_OPTIONAL = {"splits", "description", "license", "metrics", "interface", "quantization"}


@pytest.mark.parametrize("field", ["format", *(field for field in Manifest._fields if field not in _OPTIONAL)])
def test_every_field_must_be_there(field: str) -> None:
    with pytest.raises(FormatError, match=rf"\$: the field '{field}' is missing"):
        parse_manifest(changed(drop(field)))


ALLOWED: dict[str, Callable[[dict[str, Any]], object]] = {
    "unknown fields": lambda d: (d.update(new={"a": [1]}), d["inputs"].update(new=1), d["outputs"][0].update(new=None)),
    "an unknown field of a column": put(*COLUMNS, 0, "weight", "mm"),
    "a unit, told in any script": put(*COLUMNS, 2, "unit", "°C"),
    "paragraphs, a tab and markup": put("description", "For <b>penguins</b>.\n\n\tNot for others."),
    "a license that no list knows": put("license", "ask us"),
    "metrics": put(
        "metrics", [{"type": "f1", "value": 1, "dataset": "test"}, {"type": "f1", "value": 0, "dataset": "t"}]
    ),
    "people are told nothing": lambda d: d.update(description=None, license=None, metrics=None),
    "optional fields as null": put(*COLUMNS, 2, "range", None),
    "no range": drop(*COLUMNS, 2, "range"),
    "a range of one point": put(*COLUMNS, 2, "range", [1, 1]),
    "gaps between codes": put("inputs", "cut", "first", [3, 50]),
    "no category": lambda d: (put(*COLUMNS, 0, "categories", [])(d), put("inputs", "cut", "first", [0, 2])(d)),
    "odd names": put(*COLUMNS, 0, "name", '\u65e5\u672c [x] {"y"} \\'),
    "an empty name": put(*COLUMNS, 0, "name", ""),
    "no sentinel": drop("inputs", "tensors", 1, "missing"),
    "no output": put("outputs", []),
    "texts wider than their labels": put("outputs", 0, "dtype", "<U40"),
    "large numbers": lambda d: d.update(release=2**80, training_rows=2**80),
    "turned fields": lambda d: [d.update({key: d.pop(key)}) for key in sorted(d)],
}


@pytest.mark.parametrize("case", ALLOWED)
def test_what_the_format_allows_is_read(case: str) -> None:
    assert parse_manifest(changed(ALLOWED[case])).version == "1.0.0"


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 99, 2**70])
def test_a_newer_format_asks_for_an_update_even_if_all_else_is_different(version: int) -> None:
    for text in (changed(put("format", version)), encoded({"format": version})):
        with pytest.raises(NewerFormatError, match=rf"format {version}, .* up to format 1: update edge-infer"):
            parse_manifest(text)


# --- limits -----------------------------------------------------------------------------


def depth_of(document: Any) -> int:
    if not isinstance(document, dict | list):
        return 0
    items = document.values() if isinstance(document, dict) else document
    return 1 + max(map(depth_of, items), default=0)


AT: dict[str, Callable[[Any, bytes], int]] = {
    "manifest_bytes": lambda d, text: len(text),
    "columns": lambda d, text: len(d["inputs"]["columns"]),
    "categories": lambda d, text: sum(len(c.get("categories", ())) for c in d["inputs"]["columns"]),
    "classes": lambda d, text: 3,
    "graph_values": lambda d, text: len(d["inputs"]["tensors"]),
    "json_depth": lambda d, text: depth_of(d),
}


@pytest.mark.parametrize("name", AT)
def test_a_limit_holds_at_its_bound_and_refuses_above(name: str) -> None:
    document = manifest_of(PENGUINS)
    text = encoded(document)
    bound = AT[name](document, text)
    parse_manifest(text, LIMITS._replace(**{name: bound}))
    with pytest.raises(LimitError):
        parse_manifest(text, LIMITS._replace(**{name: bound - 1}))


def test_the_memory_of_labels_is_limited() -> None:
    text = changed(put("outputs", 0, "dtype", "<U4096"))
    parse_manifest(text, LIMITS._replace(metadata_bytes=3 * 4 * 4096))
    with pytest.raises(LimitError, match="3 labels of <U4096"):
        parse_manifest(text, LIMITS._replace(metadata_bytes=3 * 4 * 4096 - 1))
    with pytest.raises(FormatError, match="dtype"):
        parse_manifest(text, LIMITS._replace(name_bytes=4095))


def test_the_limits_are_frozen() -> None:
    with pytest.raises(AttributeError):
        LIMITS.columns = 1  # type: ignore[misc]
    assert all(type(value) is int and value > 0 for value in Limits())


# --- the rest ---------------------------------------------------------------------------


@pytest.mark.parametrize("sample", [PENGUINS, DIABETES, DIGITS])
def test_a_sample_is_written_as_it_was(sample: Any) -> None:
    text = encoded(manifest_of(sample))
    manifest = parse_manifest(text)
    assert json.loads(render_manifest(manifest)) == json.loads(text)


def test_every_dtype_that_is_allowed_is_one_of_numpys() -> None:
    for dtype in ("object", "bool", "float16", "float64", "int8", "int64", "uint32", "<U1", "<U4096"):
        labels: list[Any] = ["a"] if dtype[0] in "<o" else [dtype == "bool"] if dtype == "bool" else [1]
        document = manifest_of(PENGUINS)
        document["outputs"] = [document["outputs"][0] | {"dtype": dtype, "classes": [labels]}]
        output = parse_manifest(encoded(document)).output("predict")
        assert output is not None
        assert np.array(labels, dtype=np.dtype(output.dtype)).tolist() == labels


def test_columns_answer_for_themselves() -> None:
    manifest = parse_manifest(encoded(manifest_of(PENGUINS)))
    assert manifest.output("predict_proba") is manifest.outputs[1]
    assert manifest.output("transform") is None
    assert not manifest.inputs.columns[0].closed
    assert manifest.inputs.columns[0]._replace(unknown=False).closed
    assert not manifest.inputs.columns[2]._replace(unknown=False).closed


def test_optional_fields_have_their_usual_values_where_they_are_absent_or_null() -> None:
    usual = parse_manifest(changed(lambda document: None))
    assert not usual.splits
    assert all(column.used for column in usual.inputs.columns)
    for value, expected in ((True, True), (False, False), (None, False)):
        assert parse_manifest(changed(put("splits", value))).splits is expected
    for value, expected in ((True, True), (False, False), (None, True)):
        assert parse_manifest(changed(put("inputs", "columns", 0, "used", value))).inputs.columns[0].used is expected
    with pytest.raises(FormatError, match=r"columns\[0\]\.used: expected true or false"):
        parse_manifest(changed(put("inputs", "columns", 0, "used", "no")))
    with pytest.raises(FormatError, match=r"splits: expected true or false"):
        parse_manifest(changed(put("splits", 1)))
