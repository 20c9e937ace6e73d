"""Sound as an input: what a manifest tells of it, and files as the frames that a graph takes.

Files are decoded by libsndfile (extra `audio`: soundfile): WAV of 8 to 32 bits and of floats, FLAC, OGG. Several
channels are averaged. Nothing is resampled: a file of another rate is refused.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_infer.errors import InputError, Mismatch
from edge_infer.extras import needs
from edge_infer.limits import LIMITS, Limits
from edge_infer.strict_json import Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_infer.interface import TensorSpec

__all__ = ["AudioSpec", "audio_of", "frames_of", "told"]

_FORMATS: Final = ("WAV", "WAVEX", "RF64", "FLAC", "OGG")


class AudioSpec(NamedTuple):
    """Of an input float32 [batch, samples] of −1 … 1. rate: samples a second. step: from a frame to the next; a frame
    of more samples begins with the last ones of the frame before, the first one with zeros."""

    rate: int
    step: int


def audio_of(node: Node, dtype: str, shape: tuple[int | str, ...]) -> AudioSpec:
    """dtype, shape: of the input. Raises FormatError with the JSON path of the first mistake."""
    spec = AudioSpec(node.get("rate").integer(1), node.get("step").integer(1))
    samples = shape[1] if len(shape) == 2 else None
    if dtype != "float32" or not isinstance(samples, int) or spec.step > samples:
        raise node.fail(f"an input float32 [batch, samples] with samples ≥ step, not {dtype} {list(shape)}")
    return spec


def told(spec: AudioSpec) -> str:
    """In words."""
    return f"sound of {spec.rate:,} samples a second, {spec.step:,} a frame"


def frames_of(source: str | os.PathLike[str] | bytes, spec: TensorSpec, limits: Limits = LIMITS) -> NDArray[Any]:
    """A file, or its bytes, as frames float32 [frames, samples]; the last one is filled up with zeros.

    Raises:
        InputError: it cannot be decoded, or has another rate; with its name.
        OSError: it cannot be read.
        MissingExtraError: soundfile is not installed.
    """
    import numpy as np

    with needs("audio", "soundfile", "reading files of sound"):
        import soundfile
    audio, samples = spec.audio, spec.shape[1]
    assert audio is not None
    assert isinstance(samples, int)
    name, data = _bytes(source, spec, limits)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            wrong = _refusal(file, audio, limits)
            sound = None if wrong else file.read(dtype="float32", always_2d=True).mean(axis=1, dtype=np.float32)
    except (soundfile.SoundFileError, ValueError, TypeError) as error:
        wrong, sound = f"broken, or no sound: {' '.join(str(error).partition(': ')[2].split()):.200}", None
    if sound is None or not sound.size:
        told = wrong or "no samples"
        raise _refused(spec, f"sound (WAV, FLAC, OGG) of {audio.rate:,} samples a second", f"{name}: {told}")
    count = -(-len(sound) // audio.step)
    padded = np.zeros(samples - audio.step + count * audio.step, np.float32)
    padded[samples - audio.step : samples - audio.step + len(sound)] = sound
    windows = np.lib.stride_tricks.sliding_window_view(padded, samples)[:: audio.step]
    return np.ascontiguousarray(windows)


def _bytes(source: str | os.PathLike[str] | bytes, spec: TensorSpec, limits: Limits) -> tuple[str, bytes]:
    """Name and content."""
    if isinstance(source, bytes):
        name, data = "bytes", source
    else:
        name = os.fsdecode(source)
        with open(source, "rb") as file:
            data = file.read(limits.audio_bytes + 1)
    if len(data) > limits.audio_bytes:
        raise _refused(spec, f"a file of at most {limits.audio_bytes:,} bytes", f"{name}, which is larger")
    return name, data


def _refusal(file: Any, audio: AudioSpec, limits: Limits) -> str | None:
    if file.format not in _FORMATS:
        return f"a file of {file.format}"
    if file.samplerate != audio.rate:
        return f"{file.samplerate:,} a second; bring it to {audio.rate:,} first, since nothing is resampled here"
    if file.frames * file.channels > limits.audio_samples:
        return f"{file.frames * file.channels:,} samples, and the limit is {limits.audio_samples:,}; cut it in parts"
    return None


def _refused(spec: TensorSpec, expected: str, got: str) -> InputError:
    return InputError([Mismatch(None, spec.name, expected, got, "input")])
