"""Artifacts of every released format load, verify and answer, forever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import edge_infer

SAMPLES = sorted((Path(__file__).parents[2] / "artifacts" / "samples").glob("format-*/*.onnx"))


def test_every_released_format_has_samples() -> None:
    assert {path.parent.name for path in SAMPLES} == {"format-1"}
    assert len(SAMPLES) >= 3


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_sample_verifies(path: Path) -> None:
    checks = edge_infer.verify(path)
    assert [check for check in checks if check.status == "failed"] == []
    assert {check.name for check in checks if check.status == "ok"} >= {"format", "limits", "runtime", "goldens"}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_recorded_answer_still_comes_out(path: Path) -> None:
    record, answer = path.with_suffix(".record.json"), path.with_suffix(".answer.json")
    if path.stem.startswith("penguins"):
        assert record.exists()
    if record.exists():
        model = edge_infer.load(path)
        expected = json.loads(answer.read_text(encoding="utf-8"))["prediction"]
        assert model.predict(json.loads(record.read_text(encoding="utf-8"))) == expected
