"""Sound as an input: what is told, files as frames, and answers frame after frame."""

from __future__ import annotations

import io
import json
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper

import edge_infer
from edge_infer import InputError
from edge_infer.errors import ArtifactError, MissingExtraError, UsageError
from edge_infer.interface import TensorSpec
from edge_infer.limits import LIMITS
from edge_infer.manifest import parse_manifest, render_manifest
from edge_infer.sounds import AudioSpec, frames_of
from edge_infer.store.schemas import compare, verdict
from edge_infer_convert import Audio, convert
from tests.cli.conftest import fresh
from tests.deep.graphs import FLOAT, model_of, value

RATE = 8000
SPEC = TensorSpec("sound", "float32", ("batch", 6), audio=AudioSpec(RATE, 4))
SOUND = (np.sin(np.arange(37) / 3) * 0.7).astype(np.float32)


def listener() -> onnx.ModelProto:
    """Frames [N, 6] and a state [N, 2] → the sum [N, 2] of all that was heard, and of its squares, twice."""
    nodes = [
        helper.make_node("ReduceSum", ["sound", "axis"], ["sum"]),
        helper.make_node("ReduceSumSquare", ["sound", "axis"], ["squares"]),
        helper.make_node("Concat", ["sum", "squares"], ["now"], axis=1),
        helper.make_node("Add", ["now", "state"], ["next"]),
        helper.make_node("Identity", ["next"], ["heard"]),
    ]
    inputs = [value("sound", FLOAT, ["N", 6]), value("state", FLOAT, ["N", 2])]
    outputs = [value("heard", FLOAT, ["N", 2]), value("next", FLOAT, ["N", 2])]
    return model_of(nodes, inputs, outputs, {"axis": np.array([1])})


def wav(sound: NDArray[Any], rate: int = RATE, subtype: str = "FLOAT", kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=kind, subtype=subtype)
    return file.getvalue()


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 60), samples=st.integers(1, 12), step=st.integers(1, 12))
def test_frames_follow_each_other(count: int, samples: int, step: int) -> None:
    """Frame i ends at (i + 1) × step; what is before the sound and behind it is zero."""
    step = min(step, samples)
    sound = np.arange(1, count + 1, dtype=np.float32) / 64
    spec = SPEC._replace(shape=("batch", samples), audio=AudioSpec(RATE, step))
    frames = frames_of(wav(sound), spec)
    assert frames.shape == (-(-count // step), samples)
    for number, frame in enumerate(frames):
        places = np.arange((number + 1) * step - samples, (number + 1) * step)
        wanted = [sound[place] if 0 <= place < count else 0 for place in places]
        np.testing.assert_array_equal(frame, np.array(wanted, np.float32))


@pytest.mark.parametrize(
    ("subtype", "away"),
    [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 1e-7), ("FLOAT", 0), ("DOUBLE", 0)],
)
def test_every_width_of_samples_is_between_minus_one_and_one(subtype: str, away: float) -> None:
    spec = SPEC._replace(shape=("batch", 37), audio=AudioSpec(RATE, 37))
    np.testing.assert_allclose(frames_of(wav(SOUND, subtype=subtype), spec)[0], SOUND, rtol=0, atol=away)
    stereo = np.stack([SOUND, -SOUND / 2], axis=1)
    np.testing.assert_allclose(frames_of(wav(stereo, subtype=subtype), spec)[0], SOUND / 4, rtol=0, atol=away + 1e-7)


def test_pythons_own_wav_and_flac_are_read(tmp_path: Path) -> None:
    spec = SPEC._replace(shape=("batch", 37), audio=AudioSpec(RATE, 37))
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((SOUND * 32767).astype("<i2").tobytes())
    (tmp_path / "a.flac").write_bytes(wav(SOUND, subtype="PCM_16", kind="FLAC"))
    for name in ("a.wav", "a.flac"):
        np.testing.assert_allclose(frames_of(tmp_path / name, spec)[0], SOUND, rtol=0, atol=1e-4)


HOSTILE = {
    "empty": (b"", "broken, or no sound"),
    "no sound": (b"not a sound", "broken, or no sound"),
    "half a header": (wav(SOUND)[:30], "broken, or no sound"),
    "no samples": (wav(SOUND[:0]), "no samples"),
    "another rate": (wav(SOUND, 16000), "16,000 a second; bring it to 8,000 first"),
    "another kind": (wav(SOUND, kind="AU"), "a file of AU"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_told_by_name(name: str, tmp_path: Path) -> None:
    data, told = HOSTILE[name]
    (tmp_path / "odd.wav").write_bytes(data)
    with pytest.raises(InputError) as caught:
        frames_of(tmp_path / "odd.wav", SPEC)
    assert f"odd.wav: {told}" in str(caught.value)


def test_limits_of_sound() -> None:
    data = wav(SOUND)
    for limits, told in (
        (LIMITS._replace(audio_bytes=len(data) - 1), "a file of at most"),
        (LIMITS._replace(audio_samples=36), "37 samples, and the limit is 36"),
    ):
        with pytest.raises(InputError, match=told):
            frames_of(data, SPEC, limits)
    assert len(frames_of(data, SPEC, LIMITS._replace(audio_bytes=len(data), audio_samples=37))) == 10


def test_without_soundfile_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingExtraError, match=r"edge-infer\[audio\]"):
        frames_of(b"", SPEC)


@pytest.mark.parametrize(
    "text",
    [
        "audio",
        "audio[6]",
        "audio[] rate=8000",
        "audio[6] rate=8k",
        "audio[6] step=4 rate=8000",
        "audio[0] rate=8000",
        "audio[6] rate=8000 step=7",
    ],
)
def test_wrong_texts_of_sound_are_told(text: str) -> None:
    with pytest.raises(UsageError, match="input 'sound': expected"):
        convert(listener(), inputs={"sound": text}, states={"state": "next"}, name="listener")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model and a file of sound."""
    folder = tmp_path_factory.mktemp("sound")
    inputs = {"sound": Audio(6, RATE, 4)}
    convert(listener(), inputs=inputs, states={"state": "next"}, name="listener", output=folder / "m.onnx")
    (folder / "speech.wav").write_bytes(wav(SOUND))
    return folder


def test_the_manifest_tells_of_sound(made: Path) -> None:
    manifest = edge_infer.load(made / "m.onnx").manifest
    assert manifest.interface is not None
    assert manifest.interface.inputs[0] == SPEC
    assert parse_manifest(render_manifest(manifest)) == manifest
    for broken in ({"rate": 0, "step": 4}, {"rate": 8000, "step": 7}, {"rate": 8000}, {"rate": 8000.5, "step": 4}):
        document = json.loads(render_manifest(manifest))
        document["interface"]["inputs"][0]["audio"] = broken
        with pytest.raises(ArtifactError):
            parse_manifest(json.dumps(document).encode())
    document = json.loads(render_manifest(manifest))
    document["interface"]["inputs"][0]["audio"]["rate"] = 16000
    assert verdict(compare(manifest, parse_manifest(json.dumps(document).encode()))) == "breaking"


def test_a_file_is_heard_frame_after_frame(made: Path) -> None:
    ran = fresh("predict", made / "m.onnx", made / "speech.wav")
    assert (ran.code, ran.err) == (0, "")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    frames = frames_of(made / "speech.wav", SPEC)
    heard = np.cumsum([[frame.sum(), np.square(frame).sum()] for frame in frames.astype(np.float64)], axis=0)
    np.testing.assert_allclose([line["outputs"]["heard"][0] for line in lines], heard, rtol=0, atol=1e-4)
    assert [line["seconds"] for line in lines] == [number * 4 / RATE for number in range(10)]
    as_one = json.loads(fresh("predict", made / "m.onnx", '{"sound": "%s"}' % (made / "speech.wav"), "--json").out)
    assert as_one["frames"] == lines


def test_wrong_sound_is_told_by_the_command(made: Path) -> None:
    (made / "fast.wav").write_bytes(wav(SOUND, 16000))
    for given_, told in (
        (made / "fast.wav", "fast.wav: 16,000 a second"),
        (made / "none.wav", "none.wav: no such file"),
    ):
        ran = fresh("predict", made / "m.onnx", given_)
        assert ran.code == 1
        assert told in " ".join(ran.err.split())
        assert "Traceback" not in ran.err


def test_classes_of_frames(tmp_path: Path) -> None:
    network = model_of(
        [helper.make_node("Slice", ["sound", "from", "to", "axis"], ["scores"])],
        [value("sound", FLOAT, ["N", 6])], [value("scores", FLOAT, ["N", 2])],
        {"from": np.array([0]), "to": np.array([2]), "axis": np.array([1])},
    )  # fmt: skip
    convert(network, inputs="audio[6] rate=8000", labels=["low", "high"], name="c", output=tmp_path / "c.onnx")
    (tmp_path / "a.wav").write_bytes(wav(SOUND))
    lines = fresh("predict", tmp_path / "c.onnx", tmp_path / "a.wav", "--top", "1").out.splitlines()
    wanted = [
        ["low", "high"][int(frame[1] > frame[0])]
        for frame in frames_of(wav(SOUND), SPEC._replace(audio=AudioSpec(RATE, 6)))
    ]
    assert [line.split()[1] for line in lines] == wanted
    assert lines[1].split()[0] == "0.001"
