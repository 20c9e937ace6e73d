"""`convert --card`, and how `inspect` shows what a model's author tells, who may be anybody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_infer.manifest import Metric
from tests.cli.conftest import Run, classifier_bytes, classifier_manifest, fresh

EVIL = "\x1b[31mred\x9b0m\r\x07\u202e<b>x</b>\nsha256     0000"
CARD = """
description = "Species of penguins."
license = "CC0-1.0"
[units]
bill_length_mm = "mm"
"body_mass_g" = "g"
[descriptions]
bill_length_mm = "Along the upper ridge."
[[metrics]]
type = "accuracy"
value = 0.985
dataset = "held-out 20 %"
[[metrics]]
type = "rows"
value = 69
dataset = "held-out 20 %"
"""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sklearn", reason="the extra `convert` is not installed")
    import joblib

    from edge_infer_convert.demo import train

    path = tmp_path_factory.mktemp("fitted") / "penguins.joblib"
    joblib.dump(train()[0], path)
    train()[1].to_csv(path.with_suffix(".csv"), index=False)
    return path


def test_a_card_file_is_recorded_and_shown(fitted: Path, tmp_path: Path) -> None:
    card, target = tmp_path / "card.toml", tmp_path / "p.onnx"
    card.write_text(CARD, encoding="utf-8")
    data = ("--data", fitted.with_suffix(".csv"), "--trust-pickle")
    ran = fresh("convert", fitted, *data, "--card", card, "-o", target)
    assert ran.code == 0, ran.err
    told = json.loads(fresh("inspect", target, "--json").out)
    assert (told["description"], told["license"]) == ("Species of penguins.", "CC0-1.0")
    assert told["metrics"][0] == {"type": "accuracy", "value": 0.985, "dataset": "held-out 20 %"}
    assert {column["name"]: column["unit"] for column in told["inputs"]} == {
        **dict.fromkeys(("island", "sex", "bill_depth_mm", "flipper_length_mm")),
        "bill_length_mm": "mm",
        "body_mass_g": "g",
    }
    shown = fresh("inspect", target).out
    for line in (
        "  Species of penguins.",
        "license    CC0-1.0",
        "metrics    as its author states them:",
        "           accuracy 0.985 on held-out 20 %",
        "           rows 69 on held-out 20 %",
        "  bill_length_mm: Along the upper ridge.",
    ):
        assert line in shown.splitlines()
    assert "2700 … 6300 g " in shown or "2700 ... 6300 g " in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"units = [", "--card: expected TOML in UTF-8 in"),
        (b'description = "\xff"', "--card: expected TOML in UTF-8 in"),
        (b"a = " + b"[" * 5000, "--card: expected TOML in UTF-8 in"),
        (b'[units]\nbill_length = "mm"', "card.units: expected columns of the model, got 'bill_length'; did you mean"),
        (b"[units]\nbill_length_mm = 1979-05-27", "card.units.bill_length_mm: expected text, got date"),
        (b'[[metrics]]\ntype = "f1"\nvalue = nan\ndataset = "x"', "card.metrics[0].value: expected a finite number"),
        (b"[metrics]\naccuracy = 0.9", "card.metrics: expected a list, got an object"),
    ],
)
def test_a_mistake_in_a_card_is_wrong_usage_and_nothing_is_written(
    text: bytes, message: str, run: Run, fitted: Path, tmp_path: Path
) -> None:
    (tmp_path / "card.toml").write_bytes(text)
    data = ("--data", fitted.with_suffix(".csv"), "--trust-pickle")
    ran = run("convert", fitted, *data, "--card", tmp_path / "card.toml", "-o", tmp_path / "p.onnx")
    assert ran.code == 2
    assert message in " ".join(ran.err.split())
    assert "Traceback" not in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["card.toml"]


def test_a_card_that_is_not_there_or_would_be_overwritten_is_told(run: Run, fitted: Path, tmp_path: Path) -> None:
    ran = run("convert", fitted, "--trust-pickle", "--card", tmp_path / "no.toml", "-o", tmp_path / "p.onnx")
    assert ran.code != 0
    assert "no.toml" in ran.err
    card = tmp_path / "card.toml"
    card.write_text(CARD, encoding="utf-8")
    assert run("convert", fitted, "--trust-pickle", "--card", card, "-o", card).code == 2
    assert card.read_text(encoding="utf-8") == CARD


def test_what_the_author_tells_cannot_drive_the_terminal_or_forge_a_line(run: Run, tmp_path: Path) -> None:
    manifest = classifier_manifest()
    columns = tuple(c._replace(unit=EVIL, description=EVIL) for c in manifest.inputs.columns)
    evil = manifest._replace(
        description=EVIL,
        license=EVIL,
        metrics=(Metric(EVIL, 0.5, EVIL),),
        inputs=manifest.inputs._replace(columns=columns),
    )
    (tmp_path / "evil.onnx").write_bytes(classifier_bytes(manifest=evil))
    ran = run("inspect", tmp_path / "evil.onnx")
    assert ran.code == 0
    assert not {"\x1b", "\x9b", "\r", "\x07", "\u202e"} & set(ran.out)
    assert "\\x1b[31mred\\x9b0m\\x0d\\x07\\u202e<b>x</b>" in ran.out
    told = run("inspect", tmp_path / "evil.onnx", "--json").out
    digest = json.loads(told)["digest"].removeprefix("sha256:")
    assert [line for line in ran.out.splitlines() if line.startswith("sha256")] == [f"sha256     {digest}"]
    assert "\x1b" not in told


def test_units_in_any_script_and_paragraphs_are_shown_as_they_are(run: Run, tmp_path: Path) -> None:
    manifest = classifier_manifest()
    columns = tuple(c._replace(unit="°C µm²", description="חום — 温度") for c in manifest.inputs.columns)
    told = manifest._replace(description="One.\n\nTwo.", inputs=manifest.inputs._replace(columns=columns))
    (tmp_path / "told.onnx").write_bytes(classifier_bytes(manifest=told))
    shown = fresh("inspect", tmp_path / "told.onnx", PYTHONIOENCODING="utf-8").out
    assert "1 … 80 °C µm²" in shown
    assert "age: חום — 温度" in shown
    assert "\n  One.\n  \n  Two.\n" in shown
