"""Names in a repository are few and plain, whatever they are made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_infer.errors import UnsafePathError, UsageError
from edge_infer.store.files import Files
from edge_infer.update.layout import check_channel, check_file, file_name, index_path, metadata_name, stored_path

GOOD = [
    "titanic-1.2.0.onnx",
    "titanic-1.2.0.onnx.sig",
    "titanic-1.2.0.onnx.age",
    "a.b_c-2.0-rc1+build.5.onnx",
    "A-1.onnx",
]
BAD = [
    *(
        "",
        ".onnx",
        "x",
        "titanic.json",
        "titanic-1.onnx.age.sig",
        "titanic-1.onnx.age.age",
        "titanic-1.age",
        "titanic-1.onnx.sig.sig",
        "titanic-1.ONNX",
    ),
    *("../x.onnx", "a/b.onnx", "a\\b.onnx", "/x.onnx", ".x.onnx", "..onnx", "a b.onnx", "a\n.onnx", "ä.onnx"),
    *("nul.onnx", "con-1.onnx/", "a" * 153 + ".onnx"),
]


@pytest.mark.parametrize("file", GOOD)
def test_plain_names_of_files_pass(file: str) -> None:
    assert check_file(file) == file


@pytest.mark.parametrize("file", BAD)
def test_other_names_are_refused(file: str) -> None:
    with pytest.raises(UnsafePathError):
        check_file(file)


@pytest.mark.parametrize("channel", ["stable", "beta", "x", "line-b2"])
def test_channels_are_small_words(channel: str) -> None:
    assert check_channel(channel) == channel


@pytest.mark.parametrize(
    "channel",
    [
        "",
        "root",
        "targets",
        "snapshot",
        "timestamp",
        "Stable",
        "a/b",
        "..",
        "-x",
        "x-",
        "2x",
        "line-2",
        "con",
        "a" * 33,
        "ä",
    ],
)
def test_other_channels_are_refused(channel: str) -> None:
    with pytest.raises(UsageError, match="channel"):
        check_channel(channel)


def test_paths_are_those_of_consistent_snapshots() -> None:
    assert index_path("stable", "titanic") == "stable/titanic.json"
    assert file_name("titanic", "1.2.0") == "titanic-1.2.0.onnx"
    assert stored_path("stable/titanic.json", "0a") == ("targets", "stable", "0a.titanic.json")
    assert (metadata_name("root", 3), metadata_name("timestamp", 9)) == ("3.root.json", "timestamp.json")


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    file = check_file("a" * 151 + ".onnx.sig")
    Files(tmp_path).replace(stored_path(f"stable/{file}", "0" * 64), b"x")
