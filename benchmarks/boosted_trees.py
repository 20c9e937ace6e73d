"""300 trees of LightGBM: LightGBM itself, lleaves, which compiles them to machine code, and edge_infer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

import edge_infer
from benchmarks.measure import QUICK, Settings, side_by_side
from benchmarks.results import Part, plain, spent

__all__ = ["EDGE", "LIGHTGBM", "LLEAVES", "ROWS", "check_equal", "run"]

ROWS: Final = (1, 100, 10_000)
LIGHTGBM, LLEAVES, EDGE = "LightGBM", "lleaves", "edge_infer"
TREES, LEAVES, COLUMNS = 300, 63, 24
_TOLERANCE: Final = 1e-5
_PACKAGES: Final = {"lightgbm": LIGHTGBM, "lleaves": LLEAVES}
_NOTE: Final = (
    f"A regression Booster of {TREES} trees with {LEAVES} leaves each on {COLUMNS} numbers, `predict` of a float64 "
    "array [rows, columns], one thread on all sides; float32 holds the numbers exactly. lleaves: the trees as machine "
    "code, compiled before. Answers are compared with LightGBM's before they are timed: none differs by more than "
    f"{_TOLERANCE:g}."
)


class _Target(NamedTuple):
    """The most of the other side's time that edge_infer may take."""

    of_lleaves: float
    of_lightgbm: float | None


#: By rows. Of 10,000 rows 1.8, not 2.2, since the form of the ensemble is chosen by the size of the batch.
_TARGETS: Final = {1: _Target(1.0, 0.30), 100: _Target(2.4, 0.50), 10_000: _Target(1.8, 0.50)}


def run(settings: Settings) -> Part:
    """Raises AssertionError if answers differ, or if a tree has not the leaves that it is said to have."""
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    quick = settings == QUICK
    rows: list[tuple[str, ...]] = []
    measured: list[dict[str, Any]] = []
    if "lightgbm" not in missing:
        with tempfile.TemporaryDirectory() as folder:
            fresh, sides = _sides(Path(folder), quick, "lleaves" not in missing)
            for count in ROWS:
                times = side_by_side(_cases(sides, fresh[:count]), settings)
                rows.append(_row(count, times, "" if quick else _target(count, times)))
                measured += plain(times, rows=count)
    headers = ("rows", LIGHTGBM, LLEAVES, EDGE, f"÷ {LIGHTGBM}", f"÷ {LLEAVES}", "target")
    return Part("boosted_trees", f"{TREES} boosted trees", _note(missing), headers, rows, measured)


def _note(missing: list[str]) -> str:
    left_out = [f"{package} is not installed here: its side is left out." for package in missing]
    return " ".join([_NOTE, *left_out])


def _row(count: int, times: dict[str, float], target: str) -> tuple[str, ...]:
    cells = [spent(times[side]) if side in times else "" for side in (LIGHTGBM, LLEAVES, EDGE)]
    shares = [f"{times[EDGE] / times[side]:.2f}" if side in times else "" for side in (LIGHTGBM, LLEAVES)]
    return (f"{count:,}", *cells, *shares, target)


def _target(count: int, times: dict[str, float]) -> str:
    """What is judged: the sides that are there."""
    most = {LLEAVES: _TARGETS[count].of_lleaves, LIGHTGBM: _TARGETS[count].of_lightgbm}
    judged = {side: share for side, share in most.items() if side in times}
    met = all(times[EDGE] <= share * times[side] for side, share in judged.items())
    return f"{', '.join(f'≤ {share:.2f} {side}' for side, share in judged.items())}: {'met' if met else 'MISSED'}"


# --- the sides --------------------------------------------------------------------------

Answer = Callable[[NDArray[Any]], Any]


def _sides(folder: Path, quick: bool, with_lleaves: bool) -> tuple[NDArray[Any], dict[str, Answer]]:
    """Fresh rows, and what answers them by side."""
    from edge_infer_convert import convert

    booster, seen, fresh = _fitted(20 if quick else TREES)
    artifact = folder / "boosted-1.0.0.onnx"
    convert(booster, data=seen, name="boosted", output=artifact)
    sides: dict[str, Answer] = {LIGHTGBM: lambda array: booster.predict(array, num_threads=1)}
    if with_lleaves:
        sides[LLEAVES] = _lleaves(booster, folder / "boosted.txt")
    return fresh, sides | {EDGE: edge_infer.load(artifact).predict}


def _lleaves(booster: Any, path: Path) -> Answer:
    import lleaves

    booster.save_model(path)
    compiled = lleaves.Model(model_file=path)
    compiled.compile()
    return lambda array: compiled.predict(array, n_jobs=1)


def _fitted(trees: int) -> tuple[Any, NDArray[Any], NDArray[Any]]:
    """The booster, some of its rows, and as many fresh ones as the largest batch has."""
    import lightgbm

    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, COLUMNS)).astype(np.float32).astype(np.float64)
    y = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + X[:, 3:8].sum(axis=1) + rng.normal(0, 0.1, len(X))
    count = len(X) - max(ROWS)
    options = {"objective": "regression", "num_leaves": LEAVES, "num_threads": 1, "learning_rate": 0.05}
    fixed = {"deterministic": True, "seed": 0, "verbose": -1}
    booster = lightgbm.train(options | fixed, lightgbm.Dataset(X[:count], y[:count]), trees)
    leaves = {tree["num_leaves"] for tree in booster.dump_model()["tree_info"]}
    if leaves != {LEAVES} or booster.num_trees() != trees:
        raise AssertionError(f"expected {trees} trees of {LEAVES} leaves, got {booster.num_trees()} of {leaves}")
    return booster, X[:2000], X[count:]


def _cases(sides: dict[str, Answer], array: NDArray[Any]) -> dict[str, Callable[[], Any]]:
    check_equal({side: answer(array) for side, answer in sides.items()})
    return {side: _call(answer, array) for side, answer in sides.items()}


def _call(answer: Answer, array: NDArray[Any]) -> Callable[[], Any]:
    return lambda: answer(array)


def check_equal(answers: dict[str, Any]) -> None:
    """Raises AssertionError where a side's answer is not LightGBM's."""
    for side, answer in answers.items():
        np.testing.assert_allclose(answer, answers[LIGHTGBM], rtol=0, atol=_TOLERANCE, err_msg=side)
