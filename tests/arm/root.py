"""An emulated aarch64 Debian userland in a folder, from the distribution's own packages and aarch64 wheels.

Needed on the machine: apt-get, dpkg-deb, tar, and a Python with pip. Not needed: root, binfmt_misc, chroot, mounts or
containers; nothing is installed. `FOLDER/bin/python3` is then the emulated interpreter, which sees the machine's files
at their own paths. With nothing changed a build returns at once; one that breaks off leaves an older folder as it was.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["PACKAGES", "build"]

ROOT: Final = Path(__file__).parents[2]
LOCK: Final = ROOT / "requirements" / "dev.lock"
#: What runs there needs these and what they need, in the versions of the lock.
PACKAGES: Final = (
    *("numpy", "onnxruntime", "platformdirs", "typer", "cryptography", "pyrage"),
    *("scikit-learn", "pandas", "skl2onnx", "onnx", "polars", "pyarrow"),
    *("lightgbm", "pytest", "hypothesis", "jsonschema"),
)
#: Raspberry Pi 4. onnxruntime chooses its kernels by what the CPU can do.
CPU: Final = "cortex-a72"
_CPU_PART: Final = "0xd08"  # of a Cortex-A72, as /proc/cpuinfo names it
#: Of glibc, that a wheel may ask for: what the lock's wheels are built for, up to Debian 12's 2.36.
_GLIBC: Final = ("2_17", "2_24", "2_26", "2_27", "2_28", "2_31", "2_34", "2_35")
_ABSENT: Final = ("doc", "man", "info", "locale", "lintian")
#: apt of its own beside the machine's: its sources, keys and proxies, but other lists, packages and state; no hooks.
_APT: Final = """\
#clear APT::Architectures;
#clear APT::Update::Pre-Invoke; #clear APT::Update::Post-Invoke; #clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke; #clear DPkg::Post-Invoke; #clear DPkg::Pre-Install-Pkgs;
APT {{ Architecture "arm64"; Architectures {{ "arm64"; "{host}"; }}; Install-Recommends "false";
      Sandbox::User "root"; }};
Acquire {{ Languages "none"; Retries "3"; }};
Dir::State "{folder}"; Dir::State::lists "{folder}/lists"; Dir::State::status "{folder}/status";
Dir::Log "{folder}"; Dir::Cache "{folder}"; Dir::Cache::archives "{folder}/archives";
Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
"""


def build(folder: Path) -> Path:
    """Build it where it is missing or older than its inputs; the emulated interpreter.

    Raises:
        SystemExit: a tool is missing, or one failed; its output says why.
    """
    folder = folder.absolute()
    if re.search(r"\s", str(folder)):
        sys.exit(f"{folder}: the emulated system needs a folder without blanks in its path")
    python, stamp = folder / "bin" / "python3", folder / "stamp"
    wanted = _stamp(folder)
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    _check_tools()
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        version = _unpack_debian(new)
        _stand_in_for_proc(new / "root")
        _make_interpreter(new, folder, version)
        _install_wheels(new / "lib" / f"python{version}" / "site-packages", version)
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    _prove(folder, version)
    stamp.write_text(wanted)
    return python


def _stamp(folder: Path) -> str:
    pins = "\n".join(sorted(_pins()))
    return hashlib.sha256(f"{folder}\n{CPU}\n{pins}\n{Path(__file__).read_text()}".encode()).hexdigest()


def _pins() -> Iterator[str]:
    """Of the lock, without the two packages that are only there below a version of Python."""
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        if "==" in line and ";" not in line:
            yield line


def _check_tools() -> None:
    missing = [tool for tool in ("apt-get", "dpkg", "dpkg-deb", "tar") if shutil.which(tool) is None]
    if missing:
        sys.exit(
            f"the emulated system is made of Debian's packages, and {', '.join(missing)} is missing: use Debian 12+"
        )


# --- Debian's packages ------------------------------------------------------------------


def _unpack_debian(new: Path) -> str:
    """Python and what it needs under `new/root`, qemu as `new/bin/qemu-aarch64`; the version of Python, "3.11"."""
    apt = new / "apt"
    for part in ("lists/partial", "archives/partial"):
        (apt / part).mkdir(parents=True)
    (apt / "status").touch()
    host = _output("dpkg", "--print-architecture").strip()
    configuration = apt / "apt.conf"
    configuration.write_text(_APT.format(folder=apt, host=host))
    _told("packages of Debian for arm64")
    _output("apt-get", "-c", configuration, "-qq", "update")
    version = _python_version(configuration)
    wanted = [f"python{version}", "libstdc++6", "libgomp1", f"qemu-user-static:{host}"]
    _output("apt-get", "-c", configuration, "-qq", "-y", "--download-only", "install", *wanted)
    _unpack(sorted((apt / "archives").glob("*.deb")), host, new)
    shutil.rmtree(apt)
    return version


def _python_version(configuration: Path) -> str:
    """Of the Python that this release of Debian has."""
    found = re.search(
        r"^Depends: .*\bpython(3\.\d+)\b", _output("apt-cache", "-c", configuration, "show", "python3:arm64"), re.M
    )
    if found is None:
        sys.exit("apt has no package python3 for arm64: the machine's package sources must have that architecture")
    if int(found[1].partition(".")[2]) < 11:
        sys.exit(f"this Debian has Python {found[1]}; edge-infer needs 3.11: use Debian 12 or later")
    return found[1]


def _unpack(packages: list[Path], host: str, new: Path) -> None:
    """No script of a package runs. Newer releases of Debian have the static qemu in `qemu-user`."""
    root, bin_, tools = new / "root", new / "bin", new / "tools"
    for folder in (root / "usr/bin", root / "usr/sbin", root / "usr/lib", bin_, tools):
        folder.mkdir(parents=True)
    for name in ("bin", "sbin", "lib"):
        (root / name).symlink_to(f"usr/{name}")
    for package in packages:
        place = tools if package.stem.endswith(f"_{host}") else root
        _pipe(
            ["dpkg-deb", "--fsys-tarfile", package],
            ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", place],
        )
    qemu = [tools / "usr/bin" / name for name in ("qemu-aarch64-static", "qemu-aarch64")]
    shutil.copy(next(path for path in qemu if path.exists()), bin_ / "qemu-aarch64")
    shutil.rmtree(tools)
    for name in _ABSENT:
        shutil.rmtree(root / "usr/share" / name, ignore_errors=True)
    for path in root.rglob("*"):
        if path.is_symlink() and os.readlink(path).startswith("/"):  # it would lead out of the root
            target = os.path.relpath(f"{root}{os.readlink(path)}", path.parent)
            path.unlink()
            path.symlink_to(target)


def _stand_in_for_proc(root: Path) -> None:
    """qemu before 8.1 shows the machine's own x86 /proc/cpuinfo, on which onnxruntime's look at the CPU crashes."""
    (root / "proc").mkdir()
    core = (
        "processor\t: {}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\n"
        f"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {_CPU_PART}\nCPU revision\t: 3\n\n"
    )
    (root / "proc/cpuinfo").write_text("".join(core.format(number) for number in range(os.cpu_count() or 1)))


# --- Python -----------------------------------------------------------------------------


def _make_interpreter(new: Path, folder: Path, version: str) -> None:
    """A shell script, so that a child started by `sys.executable` is emulated too; a virtual environment around it."""
    binary = new / f"root/usr/bin/python{version}"
    binary.rename(f"{binary}.elf")
    elf = f"{folder}/root/usr/bin/python{version}.elf"
    qemu = f'{folder}/bin/qemu-aarch64 -cpu {CPU} -L {folder}/root -0 "$0" {elf}'
    binary.write_text(f'#!/bin/sh\nulimit -c 0\nexec {qemu} "$@"\n')
    binary.chmod(0o755)
    for name in ("python", "python3"):
        (new / "bin" / name).symlink_to(f"../root/usr/bin/python{version}")
    home = f"home = {folder}/root/usr/bin\ninclude-system-site-packages = false\nversion = {version}\n"
    (new / "pyvenv.cfg").write_text(home)


def _install_wheels(site: Path, version: str) -> None:
    _told(f"aarch64 wheels of {', '.join(PACKAGES)}")
    site.mkdir(parents=True)
    pins = site / "pins.txt"
    pins.write_text("\n".join(_pins()))
    platforms = [f"--platform=manylinux_{glibc}_aarch64" for glibc in _GLIBC]
    _output(
        *(sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"),
        *("--no-warn-conflicts", "--root-user-action=ignore", "--only-binary=:all:", "--implementation=cp"),
        *(*platforms, "--platform=manylinux2014_aarch64", f"--python-version={version}"),
        *("--constraint", pins, "--target", site, "pip", *PACKAGES),
    )
    pins.unlink()
    shutil.rmtree(site / "bin", ignore_errors=True)  # programs that would start the machine's own Python


def _prove(folder: Path, version: str) -> None:
    """It starts, and all that its packages need is there: pip read the conditions of this machine, not of that one."""
    python = folder / "bin/python3"
    told = _output(python, "-c", "import platform; print(platform.machine(), *platform.libc_ver())").strip()
    if not told.startswith("aarch64 "):
        sys.exit(f"{python} says that it runs on {told}; expected aarch64")
    _output(python, "-m", "pip", "--disable-pip-version-check", "check")
    _told(f"{told}, Python {version}: {folder}")


# --- other programs ---------------------------------------------------------------------


def _told(text: str) -> None:
    print(f"arm: {text}", flush=True)


def _output(*command: str | Path) -> str:
    """What it prints. Raises SystemExit with all it said where it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\nfailed with {done.returncode}: {' '.join(map(str, command))}")
    return done.stdout


def _pipe(first: list[str | Path], second: list[str | Path]) -> None:
    with subprocess.Popen(first, stdout=subprocess.PIPE) as source:
        done = subprocess.run(second, stdin=source.stdout, check=False)
    if source.returncode or done.returncode:
        sys.exit(f"{first[-1]}: could not be unpacked")
