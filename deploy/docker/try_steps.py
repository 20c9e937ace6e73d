#!/usr/bin/env python3
"""Do what the Dockerfile says in a folder instead of an image: where no container engine runs, and for tests.

    try_steps.py DOCKERFILE CONTEXT BASE DEST [NAME=VALUE...]

BASE is a folder with a root file system that has what the base image has (Debian and Python), for example made by
`debootstrap --include=python3.11,python3.11-venv`. It is copied for each FROM; RUN is done by chroot, with no network.
DEST becomes the last stage's root. NAME=VALUE are build arguments. Prints the last stage's settings as JSON: env,
user, volumes, entrypoint, cmd, healthcheck.

It needs root, and knows the instructions that this Dockerfile has; any other is an error. What it does not show: that
an engine builds the image, and that the base image has what BASE has.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

CONTINUED = re.compile(r"\\\n")
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
START = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"}


class Build:
    """The stages by name, and the state of the one that is being made."""

    def __init__(self, context: Path, base: Path, work: Path, arguments: dict[str, str]) -> None:
        self.context, self.base, self.work, self.arguments = context, base, work, arguments
        self.stages: dict[str, Path] = {}
        self.root = work
        self.known: dict[str, str] = {}
        self.settings: dict[str, object] = {}

    def do(self, instruction: str, rest: str) -> None:
        step = getattr(self, f"_{instruction.lower()}", None)
        if step is None:
            raise SystemExit(f"try_steps: {instruction} is not known here; add it, or leave it out of the Dockerfile")
        print(f"try_steps: {instruction} {rest}", file=sys.stderr)
        step(rest)

    def _filled(self, text: str) -> str:
        return VARIABLE.sub(lambda found: self.known.get(found[1] or found[2], ""), text)

    def _from(self, rest: str) -> None:
        """`FROM IMAGE [AS NAME]`: BASE stands for every image."""
        name = rest.split()[2] if " AS " in rest else "last"
        self.root = self.work / name
        subprocess.run(["cp", "-a", self.base, self.root], check=True)
        self.stages[name] = self.root
        self.known = dict(START)
        self.settings = {
            "env": self.known,
            "user": "0:0",
            "volumes": [],
            "cmd": [],
            "entrypoint": [],
            "healthcheck": "",
        }

    def _arg(self, rest: str) -> None:
        name, _, value = rest.partition("=")
        self.known[name] = self.arguments.get(name, value)

    def _env(self, rest: str) -> None:
        for pair in shlex.split(self._filled(rest)):
            name, _, value = pair.partition("=")
            self.known[name] = value

    def _copy(self, rest: str) -> None:
        words = self._filled(rest).split()
        options = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
        source, target = (word for word in words if not word.startswith("--"))
        start = self.stages[options["from"]] if "from" in options else self.context
        found, there = start / source.lstrip("/"), self.root / target.lstrip("/")
        if found.is_dir():
            shutil.copytree(found, there, symlinks=True, dirs_exist_ok=True)
        else:
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, there)
        if "chown" in options:
            subprocess.run(["chown", "-Rh", options["chown"], there], check=True)
        if "chmod" in options:
            there.chmod(int(options["chmod"], 8))

    def _run(self, rest: str) -> None:
        inside = 'mount -t proc proc "$0/proc" && exec chroot "$0" /bin/sh -c "$1"'
        command = ["unshare", "--net", "--mount", "/bin/sh", "-c", inside, str(self.root), rest]
        subprocess.run(command, env=self.known, check=True, stdout=sys.stderr)

    def _user(self, rest: str) -> None:
        self.settings["user"] = rest

    def _volume(self, rest: str) -> None:
        self.settings["volumes"] = rest.split()
        for path in rest.split():
            (self.root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _entrypoint(self, rest: str) -> None:
        self.settings["entrypoint"] = json.loads(rest)

    def _cmd(self, rest: str) -> None:
        self.settings["cmd"] = json.loads(rest)

    def _healthcheck(self, rest: str) -> None:
        self.settings["healthcheck"] = rest.partition("CMD ")[2]


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Each instruction and the rest of its line, comments left out."""
    lines = [line for line in dockerfile.splitlines() if line.strip() and not line.startswith("#")]
    joined = CONTINUED.sub(" ", "\n".join(lines)).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined)]


def main() -> int:
    if len(sys.argv) < 5 or os.geteuid():
        print(__doc__, file=sys.stderr)
        return 2
    dockerfile, context, base, target = map(Path, sys.argv[1:5])
    work = Path(f"{target}.stages")
    work.mkdir()
    build = Build(context, base, work, dict(argument.split("=", 1) for argument in sys.argv[5:]))
    for instruction, rest in instructions(dockerfile.read_text(encoding="utf-8")):
        build.do(instruction, rest)
    build.root.rename(target)
    shutil.rmtree(work)
    print(json.dumps(build.settings, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
