"""What machines read: the text format of Prometheus, and OpenTelemetry where an application uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client.parser import text_string_to_metric_families

import edge_infer
from edge_infer import InputError, Monitor
from edge_infer.histogram import Histogram
from edge_infer.monitor.prometheus import write_prometheus
from edge_infer.monitor.sparkline import sparkline
from edge_infer.store.files import Files
from tests.store.releases import ROW, X, artifact

ROOT = Path(__file__).parents[2]


@pytest.fixture
def asked(tmp_path: Path) -> Monitor:
    """A folder with two releases: 5 and 7 rows one by one, a batch, an error."""
    monitor = Monitor(tmp_path / "watched")
    for version, times in (("1.0.0", 5), ("1.1.0", 7)):
        with edge_infer.load(artifact(version), monitor=monitor) as model:
            for _ in range(times):
                model.predict(ROW)
            model.predict(X)
            with pytest.raises(InputError):
                model.predict({"a": 'a "quoted"\ntext', "b": 1})
    return monitor


def test_prometheus_reads_what_was_counted(asked: Monitor, tmp_path: Path) -> None:
    assert write_prometheus(Files(asked.folder), tmp_path / "edge.prom") == 1
    families = {family.name: family for family in text_string_to_metric_families((tmp_path / "edge.prom").read_text())}
    calls = {sample.labels["version"]: sample.value for sample in families["edge_infer_calls"].samples}
    assert calls == {"1.0.0": 6, "1.1.0": 8}
    rows = {sample.labels["version"]: sample.value for sample in families["edge_infer_rows"].samples}
    assert rows == {"1.0.0": 5 + len(X), "1.1.0": 7 + len(X)}
    (error, _) = families["edge_infer_errors"].samples
    assert (error.labels["kind"], error.value) == ("column 'a': expected a number", 1)
    seconds = families["edge_infer_call_seconds"]
    assert {s.value for s in seconds.samples if s.name.endswith("_count")} == {5, 7}
    counted = [s.value for s in seconds.samples if s.name.endswith("_bucket") and s.labels["version"] == "1.1.0"]
    assert counted == sorted(counted)
    assert counted[-1] == 7
    assert (tmp_path / "edge.prom").read_text().endswith("\n")


def test_prometheus_of_an_empty_folder_is_an_empty_file_of_no_model(tmp_path: Path) -> None:
    assert write_prometheus(Files(tmp_path / "nothing"), tmp_path / "edge.prom") == 0
    assert not any(family.samples for family in text_string_to_metric_families((tmp_path / "edge.prom").read_text()))


def test_opentelemetry_is_told_where_the_application_uses_it(tmp_path: Path) -> None:
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    monitor = Monitor(tmp_path / "watched", write_seconds=3600)
    model = edge_infer.load(artifact(), monitor=monitor)
    for _ in range(9):
        model.predict(ROW)
    monitor.flush()
    for _ in range(2):
        model.predict(ROW)
    monitor.flush()
    found = {}
    data = reader.get_metrics_data()
    assert data is not None
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            found |= {metric.name: list(metric.data.data_points) for metric in scope.metrics}
    (calls,) = found["edge_infer.calls"]
    assert (calls.value, dict(calls.attributes)) == (11, {"model": "pets", "version": "1.0.0", "method": "predict"})
    assert [point.value for point in found["edge_infer.rows"]] == [11]
    assert {point.attributes["quantile"] for point in found["edge_infer.call.duration"]} == {0.5, 0.99, 1.0}
    model.close()


def test_nothing_of_it_is_imported_where_nobody_uses_it(tmp_path: Path) -> None:
    (tmp_path / "pets.onnx").write_bytes(artifact())
    script = (
        "import sys, edge_infer\n"
        "with edge_infer.load(sys.argv[1], monitor=edge_infer.Monitor(sys.argv[2])) as model:\n"
        "    model.predict([[1.0, 2.0]])\n"
        "print([name for name in ('opentelemetry', 'prometheus_client', 'pandas', 'scipy') if name in sys.modules])\n"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "convert")])
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "pets.onnx"), str(tmp_path / "watched")],
        env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "[]\n"


def test_a_histogram_takes_many_as_it_takes_one_by_one() -> None:
    numbers = np.random.default_rng(0).lognormal(-11, 2, 5000)
    one, many = Histogram.of(*numbers), Histogram()
    for part in np.array_split(numbers, 7):
        many.add_all(part)
    assert one.count == many.count
    assert one.largest == many.largest
    for share in (0.0, 0.5, 0.99, 1.0):
        assert many.quantile(share) == pytest.approx(one.quantile(share), rel=1e-9)
    assert many.total == pytest.approx(numbers.sum(), rel=0.02)
    assert many.count_to(1e-5) == pytest.approx((numbers <= 1e-5).sum(), abs=0.05 * len(numbers))


def test_sparklines() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7, None, 8]) == "▁▂▃▄▅▆▇█ █"
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([1, 3, 5, 7], width=2) == "▃█"
    assert sparkline([0, 10], plain=True).isascii()
