"""The floor: onnxruntime's C API with bound buffers, beside what Python makes of the same call, step by step."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.cores import Core, core, session_like_ours
from benchmarks.measure import Batch, Settings, batch_of, in_turns
from benchmarks.results import Part, plain, spent
from benchmarks.subjects import Subject, forest, linear, mixed_linear

__all__ = ["ARRAY", "BOUND", "C_BOUND", "C_RUN", "DICT", "READY", "check_equal", "compiled", "run"]

#: A native call path, instead of the prepared Python path, would have to bring a row to at most so much of C's `Run`.
MOST_OF_C: Final = 1.3

C_RUN, C_BOUND = "C, Run", "C, RunWithBinding"
READY, BOUND = "session.run, ready feed", "bound run alone"
ARRAY, DICT = "edge_infer, array", "edge_infer, dict"
_ALL: Final = (C_RUN, C_BOUND, READY, BOUND, ARRAY, DICT)
_METHOD: Final = "predict_proba"
_SUBJECTS: Final = (linear, forest, mixed_linear)
_TYPES: Final = {"float32": 1, "int64": 7, "float64": 11}  # numbers of ONNXTensorElementDataType
_NOTE: Final = (
    f"`{_METHOD}` of one row by the graph that edge_infer runs, text as codes, with its options: one thread, no arena. "
    "C: a program (benchmarks/c_floor.c) that calls the C API of the shared library in onnxruntime's wheel, input, "
    "output and run options made before. Ready feed: Python's `session.run`, arrays made before. Bound run alone: the "
    "call that edge_infer makes, without packing and without an answer. A native call path in edge_infer would have to "
    f"bring a row to within {MOST_OF_C} × of C's Run. Batches of all sides take turns; answers are compared before."
)


def run(settings: Settings) -> Part:
    """Raises AssertionError if answers differ."""
    rows: list[tuple[str, ...]] = []
    measured: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = compiled(folder)
        for make in _SUBJECTS:
            subject = make(folder)
            times = _times(subject, program, folder, settings)
            rows.append(_row(subject.title, times))
            measured += plain(times, model=subject.title, method=_METHOD, rows=1)
    left_out = "" if program else " There is no C compiler or no shared library here: C is left out."
    headers = ("model", *_ALL, "array ÷ C Run", "dict ÷ C Run")
    return Part("c_floor", "The floor: onnxruntime's C API", _NOTE + left_out, headers, rows, measured)


def _row(title: str, times: dict[str, float]) -> tuple[str, ...]:
    cells = [spent(times[case]) if case in times else "" for case in _ALL]
    shares = [f"{times[case] / times[C_RUN]:.2f}" if case in times and C_RUN in times else "" for case in (ARRAY, DICT)]
    return (title, *cells, *shares)


def _times(subject: Subject, program: Path | None, folder: Path, settings: Settings) -> dict[str, float]:
    record = {str(name): value for name, value in subject.frame.iloc[0].items()}
    graph = core(subject.path, _METHOD)
    feeds = graph.feeds(record)
    calls, answers = _python(subject, graph, feeds, record)
    batches: dict[str, Batch] = {case: batch_of(call) for case, call in calls.items()}
    if program is None:
        check_equal(answers)
        return in_turns(batches, settings)
    with _serving(program, graph, feeds, folder) as (c_answers, c_batches):
        check_equal(c_answers | answers)
        return in_turns(c_batches | batches, settings)


# --- Python's sides ---------------------------------------------------------------------


def _python(
    subject: Subject, graph: Core, feeds: dict[str, NDArray[Any]], record: dict[str, Any]
) -> tuple[dict[str, Callable[[], Any]], dict[str, Any]]:
    """The calls by case, and their answers: what the bound run gives lies in its buffer."""
    session, names = session_like_ours(graph.data), [graph.output]
    bound, buffer = graph.bound(feeds)
    ours = graph.model.predict_proba
    calls: dict[str, Callable[[], Any]] = {
        READY: lambda: session.run(names, feeds)[0][0],
        BOUND: bound.run,
        DICT: lambda: ours(record),
    }
    if subject.numeric:
        row = subject.frame.iloc[0].to_numpy()
        calls[ARRAY] = lambda: ours(row)
    answers = {case: call() for case, call in calls.items()}
    return calls, answers | {BOUND: buffer[0].copy()}


def check_equal(answers: dict[str, Any]) -> None:
    """Raises AssertionError where a side's answer is not that of `session.run`; all compute the same graph."""
    for case, answer in answers.items():
        np.testing.assert_allclose(answer, answers[READY], rtol=0, atol=1e-6, err_msg=case)


# --- C's sides --------------------------------------------------------------------------


def compiled(folder: Path) -> Path | None:
    """The program, made here by the system's compiler; None where there is none, or no library for it to open.

    Raises:
        subprocess.CalledProcessError: it does not compile.
    """
    compiler = shutil.which("cc")
    if compiler is None or _library() is None:
        return None
    source, program = Path(__file__).with_name("c_floor.c"), folder / "c_floor"
    subprocess.run([compiler, "-O2", "-o", str(program), str(source), "-ldl"], check=True)
    return program


def _library() -> Path | None:
    """The shared library with the C API that onnxruntime's wheel brings."""
    suffix = "dylib" if sys.platform == "darwin" else "so"
    found = sorted(Path(onnxruntime.__file__).parent.joinpath("capi").glob(f"libonnxruntime*{suffix}*"))
    return next((path for path in found if "providers" not in path.name), None)


@contextmanager
def _serving(
    program: Path, graph: Core, feeds: dict[str, NDArray[Any]], folder: Path
) -> Iterator[tuple[dict[str, Any], dict[str, Batch]]]:
    """The program at work: its two ways' answers, and batches of calls that it times itself."""
    piped = subprocess.PIPE
    command = _command(program, graph, feeds, folder)
    with subprocess.Popen(command, stdin=piped, stdout=piped, encoding="ascii") as process:
        assert process.stdin is not None
        try:
            answers = {case: _line(process).reshape(graph.shape) for case in (C_RUN, C_BOUND)}
            yield answers, {C_RUN: partial(_batch, process, "run"), C_BOUND: partial(_batch, process, "bind")}
        finally:
            process.stdin.close()


def _command(program: Path, graph: Core, feeds: dict[str, NDArray[Any]], folder: Path) -> list[str]:
    model, packed = folder / "core.onnx", folder / "feeds.bin"
    model.write_bytes(graph.data)
    packed.write_bytes(b"".join(array.tobytes() for array in feeds.values()))
    tensors = [("i", name, array.dtype, array.shape[1:]) for name, array in feeds.items()]
    tensors.append(("o", graph.output, graph.dtype, graph.shape))
    words = [str(program), str(_library()), str(model), str(packed)]
    for side, name, dtype, shape in tensors:
        words += [side, name, str(_TYPES[dtype.name]), str(shape[0] if shape else 0)]
    return words


def _batch(process: subprocess.Popen[str], way: str, count: int) -> float:
    assert process.stdin is not None
    process.stdin.write(f"{way} {count}\n")
    process.stdin.flush()
    return float(_line(process)[0])


def _line(process: subprocess.Popen[str]) -> NDArray[np.float64]:
    """Raises subprocess.CalledProcessError where the program has ended; it has told why."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise subprocess.CalledProcessError(process.wait(), "c_floor")
    return np.array(line.split(), np.float64)
