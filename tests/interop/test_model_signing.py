"""OpenSSF's own tool verifies what we sign, and we verify what it signs. `make interop` brings the tool."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edge_infer.signing import PrivateKey, PublicKey, sign, verify

TOOL = os.environ.get("MODEL_SIGNING")
SAMPLE = Path(__file__).parents[2] / "artifacts" / "samples" / "format-1" / "penguins-1.0.0.onnx"
CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}

pytestmark = pytest.mark.skipif(TOOL is None, reason="needs the tool model_signing: run `make interop`")


def tool(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(TOOL), *map(str, args)], capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(params=CURVES)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A model, and a key of each curve as OpenSSL writes them."""
    key = ec.generate_private_key(CURVES[request.param])
    pem = serialization.Encoding.PEM
    (tmp_path / "key").touch(0o600)
    (tmp_path / "key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    )
    (tmp_path / "key.pub").write_bytes(
        key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    shutil.copy(SAMPLE, tmp_path / SAMPLE.name)
    return tmp_path


def test_the_tool_verifies_what_we_sign_and_refuses_it_for_other_bytes(folder: Path) -> None:
    model, signature = folder / SAMPLE.name, folder / f"{SAMPLE.name}.sig"
    private = PrivateKey.read(folder / "key")
    signature.write_bytes(sign(model.read_bytes(), model.name, private, release=3, rollback_allowed=True))
    asked = ("verify", "key", model, "--signature", signature, "--public_key", folder / "key.pub")
    told = tool(*asked)
    assert (told.returncode, told.stdout) == (0, "Verification succeeded\n"), told.stderr
    model.write_bytes(model.read_bytes() + b"\0")
    assert tool(*asked).returncode == 1


def test_we_verify_what_the_tool_signs(folder: Path) -> None:
    model, signature = folder / SAMPLE.name, folder / f"{SAMPLE.name}.sig"
    told = tool("sign", "key", model, "--signature", signature, "--private_key", folder / "key")
    assert told.returncode == 0, told.stderr
    public = PublicKey.read(folder / "key.pub")
    verified = verify(model.read_bytes(), signature.read_bytes(), [public], name=model.name)
    assert (verified.fingerprint, verified.name, verified.release) == (public.fingerprint, model.name, None)


@pytest.mark.parametrize("folder", ["P-256"], indirect=True)
def test_a_model_of_its_own_folder_that_the_tool_signs_is_refused_by_us(folder: Path) -> None:
    alone = folder / "alone"
    alone.mkdir()
    shutil.copy(SAMPLE, alone)
    assert tool("sign", "key", alone, "--signature", folder / "x.sig", "--private_key", folder / "key").returncode == 0
    with pytest.raises(ValueError, match="resources"):
        verify(SAMPLE.read_bytes(), (folder / "x.sig").read_bytes(), [PublicKey.read(folder / "key.pub")], name=None)


@pytest.mark.parametrize("folder", ["P-256"], indirect=True)
def test_the_tool_refuses_our_signature_by_another_key(folder: Path) -> None:
    model, signature = folder / SAMPLE.name, folder / f"{SAMPLE.name}.sig"
    other = PrivateKey(ec.generate_private_key(ec.SECP256R1()))
    signature.write_bytes(sign(model.read_bytes(), model.name, other))
    assert tool("verify", "key", model, "--signature", signature, "--public_key", folder / "key.pub").returncode == 1
