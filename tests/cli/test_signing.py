"""keygen, sign, and verify --trust: what they print, write and exit with."""

from __future__ import annotations

import json
import os
import pty
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edge_infer.signing import PrivateKey, PublicKey, sign, verify
from tests.cli.conftest import ROOT, Run, classifier_bytes, fresh


@pytest.fixture
def folder(tmp_path: Path, run: Run, classifier: Path) -> Path:
    """A model that is signed, and the key."""
    shutil.copy(classifier, tmp_path / "people-1.2.0.onnx")
    assert run("keygen", tmp_path / "key").code == 0
    assert run("sign", tmp_path / "people-1.2.0.onnx", "--key", tmp_path / "key").code == 0
    return tmp_path


def test_keygen_makes_a_pair_and_tells_the_fingerprint(run: Run, tmp_path: Path) -> None:
    ran = run("keygen", tmp_path / "key")
    assert ran.code == 0
    assert PublicKey.read(tmp_path / "key.pub").fingerprint in ran.out
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    again = run("keygen", tmp_path / "key")
    assert (again.code, again.out) == (2, "")
    assert "exists already" in again.err
    made = json.loads(run("keygen", tmp_path / "other", "--json").out)
    assert set(made) == {"key", "public", "fingerprint"}
    assert run("keygen", tmp_path / "no" / "folder").code == 1


def test_sign_writes_beside_the_model_and_verify_finds_it(run: Run, folder: Path) -> None:
    model = folder / "people-1.2.0.onnx"
    verified = verify(
        model.read_bytes(), Path(f"{model}.sig").read_bytes(), [PublicKey.read(folder / "key.pub")], name=model.name
    )
    assert (verified.release, verified.rollback_allowed) == (3, False)
    ran = run("verify", model, "--trust", folder / "key.pub")
    assert ran.code == 0
    assert ran.out.startswith("✓ signature  people-1.2.0.onnx, release 3, by the key\n")
    assert "✓ goldens" in ran.out
    assert "NOT" not in ran.out


def test_sign_tells_what_it_signed(run: Run, folder: Path) -> None:
    model, other = folder / "people-1.2.0.onnx", folder / "other.sig"
    ran = run("sign", model, "--key", folder / "key", "-o", other, "--allow-rollback", "--json")
    told = json.loads(ran.out)
    assert set(told) == {"file", "signature", "digest", "name", "release", "rollback_allowed", "fingerprint"}
    assert (told["name"], told["release"], told["rollback_allowed"]) == ("people-1.2.0.onnx", 3, True)
    assert run("verify", model, "--trust", folder / "key.pub", "--signature", other).code == 0


def test_a_plain_file_is_signed_without_a_release(run: Run, folder: Path, plain: Path) -> None:
    told = json.loads(run("sign", plain, "--key", folder / "key", "-o", folder / "plain.sig", "--json").out)
    assert told["release"] is None


def test_a_folder_of_trust_serves(run: Run, folder: Path) -> None:
    trust, model = folder / "trust", folder / "people-1.2.0.onnx"
    trust.mkdir()
    shutil.copy(folder / "key.pub", trust / "2027.pub")
    assert run("verify", model, "--trust", trust).code == 0
    fingerprint = PublicKey.read(folder / "key.pub").fingerprint
    (trust / "not_after").write_text(f"{fingerprint} 2001-01-01\n")
    ran = run("verify", model, "--trust", trust)
    assert ran.code == 1
    assert "last day was 2001-01-01" in ran.out
    (trust / "revoked").write_text(f"{fingerprint}\n")
    ran = run("verify", model, "--trust", trust)
    assert ran.code == 1
    assert "revoked" in ran.out


def _other_key(folder: Path) -> None:
    (folder / "key.pub").write_bytes((folder / "key2.pub").read_bytes())


def _renamed(folder: Path) -> None:
    model = folder / "people-1.2.0.onnx"
    text = (folder / "people-1.2.0.onnx.sig").read_bytes()
    key = PrivateKey.read(folder / "key")
    (folder / "people-1.2.0.onnx.sig").write_bytes(sign(model.read_bytes(), "people-1.1.0.onnx", key))
    assert text != (folder / "people-1.2.0.onnx.sig").read_bytes()


SPOILT = {
    "unsigned": (lambda folder: (folder / "people-1.2.0.onnx.sig").unlink(), "no signature file"),
    "empty": (lambda folder: (folder / "people-1.2.0.onnx.sig").write_bytes(b""), "JSON"),
    "another model": (
        lambda folder: (folder / "people-1.2.0.onnx").write_bytes(classifier_bytes(wrong_golden=True)),
        "signed was",
    ),
    "no model at all": (lambda folder: (folder / "people-1.2.0.onnx").write_bytes(b"\x80\x04."), "signed was"),
    "another key": (_other_key, "no trusted key"),
    "another name": (_renamed, "was signed as"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_failed_signature_ends_the_checks_with_1(run: Run, folder: Path, case: str) -> None:
    spoil, message = SPOILT[case]
    run("keygen", folder / "key2")
    spoil(folder)
    asked = ("verify", folder / "people-1.2.0.onnx", "--trust", folder / "key.pub")
    ran = run(*asked)
    assert ran.code == 1
    assert "✗ signature" in ran.out
    assert ran.out.endswith("NOT verified\n")
    report = json.loads(run(*asked, "--json").out)
    assert report["ok"] is False
    assert [(check["name"], check["status"]) for check in report["checks"]] == [("signature", "failed")]
    assert message in report["checks"][0]["detail"]


def test_without_trust_the_signature_is_said_to_be_unchecked(run: Run, folder: Path) -> None:
    ran = run("verify", folder / "people-1.2.0.onnx")
    assert ran.code == 0
    assert "signature  NOT CHECKED" in ran.out


def test_wrong_usage_exits_with_2(run: Run, folder: Path) -> None:
    model = folder / "people-1.2.0.onnx"
    for args, message in (
        (("verify", model, "--signature", f"{model}.sig"), "--trust"),
        (("sign", model), "--key"),
        (("sign", model, "--key", folder / "key", "-o", model), "choose another name"),
        (("sign", model, "--key", folder / "key", "-o", folder / "key"), "choose another name"),
        (("keygen",), "KEY"),
    ):
        ran = run(*args)
        assert (ran.code, ran.out) == (2, "")
        assert message in ran.err
    assert PrivateKey.read(folder / "key")


def test_failed_work_exits_with_1(run: Run, folder: Path, tmp_path: Path) -> None:
    model = folder / "people-1.2.0.onnx"
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x08")
    (tmp_path / "open").write_bytes((folder / "key").read_bytes())
    for args, message in (
        (("sign", tmp_path / "broken.onnx", "--key", folder / "key"), "broken.onnx"),
        (("sign", model, "--key", folder / "key.pub"), "no private key"),
        (("sign", model, "--key", tmp_path / "open"), "chmod 600"),
        (("sign", model, "--key", tmp_path / "absent"), "no such file"),
        (("verify", model, "--trust", folder / "key"), "private key"),
        (("verify", model, "--trust", folder / "absent.pub"), "no such file"),
        (("verify", model, "--trust", folder / "key.pub", "--signature", folder / "absent"), "no signature file"),
    ):
        (folder / "key.pub").chmod(0o600)
        ran = run(*args)
        assert ran.code == 1
        assert message in ran.err + ran.out
        assert "unexpected" not in ran.err
    assert not (tmp_path / "broken.onnx.sig").exists()


# --- passphrases ------------------------------------------------------------------------


def test_a_passphrase_comes_from_the_environment(folder: Path) -> None:
    model, key = folder / "people-1.2.0.onnx", folder / "secret"
    assert fresh("keygen", key, "--passphrase", EDGE_INFER_PASSPHRASE="correct horse").code == 0
    assert b"ENCRYPTED" in key.read_bytes()
    assert fresh("sign", model, "--key", key, "--passphrase", EDGE_INFER_PASSPHRASE="correct horse").code == 0
    wrong = fresh("sign", model, "--key", key, "--passphrase", EDGE_INFER_PASSPHRASE="battery")
    assert (wrong.code, "passphrase is wrong" in wrong.err) == (1, True)
    untold = fresh("sign", model, "--key", key)
    assert (untold.code, "passphrase" in untold.err) == (1, True)
    nobody = fresh("sign", model, "--key", key, "--passphrase", EDGE_INFER_PASSPHRASE="")
    assert (nobody.code, "EDGE_INFER_PASSPHRASE" in nobody.err) == (2, True)


def typed(key: Path, answers: list[bytes]) -> int:
    """`keygen --passphrase` at a terminal, each answer typed when it is asked for; the exit code."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "edge_infer.cli.main", "keygen", str(key), "--passphrase"],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "EDGE_INFER_PASSPHRASE": ""},
        start_new_session=True,
    ) as child:
        assert child.stderr is not None
        for answer in answers:
            while child.stderr.read(1) not in (b":", b""):
                pass
            os.write(ours, answer)
        code = child.wait(60)
    os.close(ours)
    os.close(theirs)
    return code


def test_a_passphrase_is_asked_for_twice_at_a_terminal(tmp_path: Path) -> None:
    assert typed(tmp_path / "same", [b"correct horse\n"] * 2) == 0
    assert PrivateKey.read(tmp_path / "same", "correct horse")
    assert typed(tmp_path / "different", [b"correct horse\n", b"battery\n"]) == 2
    assert typed(tmp_path / "empty", [b"\n"]) == 2
    assert not (tmp_path / "different").exists()
    assert not (tmp_path / "empty").exists()
