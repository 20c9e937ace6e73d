"""What people are told of a model: recorded as stated, refused with the key and what was expected."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.artifact import parse_artifact
from edge_infer.errors import UsageError
from edge_infer.manifest import Column, Metric
from edge_infer_convert import convert
from edge_infer_convert.card import Card, read_card
from edge_infer_convert.demo import CARD, train

COLUMNS = [Column(name, "number", "float64", "numbers", i, missing=False) for i, name in enumerate(["Größe", "mass_g"])]
METRIC = {"type": "accuracy", "value": 0.5, "dataset": "test"}


def test_a_conversion_records_what_is_stated_and_nothing_else(tmp_path: Path) -> None:
    pipeline, frame, _ = train()
    report = tmp_path / "report.html"
    plain = convert(pipeline, data=frame, name="penguins")
    told = convert(pipeline, data=frame, name="penguins", card=CARD | {"license": "One.\n\nTwo."}, report=report)
    manifest = parse_artifact(told.data).manifest
    assert {column.name: column.unit for column in manifest.inputs.columns if column.unit} == CARD["units"]
    assert {c.name: c.description for c in manifest.inputs.columns if c.description} == CARD["descriptions"]
    assert (manifest.description, manifest.license) == (CARD["description"], "One.\n\nTwo.")
    assert manifest.metrics == ()
    bare = [column._replace(unit=None, description=None) for column in manifest.inputs.columns]
    inputs = manifest.inputs._replace(columns=tuple(bare))
    assert manifest._replace(description=None, license=None, inputs=inputs) == plain.manifest
    page = report.read_text(encoding="utf-8")
    for text in ("32.1 to 59.6 <bdi>mm</bdi>", "<bdi>Along the upper ridge of the bill.</bdi>", "<bdi>One. Two.</bdi>"):
        assert text in page


@pytest.mark.parametrize("card", [None, {}, {"units": {}, "metrics": []}, {"description": None}])
def test_a_card_of_nothing_changes_no_byte(card: Any) -> None:
    pipeline, frame, _ = train()
    plain = convert(pipeline, data=frame, name="penguins")
    assert convert(pipeline, data=frame, name="penguins", card=card).data == plain.data
    assert b'"unit"' not in plain.data
    assert b'"metrics"' not in plain.data


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (["mm"], "card: expected an object, got a list"),
        ({"unit": {}}, "card: expected the keys description, license, units, descriptions, metrics, got 'unit'"),
        ({"units": "mm"}, "card.units: expected an object, got text 'mm'"),
        ({"units": {"mass_g": 5}}, "card.units.mass_g: expected text, got a number 5"),
        ({"units": {"mass_g": True}}, "card.units.mass_g: expected text, got true/false True"),
        (
            {"units": {"mass_g": date(2024, 5, 1)}},
            "card.units.mass_g: expected text, got date datetime.date(2024, 5, 1)",
        ),
        ({"units": {"mass_g": " "}}, "card.units.mass_g: expected text that is not empty"),
        ({"units": {"mass_g": "g" * 65}}, "card.units.mass_g: 65 bytes of text, the limit is 64"),
        ({"units": {"mass": "g"}}, "card.units: expected columns of the model, got 'mass'; did you mean 'mass_g'?"),
        ({"units": {"Farbe": "g"}}, "card.units: expected columns of the model, got 'Farbe'; it has 'Größe', 'mass_g'"),
        ({"units": {7: "g"}}, "card.units: expected columns of the model, got 7"),
        ({"descriptions": {"x\x1b[31m": "g"}}, r"got 'x\x1b[31m'"),
        ({"descriptions": {"mass_g": "d" * 4097}}, "card.descriptions.mass_g: 4,097 bytes of text"),
        ({"description": 1.5}, "card.description: expected text, got a number 1.5"),
        ({"description": "\ud800"}, "card.description: expected text that UTF-8 can write"),
        ({"license": ["MIT"]}, "card.license: expected text, got a list"),
        ({"metrics": {"accuracy": 0.5}}, "card.metrics: expected a list, got an object"),
        ({"metrics": [0.5]}, "card.metrics[0]: expected an object, got a number 0.5"),
        ({"metrics": [{"type": "f1", "value": 1}]}, "card.metrics[0]: the field 'dataset' is missing"),
        ({"metrics": [METRIC, METRIC | {"value": float("nan")}]}, "card.metrics[1].value: expected a finite number"),
        ({"metrics": [METRIC | {"value": float("-inf")}]}, "card.metrics[0].value: expected a finite number"),
        ({"metrics": [METRIC | {"value": True}]}, "card.metrics[0].value: expected a number, got true/false True"),
        ({"metrics": [METRIC | {"value": "0.5"}]}, "card.metrics[0].value: expected a number, got text '0.5'"),
        ({"metrics": [METRIC | {"value": 10**400}]}, "card.metrics[0].value: expected a number that float64 holds"),
        (
            {"metrics": [METRIC | {"split": "x"}]},
            "card.metrics[0]: expected the keys type, value, dataset, got 'split'",
        ),
        ({"metrics": [METRIC] * 101}, "card.metrics: 101 items, the limit is 100"),
    ],
)
def test_a_mistake_is_told_with_its_key(card: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_card(card, COLUMNS)
    assert message in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        read_card({"units": {"mass": "g", "Größe": 1}, "license": 2, "metrics": [1, METRIC, 2], "x": 0}, COLUMNS)
    assert len(str(caught.value).splitlines()) == 1 + 6


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=15).filter(str.strip)
_NUMBER = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60)


@given(
    st.none() | _TEXT,
    st.dictionaries(st.sampled_from(["Größe", "mass_g"]), _TEXT),
    st.lists(st.fixed_dictionaries({"type": _TEXT, "value": _NUMBER, "dataset": _TEXT}), max_size=3),
)
def test_any_text_and_any_finite_number_is_taken(text: str | None, units: Any, metrics: Any) -> None:
    told = read_card({"description": text, "license": text, "units": units, "metrics": metrics}, COLUMNS)
    assert told == Card(
        text, text, units, {}, tuple(Metric(**{**metric, "value": float(metric["value"])}) for metric in metrics)
    )


def test_numbers_of_numpy_and_metrics_of_the_card_itself_are_taken() -> None:
    for value in (np.float64(0.5), np.float32(0.5), 0.5):
        assert read_card({"metrics": [Metric("f1", value, "test")]}, COLUMNS).metrics == (Metric("f1", 0.5, "test"),)
        assert type(read_card({"metrics": ({**METRIC, "value": value},)}, COLUMNS).metrics[0].value) is float
