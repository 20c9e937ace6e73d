"""What people see of the sample model, word for word. `make goldens` writes these files anew; read the diff."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Run

GOLDENS = Path(__file__).parent / "goldens"
SAMPLES = ROOT / "artifacts" / "samples" / "format-1"
MODEL = SAMPLES / "penguins-1.0.0.onnx"
RECORD = (SAMPLES / "penguins-1.0.0.record.json").read_text(encoding="utf-8")

SHOWN = {
    "inspect": ("inspect", MODEL),
    "inspect-json": ("inspect", MODEL, "--json"),
    "inspect-matrix": ("inspect", SAMPLES / "digits-1.0.0.onnx"),
    "predict": ("predict", MODEL, RECORD),
    "wrong-column": ("predict", MODEL, RECORD.replace("bill_depth_mm", "bill_deep_mm")),
    "wrong-values": ("predict", MODEL, RECORD.replace("46.5", '"46.5"').replace("213.0", "true")),
}


@pytest.mark.parametrize("name", SHOWN)
def test_output_is_word_for_word_the_golden(name: str, run: Run, update_goldens: bool) -> None:
    ran = run(*SHOWN[name])
    shown = f"exit {ran.code}\n{ran.out}{ran.err}".replace(str(SAMPLES), "SAMPLES")
    golden = GOLDENS / f"{name}.txt"
    if update_goldens:
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")
