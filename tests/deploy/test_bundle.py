"""Bundles: what goes in, what is refused, and the checks that install.sh makes before it does anything."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_infer.bundle import Bundle, make_bundle, target_of
from edge_infer.encryption import encrypt, generate_identity
from edge_infer.errors import BundleError, UsageError
from edge_infer.signing import NotSignedError, UntrustedKeyError, generate_key
from tests.deploy.conftest import ROOT, SAMPLES
from tests.deploy.shelf import put_wheel

ARM = target_of("linux-aarch64", "3.11")
OTHER = target_of("linux-x86_64", "3.12" if sys.version_info.minor == 11 else "3.11")  # than the Python of the tests


def wheels_of(made: Bundle) -> set[str]:
    return {path.name for path in Path(made.folder, "wheels").iterdir()}


def install(folder: Path, *args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(folder / "install.sh"), *map(str, args)], capture_output=True, text=True, check=False
    )


# --- wheels -----------------------------------------------------------------------------


@pytest.mark.parametrize("platform", ["linux-x86_64", "linux-aarch64"])
def test_a_bundle_has_what_its_device_needs_and_no_other_wheel(
    wheel: Path, penguins: Path, tmp_path: Path, platform: str
) -> None:
    machine = platform.removeprefix("linux-")
    made = make_bundle(tmp_path / "bundle", [penguins], target_of(platform, "3.11"), wheel=str(wheel))
    assert wheels_of(made) == {
        "edge_infer-1.0-py3-none-any.whl",
        f"native-1.0-cp311-cp311-manylinux_2_28_{machine}.whl",
        f"for_{machine}-1.0-py3-none-any.whl",
        "backport-1.0-py3-none-any.whl",
        "pip-1.0-py3-none-any.whl",
        *(["deeper-1.0-py3-none-any.whl"] if machine == "aarch64" else []),
    }


def test_the_devices_python_chooses_wheels_and_requirements(wheel: Path, penguins: Path, tmp_path: Path) -> None:
    made = make_bundle(tmp_path / "bundle", [penguins], target_of("linux-x86_64", "3.12"), wheel=str(wheel))
    assert "native-1.0-cp312-cp312-manylinux_2_17_x86_64.whl" in wheels_of(made)
    assert not [name for name in wheels_of(made) if name.startswith("backport")]


def test_a_wheel_for_another_machine_is_refused(wheel: Path, penguins: Path, tmp_path: Path) -> None:
    other = put_wheel(tmp_path, "edge_infer", ["native"], tag="py3-none-manylinux_2_28_x86_64")
    with pytest.raises(BundleError):
        make_bundle(tmp_path / "bundle", [penguins], ARM, wheel=str(other))
    fits = put_wheel(tmp_path, "edge_infer", ["native"], tag="py3-none-manylinux_2_28_aarch64")
    make_bundle(tmp_path / "bundle", [penguins], ARM, wheel=str(fits))


def test_wheels_that_are_nowhere_are_told_and_nothing_is_left(wheel: Path, penguins: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "bundle"
    target.parent.mkdir()
    with pytest.raises(BundleError, match=r"pip download failed:\n(.*\n)*.*native"):
        make_bundle(target, [penguins], target_of("linux-x86_64", "3.13"), wheel=str(wheel))
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["native-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", "text.whl", "edge_infer-1-py3-none-any.whl"]
)
def test_only_a_wheel_of_edge_infer_is_its_wheel(wheel: Path, penguins: Path, tmp_path: Path, name: str) -> None:
    given = tmp_path / name
    given.write_text("no zip")
    if wheel.with_name(name).exists():
        shutil.copy(wheel.with_name(name), given)
    with pytest.raises(UsageError, match="wheel"):
        make_bundle(tmp_path / "bundle", [penguins], ARM, wheel=str(given))


@pytest.mark.parametrize(
    ("platform", "python", "told"),
    [
        ("linux-musl-x86_64", "3.11", "Alpine"),
        ("linux-armv7l", "3.11", "32-bit"),
        ("windows", "3.11", "Windows"),
        ("x86_64", "3.11", "linux-x86_64, linux-aarch64"),
        ("linux-x86_64", "3.10", "3.11 or newer"),
        ("linux-x86_64", "3", "3.11 or newer"),
        ("linux-x86_64", "3.11.2", "two numbers"),
    ],
)
def test_targets_without_wheels_are_refused_with_what_to_do(platform: str, python: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        target_of(platform, python)


# --- models and keys --------------------------------------------------------------------


def test_a_bundle_with_a_key_has_signatures_and_the_extra_that_checks_them(
    wheel: Path, signed: tuple[Path, Path], tmp_path: Path
) -> None:
    model, key = signed
    made = make_bundle(tmp_path / "bundle", [model], ARM, wheel=str(wheel), keys=[key])
    folder = Path(made.folder)
    assert made.extras == ("secure",)
    assert "vault-1.0-py3-none-any.whl" in wheels_of(made)
    assert (folder / "models" / f"{model.name}.sig").is_file()
    assert (folder / "keys" / f"{made.keys[0][:16]}.pub").read_bytes() == key.read_bytes()
    assert (folder / "requirements.txt").read_text().startswith("backport==1.0 --hash=sha256:")
    assert "edge-infer[secure]==1.0 --hash=sha256:" in (folder / "requirements.txt").read_text()


def test_what_the_device_would_refuse_is_refused(
    wheel: Path, penguins: Path, signed: tuple[Path, Path], tmp_path: Path
) -> None:
    model, key = signed
    with pytest.raises(NotSignedError, match="penguins"):
        make_bundle(tmp_path / "bundle", [penguins], ARM, wheel=str(wheel), keys=[key])
    generate_key(tmp_path / "other")
    with pytest.raises(UntrustedKeyError):
        make_bundle(tmp_path / "bundle", [model], ARM, wheel=str(wheel), keys=[tmp_path / "other.pub"])
    make_bundle(tmp_path / "bundle", [model], ARM, wheel=str(wheel), keys=[tmp_path / "other.pub", key])


def test_an_encrypted_model_travels_with_its_signature_and_is_not_opened(
    wheel: Path, signed: tuple[Path, Path], tmp_path: Path
) -> None:
    model, key = signed
    recipient = generate_identity(tmp_path / "device.identity")
    encrypted = tmp_path / f"{model.name}.age"
    encrypted.write_bytes(encrypt(model.read_bytes(), [recipient]))
    with pytest.raises(NotSignedError):
        make_bundle(tmp_path / "bundle", [encrypted], ARM, wheel=str(wheel), keys=[key])
    assert make_bundle(tmp_path / "plain", [encrypted], ARM, wheel=str(wheel)).extras == ("secure",)
    shutil.copy(f"{model}.sig", tmp_path)
    folder = Path(make_bundle(tmp_path / "bundle", [encrypted], ARM, wheel=str(wheel), keys=[key]).folder)
    assert {path.name for path in (folder / "models").iterdir()} == {encrypted.name, f"{model.name}.sig"}
    assert list((folder / "rows").iterdir()) == []


def test_one_release_of_each_model(wheel: Path, penguins: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.onnx"
    shutil.copy(penguins, again)
    with pytest.raises(UsageError, match="penguins already"):
        make_bundle(tmp_path / "bundle", [penguins, again], ARM, wheel=str(wheel))
    make_bundle(tmp_path / "bundle", [penguins, SAMPLES / "digits-1.0.0.onnx"], ARM, wheel=str(wheel))


def test_names_that_a_shell_could_misread_are_refused(wheel: Path, penguins: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a b;c.onnx"
    shutil.copy(penguins, odd)
    with pytest.raises(UsageError, match="rename"):
        make_bundle(tmp_path / "bundle", [odd], ARM, wheel=str(wheel))


def test_a_golden_row_travels_as_predict_takes_it(wheel: Path, penguins: Path, tmp_path: Path) -> None:
    import edge_infer

    made = make_bundle(tmp_path / "bundle", [penguins], ARM, wheel=str(wheel))
    row = json.loads(Path(made.folder, "rows", "penguins@1.0.0.json").read_text())
    goldens = edge_infer.read_artifact(penguins).goldens()
    assert goldens is not None
    assert edge_infer.load(penguins).predict(row) == goldens.answers["predict"][0]


def test_a_folder_that_is_there_stays_as_it_is(wheel: Path, penguins: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    with pytest.raises(UsageError, match="there already"):
        make_bundle(folder, [penguins], ARM, wheel=str(wheel))
    assert [path.name for path in folder.iterdir()] == ["mine"]
    (folder / "mine").unlink()
    make_bundle(folder, [penguins], ARM, wheel=str(wheel))


# --- the checks of install.sh -----------------------------------------------------------


@pytest.fixture(scope="module")
def made(wheel: Path, penguins: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("made") / "bundle", [penguins], OTHER, wheel=str(wheel))


@pytest.fixture
def bundle(made: Bundle, tmp_path: Path) -> Path:
    """A copy of it, as a stick brings it."""
    return shutil.copytree(made.folder, tmp_path / "bundle")


def test_sums_name_every_file_and_the_digest_names_the_sums(made: Bundle) -> None:
    folder = Path(made.folder)
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {line[66:] for line in lines} | {"SHA256SUMS"} == present == set(made.sizes)
    assert all(hashlib.sha256((folder / line[66:]).read_bytes()).hexdigest() == line[:64] for line in lines)
    assert hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest() == made.digest


def _append(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"\0")


CHANGES: dict[str, Callable[[Path], object]] = {
    "a changed wheel": lambda folder: _append(next((folder / "wheels").glob("edge_infer*"))),
    "a changed model": lambda folder: _append(folder / "models" / "penguins-1.0.0.onnx"),
    "a changed list": lambda folder: _append(folder / "requirements.txt"),
    "a missing wheel": lambda folder: next((folder / "wheels").glob("pip*")).unlink(),
    "one wheel more": lambda folder: put_wheel(folder / "wheels", "numpy"),
    "one model more": lambda folder: (folder / "models" / "evil.onnx").write_bytes(b"evil"),
    "one key more": lambda folder: (folder / "keys" / "evil.pub").write_bytes(b"evil"),
    "no sums": lambda folder: (folder / "SHA256SUMS").unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_bundle_is_refused_before_anything_is_made(bundle: Path, tmp_path: Path, change: str) -> None:
    CHANGES[change](bundle)
    ran = install(bundle, "--prefix", tmp_path / "prefix", "--home", tmp_path / "home")
    assert ran.returncode == 1
    assert ran.stderr.startswith("install: FAILED: ")
    assert "no Python" not in ran.stderr
    assert not (tmp_path / "prefix").exists()
    assert not (tmp_path / "home").exists()


def test_a_python_that_the_wheels_do_not_fit_is_told(bundle: Path, tmp_path: Path) -> None:
    ran = install(bundle, "--prefix", tmp_path / "prefix", "--python", sys.executable)
    assert ran.returncode == 1
    assert ran.stdout == "install: all files are as the bundle was made\n"
    assert f"expected CPython {OTHER.python} of 64 bits" in ran.stderr
    assert f"got CPython 3.{sys.version_info.minor}." in ran.stderr
    assert not (tmp_path / "prefix").exists()


def test_code_beside_the_bundle_is_not_run(bundle: Path, tmp_path: Path) -> None:
    for name in ("platform", "struct", "venv"):
        Path(bundle, f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert install(bundle, "--prefix", tmp_path / "prefix", "--python", sys.executable).returncode == 1
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "args", [("--prefix",), ("--nothing", "x"), ("x",), ("--home", ""), ("--prefix", "/a$b"), ("--home", "/a'b")]
)
def test_wrong_arguments_of_the_script(bundle: Path, args: tuple[str, ...]) -> None:
    ran = install(bundle, *args)
    assert ran.returncode == 2
    assert "usage: sh install.sh" in ran.stderr


def test_the_script_is_as_a_posix_shell_wants_it() -> None:
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed; apt install shellcheck")
    scripts = [ROOT / "edge_infer" / "bundle" / "install.sh"]
    done = subprocess.run([shellcheck, "-s", "sh", *scripts], capture_output=True, text=True, check=False)
    assert done.stdout == ""
