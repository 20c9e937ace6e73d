"""keygen --age, encrypt, and --identity: what they print, write and exit with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import RECORD, Run, fresh

ONE = json.dumps(RECORD)


@pytest.fixture
def folder(tmp_path: Path, run: Run, classifier: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that is signed, then encrypted to the identity `device`; another identity, `other`."""
    monkeypatch.delenv("EDGE_INFER_IDENTITY", raising=False)
    model = tmp_path / "people-1.2.0.onnx"
    shutil.copy(classifier, model)
    device, _ = (json.loads(run("keygen", "--age", tmp_path / name, "--json").out) for name in ("device", "other"))
    assert run("keygen", tmp_path / "key").code == 0
    assert run("sign", model, "--key", tmp_path / "key").code == 0
    assert run("encrypt", model, "--to", device["recipient"]).code == 0
    return tmp_path


def test_keygen_tells_the_recipient(run: Run, tmp_path: Path) -> None:
    ran = run("keygen", "--age", tmp_path / "device")
    assert ran.code == 0
    recipient = ran.out.split()[-1]
    assert recipient.startswith("age1")
    assert "SECRET" not in ran.out
    assert recipient in (tmp_path / "device").read_text()
    assert run("keygen", "--age", tmp_path / "device").code == 2
    assert run("keygen", "--age", tmp_path / "new", "--passphrase").code == 2
    assert not (tmp_path / "new").exists()


def test_encrypt_serves_several_recipients(run: Run, folder: Path) -> None:
    recipients = [json.loads(run("keygen", "--age", folder / name, "--json").out)["recipient"] for name in "ab"]
    told = json.loads(
        run(
            *("encrypt", folder / "people-1.2.0.onnx", "--to", recipients[0], "--to", recipients[1]),
            *("-o", folder / "x.age", "--json"),
        ).out
    )
    assert told["recipients"] == recipients
    for name in "ab":
        assert run("inspect", folder / "x.age", "--identity", folder / name).code == 0


@pytest.mark.parametrize("args", [("predict", ONE), ("inspect",), ("verify",)], ids=lambda args: args[0])
def test_commands_open_it_as_they_open_the_plain_file(run: Run, folder: Path, args: tuple[str, ...]) -> None:
    plain, encrypted = folder / "people-1.2.0.onnx", folder / "people-1.2.0.onnx.age"
    wanted = run(args[0], plain, *args[1:])
    ran = run(args[0], encrypted, *args[1:], "--identity", folder / "device")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == wanted.out


def test_stream_opens_it_by_the_environment(folder: Path) -> None:
    ran = fresh(
        *("stream", folder / "people-1.2.0.onnx.age"),
        stdin=ONE.encode(),
        EDGE_INFER_IDENTITY=str(folder / "device"),
    )
    assert (ran.code, ran.err) == (0, "")
    assert "prediction" in ran.out


def test_the_signature_of_the_model_within_is_verified(run: Run, folder: Path) -> None:
    encrypted, identity = folder / "people-1.2.0.onnx.age", ("--identity", folder / "device")
    ran = run("verify", encrypted, "--trust", folder / "key.pub", *identity)
    assert ran.code == 0
    assert "✓ signature  people-1.2.0.onnx" in ran.out
    (folder / "people-1.2.0.onnx.sig").unlink()
    ran = run("verify", encrypted, "--trust", folder / "key.pub", *identity)
    assert (ran.code, "✗ signature" in ran.out) == (1, True)


def test_the_wrong_identity_fails_with_1_and_none_with_2(run: Run, folder: Path) -> None:
    encrypted = folder / "people-1.2.0.onnx.age"
    ran = run("verify", encrypted, "--identity", folder / "other")
    assert (ran.code, "✗ encryption" in ran.out) == (1, True)
    for args in (("predict", encrypted, ONE), ("inspect", encrypted)):
        ran = run(*args, "--identity", folder / "other")
        assert (ran.code, ran.out, "cannot be decrypted" in ran.err) == (1, "", True)
    for args in (("predict", encrypted, ONE), ("inspect", encrypted), ("verify", encrypted)):
        ran = run(*args)
        assert (ran.code, ran.out, "EDGE_INFER_IDENTITY" in ran.err) == (2, "", True)
    (folder / "device").chmod(0o644)
    ran = run("verify", encrypted, "--identity", folder / "device")
    assert (ran.code, "chmod 600" in ran.err) == (1, True)


def test_wrong_usage_of_encrypt_exits_with_2(run: Run, folder: Path) -> None:
    model = folder / "people-1.2.0.onnx"
    recipient = (folder / "device").read_text().split()[3]
    for args, message in (
        (("encrypt", model), "--to"),
        (("encrypt", model, "--to", "age1nobody"), "age1"),
        (("encrypt", model, "--to", recipient, "-o", model), "choose another name"),
    ):
        ran = run(*args)
        assert (ran.code, ran.out) == (2, "")
        assert message in ran.err
    ran = run("encrypt", f"{model}.age", "--to", recipient)
    assert (ran.code, "age file" in ran.err) == (1, True)
