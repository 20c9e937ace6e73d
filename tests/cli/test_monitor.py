"""`edge-infer monitor` in fresh processes, on a folder that a program has written."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from prometheus_client.parser import text_string_to_metric_families

import edge_infer
from edge_infer import Monitor
from edge_infer.monitor import LogSettings
from tests.cli.conftest import fresh
from tests.store.releases import ROW, X, artifact


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two numbers, asked rows like those of its training, and logged."""
    folder = tmp_path_factory.mktemp("monitor") / "watched"
    monitor = Monitor(folder, log=LogSettings())
    with edge_infer.load(artifact(), monitor=monitor) as model:
        for record in X.to_dict("records") * 5:
            model.predict(record)
        model.predict(ROW)
        logged = monitor.last_prediction_id()
    assert logged is not None
    (folder.parent / "outcomes.csv").write_text(f"id,outcome\n{logged},0.5\nunknown,1\n")
    return folder


def test_status_tells_calls_and_drift(watched: Path) -> None:
    ran = fresh("monitor", "status", "--folder", watched)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("pets 1.0.0  stable: as in the reference\n")
    assert "301" in ran.out
    assert all(len(line) <= 80 for line in ran.out.splitlines())


def test_status_as_json_is_one_object(watched: Path) -> None:
    told = json.loads(fresh("monitor", "status", "pets", "--folder", watched, "--json").out)
    (model,) = told["models"]
    assert model["drift"]["verdict"] == "stable"
    assert model["summary"]["calls"] == {"predict": 301}
    assert {part["name"] for part in model["drift"]["parts"]} == {"a", "b", "answer"}


def test_a_model_that_has_drifted_ends_with_1(tmp_path: Path) -> None:
    with edge_infer.load(artifact(), monitor=Monitor(tmp_path / "watched")) as model:
        for record in (X + 2).to_dict("records") * 10:
            model.predict(record)
    hook = f'echo "$EDGE_INFER_MODEL $EDGE_INFER_VERDICT" >> {tmp_path / "told"}'
    for _ in range(2):
        ran = fresh("monitor", "status", "--on-drift", hook, EDGE_INFER_MONITOR=str(tmp_path / "watched"))
        assert ran.code == 1
    assert (tmp_path / "told").read_text() == "pets drifted\n"
    assert ran.out.startswith("pets 1.0.0  drifted: ")


def test_the_log_is_exported(watched: Path, tmp_path: Path) -> None:
    for suffix in ("csv", "parquet", "jsonl"):
        ran = fresh("monitor", "export", "pets", "--folder", watched, "-o", tmp_path / f"log.{suffix}")
        assert (ran.code, ran.out.partition(": ")[2][:8]) == (0, "301 rows"), ran.err
    with open(tmp_path / "log.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["input.a"]) == ROW["a"]
    assert pq.read_table(tmp_path / "log.parquet").num_rows == 301
    none = fresh("monitor", "export", "pets", "--folder", watched, "-o", tmp_path / "none.csv", "--since", "2100-01-01")
    assert none.out.partition(": ")[2].startswith("0 rows")


def test_outcomes_tell_how_good_the_answers_are(watched: Path) -> None:
    ran = fresh("monitor", "outcomes", "pets", watched.parent / "outcomes.csv", "--folder", watched)
    assert (ran.code, ran.out) == (0, "2 outcomes recorded\n"), ran.err
    (model,) = json.loads(fresh("monitor", "status", "--folder", watched, "--json").out)["models"]
    assert model["quality"]["rows"] == 1
    assert model["quality"]["mae"] == pytest.approx(abs(edge_infer.load(artifact()).predict(ROW) - 0.5))


def test_prometheus_and_merge(watched: Path, tmp_path: Path) -> None:
    assert fresh("monitor", "merge", watched, watched, "-o", tmp_path / "fleet").code == 0
    assert fresh("monitor", "prometheus", tmp_path / "edge.prom", "--folder", tmp_path / "fleet").code == 0
    families = {f.name: f for f in text_string_to_metric_families((tmp_path / "edge.prom").read_text())}
    assert [sample.value for sample in families["edge_infer_rows"].samples] == [602]
    again = fresh("monitor", "merge", watched, "-o", tmp_path / "fleet")
    assert again.code == 2
    assert "expected a new folder" in again.err


def test_a_report_is_one_file(watched: Path, tmp_path: Path) -> None:
    ran = fresh("monitor", "report", "--folder", watched, "-o", tmp_path / "report.html")
    assert ran.code == 0
    assert "pets stable" in ran.out
    assert "<h1" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("status",), "EDGE_INFER_MONITOR"),
        (("status", "--folder", "nowhere"), "no such folder"),
        (("status", "cats", "--folder", "FOLDER"), "models there: pets"),
        (("export", "pets", "-o", "log.xyz", "--folder", "FOLDER"), "--to: expected csv, jsonl, parquet"),
        (("export", "pets", "-o", "log.csv", "--since", "soon", "--folder", "FOLDER"), "--since: expected a date"),
        (("report", "-o", "nowhere/report.html", "--folder", "FOLDER"), "expected an existing folder, got 'nowhere'"),
        (("outcomes", "pets", "missing.csv", "--folder", "FOLDER"), "missing.csv"),
    ],
    ids=str,
)
def test_mistakes_are_told(args: tuple[str, ...], told: str, watched: Path, tmp_path: Path) -> None:
    ran = fresh("monitor", *(str(watched) if arg == "FOLDER" else arg for arg in args))
    assert ran.code in (1, 2)
    assert told in " ".join(ran.err.split())
    assert "Traceback" not in ran.err


def test_predict_and_stream_are_watched(tmp_path: Path) -> None:
    (tmp_path / "pets-1.0.0.onnx").write_bytes(artifact())
    model, folder = tmp_path / "pets-1.0.0.onnx", tmp_path / "watched"
    row = json.dumps(ROW)
    plain = fresh("predict", model, row)
    assert fresh("predict", model, row, "--monitor", folder) == plain
    lines = f"{row}\n{row}\nnothing\n{json.dumps({'a': 'x', 'b': 1})}\n".encode()
    streamed = fresh("stream", model, "--monitor", folder, stdin=lines)
    assert streamed.out == fresh("stream", model, stdin=lines).out
    told = json.loads(fresh("monitor", "status", "--folder", folder, "--json").out)["models"][0]["summary"]
    assert told["calls"] == {"predict": 3}
    assert told["errors"] == {"column 'a': expected a number": 1}


def test_what_else_lies_in_the_folder_is_passed_over(watched: Path) -> None:
    (watched / "README.txt").write_text("mine")
    (watched / "empty").mkdir()
    (watched / "link").symlink_to(watched / "pets")
    ran = fresh("monitor", "status", "--folder", watched)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("pets 1.0.0  ")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "pets-1.0.0.onnx").write_bytes(artifact())
    (tmp_path / "file").write_text("mine")
    ran = fresh("predict", tmp_path / "pets-1.0.0.onnx", json.dumps(ROW), "--monitor", tmp_path / "file" / "watched")
    assert ran.code == 1
    assert "file" in ran.err
    assert "Traceback" not in ran.err
