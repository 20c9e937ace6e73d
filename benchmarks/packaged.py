"""Models that nobody here wrote, in packages on the Python index: how each package asks its sessions, and with what.

silero-vad hears voices, magika tells kinds of files, rapidocr reads pictures. What is asked is made here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

import edge_infer
from edge_infer.verification import verify
from edge_infer_convert import convert, load_estimator

__all__ = ["PACKAGES", "RATE", "Packaged", "Recorder", "Replaced", "Seat", "files", "page", "pieces", "speech"]

RATE: Final = 16000  # samples a second


class Seat(NamedTuple):
    """Where a package keeps a session: an attribute of an object; and the model's file, with what `convert` is told."""

    holder: Any
    attribute: str
    path: Path
    options: dict[str, Any]

    @property
    def session(self) -> Any:
        return getattr(self.holder, self.attribute)

    def put(self, session: Any) -> None:
        setattr(self.holder, self.attribute, session)

    def converted(self, options: edge_infer.SessionOptions | None = None) -> edge_infer.Model:
        """Raises AssertionError if the artifact does not verify."""
        made = convert(load_estimator(self.path), name="model", **self.options)
        assert not [check for check in verify(made.data) if check.status == "failed"]
        return edge_infer.load(made.data, options=options)


class Packaged(NamedTuple):
    """A package's model. ask: the package's own answer to what is made here. seats: its sessions, by name."""

    ask: Callable[[], Any]
    seats: dict[str, Seat]


class Replaced:
    """What packages ask of an `onnxruntime.InferenceSession`, answered by a model."""

    def __init__(self, model: edge_infer.Model, theirs: Any) -> None:
        self._model, self._theirs, self.calls = model, theirs, 0

    def run(self, names: Sequence[str] | None, feeds: dict[str, Any], options: Any = None) -> list[Any]:
        self.calls += 1
        return list(self._model.run(feeds, names).values())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._theirs, name)  # names of its inputs, and the like


class Recorder(Replaced):
    """Keeps what the package's own session is given."""

    def __init__(self, theirs: Any) -> None:
        self._theirs, self.calls = theirs, 0
        self.given: list[tuple[Sequence[str] | None, dict[str, Any]]] = []

    def run(self, names: Sequence[str] | None, feeds: dict[str, Any], options: Any = None) -> list[Any]:
        self.calls += 1
        self.given.append((names, {name: copy.copy(value) for name, value in feeds.items()}))
        answer: list[Any] = self._theirs.run(names, feeds, options)
        return answer


# --- silero-vad: is that a voice? -------------------------------------------------------


def silero() -> Packaged:
    """125 pieces of sound, one after the other; a probability each."""
    import silero_vad
    import torch

    hearing = silero_vad.load_silero_vad(onnx=True)
    path = Path(silero_vad.__file__).parent / "data" / "silero_vad.onnx"
    options = {
        "inputs": {"input": "float32[batch, 576]", "state": "float32[2, batch, 128]", "sr": f"int64[] {RATE}..{RATE}"},
        "states": {"state": "stateN"},
    }

    def ask() -> list[float]:
        hearing.reset_states()
        return [hearing(torch.from_numpy(piece), RATE).item() for piece in pieces()]

    return Packaged(ask, {"silero-vad": Seat(hearing, "session", path, options)})


def pieces() -> NDArray[Any]:
    """float32 [125, 512]."""
    sound: NDArray[Any] = speech()[: RATE * 4 // 512 * 512].reshape(-1, 512)
    return sound


def speech() -> NDArray[Any]:
    """Four seconds: silence, a voiced sound with formants that move, noise, the sound again; float32, −1 to 1."""
    rng = np.random.default_rng(0)
    t = np.arange(RATE) / RATE
    pitch = 120 + 15 * np.sin(2 * np.pi * 3 * t)
    pulses = np.sign(np.sin(2 * np.pi * np.cumsum(pitch) / RATE)) * 0.5
    vowel = np.zeros(RATE)
    for formant in (700, 1200, 2600):
        vowel += np.convolve(pulses, np.exp(-t[:400] * 300) * np.sin(2 * np.pi * formant * t[:400]))[:RATE]
    vowel = vowel / np.abs(vowel).max() * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * t))
    noise = rng.normal(0, 0.05, RATE)
    return np.concatenate([np.zeros(RATE), vowel, noise, vowel]).astype(np.float32)


# --- magika: what kind of file is that? -------------------------------------------------


def magika() -> Packaged:
    """Seven kinds of files; a label and a score each."""
    import magika as package

    told = package.Magika()
    path = next((Path(package.__file__).parent / "models").glob("*/model.onnx"))

    def ask() -> list[tuple[str, float]]:
        found = [told.identify_bytes(data) for data in files().values()]
        return [(str(each.output.label), float(each.score)) for each in found]

    return Packaged(
        ask, {"magika": Seat(told, "_onnx_session", path, {"inputs": {"bytes": "int32[batch, 2048] 0..256"}})}
    )


def files() -> dict[str, bytes]:
    """By the kind that they are of."""
    import io
    import json
    import zipfile

    from PIL import Image

    packed, picture = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), "a" * 500)  # without the time
    Image.fromarray(np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)).save(picture, "PNG")
    page = b"<!DOCTYPE html><html><head><title>A page</title></head><body>" + b"<p>text</p>" * 60 + b"</body></html>"
    return {
        "python": Path(__file__).read_bytes(),
        "json": json.dumps([{"name": f"row {i}", "value": i * 0.5} for i in range(50)]).encode(),
        "zip": packed.getvalue(),
        "png": picture.getvalue(),
        "csv": "\n".join(f"{i},{i * i},name {i}" for i in range(200)).encode(),
        "html": page,
        "noise": np.random.default_rng(0).integers(0, 256, 5000).astype(np.uint8).tobytes(),
    }


# --- rapidocr: what is written in that picture? -----------------------------------------


def rapidocr() -> Packaged:
    """Three lines of text; where they stand, what they say, how sure that is. Three models: find, turn, read."""
    import rapidocr as package

    engine = package.RapidOCR()
    engine(page())  # it makes its sessions when they are first needed
    models = Path(package.__file__).parent / "models"
    given = {
        "det": "float32[batch, 3, height=64, width=96]",
        "cls": "float32[batch, 3, height=48, width=192]",
        "rec": "float32[batch, 3, 48, width=160]",
    }
    seats = {
        f"rapidocr {part}": Seat(
            getattr(engine, f"text_{part}").session, "session", next(models.glob(f"*{part}*.onnx")), {"inputs": spec}
        )
        for part, spec in given.items()
    }
    return Packaged(lambda: engine(page()), seats)


def page() -> NDArray[Any]:
    """Three lines of text, black on white, uint8 [height, width, 3]."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (640, 240), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(36)
    for place, text in enumerate(("Edge devices run models", "INVOICE 2026-0117", "Total 42.50 EUR")):
        draw.text((30, 20 + 70 * place), text, fill="black", font=font)
    return np.asarray(picture)


PACKAGES: Final[dict[str, Callable[[], Packaged]]] = {"silero_vad": silero, "magika": magika, "rapidocr": rapidocr}
