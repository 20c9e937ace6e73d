"""`edge-infer predict` of a file of sound: frame after frame, with the model's states, an answer for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from edge_infer.cli.console import dumps
from edge_infer.cli.documents import parse_json
from edge_infer.errors import InputError, Mismatch, UsageError
from edge_infer.interface import Interface, TensorSpec, shown, tensor_of
from edge_infer.model import Model
from edge_infer.sounds import frames_of

__all__ = ["Sound", "run_sound", "sound_of"]

_OTHER_FILES = (".json", ".npy", ".npz")


class Sound(NamedTuple):
    """frames: float32 [frames, samples] for the input `spec`. others: what the other inputs are given each time."""

    spec: TensorSpec
    frames: NDArray[Any]
    others: dict[str, NDArray[Any]]


def sound_of(data: str, interface: Interface) -> Sound | None:
    """INPUT where it names a file of sound: its path, or an object such as {"input": "speech.wav", "sr": 16000}. None
    where the model takes no sound, or is given something else. Raises InputError, UsageError, OSError."""
    spec = next((spec for spec in interface.given if spec.audio is not None), None)
    if spec is None or data == "-" or data.lower().endswith(_OTHER_FILES):
        return None
    named: Any = parse_json(data, "INPUT") if data.lstrip()[:1] in ("{", "[") else {spec.name: data}
    if not (isinstance(named, dict) and isinstance(named.get(spec.name), str)):
        return None
    others = {other.name: _tensor(named, other) for other in interface.given if other is not spec}
    return Sound(spec, frames_of(named[spec.name], spec), others)


def _tensor(named: dict[str, Any], spec: TensorSpec) -> NDArray[Any]:
    if spec.name not in named:
        raise UsageError(
            f"INPUT: this model takes {spec.name!r} too ({shown(spec)}): give an object, the file of sound and it by "
            f'name, as in \'{{"…": "speech.wav", "{spec.name}": …}}\''
        )
    try:
        return tensor_of(named[spec.name], spec)
    except (ValueError, TypeError, OverflowError) as error:
        wrong = Mismatch(None, spec.name, f"nested lists of {shown(spec)}", f"{error!s:.100}", "input")
        raise InputError([wrong]) from None


def run_sound(
    model: Model, interface: Interface, sound: Sound, best: Callable[[dict[str, Any]], Any] | None, *, json: bool
) -> str:
    """The text of the answers: a line a frame, or one object. best: of a call's outputs the best classes, or None for
    all outputs."""
    audio = sound.spec.audio
    assert audio is not None
    asked: Callable[[dict[str, Any]], dict[str, Any]] = model.stateful().run if interface.states else model.run
    frames: list[tuple[float, Any]] = []
    for number, frame in enumerate(sound.frames):
        answers = asked({**sound.others, sound.spec.name: frame[None]})
        seconds = number * audio.step / audio.rate
        frames.append((seconds, best(answers)[0] if best else {name: a.tolist() for name, a in answers.items()}))
    within = "top" if best else "outputs"
    if json:
        return dumps({"frames": [{"seconds": seconds, within: answer} for seconds, answer in frames]}) + "\n"
    if best is None:
        return "".join(dumps({"seconds": seconds, within: answer}) + "\n" for seconds, answer in frames)
    lines = (
        f"{seconds:9.3f}  " + "  ".join(f"{each['class']} {each['score']:.6g}" for each in answer)
        for seconds, answer in frames
    )
    return "".join(f"{line}\n" for line in lines)
