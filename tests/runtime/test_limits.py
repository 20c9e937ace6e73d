"""Each limit of the metadata: at the bound it loads, one above it is refused. (The graph's: test_scan.py.)"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from edge_infer.artifact import parse_artifact
from edge_infer.errors import FormatError, LimitError
from edge_infer.goldens import parse_goldens
from edge_infer.limits import LIMITS
from edge_infer.manifest import (
    KEY_GOLDENS,
    KEY_MANIFEST,
    KEY_PARITY,
    KEY_REFERENCE,
    Metric,
    parse_manifest,
    render_manifest,
)
from edge_infer.strict_json import parse
from tests.runtime.samples import PENGUINS

ARTIFACT = parse_artifact(PENGUINS.read_bytes())
TEXTS = ARTIFACT.facts.metadata
MANIFEST = ARTIFACT.manifest


def _classes(manifest: Any) -> int:
    return max(len(labels) for output in manifest.outputs for labels in output.classes or ())


TOLD = MANIFEST._replace(
    description="für Pinguine",
    metrics=(Metric("accuracy", 0.9, "test"), Metric("f1", 0.9, "test")),
    inputs=MANIFEST.inputs._replace(columns=tuple(c._replace(unit="°C") for c in MANIFEST.inputs.columns)),
)

AT_BOUND: dict[str, tuple[int, Callable[[Any], object]]] = {
    "manifest_bytes": (len(TEXTS[KEY_MANIFEST]), lambda limits: parse_manifest(TEXTS[KEY_MANIFEST], limits)),
    "golden_bytes": (len(TEXTS[KEY_GOLDENS]), lambda limits: parse_goldens(TEXTS[KEY_GOLDENS], MANIFEST, limits)),
    "golden_rows": (
        len(json.loads(TEXTS[KEY_GOLDENS])["rows"]),
        lambda limits: parse_goldens(TEXTS[KEY_GOLDENS], MANIFEST, limits),
    ),
    "reference_bytes": (len(TEXTS[KEY_REFERENCE]), ARTIFACT.reference),
    "parity_bytes": (len(TEXTS[KEY_PARITY]), ARTIFACT.parity),
    "columns": (len(MANIFEST.inputs.columns), lambda limits: parse_manifest(TEXTS[KEY_MANIFEST], limits)),
    "categories": (
        sum(len(column.categories or ()) for column in MANIFEST.inputs.columns),
        lambda limits: parse_manifest(TEXTS[KEY_MANIFEST], limits),
    ),
    "classes": (_classes(MANIFEST), lambda limits: parse_manifest(TEXTS[KEY_MANIFEST], limits)),
    "unit_bytes": (len(b"accuracy"), lambda limits: parse_manifest(render_manifest(TOLD), limits)),
    "description_bytes": (len("für Pinguine".encode()), lambda limits: parse_manifest(render_manifest(TOLD), limits)),
    "metrics": (2, lambda limits: parse_manifest(render_manifest(TOLD), limits)),
    "model_bytes": (len(ARTIFACT.data), lambda limits: parse_artifact(ARTIFACT.data, limits=limits)),
}


@pytest.mark.parametrize("name", AT_BOUND)
def test_limit_is_inclusive(name: str) -> None:
    bound, read = AT_BOUND[name]
    assert read(LIMITS._replace(**{name: bound})) is not None
    with pytest.raises(LimitError, match="limit"):
        read(LIMITS._replace(**{name: bound - 1}))


def test_nesting_of_json_is_bounded_and_brackets_in_text_do_not_count() -> None:
    def read(text: str) -> Any:
        return parse(text.encode(), what="text", most_bytes=10**6, most_depth=4).value

    assert read("[[[[1]]]]") == [[[[1]]]]
    assert read('["[[[[[[[[", "\\"[[[[[[", "\\\\"]') == ["[[[[[[[[", '"[[[[[[', "\\"]
    for deep in ("[[[[[1]]]]]", "[" * 100_000):
        with pytest.raises(LimitError, match="4 deep"):
            read(deep)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "[NaN]", "[Infinity]", "{", "", "\x00", '{"a": 1} x', "[1e999]"])
def test_what_strict_json_is_not_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse(text.encode(), what="text", most_bytes=100, most_depth=4)
