"""Import and prediction load what they need and nothing else, seen in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import edge_infer
from tests.runtime.samples import PENGUINS, RECORD

SOURCES = [Path(edge_infer.__file__).parents[1], Path(edge_infer.__file__).parents[1] / "convert"]

HEAVY = (
    *("typer", "rich", "click", "pydantic", "onnx", "google.protobuf", "sklearn", "pandas", "polars", "pyarrow"),
    *("edge_infer_convert", "skl2onnx", "scipy", "difflib"),
)

PROGRAMS = {
    "import": "import edge_infer; edge_infer.__version__",
    "load and predict": f"""
import edge_infer
model = edge_infer.load({str(PENGUINS)!r})
assert model.predict({RECORD!r}) == "Gentoo"
assert model.predict_proba([{RECORD!r}]).shape == (1, 3)
""",
    "verify": f"import edge_infer; assert edge_infer.verify({str(PENGUINS)!r})",
}


def loaded_by(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        cwd=Path(edge_infer.__file__).parents[1],
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_heavy_is_loaded(program: str) -> None:
    assert loaded_by(PROGRAMS[program]).intersection(HEAVY) == set()


def test_import_alone_loads_neither_numpy_nor_onnxruntime() -> None:
    assert loaded_by("import edge_infer").isdisjoint({"numpy", "onnxruntime"})


def test_every_exported_name_is_there() -> None:
    assert sorted(edge_infer.__all__) == dir(edge_infer)
    for name in edge_infer.__all__:
        assert getattr(edge_infer, name) is not None
    with pytest.raises(AttributeError, match="nothing_like_this"):
        _ = edge_infer.nothing_like_this


def left_in_an_empty_home(home: Path, program: str, **variables: str) -> tuple[str, list[Path]]:
    """What a fresh process prints, and what it leaves. Its environment is bare: CI variables stop the telemetry too."""
    bare = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, SOURCES))}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True, cwd=home, env=bare | variables
    )
    return done.stdout.strip(), list(home.rglob("*"))


@pytest.mark.skipif(os.name == "nt", reason="the folder of a user is not $HOME there")
@pytest.mark.parametrize("program", [*PROGRAMS, "converter"])
def test_onnxruntime_queues_no_telemetry(program: str, tmp_path: Path) -> None:
    """Version 1.32 writes a device's id and a queue into ~/.cache/Microsoft when it is imported, unless told not to."""
    text = "from edge_infer_convert import convert" if program == "converter" else PROGRAMS[program]
    assert left_in_an_empty_home(tmp_path, text) == ("", [])


def test_what_a_user_says_of_telemetry_stands(tmp_path: Path) -> None:
    told = "import os, edge_infer; edge_infer.load; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert left_in_an_empty_home(tmp_path, told)[0] == "1"
    assert left_in_an_empty_home(tmp_path, told, ORT_DISABLE_TELEMETRY="true")[0] == "true"
