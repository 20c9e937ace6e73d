"""How text should come into a graph: as strings, in one tensor or many, or as codes looked up by the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.measure import Settings, side_by_side
from benchmarks.results import Part, spent
from benchmarks.string_graphs import (
    MISSING,
    NUMBERS,
    TEXTS,
    Graph,
    Sizes,
    codes_in,
    column_inputs,
    joint_encoder,
    split_encoders,
)

__all__ = ["run"]

ROWS: Final = (1, 100, 10_000)
_NOTE: Final = (
    f"{TEXTS} text columns of 12 categories (5 % missing, 5 % unknown), {NUMBERS} numbers, one thread, `session.run`; "
    "feeds are ready but for the codes, whose lookup in Python dicts is timed too."
)

Feeds = dict[str, NDArray[Any]]
_OUTPUT: Final = ["probability"]


def run(settings: Settings) -> Part:
    """Raises AssertionError if two ways give different answers."""
    rows, measured = [], []
    for count in ROWS:
        times = side_by_side(_cases(*_data(count)), settings)
        rows.append((f"{count:,}", *(spent(seconds) for seconds in times.values())))
        measured += [{"rows": count, "case": case, "seconds": seconds} for case, seconds in times.items()]
    headers = ("rows", *times)
    return Part("string_entry", "How text columns come in", _NOTE, headers, rows, measured)


def _data(count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Strings [count, TEXTS] and numbers [count, NUMBERS]."""
    rng = np.random.default_rng(count)
    texts = np.array(Sizes.categories, dtype=object)[np.arange(TEXTS), rng.integers(12, size=(count, TEXTS))]
    odd = rng.random((count, TEXTS))
    texts[odd < 0.10] = "zz"
    texts[odd < 0.05] = MISSING
    return texts, rng.normal(size=(count, NUMBERS)).astype(np.float32)


def _cases(texts: NDArray[Any], numbers: NDArray[Any]) -> dict[str, Callable[[], Any]]:
    together = {"strings": texts, "numbers": numbers}
    apart = {f"text{i}": texts[:, i : i + 1] for i in range(TEXTS)}
    apart |= {f"number{i}": numbers[:, i : i + 1] for i in range(NUMBERS)}
    codes = _session(codes_in())
    cases = {
        "StringConcat, one encoder": _call(_session(joint_encoder()), together),
        "Split, an encoder each": _call(_session(split_encoders()), together),
        "an input each": _call(_session(column_inputs()), apart),
        "codes, looked up": lambda: codes.run(_OUTPUT, {"codes": _looked_up(texts), "numbers": numbers}),
        "codes, ready": _call(codes, {"codes": _looked_up(texts), "numbers": numbers}),
    }
    _check(cases)
    return cases


def _session(graph: Graph) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph.model(), options, providers=["CPUExecutionProvider"])


def _call(session: onnxruntime.InferenceSession, feeds: Feeds) -> Callable[[], Any]:
    return lambda: session.run(_OUTPUT, feeds)


def _looked_up(texts: NDArray[Any]) -> NDArray[np.int64]:
    """Column by column through dicts, as edge_infer reads many rows."""
    codes = np.empty(texts.shape, np.int64)
    for i, (known, unknown) in enumerate(zip(Sizes.codes, Sizes.unknown, strict=True)):
        codes[:, i] = [known.get(text, unknown) for text in texts[:, i].tolist()]
    return codes


def _check(cases: dict[str, Callable[[], Any]]) -> None:
    wanted, *others = (call()[0] for call in cases.values())
    for case, got in zip(list(cases)[1:], others, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-6, err_msg=case)
