"""Models that nobody here wrote, from packages on the Python index: each answers the same when its sessions are ours.

Each is converted from the file in the package's wheel. What the package does before and after stays its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks import packaged
from benchmarks.packaged import RATE, Replaced


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
