"""What `edge_infer.bench` measures with and how it judges. Nothing here depends on how fast a machine is."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

import edge_infer
from edge_infer import Model, SessionOptions
from edge_infer.bench import tuning
from edge_infer.bench.answer_once import resident_bytes
from edge_infer.bench.comparing import differing_rows
from edge_infer.bench.latency import measured, summary, timed
from edge_infer.bench.process import fresh
from edge_infer.bench.rows import Rows, rows_of_data
from edge_infer.bench.tensors import Zeros, zero_feeds
from edge_infer.bench.throughput import throughput
from edge_infer.bench.tuning import AXES, Tuning, tune
from edge_infer.errors import InferenceError, UsageError
from edge_infer.goldens import Tolerance
from tests.runtime.samples import DIABETES, DIGITS, PENGUINS, RECORD, load

EXACT = Tolerance(0.0, 0.0)


def golden_rows(path: Path, method: str = "predict") -> Rows:
    model = load(path)
    goldens = model.artifact.goldens()
    assert goldens is not None
    return Rows("golden rows", method, model.manifest.inputs, goldens.rows)


def graph(nodes: Sequence[onnx.NodeProto], inputs: dict[str, tuple[int, Any]], output: str) -> Model:
    """A model without metadata."""
    given_inputs = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()]
    answer = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    made = helper.make_graph(list(nodes), "graph", given_inputs, [answer])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return edge_infer.load(model.SerializeToString())


# --- latency ----------------------------------------------------------------------------

#: Times over and over and one of its own, so that there are some above p99.
nanoseconds = st.builds(
    lambda times, calls, last: np.append(np.resize(np.array(times, np.int64), calls), last),
    st.lists(st.integers(1, 10**12), min_size=1, max_size=20),
    st.integers(0, 400),
    st.integers(1, 10**12),
)


@given(nanoseconds)
def test_percentiles_are_measured_times_of_the_nearest_rank(spent: NDArray[np.int64]) -> None:
    found = summary(spent)
    ordered = np.sort(spent) / 1e9
    for share, value in ((0.5, found.p50), (0.9, found.p90), (0.99, found.p99), (0.999, found.p99_9)):
        assert value == ordered[max(0, int(np.ceil(share * len(spent) - 1e-9)) - 1)]
        assert value == np.percentile(ordered, share * 100, method="inverted_cdf")
    assert ordered[0] <= found.p50 <= found.p90 <= found.p99 <= found.p99_9 <= found.max == ordered[-1]
    assert found.calls == len(spent)
    assert found.mean == pytest.approx(ordered.mean())


@given(nanoseconds)
def test_a_histogram_holds_every_call_once(spent: NDArray[np.int64]) -> None:
    found = summary(spent)
    buckets, seconds = found.histogram, spent / 1e9
    assert sum(bucket.calls for bucket in buckets) == len(spent)
    assert (buckets[0].low, buckets[-1].high) == (seconds.min(), seconds.max())
    for bucket, after in itertools.pairwise(buckets):
        assert bucket.high == after.low
        assert bucket.calls == ((seconds >= bucket.low) & (seconds < bucket.high)).sum()


def test_every_call_is_timed_with_what_is_given_in_turn() -> None:
    seen: list[int] = []
    spent = timed(seen.append, [1, 2, 3], 60.0, most=7)
    assert seen == [1, 2, 3, 1, 2, 3, 1]
    assert spent.shape == (7,)
    assert (spent >= 0).all()


def test_a_call_that_takes_longer_than_the_time_is_timed_once() -> None:
    assert timed(lambda _: None, [0], 0.0).shape == (1,)
    assert measured(lambda _: None, [0], 1e-9).calls == 1


# --- rows -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [PENGUINS, DIABETES, DIGITS], ids=lambda path: path.stem)
def test_all_kinds_of_calls_get_the_same_answers(path: Path) -> None:
    rows = golden_rows(path)
    ask = rows.ask(load(path))
    first, second = ([ask(item) for item in case.given] for case in rows.single())
    batch = rows.batch(100)
    (many,) = (ask(item) for item in batch.given)
    assert (batch.rows, len(many)) == (100, 100)
    assert first == second
    assert many.tolist() == [first[row % len(first)] for row in range(100)]


def test_rows_of_a_caller_are_cells_in_the_order_of_the_columns() -> None:
    inputs = load(PENGUINS).manifest.inputs
    names = [column.name for column in inputs.columns]
    expected = tuple(RECORD[name] for name in names)
    backwards = dict(reversed(list(RECORD.items())))
    assert rows_of_data(backwards, single=True, inputs=inputs) == (expected,)
    assert rows_of_data([{}], single=False, inputs=inputs) == ((None,) * len(expected),), "of columns that are not used"
    assert rows_of_data([backwards, list(expected)], single=False, inputs=inputs) == (expected, expected)
    assert rows_of_data(np.array([expected], dtype=object), single=False, inputs=inputs) == (expected,)


def test_zeros_have_the_shapes_of_the_inputs() -> None:
    add = helper.make_node("Add", ["x", "y"], ["z"])
    model = graph([add], {"x": (TensorProto.FLOAT, ["n", 3]), "y": (TensorProto.FLOAT, ["other", "k"])}, "z")
    feeds = zero_feeds(model.artifact, 5)
    assert {name: feed.shape for name, feed in feeds.items()} == {"x": (5, 3), "y": (1, 1)}
    zeros = Zeros.tried(model)
    assert zeros.widest is None
    (given_feeds,) = zeros.batch(5).given
    assert zeros.ask(model)(given_feeds)["z"].shape == (5, 3)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *((TensorProto.INT64, "int64"), (TensorProto.BOOL, "bool"), (TensorProto.STRING, "object")),
        *((TensorProto.FLOAT16, "float16"), (TensorProto.UINT8, "uint8"), (TensorProto.UINT64, "uint64")),
    ],
)
def test_zeros_have_the_types_of_the_inputs(kind: int, dtype: str) -> None:
    shape = helper.make_node("Shape", ["x"], ["s"])
    cast = helper.make_node("Cast", ["s"], ["y"], to=TensorProto.FLOAT)
    model = graph([shape, cast], {"x": (kind, [2, None])}, "y")
    assert zero_feeds(model.artifact, 9)["x"].dtype == dtype
    zeros = Zeros.tried(model)
    assert zeros.widest == 1  # a fixed first size need be no number of rows
    assert zeros.ask(model)(zeros.batch(1).given[0])["y"].tolist() == [2, 1]


def test_a_graph_that_takes_no_zeros_or_no_tensors_says_so() -> None:
    reshape = helper.make_node("Reshape", ["x", "shape"], ["y"])
    model = graph([reshape], {"x": (TensorProto.FLOAT, [None]), "shape": (TensorProto.INT64, [3])}, "y")
    with pytest.raises(InferenceError):
        Zeros.tried(model)
    unknown = graph([helper.make_node("Identity", ["x"], ["y"])], {"x": (TensorProto.FLOAT, None)}, "y")
    with pytest.raises(UsageError, match="input 'x': expected a tensor of known rank"):
        Zeros.tried(unknown)


# --- comparing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("got", "wanted", "rows"),
    [
        (np.array(["a", "b"], object), np.array(["a", "c"], object), [1]),
        (np.array([1, 2]), np.array([1, 2]), []),
        (np.array([1, 3]), np.array([1, 2]), [1]),
        (np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.5, 0.5], [0.0, 1.0]]), [1]),
        (np.array([np.nan, np.inf]), np.array([np.nan, np.inf]), []),
        (np.array([np.nan, np.inf]), np.array([0.0, -np.inf]), [0, 1]),
        ([np.array([1, 2]), np.array([3, 4])], [np.array([1, 2]), np.array([3, 5])], [1]),
        ({"y": np.zeros(2)}, {"y": np.zeros(2)}, []),
        (np.zeros(2), np.zeros(3), [0, 1, 2]),
        ("a", "a", []),
        (0.25, 0.5, [0]),
    ],
    ids=str,
)
def test_rows_that_differ_are_told(got: Any, wanted: Any, rows: list[int]) -> None:
    assert differing_rows(got, wanted, EXACT).tolist() == rows


@given(st.floats(-1e6, 1e6), st.floats(0.0, 1e-3))
def test_numbers_may_differ_by_the_tolerance(value: float, relative: float) -> None:
    near, far = value + abs(value) * relative * 0.5, value + abs(value) * relative * 2 + 1e-9
    tolerance = Tolerance(relative, 0.0)
    assert differing_rows(np.array([near]), np.array([value]), tolerance).size == 0
    assert differing_rows(np.array([far]), np.array([value]), tolerance).size == 1


# --- throughput and processes -----------------------------------------------------------


def test_throughput_ends_with_the_size_that_takes_longer_than_the_time() -> None:
    found = throughput(load(DIABETES).artifact, golden_rows(DIABETES), SessionOptions(), 1e-9)
    assert {each.rows for each in found} == {1}
    assert found[0].threads == 1
    assert found[0].rows_per_second == pytest.approx(1 / found[0].seconds)


def test_a_fresh_process_tells_time_and_memory() -> None:
    found = fresh(str(PENGUINS), golden_rows(PENGUINS, "predict_proba"))
    assert found.cold_start > 0
    assert found.resident_bytes is None or found.resident_bytes > 1 << 20


def test_a_fresh_process_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match=r"no-such\.onnx"):
        fresh(str(tmp_path / "no-such.onnx"), golden_rows(PENGUINS))


def test_memory_is_told_where_there_is_no_proc(tmp_path: Path) -> None:
    told = resident_bytes(str(tmp_path / "status"))
    assert told is None or told > 1 << 20
    (tmp_path / "status").write_text("Name:\tpython\nVmRSS:\t   1234 kB\n")
    assert resident_bytes(str(tmp_path / "status")) == 1234 * 1024


def test_a_load_imports_nothing_of_it() -> None:
    program = f"import edge_infer, sys; edge_infer.load({str(PENGUINS)!r}).predict({RECORD!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert not [name for name in done.stdout.split() if name.startswith("edge_infer.bench")]


# --- tuning -----------------------------------------------------------------------------


def tuned(monkeypatch: pytest.MonkeyPatch, speeds: dict[str, float], rows: int = 10, cpus: int = 4) -> Tuning:
    """A search in which a call takes a second, times the speeds of the options it has ("threads=2")."""

    def seconds(options: SessionOptions) -> float:
        return float(np.prod([speeds.get(f"{name}={value}", 1.0) for name, value in options._asdict().items()]))

    def times(self: Any, all_options: Sequence[SessionOptions]) -> dict[SessionOptions, list[float]]:
        return {options: [busy * seconds(options) for busy in (1.0, 1.5, 1.1)] for options in all_options}

    monkeypatch.setattr(tuning._Search, "times", times)
    monkeypatch.setattr(tuning._Search, "_is_equal", lambda self, options: True)
    return tune(load(PENGUINS).artifact, golden_rows(PENGUINS), rows, 0.01, cpus=cpus)


def test_options_that_are_clearly_faster_are_taken_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tuned(monkeypatch, {"threads=2": 0.7, "threads=4": 0.8, "spinning=True": 0.9, "chunk_bytes=0": 0.5})
    assert found.chosen == SessionOptions(threads=2, spinning=True, chunk_bytes=0)
    assert found.chosen_seconds == pytest.approx(found.default_seconds * 0.7 * 0.9 * 0.5)
    assert found.candidates[0].options == SessionOptions()
    assert [c.ratio for c in found.candidates[:3]] == pytest.approx([1.0, 0.7, 0.8])


def test_what_is_not_clearly_faster_leaves_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tuned(monkeypatch, {"threads=2": 0.96, "chunk_bytes=0": 0.951})
    assert found.chosen == SessionOptions()
    assert found.chosen_seconds == found.default_seconds
    assert tuned(monkeypatch, {"threads=2": 0.95}).chosen == SessionOptions(threads=2)


def test_what_does_not_matter_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = {candidate.options for candidate in tuned(monkeypatch, {}, rows=1, cpus=1).candidates}
    assert tried == {SessionOptions()}
    tried = {candidate.options for candidate in tuned(monkeypatch, {}, rows=1, cpus=6).candidates}
    assert {options.threads for options in tried} == {1, 2, 4, 6}
    assert {options.chunk_bytes for options in tried} == {1 << 21}
    assert not any(options.spinning for options in tried)
    tried = {candidate.options for candidate in tuned(monkeypatch, {}, rows=50, cpus=1).candidates}
    assert {options.split_rows for options in tried} == {100}, "the model has no trees to split"


def test_every_axis_is_an_option_and_has_the_default_among_its_values() -> None:
    for axis in AXES:
        assert SessionOptions._field_defaults[axis.field] in axis.values(8)
        for value in axis.values(8):
            SessionOptions()._replace(**{axis.field: value}).checked()


def test_a_candidate_that_answers_otherwise_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(Model):
        """With all rows at once, one label is another."""

        def __init__(self, artifact: Any, options: SessionOptions) -> None:
            super().__init__(artifact, options)
            if options.chunk_bytes == 0:
                right = self.predict
                vars(self)["predict"] = lambda data: np.roll(right(data), 1) if isinstance(data, list) else right(data)

    monkeypatch.setattr(tuning, "Model", Wrong)
    found = tune(load(PENGUINS).artifact, golden_rows(PENGUINS), 30, 0.001, cpus=1)
    wrong = [candidate for candidate in found.candidates if not candidate.equal]
    assert [candidate.options.chunk_bytes for candidate in wrong] == [0]
    assert wrong[0].seconds is None
    assert found.chosen.chunk_bytes != 0
    assert len(found.candidates) == 4, "the defaults, three sizes of a chunk"


def test_a_real_search_times_all_that_it_tries() -> None:
    for path, rows in ((PENGUINS, 1), (DIGITS, 50)):
        found = tune(load(path).artifact, golden_rows(path), rows, 0.01)
        assert found.candidates[0].options == SessionOptions()
        assert all(candidate.equal and (candidate.seconds or 0) > 0 for candidate in found.candidates)
        assert json.dumps(found.chosen._asdict())
