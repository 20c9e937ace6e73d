"""Encrypted releases: published as they are, kept so by devices, opened by each with its own identity."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_infer.encryption import encrypt, generate_identity
from edge_infer.errors import DecryptionError, PublishError, SignatureError, UsageError
from edge_infer.store import Store
from edge_infer.store.updates import read_known
from edge_infer.update.publisher import Publisher
from tests.cli.conftest import fresh
from tests.store.releases import ROW, answer, artifact
from tests.update.conftest import Models
from tests.update.devices import NAME, Device, target


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """The publisher's own identity, among the recipients of what it publishes."""
    generate_identity(tmp_path / "desk.identity")
    return tmp_path / "desk.identity"


@pytest.fixture
def sealed_device(device: Device, tmp_path: Path) -> Device:
    generate_identity(tmp_path / "device.identity")
    device.store = Store(device.store.folder, identity=tmp_path / "device.identity")
    return device


def recipient(identity: Path) -> str:
    return identity.read_text().partition("# public key: ")[2].partition("\n")[0]


def seal(path: Path, *identities: Path, data: bytes | None = None) -> Path:
    """An encrypted file beside the model, which goes."""
    to = path.with_name(f"{path.name}.age")
    to.write_bytes(encrypt(path.read_bytes() if data is None else data, [recipient(each) for each in identities]))
    path.unlink()
    return to


def test_a_device_takes_an_encrypted_release_and_keeps_it_so(
    publisher: Publisher, models: Models, sealed_device: Device, desk: Path, tmp_path: Path
) -> None:
    source = seal(models("1.0.0"), desk, tmp_path / "device.identity")
    release = publisher.publish([source], identity=desk).changes[0].release
    assert (release.file, release.signature) == ("pets-1.0.0.onnx.age", None)
    assert target(sealed_device.repository, "pets-1.0.0.onnx.age").read_bytes() == source.read_bytes()
    assert sealed_device.update().action == "installed"
    assert sealed_device.store.load(NAME).predict(ROW) == pytest.approx(answer("1.0.0"))
    publisher.publish([models("1.1.0")])  # a plain one may follow
    assert sealed_device.update()[:4] == (NAME, "installed", "1.1.0", "1.0.0")
    whole = artifact("1.0.0")
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(whole in data for data in written)
    assert any(artifact("1.1.0") in data for data in written)  # so that the line above looks for what can be found


def test_its_signature_is_that_of_the_model_within(
    publisher: Publisher, models: Models, sealed_device: Device, desk: Path, tmp_path: Path
) -> None:
    source = seal(models("1.0.0", signed=True), desk, tmp_path / "device.identity")
    assert publisher.publish([source], identity=desk).changes[0].release.signature == "pets-1.0.0.onnx.sig"
    sealed_device.store.trust(tmp_path / "models" / "release.key.pub")
    assert sealed_device.update().action == "installed"
    assert sealed_device.store.state(NAME).releases[0].signed_by


def test_a_missing_or_wrong_identity_is_no_fault_of_the_release(
    publisher: Publisher, models: Models, device: Device, desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGE_INFER_IDENTITY", raising=False)
    source = seal(models("1.0.0"), desk)
    publisher.publish([source], identity=desk)
    assert isinstance(device.update().error, UsageError)
    generate_identity(tmp_path / "other.identity")
    device.store = Store(device.store.folder, identity=tmp_path / "other.identity")
    assert isinstance(device.update().error, DecryptionError)
    assert read_known(device.store.files).refused == ()
    target(device.repository, "pets-1.0.0.onnx.age").unlink()  # the download is not begun anew
    monkeypatch.setenv("EDGE_INFER_IDENTITY", str(desk))
    device.store = Store(device.store.folder)
    assert device.update().action == "installed"
    assert device.partials() == []


def test_what_a_check_has_read_in_it_is_not_written_down(
    publisher: Publisher, models: Models, sealed_device: Device, desk: Path, tmp_path: Path
) -> None:
    sealed_device.store.install(artifact("1.0.0"))
    source = seal(models("1.1.0"), desk, tmp_path / "device.identity", data=artifact("1.1.0", columns=3))
    publisher.publish([source], identity=desk)
    assert "the column 'c' is new" in str(sealed_device.update().error)
    (refusal,) = read_known(sealed_device.store.files).refused
    assert refusal.reason == "breaking; the reason is not kept, since the model is encrypted"


def test_what_cannot_be_published(
    publisher: Publisher, models: Models, desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGE_INFER_IDENTITY", raising=False)
    source = seal(models("1.0.0"), desk)
    with pytest.raises(UsageError, match="encrypted; give the identity"):
        publisher.publish([source])
    generate_identity(tmp_path / "other.identity")
    with pytest.raises(DecryptionError, match="cannot be decrypted"):
        publisher.publish([source], identity=tmp_path / "other.identity")
    assert not (tmp_path / "repository").exists()
    publisher.publish([source], identity=desk)
    assert publisher.publish([source], identity=desk).changes[0].action == "none"
    again = seal(models("1.0.0"), desk)
    with pytest.raises(PublishError, match="encrypted anew, it is other content too"):
        publisher.publish([again], identity=desk)
    signed = models("1.1.0", signed=True)
    sealed = seal(signed, desk, data=artifact("1.1.0", columns=3))
    with pytest.raises(SignatureError, match=r"of another file than the model in .*1\.1\.0\.onnx\.age"):
        publisher.publish([sealed], identity=desk)


def test_from_the_desk_to_the_device_on_the_command_line(models: Models, tmp_path: Path) -> None:
    home = {"EDGE_INFER_HOME": str(tmp_path / "store"), "EDGE_INFER_IDENTITY": ""}
    desk, device, repository = tmp_path / "desk.identity", tmp_path / "device.identity", tmp_path / "repository"
    for identity in (desk, device):
        assert fresh("keygen", "--age", identity).code == 0
    sealed = tmp_path / "pets-1.0.0.onnx.age"
    to = ("--to", recipient(desk), "--to", recipient(device))
    assert fresh("encrypt", models("1.0.0"), *to, "-o", sealed).code == 0
    publish = ("publish", repository, sealed, "--keys", tmp_path / "keys")
    refused = fresh(*publish, **home)
    assert (refused.code, "give the identity" in refused.err) == (2, True)
    assert fresh(*publish, "--identity", desk, **home).code == 0
    update = ("update", NAME, "--from", repository, "--root", repository / "metadata" / "1.root.json")
    without = fresh(*update, **home)
    assert (without.code, "give the identity" in without.err) == (1, True)
    assert "Traceback" not in without.err
    ran = fresh(*update, "--identity", device, **home)
    assert (ran.code, ran.out, ran.err) == (0, "pets@1.0.0  active\n", "")
    assert fresh("predict", NAME, '{"a": 0.5, "b": -1.25}', "--identity", device, **home).code == 0
