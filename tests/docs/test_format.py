"""FORMAT.md, its JSON schemas, the reader and the released samples say the same."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edge_infer import manifest as m
from edge_infer.artifact import read_artifact
from edge_infer.errors import ArtifactError
from edge_infer.goldens import Goldens, Tolerance, parse_goldens
from edge_infer.interface import Interface, TensorSpec
from edge_infer.labels import DTYPES
from edge_infer.limits import LIMITS
from edge_infer.manifest import parse_manifest
from edge_infer.tensor_goldens import GoldenCase, Kept, Recipe, TensorGoldens

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
FORMAT = (ARTIFACTS / "FORMAT.md").read_text(encoding="utf-8")
SAMPLES = sorted((ARTIFACTS / "samples" / "format-1").glob("*.onnx"))
KEYS = (m.KEY_MANIFEST, m.KEY_GOLDENS, m.KEY_REFERENCE, m.KEY_PARITY)

Document = dict[str, Any]
Mutation = Callable[[Document], object]


def validator(key: str) -> Draft202012Validator:
    schema = json.loads((ARTIFACTS / f"{key.removeprefix('edge_infer.')}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def document(key: str, sample: str = "penguins") -> Document:
    artifact = read_artifact(ARTIFACTS / "samples" / "format-1" / f"{sample}-1.0.0.onnx")
    loaded: Document = json.loads(artifact.facts.metadata[key])
    return loaded


def mutated(original: Document, mutate: Mutation) -> Document:
    changed = copy.deepcopy(original)
    mutate(changed)
    return changed


def parses(key: str, changed: Document) -> bool:
    """Whether the runtime's reader takes a manifest or goldens."""
    text = json.dumps(changed).encode()
    try:
        if key == m.KEY_MANIFEST:
            parse_manifest(text)
        else:
            parse_goldens(text, parse_manifest(json.dumps(document(m.KEY_MANIFEST)).encode()))
    except ArtifactError:
        return False
    return True


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("key", KEYS)
def test_metadata_of_each_sample_follows_its_schema(path: Path, key: str) -> None:
    text = read_artifact(path).facts.metadata[key]
    assert [error.message for error in validator(key).iter_errors(json.loads(text))] == []


BROKEN_MANIFESTS: dict[str, Mutation] = {
    "a name is missing": lambda d: d.pop("name"),
    "an unknown task": lambda d: d.update(task="guessing"),
    "release is text": lambda d: d.update(release="1"),
    "release is negative": lambda d: d.update(release=-1),
    "an unknown kind": lambda d: d["inputs"]["columns"][0].update(kind="date"),
    "missing is not a boolean": lambda d: d["inputs"]["columns"][0].update(missing=1),
    "text without categories": lambda d: d["inputs"]["columns"][0].pop("categories"),
    "categories of text hold a number": lambda d: d["inputs"]["columns"][0]["categories"].append(3),
    "a range of one number": lambda d: d["inputs"]["columns"][2].update(range=[1]),
    "a tensor of no width": lambda d: d["inputs"]["tensors"][0].update(width=0),
    "an unknown tensor dtype": lambda d: d["inputs"]["tensors"][0].update(dtype="bfloat16"),
    "a negative code": lambda d: d["inputs"]["cut"].update(first=[-1, 5]),
    "an unknown method": lambda d: d["outputs"][0].update(method="guess"),
    "classes without an index": lambda d: d["outputs"][0].pop("index"),
    "an index without classes": lambda d: d["outputs"][0].pop("classes"),
    "an odd dtype of answers": lambda d: d["outputs"][0].update(dtype="V8"),
    "labels without an item": lambda d: d["outputs"][0].update(classes=[[]]),
    "two tensors that are not listed": lambda d: d["outputs"][1].update(tensors=["probabilities", "scores"]),
    "no tensor": lambda d: d["outputs"][1].update(tensors=[]),
    "a category twice": lambda d: d["inputs"]["columns"][0]["categories"].append("Biscoe"),
    "a code of 2**31": lambda d: d["inputs"]["cut"].update(first=[0, 2**31]),
    "text columns without a cut": lambda d: d["inputs"].pop("cut"),
    "opset 0": lambda d: d["needs"]["opsets"].update({"": 0}),
    "a version that is a number": lambda d: d["source"]["versions"].update(numpy=2),
}
BROKEN_GOLDENS: dict[str, Mutation] = {
    "no rows": lambda d: d.update(rows=[]),
    "a cell that is a list": lambda d: d["rows"][0].__setitem__(0, []),
    "an answer that is null": lambda d: d["answers"]["predict"].__setitem__(0, None),
    "answers of an unknown method": lambda d: d["answers"].update(guess=d["answers"]["predict"]),
    "a tolerance of 1": lambda d: d["tolerances"]["predict"].update(relative=1),
    "no tolerances": lambda d: d.pop("tolerances"),
}


@pytest.mark.parametrize("name", BROKEN_MANIFESTS)
def test_schema_and_reader_both_refuse_a_broken_manifest(name: str) -> None:
    changed = mutated(document(m.KEY_MANIFEST), BROKEN_MANIFESTS[name])
    assert not validator(m.KEY_MANIFEST).is_valid(changed)
    assert not parses(m.KEY_MANIFEST, changed)


@pytest.mark.parametrize("name", BROKEN_GOLDENS)
def test_schema_and_reader_both_refuse_broken_goldens(name: str) -> None:
    changed = mutated(document(m.KEY_GOLDENS), BROKEN_GOLDENS[name])
    assert not validator(m.KEY_GOLDENS).is_valid(changed)
    assert not parses(m.KEY_GOLDENS, changed)


def test_schema_refuses_a_certificate_with_differing_answers() -> None:
    changed = mutated(document(m.KEY_PARITY), lambda d: d["outputs"]["predict"].update(differing=1))
    assert not validator(m.KEY_PARITY).is_valid(changed)


def test_schema_refuses_edges_without_counts() -> None:
    changed = mutated(document(m.KEY_REFERENCE), lambda d: d["columns"]["bill_length_mm"].pop("counts"))
    assert not validator(m.KEY_REFERENCE).is_valid(changed)


def with_unknown_fields(value: Any) -> Any:
    """A field of a later version in every object whose names are fixed."""
    if isinstance(value, list):
        return [with_unknown_fields(item) for item in value]
    if not isinstance(value, dict):
        return value
    free = ("versions", "opsets", "missing_methods", "answers", "tolerances")
    return {key: item if key in free else with_unknown_fields(item) for key, item in value.items()} | {"later": 1}


@pytest.mark.parametrize("key", [m.KEY_MANIFEST, m.KEY_GOLDENS])
def test_unknown_fields_are_passed_over(key: str) -> None:
    changed = with_unknown_fields(document(key))
    assert validator(key).is_valid(changed)
    assert parses(key, changed)


def test_optional_fields_may_be_null() -> None:
    changed = document(m.KEY_MANIFEST, "diabetes")
    changed["inputs"]["cut"] = changed["outputs"][0]["classes"] = changed["outputs"][0]["index"] = None
    changed["inputs"]["columns"][0]["range"] = changed["inputs"]["columns"][0]["categories"] = None
    assert validator(m.KEY_MANIFEST).is_valid(changed)
    assert parses(m.KEY_MANIFEST, changed)


def test_limits_in_the_text_equal_those_in_the_code() -> None:
    section = FORMAT.partition("## 8. Limits")[2].partition("\n## ")[0]
    stated = {name: int(value.replace(",", "")) for name, value in re.findall(r"\| `(\w+)` \| ([\d,]+) \|", section)}
    assert stated == LIMITS._asdict()


@pytest.mark.parametrize(
    "record", [m.Manifest, m.Inputs, m.Tensor, m.Column, m.Cut, m.Output, m.Source, m.Needs, m.Metric]
)
def test_every_field_of_the_manifest_is_described_and_in_the_schema(record: Any) -> None:
    absent = [field for field in record._fields if f"`{field}`" not in FORMAT]
    assert absent == []
    schema = validator(m.KEY_MANIFEST).schema
    described = schema if record is m.Manifest else schema["$defs"][record.__name__.lower()]
    assert set(record._fields) | ({"format"} if record is m.Manifest else set()) == set(described["properties"])


@pytest.mark.parametrize(("record", "name"), [(Interface, "interface"), (TensorSpec, "tensor_spec")])
def test_every_field_of_the_interface_is_described_and_in_the_schema(record: Any, name: str) -> None:
    assert [field for field in record._fields if f"`{field}`" not in FORMAT] == []
    assert set(record._fields) == set(validator(m.KEY_MANIFEST).schema["$defs"][name]["properties"])


@pytest.mark.parametrize("record", [Goldens, Tolerance, TensorGoldens, Recipe, Kept, GoldenCase])
def test_every_field_of_the_goldens_is_described(record: Any) -> None:
    assert [field for field in record._fields if f"`{field}`" not in FORMAT] == []


@pytest.mark.parametrize("words", [m.METHODS, m.TASKS, m.KINDS, m.TENSOR_DTYPES, DTYPES, KEYS])
def test_every_word_of_the_format_is_described(words: tuple[str, ...]) -> None:
    assert [word for word in words if f"`{word}`" not in FORMAT] == []


def test_worked_example_follows_the_schema_and_is_read() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", FORMAT, re.DOTALL)
    example = json.loads(block.replace("⟨U+E000⟩", "\ue000"))
    assert validator(m.KEY_MANIFEST).is_valid(example)
    assert parses(m.KEY_MANIFEST, example)


def test_codes_are_those_that_the_graph_computes() -> None:
    """Section 4 against the graph itself: feeding strings and feeding codes give the same."""
    import numpy as np

    from edge_infer.cut import NewInput, cut
    from edge_infer.session import Session

    artifact = read_artifact(SAMPLES[-1])
    inputs = artifact.manifest.inputs
    assert inputs.cut is not None
    sentinel = next(tensor.missing for tensor in inputs.tensors if tensor.dtype == "string")
    texts = [column for column in inputs.columns if column.kind == "string"]
    for position, (column, first) in enumerate(zip(texts, inputs.cut.first, strict=True)):
        values = [*(column.categories or ()), sentinel, "no such text"]
        rows = np.array(
            [[values[i] if p == position else sentinel for p in range(len(texts))] for i in range(len(values))]
        )
        graph = cut(
            artifact.data, outputs=[NewInput("codes", 7, (None, 2))], drop_outputs=["label", "probabilities", "scores"]
        )
        (codes,) = Session(graph).run(["codes"], {"strings": rows.astype(object)})
        assert codes[:, position].tolist() == [first + i for i in range(len(values))]


def test_format_number_is_that_of_the_code() -> None:
    assert FORMAT.startswith(f"# The artifact format, version {m.FORMAT_VERSION}\n")
    assert validator(m.KEY_MANIFEST).schema["properties"]["format"] == {"const": m.FORMAT_VERSION}
