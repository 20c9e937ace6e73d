"""`edge-infer publish`, each time in a fresh process: what it prints, makes and exits with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Run, fresh
from tests.store.releases import artifact
from tests.update.served import Client, digests


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for version in ("1.0.0", "1.1.0"):
        (tmp_path / f"pets-{version}.onnx").write_bytes(artifact(version))
    return tmp_path


def test_the_life_of_a_rollout(folder: Path) -> None:
    made = fresh("publish", "repo", "pets-1.0.0.onnx", "--keys", "keys")
    assert made.code == 0, made.err
    for words in ("made, with the channels stable, beta", "root*.key and targets*.key", "metadata/1.root.json"):
        assert words in made.out
    assert "edge-infer update --root" in made.out
    assert "pets@1.0.0  published in stable, for all devices" in made.out
    assert "edge-infer sign" in made.out
    assert max(map(len, made.out.splitlines())) <= 80
    client = Client(folder / "repo", folder / "kept")

    some = fresh("publish", "repo", "pets-1.1.0.onnx", "--keys", "keys", "--share", "12.5%")
    assert "for 12.5% of the devices" in some.out
    assert _shares(client) == [(1.0, False), (0.125, False)]
    halted = fresh("publish", "repo", "--keys", "keys", "--halt", "pets@1.1.0")
    assert "pets@1.1.0  halted in stable: no further device takes it" in halted.out
    assert _shares(client) == [(1.0, False), (0.125, True)]
    assert "--resume ends that" in fresh("publish", "repo", "pets-1.1.0.onnx", "--keys", "keys").out
    fresh("publish", "repo", "--keys", "keys", "--resume", "pets@1.1.0", "--share", "50%")
    assert _shares(client) == [(1.0, False), (0.5, False)]
    wide = fresh("publish", "repo", "pets@1.1.0", "--keys", "keys", "--share", "100%")
    assert wide.out == "pets@1.1.0  now for all devices of stable\n"
    again = fresh("publish", "repo", "pets@1.1.0", "--keys", "keys", "--share", "100%")
    assert again.out == "pets@1.1.0  nothing to do: it is so already\n"
    assert _shares(client) == [(1.0, False), (1.0, False)]

    renewed = fresh("publish", "repo", "--keys", "keys", "--refresh")
    assert "signed: snapshot, timestamp" in renewed.out
    rotated = fresh("publish", "repo", "--keys", "keys", "--rotate", "timestamp", "--rotate", "beta")
    assert "timestamp.key" in rotated.out
    assert [line.split()[0] for line in rotated.out.splitlines()[-6:]] == [
        *("root", "targets", "snapshot", "timestamp", "stable", "beta")
    ]
    assert _shares(client) == [(1.0, False), (1.0, False)]


def _shares(client: Client) -> list[tuple[float, bool]]:
    index = client.index()
    assert index is not None
    return [(release.share, release.halted) for release in index.releases]


def test_thresholds_and_lifetimes_of_a_new_repository(run: Run, folder: Path) -> None:
    options = ("--threshold", "root=2/3", "--threshold", "stable=2", "--expires", "timestamp=7d", "--json")
    told = json.loads(run("publish", "repo", "pets-1.0.0.onnx", "--keys", "keys", *options).out)
    assert set(told) == {"folder", "root", "created", "changes", "signed", "new_keys", "roles", "damaged"}
    assert (told["created"], told["root"]) == (True, str(folder / "repo" / "metadata" / "1.root.json"))
    (change,) = told["changes"]
    assert {"name": "pets", "version": "1.0.0", "channel": "stable", "action": "published"}.items() <= change.items()
    assert {"release", "share", "halted", "file", "signature", "published"} <= set(change)
    roles = {role["name"]: role for role in told["roles"]}
    assert [(roles[name]["threshold"], roles[name]["keys"]) for name in ("root", "stable", "beta")] == [
        *((2, 3), (2, 2), (1, 1))
    ]
    assert set(roles["root"]) == {"name", "version", "expires", "near_end", "expired", "threshold", "keys"}
    assert sorted(Path(key).name for key in told["new_keys"]) == sorted(
        path.name for path in Path("keys").glob("*.key")
    )
    assert len(told["new_keys"]) == 9


def test_channels(run: Run, folder: Path) -> None:
    assert run("publish", "repo", "pets-1.0.0.onnx", "--keys", "keys", "--channel", "beta").code == 0
    ran = run("publish", "repo", "pets-1.0.0.onnx", "--keys", "keys", "--channel", "canary")
    assert (ran.code, "there are stable, beta" in ran.err) == (1, True)
    assert run("publish", "repo", "pets-1.0.0.onnx", "--keys", "keys", "--channel", "canary", "--new-channel").code == 0
    client = Client(folder / "repo", folder / "kept")
    found = {channel: client.versions(channel=channel) for channel in ("stable", "beta", "canary")}
    assert found == {"stable": [], "beta": ["1.0.0"], "canary": ["1.0.0"]}


WRONG_USAGE = {
    "no keys": (("pets-1.1.0.onnx",), "--keys"),
    "nothing to do": (("--keys", "keys"), "nothing to publish is given"),
    "two things": (("pets-1.1.0.onnx", "--keys", "keys", "--refresh"), "--refresh are given"),
    "keys inside": (("pets-1.1.0.onnx", "--keys", "repo/keys"), "must never be"),
    "a share without a sign": (("pets-1.1.0.onnx", "--keys", "keys", "--share", "0.1"), "such as 10%"),
    "a share above all": (("pets-1.1.0.onnx", "--keys", "keys", "--share", "101%"), "0% to 100%"),
    "a share of a halt": (("--keys", "keys", "--halt", "pets@1.0.0", "--share", "1%"), "--share goes with"),
    "a release without a share": (("pets@1.0.0", "--keys", "keys"), "expected --share with it"),
    "files and releases": (("pets@1.0.0", "pets-1.1.0.onnx", "--keys", "keys", "--share", "1%"), "not both"),
    "no time": (("pets-1.1.0.onnx", "--keys", "keys", "--expires", "timestamp=soon"), "12h, 7d"),
    "a time without an end": (("pets-1.1.0.onnx", "--keys", "keys", "--expires", "timestamp=101y"), "at most 100y"),
    "no role": (("pets-1.1.0.onnx", "--keys", "keys", "--expires", "7d"), "expected ROLE=VALUE"),
    "another role": (("pets-1.1.0.onnx", "--keys", "keys", "--expires", "mirror=7d"), "no role 'mirror'"),
    "no key": (("pets-1.1.0.onnx", "--keys", "keys", "--threshold", "root=0"), "how many keys"),
    "more than there are": (("pets-1.1.0.onnx", "--keys", "keys", "--threshold", "root=3/2"), "how many keys"),
    "a threshold of keys that are there": (("pets-1.1.0.onnx", "--keys", "keys", "--threshold", "root=2"), "--rotate"),
    "a role as a channel": (("pets-1.1.0.onnx", "--keys", "keys", "--channel", "root"), "cannot name a channel"),
    "a channel for nothing": (("--keys", "keys", "--refresh", "--new-channel"), "--new-channel goes with"),
    "rotating no role": (("--keys", "keys", "--rotate", "mirror"), "no role 'mirror'"),
}


@pytest.mark.parametrize("case", WRONG_USAGE)
def test_wrong_usage_exits_with_2_and_writes_nothing(case: str, run: Run, folder: Path) -> None:
    assert run("publish", "repo", "pets-1.0.0.onnx", "--keys", "keys").code == 0
    before = digests(folder)
    args, message = WRONG_USAGE[case]
    ran = run("publish", "repo", *args)
    assert (ran.code, ran.out) == (2, "")
    assert message in " ".join(ran.err.split())
    assert digests(folder) == before


FAILURES = {
    "an older release": (("pets-0.9.0.onnx", "--keys", "keys"), "not above pets@1.0.0"),
    "a release that is not published": (("--keys", "keys", "--halt", "pets@7"), "pets@7 is not published in stable"),
    "a key that is not here": (("pets-1.1.0.onnx", "--keys", "elsewhere"), "elsewhere/"),
    "no file": (("pets-9.onnx", "--keys", "keys"), "no such file"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_failed_work_exits_with_1(case: str, run: Run, folder: Path) -> None:
    (folder / "pets-0.9.0.onnx").write_bytes(artifact("0.9.0"))
    assert run("publish", "repo", "pets-1.0.0.onnx", "--keys", "keys").code == 0
    args, message = FAILURES[case]
    ran = run("publish", "repo", *args)
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.err
    assert "unexpected" not in ran.err


def test_a_repository_is_made_by_publishing_only(run: Run, folder: Path) -> None:
    for args in (("--refresh",), ("--rotate", "root"), ("--halt", "pets@1.0.0")):
        ran = run("publish", "repo", "--keys", "keys", *args)
        assert (ran.code, "there is no repository yet" in ran.err) == (1, True)
    assert not Path("repo").exists()


def test_what_devices_will_refuse_is_told_and_exits_with_1(run: Run, folder: Path) -> None:
    assert run("publish", "repo", "pets-1.0.0.onnx", "--keys", "keys").code == 0
    (file,) = Path("repo/targets/stable").glob("*.onnx")
    file.unlink()
    ran = run("publish", "repo", "--keys", "keys", "--refresh")
    assert (ran.code, "missing or torn" in ran.out) == (1, True)
    assert run("publish", "repo", "pets-1.0.0.onnx", "--keys", "keys").code == 0
    assert run("publish", "repo", "--keys", "keys", "--refresh").code == 0


def test_without_the_extra_the_pip_command_is_told(folder: Path) -> None:
    program = (
        "import sys; sys.modules['tuf'] = sys.modules['cryptography'] = None; from edge_infer.cli.main import main; "
        "sys.exit(main(['publish', 'repo', 'pets-1.0.0.onnx', '--keys', 'keys']))"
    )
    command = [sys.executable, "-c", program]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert ran.returncode == 1
    assert 'pip install "edge-infer[update]"' in ran.stderr
    assert not (folder / "repo").exists()
