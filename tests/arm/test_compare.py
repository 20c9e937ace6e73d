"""What counts as a difference between two architectures; the emulated ones are compared by `make test-arm`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.arm import answers, compare, models
from tests.arm.device import PENGUINS

ROWS = '[["Biscoe", null, 46.5, 14.5, 213.0, 4400.0], ["Dream", "female", 40.0, 18.0, 190.0, 3500.0]]'


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The sample in a folder of models, and its answers to two rows."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "penguins.onnx").write_bytes(PENGUINS.read_bytes())
    (folder / "penguins.rows.json").write_text(ROWS, encoding="utf-8")
    answers.main(folder, folder / "x86")
    with np.load(folder / "x86" / "penguins.npz") as found:
        return folder, {name: found[name] for name in found}


def judged(answered: tuple[Path, dict[str, Any]], place: Path, **changed: Any) -> dict[str, dict[str, Any]]:
    """By method, with some of the device's answers changed."""
    folder, ours = answered
    np.savez(place / "penguins.npz", **{name: changed.get(name.replace(" ", "_"), part) for name, part in ours.items()})
    found = compare.compared(folder / "penguins.onnx", folder / "x86", place)
    return {entry["method"]: entry for entry in found}


def test_equal_answers_differ_nowhere(answered: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    found = judged(answered, tmp_path)
    assert list(found) == ["predict", "predict_proba", "decision_function"]
    assert [found["predict"][key] for key in ("kind", "values", "differing", "rows")] == ["labels", 4, 0, 2]
    assert [found["predict_proba"][key] for key in ("kind", "values", "differing", "rows")] == ["numbers", 12, 0, 2]
    assert [found["predict_proba"][key] for key in ("beyond", "worst", "absolute")] == [0, 0.0, 0.0]


def test_a_label_that_differs_is_beyond_any_tolerance(answered: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    found = judged(answered, tmp_path, predict=np.array(["'Gentoo'", "'Gentoo'"]))["predict"]
    assert (found["differing"], found["beyond"]) == (1, 1)


def test_a_last_bit_is_told_and_allowed(answered: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    ours = answered[1]["predict_proba"]
    theirs = ours.copy()
    theirs[0, 0] = np.nextafter(ours[0, 0], 1)
    found = judged(answered, tmp_path, predict_proba=theirs)["predict_proba"]
    assert (found["differing"], found["beyond"]) == (1, 0)
    assert found["worst"] > 0


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf], ids=str)
def test_a_number_beyond_the_tolerance_is_counted(
    value: float, answered: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    theirs = answered[1]["predict_proba"].copy()
    theirs[1, 1] = value
    assert judged(answered, tmp_path, predict_proba_alone=theirs)["predict_proba"]["beyond"] == 1


def test_answers_of_another_shape_end_the_comparison(answered: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="penguins: answers of other shapes"):
        judged(answered, tmp_path, predict_proba=answered[1]["predict_proba"][:1])


def test_every_model_to_compare_is_a_case_of_the_matrix() -> None:
    keys = {case.key for case in models.chosen_cases()}
    assert sorted({*models.SHORT, *models.FULL} - keys) == []
