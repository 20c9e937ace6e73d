"""Somebody else's ONNX file: the voice detector of the package silero-vad, asked frame by frame, without the package.

python examples/voices.py [SPEECH.wav]     (16,000 samples a second; needs silero-vad, for its file, and soundfile)

Without a file, it hears a second of silence and one of a tone. Writes voices-1.0.0.onnx to the current folder.
"""

from __future__ import annotations

import sys
from importlib.resources import files

import numpy as np
import soundfile

import edge_infer
from edge_infer_convert import convert, load_estimator

RATE, FRAME, STEP = 16000, 576, 512  # samples a second; of a frame; from one frame to the next


def sound(path: str | None) -> np.ndarray:
    """float32 samples, −1 to 1."""
    if path is None:
        return np.concatenate([np.zeros(RATE), 0.5 * np.sin(np.arange(RATE) * 0.2)]).astype(np.float32)
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if rate != RATE:
        raise SystemExit(f"{path}: expected {RATE:,} samples a second, got {rate:,}")
    return samples.mean(axis=1)


def main() -> None:
    made = convert(
        load_estimator(str(files("silero_vad") / "data" / "silero_vad.onnx")),
        inputs={
            "input": f"audio[{FRAME}] rate={RATE} step={STEP}",  # each frame begins with the end of the one before
            "state": "float32[2, batch, 128]",
            "sr": f"int64[] {RATE}..{RATE}",
        },
        states={"state": "stateN"},  # what it remembers from frame to frame
        name="voices",
        output="voices-1.0.0.onnx",
    )
    print(made)

    stream = edge_infer.load("voices-1.0.0.onnx").stateful()
    samples = np.pad(sound(sys.argv[1] if len(sys.argv) > 1 else None), (FRAME - STEP, 0))
    for start in range(0, len(samples) - FRAME + 1, STEP):
        frame = samples[None, start : start + FRAME]
        probability = stream.run({"input": frame, "sr": np.array(RATE)})["output"].item()
        if start % (16 * STEP) == 0:
            print(f"{start / RATE:5.2f} s  {probability:.3f}  {'voice' if probability > 0.5 else '-'}")
    print("""a file on the command line: edge-infer predict voices-1.0.0.onnx '{"input": "speech.wav", "sr": 16000}'""")


if __name__ == "__main__":
    main()
