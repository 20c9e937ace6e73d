"""The reader in Node, with onnxruntime-node alone, gives Python's answers. `make examples` brings the package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edge_infer
from edge_infer.errors import InputError
from tests.examples.conftest import Made
from tests.examples.models import MADE, PENGUINS, REFUSED, assert_equal, by_rows

EXAMPLE = Path(__file__).parents[2] / "examples" / "node-runtime"
MODULES = os.environ.get("EXAMPLES_NODE_MODULES", "")
FIELDS = {"predict": "prediction", "predict_proba": "probabilities"}

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(not MODULES, reason="needs the npm package onnxruntime-node: run `make examples`"),
]

Node = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """Runs the example, or a program beside it, where its packages are."""
    folder = tmp_path / "node"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "node_modules").symlink_to(MODULES)

    def run(*arguments: object, code: int = 0, program: str | None = None) -> subprocess.CompletedProcess[str]:
        if program is not None:
            (folder / "program.js").write_text(program, encoding="utf-8")
        name = "predict.js" if program is None else "program.js"
        command = ["node", name, *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=120, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "    at " not in done.stderr  # a stack trace
        return done

    return run


def asked(node: Node, folder: Path, model: Path, data: Any) -> dict[str, Any]:
    file = folder / "records.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    answers: dict[str, Any] = json.loads(node(model, file).stdout)
    return answers


@pytest.mark.parametrize("name", ["penguins", "penguins with gaps", "diabetes", "digits", *MADE])
def test_node_gives_the_answers_of_python(node: Node, tmp_path: Path, made: Callable[[str], Made], name: str) -> None:
    path, records = made(name)
    got = asked(node, tmp_path, path, records)
    model = edge_infer.load(path)
    for output in model.manifest.outputs:
        wanted = by_rows(getattr(model, output.method)(records), len(records))
        if name == "large_labels" and output.method == "predict":
            wanted = [str(label) if abs(label) > 2**53 else label for label in wanted]  # as JSON in JavaScript has it
        assert_equal(got[FIELDS.get(output.method, output.method)], wanted)


def test_node_answers_one_record_as_python_does(node: Node, tmp_path: Path) -> None:
    record = json.loads(PENGUINS.with_suffix(".record.json").read_text(encoding="utf-8"))
    model = edge_infer.load(PENGUINS)
    got = asked(node, tmp_path, PENGUINS, record)
    assert got["prediction"] == model.predict(record)
    assert_equal(got["probabilities"], model.predict_proba(record).tolist())


@pytest.mark.parametrize("case", REFUSED)
def test_node_refuses_what_python_refuses(node: Node, tmp_path: Path, made: Callable[[str], Made], case: str) -> None:
    name, change, column = REFUSED[case]
    path, records = made(name)
    columns = [one.name for one in edge_infer.load(path).manifest.inputs.columns]
    good = records[0] if isinstance(records[0], dict) else dict(zip(columns, records[0], strict=True))
    asked(node, tmp_path, path, good)
    with pytest.raises(InputError, match=column):
        edge_infer.load(path).predict(good | change)
    file = tmp_path / "records.json"
    file.write_text(json.dumps(good | change), encoding="utf-8")
    assert f'error: row 0, column "{column}": expected' in node(path, file, code=1).stderr


def test_node_refuses_a_text_that_onnxruntime_would_cut_off(node: Node, tmp_path: Path) -> None:
    good = json.loads(PENGUINS.with_suffix(".record.json").read_text(encoding="utf-8"))
    for text in ("Biscoe\0", "Biscoe\ud800", "\ue000"):
        (tmp_path / "records.json").write_text(json.dumps(good | {"island": text}), encoding="utf-8")
        assert 'row 0, column "island"' in node(PENGUINS, tmp_path / "records.json", code=1).stderr


def test_node_names_the_columns_that_are_absent(node: Node, tmp_path: Path) -> None:
    (tmp_path / "records.json").write_text('{"island": "Biscoe"}', encoding="utf-8")
    assert 'row 0: no "sex", "bill_length_mm"' in node(PENGUINS, tmp_path / "records.json", code=1).stderr


@pytest.mark.parametrize("damage", ["cut off", "other bytes", "a later format", "no manifest"])
def test_node_refuses_a_file_that_is_no_artifact_it_knows(node: Node, tmp_path: Path, damage: str) -> None:
    whole = PENGUINS.read_bytes()
    data = {
        "cut off": whole[: len(whole) // 2],
        "other bytes": b"\xff" * 100,
        "a later format": whole.replace(b'{"format":1,', b'{"format":9,'),
        "no manifest": whole.replace(b"edge_infer.manifest", b"edge_infer.manifesT"),
    }[damage]
    (tmp_path / "model.onnx").write_bytes(data)
    done = node(tmp_path / "model.onnx", PENGUINS.with_suffix(".record.json"), code=1)
    assert done.stderr.startswith("error: ")


def test_node_takes_dates_and_bigints(node: Node, made: Callable[[str], Made]) -> None:
    path, _ = made("zoned_times")
    whole, _ = made("whole_numbers")
    program = f"""
        import {{ EdgeModel }} from "./edge-model.js";
        const zoned = await EdgeModel.load({json.dumps(str(path))});
        const at = "1969-12-31T23:59:59.999Z";
        const same = await zoned.predict([{{ at, age: 1 }}, {{ at: new Date(at), age: 1 }}]);
        const whole = await EdgeModel.load({json.dumps(str(whole))});
        console.log(JSON.stringify([same[0] === same[1], String(await whole.predict({{ a: 2n ** 60n, b: 1n }}))]));
    """
    assert json.loads(node(program=program).stdout) == [True, str(2**60 + 1)]
