"""Sound as a deep model's input, told in Python or as a text such as "audio[512] rate=16000"."""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from edge_infer.errors import UsageError
from edge_infer.interface import TensorSpec
from edge_infer.sounds import AudioSpec

__all__ = ["Audio", "audio_input", "audio_of_text", "is_audio_text"]


@dataclasses.dataclass(frozen=True)  # a tuple would be taken for several inputs
class Audio:
    """An input float32 [batch, samples] of −1 … 1, or files of sound, frame after frame.

    Args:
        samples: of a frame.
        rate: samples a second.
        step: from a frame to the next; the samples that a frame has more, at its beginning, are the last ones of the
            frame before. None: all.
    """

    samples: int
    rate: int
    step: int | None = None


def audio_input(name: str, audio: Audio, batch: str) -> TensorSpec:
    """Raises UsageError for numbers that make no sense."""
    step = audio.samples if audio.step is None else audio.step
    numbers = (audio.samples, audio.rate, step)
    if not all(type(each) is int and each > 0 for each in numbers) or step > audio.samples:
        raise UsageError(
            f"input {name!r}: expected whole numbers of samples, and a step of at most a frame, got samples "
            f"{audio.samples!r}, rate {audio.rate!r}, step {step!r}"
        )
    return TensorSpec(name, "float32", (batch, audio.samples), audio=AudioSpec(audio.rate, step))


_TEXT: Final = re.compile(r"\s*audio\s*\[\s*([0-9]+)\s*\]\s+rate=([0-9]+)(?:\s+step=([0-9]+))?\s*")


def is_audio_text(text: str) -> bool:
    """Whether it is meant to be one."""
    return re.match(r"\s*audio\b", text) is not None


def audio_of_text(name: str, text: str) -> Audio:
    """Raises UsageError."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise UsageError(
            f"input {name!r}: expected the samples of a frame and how many there are a second, such as "
            f"'audio[512] rate=16000', or 'audio[576] rate=16000 step=512' for frames that overlap, got {text!r:.100}"
        )
    return Audio(int(found[1]), int(found[2]), None if found[3] is None else int(found[3]))
