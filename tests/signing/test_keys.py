"""Key files: made safely, read strictly."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from edge_infer.errors import KeyFileError, UsageError
from edge_infer.limits import LIMITS
from edge_infer.signing import PrivateKey, PublicKey, generate_key
from tests.signing.making import KEY, OTHER

_PEM, _PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
_PLAIN = serialization.NoEncryption()


def test_a_key_is_made_for_its_owner_only_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "release.key"
    public = generate_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"BEGIN PRIVATE KEY" in path.read_bytes()
    assert PrivateKey.read(path).public == public == PublicKey.read(f"{path}.pub")


def test_fingerprint_and_hint_are_what_openssl_gives(tmp_path: Path) -> None:
    public = generate_key(tmp_path / "key")
    der = serialization.load_pem_public_key((tmp_path / "key.pub").read_bytes()).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert public.fingerprint == sha256(der).hexdigest()
    assert public.hint == sha256((tmp_path / "key.pub").read_bytes()).hexdigest()


@pytest.mark.parametrize("existing", ["key", "key.pub"])
def test_an_existing_file_is_never_written_over(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        generate_key(tmp_path / "key")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {existing: "mine"}


def test_a_dangling_symlink_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="exists already"):
        generate_key(tmp_path / "key")
    assert not (tmp_path / "elsewhere").exists()


def test_a_passphrase_is_needed_to_read_what_it_encrypts(tmp_path: Path) -> None:
    path = tmp_path / "key"
    public = generate_key(path, "correct horse")
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes()
    assert PrivateKey.read(path, "correct horse").public == public
    for wrong, message in ((None, "passphrase"), ("battery", "passphrase is wrong")):
        with pytest.raises(KeyFileError, match=message):
            PrivateKey.read(path, wrong)
    generate_key(tmp_path / "plain")
    with pytest.raises(KeyFileError, match="no passphrase"):
        PrivateKey.read(tmp_path / "plain", "correct horse")
    with pytest.raises(UsageError, match="empty"):
        generate_key(tmp_path / "third", "")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    generate_key(tmp_path / "key")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        PrivateKey.read(tmp_path / "key")


def test_a_private_key_that_its_owner_alone_can_read_is_taken(tmp_path: Path) -> None:
    generate_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o400)
    assert PrivateKey.read(tmp_path / "key").public == PublicKey.read(tmp_path / "key.pub")


def test_a_symlink_a_folder_and_a_pipe_are_no_private_keys(tmp_path: Path) -> None:
    generate_key(tmp_path / "key")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, message in (("link", "symlink"), ("pipe", "regular file")):
        with pytest.raises(KeyFileError, match=message):
            PrivateKey.read(tmp_path / name)
    with pytest.raises((KeyFileError, OSError)):
        PrivateKey.read(tmp_path)


def test_a_key_as_openssl_writes_it_is_taken(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    path = tmp_path / "sec1.pem"
    path.write_bytes(key.private_bytes(_PEM, serialization.PrivateFormat.TraditionalOpenSSL, _PLAIN))
    path.chmod(0o600)
    assert b"BEGIN EC PRIVATE KEY" in path.read_bytes()
    assert PrivateKey.read(path).public == PublicKey(key.public_key())


OTHER_KINDS = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "another curve": lambda: ec.generate_private_key(ec.SECP256K1()),
}


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_other_algorithms_are_refused(tmp_path: Path, kind: str) -> None:
    key = OTHER_KINDS[kind]()
    path = tmp_path / "key"
    path.write_bytes(key.private_bytes(_PEM, _PKCS8, _PLAIN))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="P-256"):
        PrivateKey.read(path)
    with pytest.raises(KeyFileError, match="P-256"):
        PublicKey.parse(key.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo))


PUBLIC = {
    "nothing": (b"", "got 0"),
    "text": (b"hello", "got 0"),
    "torn": (KEY.public.pem[:60], "torn"),
    "another block": (KEY.public.pem.replace(b"PUBLIC KEY", b"CERTIFICATE"), "no public key"),
    "two keys": (KEY.public.pem + OTHER.public.pem, "got 2"),
    "a private key": (b"-----BEGIN PRIVATE KEY-----\n", r"private key; trust its public key"),
}


@pytest.mark.parametrize("case", PUBLIC)
def test_what_is_no_public_key_is_refused_by_name(tmp_path: Path, case: str) -> None:
    content, message = PUBLIC[case]
    path = tmp_path / "wrong.pub"
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match=rf"wrong\.pub.*{message}"):
        PublicKey.read(path)


def test_text_before_a_public_key_and_other_line_ends_are_taken() -> None:
    windows = KEY.public.pem.replace(b"\n", b"\r\n")
    assert PublicKey.parse(b"the key of 2027\n" + windows + b"\r\n") == KEY.public


def test_the_size_of_key_files_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(KEY.public.pem + b"\n" * LIMITS.key_bytes)
    path.chmod(0o600)
    for read in (PublicKey.read, PrivateKey.read):
        with pytest.raises(KeyFileError, match="more than"):
            read(path)


def test_a_private_key_is_never_shown() -> None:
    assert KEY.public.fingerprint not in repr(KEY)
    assert "PRIVATE" not in f"{KEY!r} {vars(KEY)}"
    assert KEY.public.fingerprint in repr(KEY.public)


def test_importing_edge_infer_does_not_load_cryptography() -> None:
    program = "import edge_infer, edge_infer.errors, edge_infer.model, sys; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
