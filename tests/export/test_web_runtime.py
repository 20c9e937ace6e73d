"""onnxruntime-web is found where npm puts it, and taken only if it is the pinned release."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from pathlib import Path

import pytest

from edge_infer.errors import UsageError
from edge_infer.export import web_runtime
from edge_infer.export.web_runtime import PINNED, Runtime, cache_folder, find_runtime
from tests.cli.conftest import Run
from tests.export.conftest import PENGUINS

COMMAND = re.escape(f"npm pack {PINNED.spec}")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder and an empty cache."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv(web_runtime.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "here"


def tgz(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def packed(runtime: Runtime) -> bytes:
    names = (PINNED.script.name, PINNED.wasm.name)
    return tgz({f"package/dist/{name}": data for name, data in zip(names, runtime, strict=True)})


@pytest.fixture(scope="session")
def archive(runtime: Runtime) -> bytes:
    """As `npm pack` writes it."""
    return packed(runtime)


def test_the_pinned_release_is_the_one_that_the_help_names(run: Run) -> None:
    shown = " ".join(run("export", "web", "--help").out.split())
    assert f"npm pack {PINNED.spec}" in shown


@pytest.mark.parametrize("place", ["here", "cache", "named file", "named folder", "variable"])
def test_the_archive_is_found(
    place: str, archive: bytes, runtime: Runtime, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = {"here": nowhere, "cache": cache_folder()}.get(place, nowhere / "elsewhere")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PINNED.tgz).write_bytes(archive)
    if place == "variable":
        monkeypatch.setenv(web_runtime.VARIABLE, str(folder))
    given = {"named file": folder / PINNED.tgz, "named folder": folder}.get(place)
    assert find_runtime(given) == runtime


@pytest.mark.parametrize("place", ["", "dist", "package/dist", "node_modules/onnxruntime-web/dist"])
def test_an_unpacked_package_is_found(place: str, runtime: Runtime, nowhere: Path) -> None:
    (nowhere / place).mkdir(parents=True, exist_ok=True)
    (nowhere / place / PINNED.script.name).write_bytes(runtime.script)
    (nowhere / place / PINNED.wasm.name).write_bytes(runtime.wasm)
    assert find_runtime() == runtime


def test_where_there_is_none_the_command_that_brings_it_is_told(nowhere: Path) -> None:
    with pytest.raises(UsageError, match=COMMAND):
        find_runtime()
    with pytest.raises(UsageError, match=f"'gone' is not there\n.*{COMMAND}"):
        find_runtime("gone")
    with pytest.raises(UsageError, match=f"has neither\n.*{COMMAND}"):
        find_runtime(nowhere)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cannot be read as a .tgz"),
        (b"PK\x03\x04", "cannot be read as a .tgz"),
        (gzip.compress(b"no tar"), "cannot be read as a .tgz"),
        (tgz({}), f"there is no {PINNED.script.name}"),
        (tgz({f"package/dist/{PINNED.script.name}": b"alert(1)"}), "has 8 bytes, expected"),
        (tgz({f"package/dist/{PINNED.script.name}": b" " * PINNED.script.size}), "has the sha256"),
        (tgz({f"package/dist/{PINNED.script.name}": b" " * (PINNED.script.size + 1)}), "has more than"),
    ],
    ids=["empty", "zip", "no tar", "no file", "too short", "other bytes", "too long"],  # an archive holds its time
)
def test_another_archive_is_refused(data: bytes, reason: str, nowhere: Path) -> None:
    (nowhere / PINNED.tgz).write_bytes(data)
    with pytest.raises(UsageError, match=re.escape(reason)) as caught:
        find_runtime()
    assert f"this is not {PINNED.spec}" in str(caught.value)
    assert "npm pack" in str(caught.value)


def test_a_torn_or_changed_archive_is_refused(runtime: Runtime, nowhere: Path) -> None:
    archive = packed(runtime)
    (nowhere / PINNED.tgz).write_bytes(archive[: len(archive) // 2])
    with pytest.raises(UsageError, match=f"this is not {re.escape(PINNED.spec)}"):
        find_runtime()
    changed = bytearray(runtime.wasm)
    changed[len(changed) // 2] ^= 1
    (nowhere / PINNED.tgz).write_bytes(packed(runtime._replace(wasm=bytes(changed))))
    with pytest.raises(UsageError, match=f"{re.escape(PINNED.wasm.name)} has the sha256"):
        find_runtime()


def test_a_link_in_an_archive_leads_nowhere(nowhere: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        member = tarfile.TarInfo(f"package/dist/{PINNED.script.name}")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(member)
    (nowhere / PINNED.tgz).write_bytes(buffer.getvalue())
    with pytest.raises(UsageError, match="this is not"):
        find_runtime()


def test_without_npm_fetch_says_how_to_get_it(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(nowhere))
    with pytest.raises(UsageError, match=f"there is no npm on this machine\n.*{COMMAND}"):
        find_runtime(fetch=True)


def test_what_npm_says_when_it_fails_is_told(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = nowhere / "npm"
    npm.write_text("#!/bin/sh\necho 'ENOTFOUND the registry' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{nowhere}:/bin:/usr/bin")
    with pytest.raises(UsageError, match="--fetch: npm failed: ENOTFOUND the registry"):
        find_runtime(fetch=True)


def test_what_npm_brings_is_checked_and_used(
    archive: bytes, runtime: Runtime, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program named npm that does what `npm pack` does with its --pack-destination."""
    (nowhere / "brought.tgz").write_bytes(archive)
    npm = nowhere / "npm"
    npm.write_text(f'#!/bin/sh\nfor last; do :; done\ncp "{nowhere}/brought.tgz" "$last/{PINNED.tgz}"\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{nowhere}:/bin:/usr/bin")
    assert find_runtime(fetch=True) == runtime
    monkeypatch.setenv("PATH", str(nowhere / "no"))
    assert find_runtime(fetch=True) == runtime  # it is there now: npm is not asked


# --- the command ------------------------------------------------------------------------


def test_the_command_writes_an_app_and_says_what_it_weighs(run: Run, runtime: Runtime, tmp_path: Path) -> None:
    ran = run("export", "web", PENGUINS, "-o", tmp_path / "app")
    assert (ran.code, ran.err) == (0, "")
    size = sum(path.stat().st_size for path in (tmp_path / "app").iterdir() if path.name != "edge-infer-export.json")
    assert f"{tmp_path / 'app'}: a web app of {size:,} bytes\n" in ran.out
    assert re.search(r"^  model +16,568$", ran.out, re.MULTILINE)


def test_json_of_a_single_file(run: Run, runtime: Runtime, tmp_path: Path) -> None:
    import json

    ran = run("export", "web", PENGUINS, "-o", tmp_path / "app.html", "--single-file", "--json")
    told = json.loads(ran.out)
    assert told["bytes"] == sum(told["parts"].values()) == (tmp_path / "app.html").stat().st_size
    assert told["single_file"] is True
    assert told["model"]["name"] == "penguins"


def test_the_commands_errors_are_messages(run: Run, nowhere: Path, plain_text: Path) -> None:
    assert run("export", "web", PENGUINS, "-o", "app").code == 2
    assert "npm pack" in run("export", "web", PENGUINS, "-o", "app").err
    assert run("export", "web", "gone.onnx", "-o", "app").code == 1
    assert run("export", "web", plain_text, "-o", "app").code == 1
    assert run("export", "web", PENGUINS).code == 2
    assert not (nowhere / "app").exists()


@pytest.fixture
def plain_text(tmp_path: Path) -> Path:
    path = tmp_path / "no.onnx"
    path.write_text("no model")
    return path


def test_an_encrypted_model_is_not_made_plain(run: Run, nowhere: Path) -> None:
    sealed = nowhere / "penguins.onnx.age"
    sealed.write_bytes(b"age-encryption.org/v1\n-> X25519 x\n")
    ran = run("export", "web", sealed, "-o", "app")
    assert ran.code == 2
    assert "would be plain for everybody" in ran.err
