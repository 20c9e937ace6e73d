"""Files that are torn, bent or false: a typed error that names the file and the reason, and nothing else.

Each case is paired with a variant that must still load.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

import edge_infer
from edge_infer.errors import (
    ArtifactError,
    EdgeInferError,
    FormatError,
    GraphMismatchError,
    NewerFormatError,
    NotAModelError,
)
from edge_infer.manifest import KEY_GOLDENS, KEY_MANIFEST
from tests.runtime.samples import DIABETES, DIGITS, PENGUINS, RECORD

SAMPLES = [PENGUINS, DIABETES, DIGITS]


def outcome(data: bytes, path: Path) -> str:
    """ "refused" or "loaded"; any exception that is not a typed one, or does not name the file, fails the test."""
    path.write_bytes(data)
    refusal: EdgeInferError | None = None
    try:
        edge_infer.load(path).close()
    except EdgeInferError as error:
        refusal = error
    assert edge_infer.verify(path)  # reports rather than raises
    if refusal is None:
        return "loaded"
    assert str(path) in str(refusal)
    assert len(str(refusal)) < 2000
    return "refused"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_truncated_anywhere_is_refused_or_harmless(sample: Path, tmp_path: Path) -> None:
    data = sample.read_bytes()
    cuts = sorted({0, 1, 2, len(data) - 1, *range(0, len(data), len(data) // 40)})
    outcomes = {cut: outcome(data[:cut], tmp_path / "torn.onnx") for cut in cuts}
    assert all(result == "refused" for cut, result in outcomes.items() if cut < len(data) // 2)
    assert outcome(data, tmp_path / "whole.onnx") == "loaded"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_flipped_bits_are_refused_or_found_by_verify_or_harmless(sample: Path, tmp_path: Path) -> None:
    data, chance = bytearray(sample.read_bytes()), random.Random(7)
    refused = 0
    for _ in range(60):
        at, bit = chance.randrange(len(data)), 1 << chance.randrange(8)
        data[at] ^= bit
        refused += outcome(bytes(data), tmp_path / "bent.onnx") == "refused"
        data[at] ^= bit
    assert refused > 5


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\x80\x04\x95\x10\x00\x00\x00", "pickle"),
        (b"PK\x03\x04" + bytes(40), "zip"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "PNG"),
        (b'{"model": 1}', "JSON"),
        (b"<!doctype html><title>404</title>", "HTML"),
        (b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "not an ONNX model"),
        (bytes(1000), "not an ONNX model"),
    ],
    ids=["empty", "pickle", "zip", "png", "json", "html", "huge length", "zeros"],
)
def test_what_is_no_model_is_named(data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(data)
    with pytest.raises(NotAModelError, match=reason) as caught:
        edge_infer.load(tmp_path / "x.onnx")
    assert "x.onnx" in str(caught.value)


def test_a_huge_length_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    path.write_bytes(b"\x08\x08\x3a\xff\xff\xff\xff\x07" + bytes(100))

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))

    done = subprocess.run(
        [sys.executable, "-m", "edge_infer.cli", "verify", str(path)],
        cwd=Path(__file__).parents[2],
        preexec_fn=bound,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert "not an ONNX model" in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout + done.stderr


def changed(change: Callable[[Any], None], key: str = KEY_MANIFEST, sample: Path = PENGUINS) -> bytes:
    """A sample whose metadata document `key` was changed."""
    model = onnx.load(sample)
    for entry in model.metadata_props:
        if entry.key == key:
            document = json.loads(entry.value)
            change(document)
            entry.value = json.dumps(document)
    return model.SerializeToString()


def _set(*path: Any) -> Callable[[Any], None]:
    *steps, last, value = path

    def change(document: Any) -> None:
        for step in steps:
            document = document[step]
        document[last] = value

    return change


FALSE_MANIFESTS: dict[str, tuple[Callable[[Any], None], type[ArtifactError]]] = {
    "newer format": (_set("format", 2), NewerFormatError),
    "no name": (lambda document: document.pop("name"), FormatError),
    "a number for a name": (_set("name", 7), FormatError),
    "an unknown task": (_set("task", "world domination"), FormatError),
    "a wider tensor": (_set("inputs", "tensors", 0, "width", 5), ArtifactError),
    "another precision of a tensor": (_set("inputs", "tensors", 0, "dtype", "float64"), GraphMismatchError),
    "a tensor that the graph lacks": (_set("inputs", "tensors", 0, "name", "digits"), ArtifactError),
    "a column out of its tensor": (_set("inputs", "columns", 0, "index", 9), FormatError),
    "two columns of one name": (_set("inputs", "columns", 0, "name", "sex"), FormatError),
    "an output that the graph lacks": (_set("outputs", 0, "tensors", ["labels"]), GraphMismatchError),
    "a cut that the graph lacks": (_set("inputs", "cut", "tensor", "cords"), GraphMismatchError),
    "codes for too few columns": (_set("inputs", "cut", "first", [0]), FormatError),
    "fewer classes than probabilities": (_set("outputs", 0, "classes", [["Adelie", "Gentoo"]]), FormatError),
    "an index that the graph lacks": (_set("outputs", 0, "index", "positions"), GraphMismatchError),
}


@pytest.mark.parametrize("name", FALSE_MANIFESTS)
def test_a_false_manifest_is_refused_with_the_file_and_the_reason(name: str, tmp_path: Path) -> None:
    change, error = FALSE_MANIFESTS[name]
    (tmp_path / "false.onnx").write_bytes(changed(change))
    with pytest.raises(error, match=r"false\.onnx"):
        edge_infer.load(tmp_path / "false.onnx")


@pytest.mark.parametrize(
    "change",
    [
        _set("invented_later", {"a": [1, None]}),
        _set("inputs", "columns", 0, "unit", "mm"),
        _set("outputs", 0, "note", None),
        lambda document: document["inputs"]["columns"][2].pop("range"),
    ],
    ids=["a field more", "a field more in a column", "a null field", "no range"],
)
def test_a_manifest_with_more_or_less_than_needed_still_loads(change: Callable[[Any], None]) -> None:
    assert edge_infer.load(changed(change)).predict(RECORD) == "Gentoo"


def test_fewer_classes_than_the_graph_has_is_a_typed_error() -> None:
    def change(document: Any) -> None:
        document["outputs"] = [document["outputs"][0] | {"classes": [["Adelie", "Chinstrap"]]}]

    model = edge_infer.load(changed(change))
    with pytest.raises(GraphMismatchError, match="2 classes"):
        model.predict(RECORD)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["rows"][0].pop(),
        lambda document: document["answers"]["predict"].pop(),
        lambda document: document["answers"].pop("predict"),
        _set("answers", "predict_proba", 0, [0.5, 0.5]),
        _set("answers", "predict", 0, "Dodo"),
        _set("rows", []),
    ],
    ids=["short row", "answer missing", "method missing", "other shape", "other label", "no rows"],
)
def test_goldens_that_do_not_fit_fail_the_verification(change: Callable[[Any], None], tmp_path: Path) -> None:
    (tmp_path / "g.onnx").write_bytes(changed(change, KEY_GOLDENS))
    assert [check.status for check in edge_infer.verify(tmp_path / "g.onnx")].count("failed") == 1


def test_goldens_in_another_order_of_keys_still_verify() -> None:
    def reorder(document: Any) -> None:
        answers = document.pop("answers")
        document["answers"] = dict(reversed(answers.items()))

    assert "failed" not in [check.status for check in edge_infer.verify(changed(reorder, KEY_GOLDENS))]


def test_metadata_of_others_and_another_order_still_load() -> None:
    model = onnx.load(PENGUINS)
    entries = [(entry.key, entry.value) for entry in model.metadata_props]
    del model.metadata_props[:]
    for key, value in [("author", "Ü"), *reversed(entries), ("edge_infer.later", "{")]:
        model.metadata_props.add(key=key, value=value)
    assert "failed" not in [check.status for check in edge_infer.verify(model.SerializeToString())]
