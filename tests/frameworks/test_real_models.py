"""Models that nobody here wrote, from packages on the Python index: each answers the same when its sessions are ours.

Each is converted from the file in the package's wheel. What the package does before and after stays its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import packaged
from benchmarks.packaged import RATE, Replaced
from edge_infer_convert import convert, load_estimator


def answers(package: str) -> tuple[Any, Any]:
    """The package's own, and those with our models in place of its sessions."""
    pytest.importorskip(package, reason=f"{package} is not installed: make frameworks brings it")
    subject = packaged.PACKAGES[package]()
    wanted = subject.ask()
    sessions = {name: Replaced(seat.converted(), seat.session) for name, seat in subject.seats.items()}
    for name, seat in subject.seats.items():
        seat.put(sessions[name])
    found = subject.ask()
    assert all(session.calls for session in sessions.values())
    return wanted, found


def test_silero_vad_hears_the_same() -> None:
    wanted, found = answers("silero_vad")
    assert len(found) == 125
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    assert max(found) - min(found) > 0.1, "it tells the parts apart"


def test_silero_vad_hears_the_same_as_a_stream() -> None:
    """Without the package: the state is the model's own."""
    pytest.importorskip("silero_vad", reason="silero-vad is not installed: make frameworks brings it")
    subject = packaged.silero()
    stream, context = subject.seats["silero-vad"].converted().stateful(), np.zeros((1, 64), np.float32)
    heard = []
    for piece in packaged.pieces():
        samples = np.concatenate([context, piece[None]], axis=1)
        heard.append(stream.run({"input": samples, "sr": np.array(RATE)})["output"].item())
        context = samples[:, -64:]
    np.testing.assert_allclose(heard, subject.ask(), rtol=0, atol=1e-6)


def test_silero_vad_hears_the_same_in_a_file(tmp_path: Path) -> None:
    """A frame is 512 samples behind the last 64 of the one before: the package keeps these itself."""
    silero = pytest.importorskip("silero_vad", reason="silero-vad is not installed: make frameworks brings it")
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed: make frameworks brings it")
    import torch

    seat = packaged.silero().seats["silero-vad"]
    given = seat.options["inputs"] | {"input": f"audio[576] rate={RATE} step=512"}
    convert(
        load_estimator(seat.path), inputs=given, states=seat.options["states"], name="vad", output=tmp_path / "vad.onnx"
    )
    soundfile.write(tmp_path / "speech.wav", packaged.pieces().reshape(-1), RATE, subtype="PCM_16")
    samples, _ = soundfile.read(tmp_path / "speech.wav", dtype="float32")
    theirs = silero.load_silero_vad(onnx=True)
    wanted = [theirs(torch.from_numpy(piece.copy()), RATE).item() for piece in samples.reshape(-1, 512)]
    command = [sys.executable, "-m", "edge_infer.cli", "predict", "vad.onnx", '{"input": "speech.wav", "sr": 16000}']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    heard = [json.loads(line)["outputs"]["output"][0][0] for line in done.stdout.splitlines()]
    np.testing.assert_allclose(heard, wanted, rtol=0, atol=1e-6)


def test_magika_tells_the_same_kinds_of_files() -> None:
    wanted, found = answers("magika")
    assert [label for label, _ in found] == [label for label, _ in wanted]
    np.testing.assert_allclose([score for _, score in found], [score for _, score in wanted], rtol=0, atol=1e-6)
    assert found[0][0] == "python"


def test_rapidocr_reads_the_same() -> None:
    wanted, found = answers("rapidocr")
    assert found.txts == wanted.txts
    assert [text.replace(" ", "") for text in found.txts][1:] == ["INVOICE2026-0117", "Total42.50EUR"]
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(found.boxes, wanted.boxes)
