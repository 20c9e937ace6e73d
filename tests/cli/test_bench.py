"""`bench` as people and programs see it. Times are never judged: only what is told, and what is recorded."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import edge_infer
from edge_infer import SessionOptions
from edge_infer.bench import process, tuning
from edge_infer.cli.console import width
from edge_infer.cli.quantities import size_text, time_text
from edge_infer.tuned import Record, device, save
from tests.cli.conftest import RECORD, ROOT, Run, fresh
from tests.cli.test_commands import on_terminal

SAMPLES = ROOT / "artifacts" / "samples" / "format-1"
PENGUINS = SAMPLES / "penguins-1.0.0.onnx"
QUICK = ("--seconds", "0.02")
FIELDS = {
    *("file", "size_bytes", "name", "version", "device", "method", "rows", "options", "latency", "histogram"),
    *("throughput", "cold_start", "resident_bytes", "original", "tuning"),
}


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Records of an own folder, not there yet."""
    path = tmp_path / "configuration"
    monkeypatch.setenv("EDGE_INFER_CONFIG", str(path))
    return path


@pytest.fixture(autouse=True)
def one_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, a cold start is measured once: `fresh` ones measure five, as users do."""
    monkeypatch.setattr(process, "_STARTS", 1)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pickled original of the penguins, another that was fitted otherwise, and the data."""
    joblib = pytest.importorskip("joblib", reason="the extra `convert` is not installed")
    from sklearn.base import clone

    from edge_infer_convert.demo import train

    pipeline, frame, species = train()
    folder = tmp_path_factory.mktemp("originals")
    joblib.dump(pipeline, folder / "penguins.joblib")
    joblib.dump(clone(pipeline).fit(frame, species.to_numpy()[::-1]), folder / "other.joblib")
    frame.assign(species=species).to_csv(folder / "train.csv", index=False)
    return folder


def measured(*args: object, run: Run = fresh) -> dict[str, Any]:
    ran = run("bench", *args, *QUICK, "--json")
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def check_latency(found: dict[str, Any]) -> None:
    assert found["calls"] >= 1
    ordered = [found[name] for name in ("p50", "p90", "p99", "p99.9", "max")]
    assert ordered == sorted(ordered)
    assert 0 < found["mean"] <= found["max"]


# --- what is told -----------------------------------------------------------------------


def test_json_is_one_object_of_positive_numbers() -> None:
    found = measured(PENGUINS)
    assert set(found) == FIELDS
    assert [(case["given"], case["rows"]) for case in found["latency"]] == [
        *(("record", 1), ("list", 1)),
        *(("100 records", 100), ("10,000 records", 10_000)),
    ]
    for case in found["latency"]:
        check_latency(case)
    assert sum(bucket["calls"] for bucket in found["histogram"]) == found["latency"][0]["calls"]
    for each in found["throughput"]:
        assert each["rows_per_second"] == pytest.approx(each["rows"] / each["seconds"])
    assert found["throughput"][0]["threads"] == found["throughput"][0]["rows"] == 1
    assert found["cold_start"] > 0
    assert found["resident_bytes"] is None or found["resident_bytes"] > 1 << 20
    assert found["size_bytes"] == PENGUINS.stat().st_size
    assert found["options"] == SessionOptions()._asdict()
    assert (found["method"], found["rows"]) == ("predict", "60 golden rows")
    assert found["device"] == device()
    assert found["original"] is found["tuning"] is None


def test_help_documents_every_field_of_the_object() -> None:
    text = " ".join(fresh("bench", "--help").out.split())
    assert all(field in text for field in FIELDS)


@pytest.mark.parametrize("model", ["penguins", "digits", "diabetes", "plain"])
def test_text_fits_80_columns(model: str, plain: Path, run: Run) -> None:
    ran = run("bench", plain if model == "plain" else SAMPLES / f"{model}-1.0.0.onnx", *QUICK)
    assert ran.code == 0, ran.err
    assert all(width(line) <= 80 for line in ran.out.splitlines())
    for words in ("p99.9", "Rows a second", "cold start", "memory", "█"):
        assert words in ran.out


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_a_terminal_gets_tables_of_80_columns() -> None:
    text = on_terminal("bench", str(PENGUINS), *QUICK)
    assert all(width(line) <= 80 for line in text.splitlines())
    assert "…" not in text.partition("One call")[0].partition("p99.9")[2]  # no cell is cut


def test_an_ascii_terminal_gets_a_histogram_too() -> None:
    ran = fresh("bench", PENGUINS, *QUICK, PYTHONIOENCODING="ascii")
    assert ran.code == 0
    assert ran.out.isascii()
    assert "####" in ran.out
    assert "\\u" not in ran.out


def test_a_plain_file_is_given_zeros_and_says_so(plain: Path, run: Run) -> None:
    found = measured(plain, run=run)
    assert (found["method"], found["rows"]) == ("run", "zeros in the shapes of the graph's inputs")
    assert [case["rows"] for case in found["latency"]] == [1, 100, 10_000]
    assert measured(plain, "--data", "[[1, 2], [3, 4]]", run=run)["method"] == "predict"


def test_rows_and_method_are_the_callers(originals: Path, classifier: Path, run: Run) -> None:
    found = measured(PENGUINS, "--data", originals / "train.csv", "--method", "predict_proba", run=run)
    assert found["method"] == "predict_proba"
    assert found["rows"] == f"344 rows of {originals / 'train.csv'}"
    assert measured(classifier, "--data", json.dumps(RECORD), run=run)["rows"] == "1 row of what --data gives"


def test_the_record_of_this_device_is_what_is_measured(run: Run) -> None:
    options = SessionOptions(chunk_bytes=4096)
    save(Record(edge_infer.read_artifact(PENGUINS).digest, "penguins", device(), 1, 1.0, 0.5, options))
    assert measured(PENGUINS)["options"] == options._asdict()
    assert "chunk_bytes=4096" in run("bench", PENGUINS, *QUICK).out


# --- beside the original ----------------------------------------------------------------


def test_an_equal_original_is_measured_beside(originals: Path, run: Run) -> None:
    vs = ("--vs", originals / "penguins.joblib", "--trust-pickle")
    found = measured(PENGUINS, *vs, "--method", "predict_proba")["original"]
    assert found["rows_compared"] == 60
    assert [case["rows"] for case in found["latency"]] == [1, 100, 10_000]
    for case in found["latency"]:
        check_latency(case)
        assert case["ratio"] > 0
    ran = run("bench", PENGUINS, *vs, "--data", originals / "train.csv", *QUICK)
    assert "answers to 344 rows are equal" in " ".join(ran.out.split())
    assert all(width(line) <= 80 for line in ran.out.splitlines() if not line.startswith("Beside"))
    check_marks(ran.out)


def check_marks(out: str) -> None:
    """Ratios of few calls are marked, others are not, and a line tells what the mark means. A call of 10,000 rows takes
    so long that there are few."""
    table = re.findall(r"^ *([\d,]+)  .*  ([\d,]+) +(~?)[\d,.]+ ×$", out, re.MULTILINE)
    assert [rows for rows, _, _ in table] == ["1", "100", "10,000"]
    assert table[-1][2] == "~"
    assert "~ rests on fewer than 30 calls" in out
    originals = [int(calls.replace(",", "")) for _, calls, _ in table]
    assert all(mark == "~" for calls, (_, _, mark) in zip(originals, table, strict=True) if calls < 30)


def test_an_original_that_answers_otherwise_is_told_and_nothing_is_measured_or_recorded(
    originals: Path, configuration: Path, run: Run
) -> None:
    ran = fresh("bench", PENGUINS, "--vs", originals / "other.joblib", "--trust-pickle", "--tune", *QUICK)
    assert (ran.code, ran.out) == (1, "")
    assert " of 60 rows have another predict than the original:" in ran.err
    for words in ("first row", "island='", "original       '", "this model     '", "other.joblib"):
        assert words in ran.err
    told = [line for line in ran.err.splitlines() if "other.joblib" not in line]
    assert all(width(line) <= 80 for line in told)
    assert not configuration.exists()
    ran = run("bench", PENGUINS, "--vs", originals / "other.joblib", "--trust-pickle", "-m", "predict_proba", *QUICK)
    assert re.search(
        r"of its answer  the probability of '\w+'\n +original +[\d.e-]+\n +this model +[\d.e-]+\n", ran.err
    )


def test_an_original_is_asked_without_the_columns_that_no_answer_depends_on(tmp_path: Path, run: Run) -> None:
    """It refuses a missing text that the converted model never looks at."""
    joblib = pytest.importorskip("joblib", reason="the extra `convert` is not installed")
    pd = pytest.importorskip("pandas", reason="the extra `convert` is not installed")
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.tree import DecisionTreeClassifier

    from edge_infer_convert import convert

    frame = pd.DataFrame({"size": [float(i) for i in range(40)], "note": ["x", "y"] * 20})
    encoded = make_column_transformer((OneHotEncoder(), ["note"]), remainder="passthrough")
    original = make_pipeline(encoded, DecisionTreeClassifier(max_depth=1)).fit(frame, frame["size"] > 19)
    convert(original, data=frame, name="sizes", output=tmp_path / "sizes.onnx")
    joblib.dump(original, tmp_path / "sizes.joblib")
    frame[["size"]].to_csv(tmp_path / "rows.csv", index=False)
    vs = ("--vs", tmp_path / "sizes.joblib", "--trust-pickle")
    for data, rows in ((tmp_path / "rows.csv", 40), ('{"size": 3, "note": "z"}', 1)):
        found = measured(tmp_path / "sizes.onnx", *vs, "--data", data, run=run)
        assert found["original"]["rows_compared"] == rows


def test_a_pickled_original_is_read_only_when_trusted(run: Run, originals: Path) -> None:
    ran = run("bench", PENGUINS, "--vs", originals / "penguins.joblib", *QUICK)
    assert (ran.code, ran.out) == (1, "")
    assert "--trust-pickle" in ran.err


def test_the_original_of_another_model_is_wrong_usage(run: Run, originals: Path) -> None:
    ran = run("bench", SAMPLES / "digits-1.0.0.onnx", "--vs", originals / "penguins.joblib", "--trust-pickle", *QUICK)
    assert (ran.code, ran.out) == (2, "")
    assert "does not take this model's rows" in ran.err


def test_without_the_converter_vs_gives_the_pip_command(originals: Path) -> None:
    script = (
        "import sys\nclass Absent:\n    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'sklearn': raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Absent())\nfrom edge_infer.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    )
    args = ["bench", str(PENGUINS), "--vs", str(originals / "penguins.joblib"), "--trust-pickle"]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "convert")])
    done = subprocess.run(
        [sys.executable, "-c", script, *args],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 1
    assert 'python -m pip install "edge-infer[convert]"' in done.stderr


def test_without_vs_the_converter_is_not_imported() -> None:
    script = "import sys\nfrom edge_infer.cli.main import main\ncode = main(sys.argv[1:])\nassert code == 0\n"
    script += "assert not {'sklearn', 'pandas', 'onnx', 'edge_infer_convert'} & set(sys.modules)"
    args = ["bench", str(PENGUINS), *QUICK]
    done = subprocess.run([sys.executable, "-c", script, *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- tuning -----------------------------------------------------------------------------


def test_what_a_search_records_is_what_the_next_load_uses() -> None:
    """The real search: whether it finds anything depends on the machine, that both agree does not."""
    found = measured(PENGUINS, "--tune", "--rows", "50")["tuning"]
    chosen = SessionOptions(**found["chosen"])
    assert (found["record"] is not None) is (chosen != SessionOptions())
    assert edge_infer.load(PENGUINS).options == chosen
    assert found["candidates"][0]["options"] == {}
    assert all(candidate["equal"] for candidate in found["candidates"])
    assert found["rows"] == 50


def faster(monkeypatch: pytest.MonkeyPatch, **option: Any) -> None:
    """A device on which calls with this option take half the time."""

    def times(self: Any, all_options: list[SessionOptions]) -> dict[SessionOptions, list[float]]:
        fast = {options for options in all_options if option.items() <= options._asdict().items()}
        return {options: [5e-6 if options in fast else 1e-5] for options in all_options}

    monkeypatch.setattr(tuning._Search, "times", times)


def test_a_faster_setting_is_recorded_and_how_to_undo_it_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, configuration: Path
) -> None:
    faster(monkeypatch, chunk_bytes=0)
    ran = run("bench", PENGUINS, "--tune", "--rows", "50", *QUICK)
    assert ran.code == 0
    (path,) = (configuration / "tuned").iterdir()
    assert f"record      {path}\n" in ran.out
    for words in (
        "Recorded: chunk_bytes=0",
        "EDGE_INFER_TUNED=0",
        "EDGE_INFER_CHUNK_BYTES",
        "0.50  chosen",
        "÷ defaults: a setting",
    ):
        assert words in ran.out
    assert all(width(line) <= 80 for line in ran.out.splitlines() if not line.startswith("record"))
    assert edge_infer.load(PENGUINS).options == SessionOptions(chunk_bytes=0)
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["options"] == {"chunk_bytes": 0}
    assert (record["name"], record["rows"]) == ("penguins 1.0.0", 50)
    assert (record["default_seconds"], record["seconds"]) == (1e-5, 5e-6)


def test_a_search_that_finds_nothing_removes_the_older_record(
    run: Run, monkeypatch: pytest.MonkeyPatch, configuration: Path
) -> None:
    faster(monkeypatch, chunk_bytes=0)
    assert run("bench", PENGUINS, "--tune", "--rows", "50", *QUICK).code == 0
    faster(monkeypatch, chunk_bytes=1 << 21)
    ran = run("bench", PENGUINS, "--tune", "--rows", "50", *QUICK)
    assert "the defaults stay. The older record of this device was removed." in " ".join(ran.out.split())
    assert list((configuration / "tuned").iterdir()) == []
    assert edge_infer.load(PENGUINS).options == SessionOptions()


@pytest.mark.parametrize("kind", ["a file", "a link to nothing"])
def test_a_folder_of_records_that_cannot_be_written_is_told_before_the_search(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "place"
    if kind == "a file":
        place.write_text("")
    else:
        place.symlink_to(tmp_path / "nothing")
    monkeypatch.setenv("EDGE_INFER_CONFIG", str(place))
    ran = run("bench", PENGUINS, "--tune", *QUICK)
    assert (ran.code, ran.out) == (2, "")
    assert f"{place} is no folder" in ran.err
    assert "search the options" not in ran.err


def test_a_plain_file_refuses_an_original_before_it_is_unpickled(run: Run, plain: Path, originals: Path) -> None:
    ran = run("bench", plain, "--vs", originals / "train.csv", "--trust-pickle")
    assert (ran.code, ran.out) == (2, "")
    assert "no golden rows" in ran.err
    assert "read the model" not in ran.err


def test_a_table_is_no_original(run: Run, originals: Path) -> None:
    ran = run("bench", PENGUINS, "--vs", originals / "train.csv", "--trust-pickle")
    assert (ran.code, ran.out) == (1, "")
    assert "train.csv is a table of data by its name; expected a model: a .joblib" in ran.err


@pytest.mark.parametrize("command", ["bench", "predict", "stream"])
def test_help_names_every_method_in_whole(command: str) -> None:
    text = " ".join(fresh(command, "--help").out.replace("│", " ").split())
    for method in ("predict_proba", "decision_function", "score_samples", "transform"):
        assert method in text.partition("Options")[2]


# --- wrong usage ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("--seconds", "0"), "--seconds: expected a number above 0"),
        (("--seconds", "nan"), "--seconds: expected a number above 0"),
        (("--seconds", "soon"), "--seconds"),
        (("--rows", "5"), "--rows tells of the calls that --tune makes fast"),
        (("--tune", "--rows", "0"), "--rows: expected a whole number from 1"),
        (("--trust-pickle",), "--trust-pickle tells of the file that --vs names"),
        (("--method", "guess"), "--method"),
        (("--data", "rows.xlsx"), "--data: expected JSON text"),
        (("--data", "[]"), "--data: expected at least one row"),
        (("--nope",), "--nope"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_exits_with_2(run: Run, args: tuple[str, ...], expected: str) -> None:
    ran = run("bench", PENGUINS, *args)
    assert (ran.code, ran.out) == (2, "")
    assert expected in ran.err
    assert "Traceback" not in ran.err


def test_what_a_plain_file_cannot_do_is_wrong_usage(run: Run, plain: Path, originals: Path) -> None:
    for args in (("--method", "predict"), ("--vs", originals / "penguins.joblib", "--trust-pickle")):
        ran = run("bench", plain, *args)
        assert ran.code == 2
        assert "no golden rows" in ran.err
        assert "--data" in ran.err


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("--method", "transform"), "no transform: the original model has no such method"),
        (("--data", "none.csv"), "none.csv: no such file"),
        (("--data", '{"island": 3}'), "column 'island': expected text"),
    ],
    ids=["method", "file", "row"],
)
def test_work_that_fails_exits_with_1(run: Run, args: tuple[str, ...], expected: str) -> None:
    ran = run("bench", PENGUINS, *args)
    assert (ran.code, ran.out) == (1, "")
    assert expected in ran.err


def test_a_wrong_cell_of_a_csv_is_told_by_its_line(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("island,sex,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g\nDream,male,1,inf,3,4\n")
    ran = run("bench", PENGUINS, "--data", table)
    assert ran.code == 1
    assert "line 2, column 'bill_depth_mm'" in ran.err


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_ctrl_c_is_quiet(originals: Path) -> None:
    args = [str(PENGUINS), "--vs", str(originals / "penguins.joblib"), "--trust-pickle", "--seconds", "60"]
    with subprocess.Popen(
        [sys.executable, "-m", "edge_infer.cli.main", "bench", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stderr is not None
        assert b"read the model" in child.stderr.readline()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (130, b"")
    assert b"Traceback" not in err
    assert b"error" not in err


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(4.781e-6, "4.78 µs"), (9.999e-6, "10.0 µs"), (0.9996e-3, "1.00 ms"), (0.1284, "128 ms"), (1234.5, "1,234 s")],
)
def test_times_have_three_digits(seconds: float, shown: str) -> None:
    assert time_text(seconds) == shown


@pytest.mark.parametrize(("size", "shown"), [(96, "96 bytes"), (2048, "2 KiB"), (57_986_253, "55.3 MiB")])
def test_sizes_have_a_unit(size: int, shown: str) -> None:
    assert size_text(size) == shown
