"""Quantized deep models: every kind made, measured, held against the float32 graph, and told of."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from jsonschema import Draft202012Validator
from onnx import numpy_helper

import edge_infer
from edge_infer.artifact import parse_artifact
from edge_infer.errors import ArtifactError, UsageError
from edge_infer.manifest import parse_manifest, render_manifest
from edge_infer.store.gate import check_health
from edge_infer.store.schemas import compare
from edge_infer.verification import verify
from edge_infer_convert import Conversion, Image, convert
from edge_infer_convert.quantize.variants import VARIANTS
from tests.deep.graphs import branches, classifier, clusters, convnet, embedding

POINTS, LABELS = clusters(400)
CLASSES = [f"class {place}" for place in range(10)]
ARTIFACTS = Path(__file__).parents[3] / "artifacts"


def quantized(kind: Any, **options: Any) -> Conversion:
    given = {"inputs": POINTS, "targets": LABELS, "labels": CLASSES, "name": "clusters", **options}
    return convert(classifier(), quantize=kind, **given)


@pytest.fixture(scope="module")
def plain() -> Conversion:
    return convert(classifier(), inputs=POINTS, labels=CLASSES, name="clusters")


@pytest.fixture(scope="module")
def static() -> Conversion:
    return quantized("int8-static")


@pytest.fixture(scope="module")
def whole() -> Conversion:
    return quantized("all")


def test_the_table_has_every_variant_with_all_measures(whole: Conversion) -> None:
    found = {row.variant: row for row in whole.variants}
    assert set(found) >= {"float32", *(variant.name for variant in VARIANTS)}
    assert sum(row.kept for row in whole.variants) == 1
    for row in whole.variants:
        assert row.size is not None
        assert row.p50 is not None
        assert row.peak is not None
        assert 1000 < row.size < 100_000
        assert 1e-7 < row.p50 < 1
        assert 10e6 < row.peak < 2e9
        assert (row.score is None) == (row.variant == "float32")
        assert row.reason or row.variant == "float32"
    lines = whole.table.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert [line.split()[0] for line in lines[1 : 1 + len(found)]] == [row.variant for row in whole.variants]


@pytest.mark.parametrize("variant", ["int8-static-u8", "uint8-dynamic", "weights-int4"])
def test_a_variant_answers_as_it_was_measured(variant: str, plain: Conversion) -> None:
    """And keeps the interface, so that it may follow the float32 release on a device, and passes the device's gate."""
    made = quantized(variant, max_loss=3)
    row = made.variants[1]
    assert (row.variant, row.kept, made.size) == (variant, True, row.size), made.table
    assert row.size is not None
    assert row.size < 0.8 * plain.size
    assert compare(plain.manifest, made.manifest) == []
    record = made.manifest.quantization
    assert record is not None
    assert (record.variant, record.metric, record.sample) == (variant, "accuracy", "held-out")
    judging = np.arange(1, 400, 2) if record.calibration else np.arange(400)
    assert record.examples == len(judging)
    got = edge_infer.load(made.data).run({"point": POINTS[judging]})["scores"]
    assert got.dtype == np.float32
    assert (got.argmax(1) == LABELS[judging]).mean() == pytest.approx(record.after)
    assert record.loss == pytest.approx(100 * (record.before - record.after), abs=1e-5)
    assert check_health(made.data).seconds is not None


def test_what_is_told_follows_the_schemas(whole: Conversion) -> None:
    texts = {entry.key: entry.value for entry in _parsed(whole.data).metadata_props}
    for name in ("manifest", "parity"):
        schema = json.loads((ARTIFACTS / f"{name}.schema.json").read_text(encoding="utf-8"))
        Draft202012Validator(schema).validate(json.loads(texts[f"edge_infer.{name}"]))
    manifest = parse_manifest(render_manifest(whole.manifest))
    assert manifest == whole.manifest
    certificate = json.loads(texts["edge_infer.parity"])
    assert certificate["outputs"] == {}, "nothing is called equal that is not"
    assert certificate["unquantized"]["scores"]["differing"] == 0
    assert certificate["quantized"]["scores"]["worst"] > certificate["unquantized"]["scores"]["worst"]


def test_loss_beyond_the_bound_is_not_kept(plain: Conversion) -> None:
    """Without true answers the float32 graph's are the measure, and no whole numbers come out as close as that."""
    options = {"quantize": "int8-static", "inputs": POINTS, "name": "clusters"}
    within, beyond = (convert(classifier(), **options, max_loss=loss) for loss in (50, 0))
    assert within.manifest.quantization is not None
    assert within.manifest.quantization.metric == "error"
    assert 0 < within.manifest.quantization.loss < 50
    assert beyond.manifest.quantization is None
    assert beyond.data == convert(classifier(), inputs=POINTS, name="clusters").data
    assert beyond.variants[0].kept
    tried = [row.variant for row in beyond.variants]
    assert tried == ["float32", "int8-static", "int8-static-percentile", "int8-static-entropy"]
    assert all("more than 0" in row.reason for row in beyond.variants[1:])


def test_a_quantized_graph_that_was_changed_does_not_verify(static: Conversion) -> None:
    model = _parsed(static.data)
    assert not [check for check in verify(static.data) if check.status == "failed"]
    scale = next(tensor for tensor in model.graph.initializer if "out" in tensor.name and "scale" in tensor.name)
    scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) * np.float32(1.5), scale.name))
    failed = [check for check in verify(model.SerializeToString()) if check.status == "failed"]
    assert [check.name for check in failed] == ["goldens"]


def test_no_example_is_in_the_file(whole: Conversion) -> None:
    for row in (POINTS[0], POINTS[1], POINTS[399]):
        assert row[:2].tobytes() not in whole.data
    assert LABELS[:50].tobytes() not in whole.data


def test_without_examples_all_makes_what_needs_none() -> None:
    made = convert(classifier(), quantize="all", name="net", max_loss=20)
    for variant, row in zip(VARIANTS, made.variants[1:], strict=True):
        assert ("needs examples" in row.reason) == variant.calibrated
        assert (row.score is None) == variant.calibrated
    assert made.manifest.quantization is not None
    assert made.manifest.quantization.sample == "made"


def test_a_graph_with_nothing_to_quantize_stays_float32() -> None:
    made = convert(embedding(), inputs="int64[batch, length=5] 0..49", quantize="weights-int4", name="words")
    assert made.variants[0].kept
    assert "nothing in the graph" in made.variants[1].reason
    assert made.manifest.quantization is None


def test_graphs_in_a_graph_stay_float32_quietly(capfd: pytest.CaptureFixture[str]) -> None:
    """The tools do not look into branches, and onnxruntime warns of what they make."""
    made = convert(branches(), inputs=POINTS[:, :4], quantize="uint8-static", name="branches")
    assert "nothing in the graph" in made.variants[1].reason
    assert capfd.readouterr() == ("", "")


def test_a_graph_of_a_fixed_batch_is_asked_so() -> None:
    made = convert(
        classifier(batch=4), calibration=POINTS, targets=LABELS, quantize="uint8-static", name="clusters", max_loss=3
    )
    assert made.manifest.quantization is not None
    assert (made.manifest.quantization.calibration, made.manifest.quantization.examples) == (50, 50)


def test_numbers_are_judged_by_r2() -> None:
    scores = edge_infer.load(convert(classifier(), name="x").data).run({"point": POINTS})["scores"]
    made = quantized("int8-static", targets=scores, labels=None, max_loss=5)
    record = made.manifest.quantization
    assert record is not None
    assert (record.metric, record.before) == ("r2", 1.0)
    assert 0.9 < record.after < 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"quantize": "int8", "inputs": None, "targets": None}, "int8-static, int8-static-u8 need examples"),
        ({"quantize": "int9"}, "expected one or more of int8, uint8, fp16, weights-int4"),
        ({"quantize": []}, "expected one or more of"),
        ({"quantize": None}, "targets: of no use without quantize"),
        ({"max_loss": -1}, "percentage points from 0 to 100"),
        ({"max_loss": float("nan")}, "percentage points from 0 to 100"),
        ({"inputs": None}, "targets: expected the true answers to a sample"),
        ({"targets": LABELS[:-1]}, "targets: expected 400, one for each example"),
        ({"targets": np.int64(3)}, "targets: expected 400, one for each example"),
        ({"targets": LABELS + 1}, "places of classes from 0 to 9, got 1 to 10"),
        ({"targets": np.array(["class 0", "class 11"] * 200)}, "the model's labels"),
        ({"targets": np.array(["class 0"] * 400), "labels": None}, "the places of classes, from 0"),
        ({"targets": np.full((400, 10), np.nan)}, "targets: expected finite numbers, got 4,000"),
        ({"targets": np.zeros((400, 10))}, "numbers that differ from each other"),
        ({"targets": np.zeros((400, 3))}, "targets: expected classes, or numbers shaped as an output"),
        ({"calibration": {"other": POINTS}}, "calibration: input 'point': expected a tensor float32"),
        ({"calibration": POINTS[:, :5]}, "calibration: input 'point'"),
        ({"calibration": POINTS.astype(np.float64)}, "write .astype('float32')"),
        ({"calibration": POINTS[:0]}, "calibration: expected examples"),
        ({"calibration": np.where(POINTS > 1, np.nan, POINTS)}, "calibration: expected finite numbers"),
        ({"calibration": np.where(POINTS > 1, np.inf, POINTS)}, "calibration: expected finite numbers"),
    ],
)
def test_what_makes_no_sense_is_told(options: dict[str, Any], told: str) -> None:
    given = {"quantize": "int8-static", "inputs": POINTS, "targets": LABELS, "labels": CLASSES, **options}
    with pytest.raises(UsageError) as caught:
        convert(classifier(), name="clusters", **given)
    assert told in str(caught.value)


def test_labels_serve_as_targets_and_the_same_is_made_again(static: Conversion) -> None:
    """The partner of what is refused above. Of one variant: which of several is kept, times have a part in."""
    named = quantized("int8-static", targets=np.array([CLASSES[place] for place in LABELS]))
    assert named.data == static.data


def test_estimators_are_not_quantized() -> None:
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(UsageError, match="quantize: for deep models"):
        convert(LogisticRegression().fit(POINTS, LABELS), data=POINTS, quantize="int8", name="x")


def test_the_tools_leave_the_log_alone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """They print, and logging gives a root logger without handlers one when they first write to it."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    quantized("int8-dynamic", max_loss=50)
    assert logging.getLogger().handlers == []
    assert capsys.readouterr() == ("", "")


def test_without_quantize_nothing_of_it_is_imported(tmp_path: Path) -> None:
    onnx.save(convnet(), tmp_path / "net.onnx")
    program = (
        "import sys, onnx; from edge_infer_convert import convert; convert(onnx.load('net.onnx'), name='net'); "
        "print([name for name in sys.modules if name.startswith(('edge_infer_convert.quant', 'onnxruntime.quant'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ({}, True),
        ({"more": 3}, True),
        ({"loss": -0.25}, True),
        ({"loss": "little"}, False),
        ({"calibration": -1}, False),
        ({"examples": 0}, False),
        ({"sample": "some"}, False),
        ({"kind": None}, False),
    ],
)
def test_hostile_records_are_refused_and_odd_ones_read(whole: Conversion, change: dict[str, Any], read: bool) -> None:
    document = json.loads(render_manifest(whole.manifest))
    document["quantization"] |= change
    text = json.dumps(document).encode()
    if read:
        assert parse_manifest(text).quantization is not None
    else:
        with pytest.raises(ArtifactError, match=r"\$\.quantization"):
            parse_manifest(text)


def _parsed(data: bytes) -> onnx.ModelProto:
    assert parse_artifact(data).described
    model = onnx.ModelProto()
    model.ParseFromString(data)
    return model


def test_variants_are_held_against_a_target_too() -> None:
    """Of a release that takes what the tools make, they are brought to its opset; bits are not lost."""
    made = quantized("int8-static", target="1.17", max_loss=5)
    assert made.manifest.quantization is not None
    assert made.manifest.needs.onnxruntime in ("1.16", "1.17")


def test_images_are_prepared_before_what_is_quantized() -> None:
    """Examples are bytes, as the graph takes them; the nodes that prepare them come first."""
    pictures = np.random.default_rng(0).integers(0, 256, (80, 8, 8, 1), dtype=np.uint8)
    image = Image(size=(8, 8), channels="L", examples=pictures)
    made = convert(convnet(), inputs={"image": image}, quantize="int8-static", max_loss=20, name="pictures")
    assert made.manifest.quantization is not None
    assert made.manifest.quantization.calibration == 40
    model = edge_infer.load(made.data)
    got = model.run({"image": pictures})["scores"]
    plain = edge_infer.load(convert(convnet(), inputs={"image": image}, name="pictures").data)
    wanted = plain.run({"image": pictures})["scores"]
    assert 0 < np.abs(got - wanted).max() < 0.2 * np.abs(wanted).max()
