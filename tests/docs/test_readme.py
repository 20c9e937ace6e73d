"""What the README and the guides show, runs; what the CLI has, the README shows; its figures come from a run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.readme import figures as quoted
from benchmarks.readme import quote

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: In the order in which they are read: each goes on in the folder of the one before.
PAGES = ("README.md", "docs/device.md", "docs/python.md", "docs/monitor.md")
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment whose `edge-infer` is this checkout's, and whose home is empty."""
    programs, home = tmp_path / "bin", tmp_path / "home"
    programs.mkdir()
    home.mkdir()
    script = programs / "edge-infer"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edge_infer.cli "$@"\n')
    script.chmod(0o755)
    path = os.pathsep.join([str(ROOT), str(ROOT / "convert")])
    return {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": path, "HOME": str(home)}


def test_every_snippet_runs_in_order(
    tmp_path: Path, shell: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("HOME", "PATH"):  # the Python blocks run here, in the shell's home
        monkeypatch.setenv(variable, shell[variable])
    for variable in ("EDGE_INFER_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
        shell.pop(variable, None)
    names: dict[str, Any] = {}
    blocks = [(page, *block) for page in PAGES for block in BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))]
    assert len(blocks) >= 12
    for page, language, code in blocks:
        if language == "python":
            exec(compile(code, page, "exec"), names)  # the page's own code
        else:
            done = subprocess.run(["sh", "-euc", code], env=shell, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{code}\n{done.stdout}{done.stderr}"
    printed = capsys.readouterr().out
    assert printed.startswith("Gentoo\n{'Adelie': 0.")
    assert "column 'bill_length_mm': expected a number, got text 'long'" in printed
    assert "column 'body_mass_g'" in printed
    assert (tmp_path / "parity.html").stat().st_size > 1000
    assert (tmp_path / "answers.json").read_text().startswith('{"prediction"')


def test_every_command_is_in_the_table() -> None:
    from edge_infer.cli.app import whole_app

    commands = whole_app().commands
    assert {"convert", "inspect", "verify", "predict", "stream", "demo"} <= set(commands)
    undocumented = [name for name in commands if f"| `edge-infer {name}` |" not in README]
    assert undocumented == []


def test_figures_are_those_of_the_last_benchmark_run() -> None:
    figures = README.split("a test compares -->\n")[1].split("<!-- end of figures -->")[0].strip()
    results = (ROOT / "benchmarks" / "results.md").read_text(encoding="utf-8")
    assert figures == quoted(results)


def test_figures_take_the_place_of_the_old_ones(tmp_path: Path) -> None:
    results, readme = ROOT / "benchmarks" / "results.md", tmp_path / "README.md"
    readme.write_text(README.replace("Machine: ", "Machine: an old one, "), encoding="utf-8")
    quote(results, readme)
    assert readme.read_text(encoding="utf-8") == README


def test_figures_of_a_run_with_other_parts_are_quoted_in_order(tmp_path: Path) -> None:
    text = (ROOT / "benchmarks" / "results.md").read_text(encoding="utf-8")
    results, readme = tmp_path / "results.md", tmp_path / "README.md"
    results.write_text(f"{text}\n## 300 boosted trees\n\n| rows |\n\nA note.\n", encoding="utf-8")
    readme.write_text(README, encoding="utf-8")
    quote(results, readme)
    shown = readme.read_text(encoding="utf-8")
    assert shown.index("documented: rows that differ") < shown.index("A note.") < shown.index("| process |")


def test_links_point_to_files_that_exist() -> None:
    pages = (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "examples/README.md", ROOT / "deploy/README.md")
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert page.parent.joinpath(target).exists(), f"{page} links to {target}"
