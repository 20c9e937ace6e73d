"""Models that nobody here wrote, from packages on the Python index: each answers the same when its sessions are ours.

Each is converted from the file in the package's wheel. What the package does before and after stays its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_infer
from edge_infer.verification import verify
from edge_infer_convert import convert, load_estimator

RATE = 16000


class Session:
    """What packages ask of an `onnxruntime.InferenceSession`, answered by a model."""

    def __init__(self, model: edge_infer.Model, theirs: Any) -> None:
        self._model, self._theirs, self.calls = model, theirs, 0

    def run(self, names: Sequence[str] | None, feeds: dict[str, Any], options: Any = None) -> list[Any]:
        self.calls += 1
        return list(self._model.run(feeds, names).values())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._theirs, name)  # names of its inputs, and the like


def converted(path: Path, **options: Any) -> edge_infer.Model:
    made = convert(load_estimator(path), name="model", **options)
    assert not [check for check in verify(made.data) if check.status == "failed"]
    return edge_infer.load(made.data)


# --- silero-vad: is that a voice? -------------------------------------------------------


def speech() -> Any:
    """Four seconds: silence, a voiced sound with formants that move, noise, the sound again; float32, −1 to 1."""
    rng = np.random.default_rng(0)
    t = np.arange(RATE) / RATE
    pitch = 120 + 15 * np.sin(2 * np.pi * 3 * t)
    pulses = np.sign(np.sin(2 * np.pi * np.cumsum(pitch) / RATE)) * 0.5
    vowel = sum(
        np.convolve(pulses, np.exp(-t[:400] * 300) * np.sin(2 * np.pi * formant * t[:400]))[:RATE]
        for formant in (700, 1200, 2600)
    )
    vowel = vowel / np.abs(vowel).max() * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * t))
    noise = rng.normal(0, 0.05, RATE)
    return np.concatenate([np.zeros(RATE), vowel, noise, vowel]).astype(np.float32)


def test_silero_vad_hears_the_same_piece_by_piece() -> None:
    silero = pytest.importorskip("silero_vad", reason="silero-vad is not installed: make frameworks brings it")
    import torch

    theirs = silero.load_silero_vad(onnx=True)
    ours = converted(
        Path(silero.__file__).parent / "data" / "silero_vad.onnx",
        inputs={"input": "float32[batch, 576]", "state": "float32[2, batch, 128]", "sr": f"int64[] {RATE}..{RATE}"},
        states={"state": "stateN"},
    )
    stream, context = ours.stateful(), np.zeros((1, 64), np.float32)
    heard, wanted = [], []
    for piece in speech()[: RATE * 4 // 512 * 512].reshape(-1, 512):
        wanted.append(theirs(torch.from_numpy(piece), RATE).item())
        samples = np.concatenate([context, piece[None]], axis=1)
        heard.append(stream.run({"input": samples, "sr": np.array(RATE)})["output"].item())
        context = samples[:, -64:]
    assert len(heard) == 125
    np.testing.assert_allclose(heard, wanted, rtol=0, atol=1e-6)
    assert max(heard) - min(heard) > 0.1, "it tells the parts apart"


def test_silero_vad_hears_the_same_in_a_file(tmp_path: Path) -> None:
    """A frame is 512 samples behind the last 64 of the one before: the package keeps these itself."""
    silero = pytest.importorskip("silero_vad", reason="silero-vad is not installed: make frameworks brings it")
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed: make frameworks brings it")
    import torch

    theirs = silero.load_silero_vad(onnx=True)
    path = Path(silero.__file__).parent / "data" / "silero_vad.onnx"
    convert(
        load_estimator(path),
        inputs={
            "input": "audio[576] rate=16000 step=512",
            "state": "float32[2, batch, 128]",
            "sr": "int64[] 16000..16000",
        },
        states={"state": "stateN"},
        name="vad",
        output=tmp_path / "vad.onnx",
    )
    soundfile.write(tmp_path / "speech.wav", speech()[: RATE * 4 // 512 * 512], RATE, subtype="PCM_16")
    given, _ = soundfile.read(tmp_path / "speech.wav", dtype="float32")
    wanted = [theirs(torch.from_numpy(piece.copy()), RATE).item() for piece in given.reshape(-1, 512)]
    command = [sys.executable, "-m", "edge_infer.cli", "predict", "vad.onnx", '{"input": "speech.wav", "sr": 16000}']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    heard = [json.loads(line)["outputs"]["output"][0][0] for line in done.stdout.splitlines()]
    np.testing.assert_allclose(heard, wanted, rtol=0, atol=1e-6)


# --- magika: what kind of file is that? -------------------------------------------------


def files() -> dict[str, bytes]:
    import io
    import json
    import zipfile

    from PIL import Image

    packed, picture = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", "a" * 500)
    Image.fromarray(np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)).save(picture, "PNG")
    return {
        "python": Path(__file__).read_bytes(),
        "json": json.dumps([{"name": f"row {i}", "value": i * 0.5} for i in range(50)]).encode(),
        "zip": packed.getvalue(),
        "png": picture.getvalue(),
        "csv": "\n".join(f"{i},{i * i},name {i}" for i in range(200)).encode(),
        "html": b"<!DOCTYPE html><html><head><title>A page</title></head><body>"
        + b"<p>text</p>" * 60
        + b"</body></html>",
        "noise": np.random.default_rng(0).integers(0, 256, 5000).astype(np.uint8).tobytes(),
    }


def test_magika_tells_the_same_kinds_of_files() -> None:
    magika = pytest.importorskip("magika", reason="magika is not installed: make frameworks brings it")
    theirs = magika.Magika()
    wanted = {name: theirs.identify_bytes(data) for name, data in files().items()}
    own = theirs._onnx_session
    path = next((Path(magika.__file__).parent / "models").glob("*/model.onnx"))
    session = Session(converted(path, inputs={"bytes": "int32[batch, 2048] 0..256"}), own)
    theirs._onnx_session = session
    for name, data in files().items():
        found = theirs.identify_bytes(data)
        assert found.output.label == wanted[name].output.label
        assert found.score == pytest.approx(wanted[name].score, abs=1e-6)
    assert session.calls == len(wanted)
    assert wanted["python"].output.label == "python"


# --- rapidocr: what is written in that picture? -----------------------------------------


def page() -> Any:
    """Three lines of text, black on white, uint8 [height, width, 3]."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (640, 240), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(36)
    for place, text in enumerate(("Edge devices run models", "INVOICE 2026-0117", "Total 42.50 EUR")):
        draw.text((30, 20 + 70 * place), text, fill="black", font=font)
    return np.asarray(picture)


def test_rapidocr_reads_the_same() -> None:
    rapidocr = pytest.importorskip("rapidocr", reason="rapidocr is not installed: make frameworks brings it")
    engine = rapidocr.RapidOCR()
    wanted = engine(page())
    models = Path(rapidocr.__file__).parent / "models"
    given = {
        "text_det": (next(models.glob("*det*.onnx")), "float32[batch, 3, height=64, width=96]"),
        "text_cls": (next(models.glob("*cls*.onnx")), "float32[batch, 3, height=48, width=192]"),
        "text_rec": (next(models.glob("*rec*.onnx")), "float32[batch, 3, 48, width=160]"),
    }
    sessions = []
    for part, (path, spec) in given.items():
        holder = getattr(engine, part).session
        holder.session = Session(converted(path, inputs=spec), holder.session)
        sessions.append(holder.session)
    found = engine(page())
    assert all(session.calls for session in sessions)
    assert found.txts == wanted.txts
    assert [text.replace(" ", "") for text in found.txts][1:] == ["INVOICE2026-0117", "Total42.50EUR"]
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(found.boxes, wanted.boxes)
