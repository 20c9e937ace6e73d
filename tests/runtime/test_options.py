"""How a model uses the machine: options of the program, of the environment, and the CPUs that it may use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import edge_infer
from edge_infer import SessionOptions
from edge_infer.errors import UsageError
from edge_infer.machine import usable_cpus, usable_memory
from edge_infer.options import ENVIRONMENT
from tests.runtime.samples import DIGITS, PENGUINS, RECORD

CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine(root: Path, groups: str, mounts: str, files: dict[str, str]) -> str:
    """A file system with what Linux tells a process of its control groups."""
    files = {"proc/self/cgroup": groups, "proc/self/mountinfo": mounts, **files}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return str(root)


VERSION_2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
VERSION_1 = (
    "31 23 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "32 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
)
CONTAINER_1 = "32 23 0:28 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"


@pytest.mark.skipif(CPUS < 2, reason="a quota of one CPU is no limit where the process has but one: run it with two")
@pytest.mark.parametrize(
    ("groups", "mounts", "files"),
    [
        ("0::/app\n", VERSION_2, {"sys/fs/cgroup/app/cpu.max": "100000 100000\n"}),
        ("0::/app\n", VERSION_2, {"sys/fs/cgroup/app/cpu.max": "199999 100000\n"}),
        ("0::/app\n", VERSION_2, {"sys/fs/cgroup/app/cpu.max": "20000 100000\n"}),
        ("0::/a/b/c\n", VERSION_2, {"sys/fs/cgroup/a/cpu.max": "1000 1000", "sys/fs/cgroup/a/b/c/cpu.max": "max 1000"}),
        ("0::/\n", VERSION_2, {"sys/fs/cgroup/cpu.max": "100000 100000\n"}),
        (
            "4:cpu,cpuacct:/app\n3:cpuset:/\n0::/\n",
            VERSION_1,
            {
                "sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us": "150000\n",
                "sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us": "100000\n",
            },
        ),
        (
            "4:cpu:/docker/abc\n",
            CONTAINER_1,
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"},
        ),
    ],
    ids=["one", "a part is not counted", "less than one", "of a group above", "of all", "version 1", "container"],
)
def test_a_quota_of_a_control_group_limits_the_cpus(
    groups: str, mounts: str, files: dict[str, str], tmp_path: Path
) -> None:
    assert usable_cpus(machine(tmp_path, groups, mounts, files)) == 1


@pytest.mark.parametrize(
    ("groups", "mounts", "files"),
    [
        ("", "", {}),
        ("0::/app\n", VERSION_2, {"sys/fs/cgroup/app/cpu.max": "max 100000\n"}),
        ("0::/app\n", VERSION_2, {"sys/fs/cgroup/app/cpu.max": "torn"}),
        ("0::/app\n", VERSION_2, {"sys/fs/cgroup/other/cpu.max": "1000 1000\n"}),
        ("0::/../outside\n", VERSION_2, {"sys/fs/outside/cpu.max": "1000 1000\n"}),
        (
            "4:cpu,cpuacct:/\n",
            VERSION_1,
            {
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
        ),
    ],
    ids=["no groups", "no quota", "torn", "of another group", "outside of what is mounted", "version 1"],
)
def test_without_a_quota_the_affinity_counts(groups: str, mounts: str, files: dict[str, str], tmp_path: Path) -> None:
    assert usable_cpus(machine(tmp_path, groups, mounts, files)) == CPUS


VERSION_1_MEMORY = "33 23 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"


@pytest.mark.parametrize(
    ("groups", "mounts", "files"),
    [
        ("0::/app\n", VERSION_2, {"sys/fs/cgroup/app/memory.max": "4096\n"}),
        ("0::/a/b\n", VERSION_2, {"sys/fs/cgroup/a/memory.max": "4096\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}),
        ("5:memory:/app\n", VERSION_1_MEMORY, {"sys/fs/cgroup/memory/app/memory.limit_in_bytes": "4096\n"}),
    ],
    ids=["one", "of a group above", "version 1"],
)
def test_a_limit_of_a_control_group_limits_the_memory(
    groups: str, mounts: str, files: dict[str, str], tmp_path: Path
) -> None:
    assert usable_memory(machine(tmp_path, groups, mounts, files)) == 4096


@pytest.mark.parametrize("limit", ["max\n", "torn", "9223372036854771712\n"])
def test_without_a_limit_the_memory_is_the_machines(limit: str, tmp_path: Path) -> None:
    everything = usable_memory(machine(tmp_path, "", "", {}))
    assert usable_memory(machine(tmp_path, "0::/\n", VERSION_2, {"sys/fs/cgroup/memory.max": limit})) == everything
    assert everything is None or everything > 2**20


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to CPUs")
def test_the_affinity_limits_the_cpus() -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    code += "from edge_infer.machine import usable_cpus; print(usable_cpus())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "1\n"


# --- options ----------------------------------------------------------------------------


def test_the_environment_gives_what_the_program_does_not() -> None:
    variables = {
        "EDGE_INFER_THREADS": "2",
        "EDGE_INFER_SPINNING": "1",
        "EDGE_INFER_ARENA": "0",
        "EDGE_INFER_CHUNK_BYTES": "4096",
    }
    assert SessionOptions.from_environment(variables) == SessionOptions(2, True, False, 4096)
    assert SessionOptions.from_environment({"EDGE_INFER_THREADS": "all", "EDGE_INFER_ARENA": ""}).threads == "all"
    assert SessionOptions.from_environment({}) == SessionOptions()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("EDGE_INFER_THREADS", "0", 'a whole number from 1 to 256, or "all"'),
        ("EDGE_INFER_THREADS", "257", 'a whole number from 1 to 256, or "all"'),
        ("EDGE_INFER_THREADS", "two", 'a whole number from 1 to 256, or "all"'),
        ("EDGE_INFER_THREADS", "٢", 'a whole number from 1 to 256, or "all"'),
        ("EDGE_INFER_SPINNING", "yes", "True or False"),
        ("EDGE_INFER_ARENA", "2", "True or False"),
        ("EDGE_INFER_CHUNK_BYTES", "1MB", "a number of bytes"),
        ("EDGE_INFER_CHUNK_BYTES", str(2**40 + 1), "a number of bytes up to 1,099,511,627,776, or 0"),
        ("EDGE_INFER_CHUNK_BYTES", str(10**30), "a number of bytes up to"),
        ("EDGE_INFER_SPLIT_ROWS", str(2**31), "a number of rows up to 2,147,483,647, or 0"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(name: str, value: str, expected: str) -> None:
    with pytest.raises(UsageError, match=f"{name}: expected {expected}.*got '?{value}'?"):
        SessionOptions.from_environment({name: value})


def test_a_variable_of_thousands_of_digits_is_told_in_a_line() -> None:
    with pytest.raises(UsageError, match="EDGE_INFER_SPLIT_ROWS: expected a number of rows") as told:
        SessionOptions.from_environment({"EDGE_INFER_SPLIT_ROWS": "9" * 10_000})
    assert len(str(told.value)) < 200


@pytest.mark.parametrize("wrong", [{"threads": 257}, {"chunk_bytes": 10**30}, {"split_rows": 10**30}], ids=str)
def test_options_of_the_program_have_upper_limits(wrong: dict[str, int]) -> None:
    (name,) = wrong
    with pytest.raises(UsageError, match=rf"^{name}: expected .* got \d+$"):
        edge_infer.load(DIGITS, options=SessionOptions()._replace(**wrong))


def test_the_limits_of_options_are_inclusive() -> None:
    largest = SessionOptions(threads=256, chunk_bytes=2**40, split_rows=2**31 - 1)
    assert largest.checked() is largest
    assert edge_infer.load(DIGITS, options=largest._replace(threads=2)).predict([[0.0] * 64]).shape == (1,)


@pytest.mark.parametrize("options", [{"threads": 2}, {}, "all", 2, (2, False)], ids=str)
def test_options_of_another_type_are_told_what_is_expected(options: Any) -> None:
    with pytest.raises(
        UsageError, match=r"options: expected edge_infer\.SessionOptions, got .*SessionOptions\(threads=2"
    ):
        edge_infer.load(DIGITS, options=options)


def test_options_of_the_program_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_INFER_THREADS", "2")
    assert edge_infer.load(DIGITS)._graphs.shared.threaded
    assert not edge_infer.load(DIGITS, options=SessionOptions())._graphs.shared.threaded


def cli(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_infer.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | variables, check=False)


def test_the_command_line_reads_the_environment() -> None:
    arguments: list[Any] = ["predict", str(PENGUINS), json.dumps(RECORD)]
    plain, threaded = cli(*arguments), cli(*arguments, EDGE_INFER_THREADS="all")
    assert (threaded.returncode, threaded.stdout) == (plain.returncode, plain.stdout) == (0, plain.stdout)
    for command in (arguments, ["verify", str(PENGUINS)]):  # the file is not what is wrong
        wrong = cli(*command, EDGE_INFER_THREADS="many")
        assert wrong.returncode == 2
        assert "EDGE_INFER_THREADS: expected a whole number" in wrong.stderr
        assert "Traceback" not in wrong.stderr


def test_the_guide_names_every_variable() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    for variable, option in ENVIRONMENT.items():
        assert f"| `{option}` | `{variable}` |" in guide
