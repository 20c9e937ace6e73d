"""A reader, or a crash, sees the old file or the new one, never a part."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import edge_infer
from edge_infer.files import write_atomically


def test_new_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    for content in (b"old", b"new and longer", b""):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_as_text_and_a_relative_one_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_atomically("m.onnx", b"x")
    assert (tmp_path / "m.onnx").read_bytes() == b"x"


@pytest.mark.parametrize("content", [None, "text", object()])
def test_a_failed_write_keeps_the_old_content_and_leaves_nothing_behind(tmp_path: Path, content: object) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        write_atomically(path, content)  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_rename_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomically(target, b"x")
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "no" / "m.onnx", b"x")


_FULL_DISK = """
    import resource, signal, sys
    from edge_infer.files import write_atomically
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        write_atomically(sys.argv[1], bytes(100_000))
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_disk_that_fills_up_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_FULL_DISK), str(path)],
        capture_output=True,
        text=True,
        cwd=Path(edge_infer.__file__).parents[1],
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "OSError", done.stderr
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
