"""Somebody else's ONNX file: the voice detector of the package silero-vad, asked piece by piece, without the package.

python examples/voices.py [SPEECH.wav]     (16,000 samples a second, one channel, 16 bits; needs silero-vad)

Without a file, it hears two seconds of silence and of a tone. Writes voices-1.0.0.onnx to the current folder.
"""

from __future__ import annotations

import sys
import wave
from importlib.resources import files

import numpy as np

import edge_infer
from edge_infer_convert import convert, load_estimator

RATE, PIECE, BEFORE = 16000, 512, 64  # samples a second; of a piece; of what came before it, which the model hears too


def sound(path: str | None) -> np.ndarray:
    """float32 samples, −1 to 1."""
    if path is None:
        return np.concatenate([np.zeros(RATE), 0.5 * np.sin(np.arange(RATE) * 0.2)]).astype(np.float32)
    with wave.open(path) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise SystemExit(f"{path}: expected 16,000 samples a second, one channel, 16 bits")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


def main() -> None:
    made = convert(
        load_estimator(str(files("silero_vad") / "data" / "silero_vad.onnx")),
        inputs={
            "input": f"float32[batch, {BEFORE + PIECE}]",
            "state": "float32[2, batch, 128]",
            "sr": f"int64[] {RATE}..{RATE}",
        },
        states={"state": "stateN"},  # what it remembers from piece to piece
        name="voices",
        output="voices-1.0.0.onnx",
    )
    print(made)

    stream = edge_infer.load("voices-1.0.0.onnx").stateful()
    samples = sound(sys.argv[1] if len(sys.argv) > 1 else None)
    before = np.zeros(BEFORE, np.float32)
    for start in range(0, len(samples) - PIECE + 1, PIECE):
        heard = np.concatenate([before, samples[start : start + PIECE]])
        probability = stream.run({"input": heard[None], "sr": np.array(RATE)})["output"].item()
        if start % (16 * PIECE) == 0:
            print(f"{start / RATE:5.2f} s  {probability:.3f}  {'voice' if probability > 0.5 else '-'}")
        before = heard[-BEFORE:]


if __name__ == "__main__":
    main()
