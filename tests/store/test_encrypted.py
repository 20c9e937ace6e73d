"""A model that comes encrypted is kept so: its bytes are decrypted in memory, and never written."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import edge_infer
from edge_infer.encryption import encrypt, generate_identity
from edge_infer.errors import (
    DamagedStoreError,
    DecryptionError,
    InferenceError,
    RefusedError,
    SignatureError,
    UsageError,
)
from edge_infer.signing import PrivateKey, generate_key, sign
from edge_infer.store import Store
from edge_infer.store.files import Files, Step
from edge_infer.store.loading import StoreWarning
from edge_infer.store.trial import Terms
from tests.store.releases import ROW, answer, artifact, brittle


class Device:
    """A store, its identity, and every byte that was written."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.identity, self.steps = folder, folder / "identity", list[Step]()
        self.recipient = generate_identity(self.identity)
        self.store = Store(files=Files(folder / "store", self.steps.append), identity=self.identity)

    def sealed(self, version: str, columns: int = 2) -> bytes:
        return encrypt(artifact(version, columns=columns), [self.recipient])

    def written(self) -> bytes:
        return b"".join(step.data for step in self.steps)


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_it_answers_and_no_byte_of_it_is_written(device: Device) -> None:
    installed = device.store.install(device.sealed("1.0.0"))
    assert (installed.name, installed.release.version, installed.active) == ("pets", "1.0.0", True)
    assert device.store.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))
    whole = artifact("1.0.0")
    pieces = [whole[place : place + 24] for place in range(0, len(whole) - 24, 24)]
    assert not any(piece in device.written() for piece in pieces if len(set(piece)) > 8)
    assert Path(device.store.path("pets")).read_bytes() in device.written()


def test_a_plain_one_is_written_as_it_is(device: Device) -> None:
    """So that the test above looks for something that can be found."""
    device.store.install(artifact("1.0.0"))
    assert artifact("1.0.0") in device.written()


def test_without_the_identity_it_is_not_loaded_and_nothing_gives_way(device: Device, tmp_path: Path) -> None:
    for version in ("1.0.0", "1.1.0"):
        device.store.install(device.sealed(version), trial=Terms(answers=5))
    other = tmp_path / "other"
    generate_identity(other)
    for identity, error in ((None, UsageError), (other, DecryptionError)):
        stranger = Store(device.store.folder, identity=identity)
        with pytest.raises(error):
            stranger.load("pets")
        with pytest.raises(error):
            stranger.install(device.sealed("1.2.0"))
        with pytest.raises(error):
            stranger.install(artifact("1.2.0"))  # what it means for callers cannot be told
    assert device.store.load("pets").predict(ROW) == pytest.approx(answer("1.1.0"))
    assert device.store.state("pets").trial is not None


def test_the_identity_is_given_as_for_any_model(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    device.store.install(device.sealed("1.0.0"))
    monkeypatch.setenv("EDGE_INFER_HOME", device.store.folder)
    model = edge_infer.load("pets", identity=device.identity)
    assert model.predict(ROW) == pytest.approx(answer("1.0.0"))
    assert pickle.loads(pickle.dumps(model)).predict(ROW) == pytest.approx(answer("1.0.0"))
    monkeypatch.setenv("EDGE_INFER_IDENTITY", str(device.identity))
    assert edge_infer.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))


@pytest.mark.parametrize("place", [0, 60, 200, -1])
def test_changed_bytes_give_way_to_the_release_before(device: Device, place: int) -> None:
    for version in ("1.0.0", "1.1.0"):
        device.store.install(device.sealed(version))
    path = Path(device.store.path("pets@1.1.0"))
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    assert "not those that were installed" in (device.store.damage("pets") or "")
    with pytest.warns(StoreWarning, match=r"1\.0\.0 is active again"):
        assert device.store.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))


def test_a_file_that_holds_another_model_than_it_said_is_damage(device: Device) -> None:
    """Whoever can write the state and the file, but not the digest of the model."""
    release = device.store.install(device.sealed("1.0.0")).release
    other = device.store.install(device.sealed("1.1.0"), activate=False).release
    state = Path(device.store.folder, "models", "pets", "state.json")
    state.write_text(state.read_text().replace(str(release.encrypted), str(other.encrypted), 1))
    with pytest.raises(DamagedStoreError, match="the model within is not the one that was installed"):
        device.store.load("pets@1.0.0")


def test_what_breaks_callers_is_told_of_encrypted_releases_too(device: Device) -> None:
    device.store.install(device.sealed("1.0.0"))
    with pytest.raises(RefusedError, match="the column 'c' is new"):
        device.store.install(device.sealed("1.1.0", columns=3))


def test_nothing_of_an_encrypted_model_is_written_to_the_journal(device: Device) -> None:
    device.store.install(device.sealed("1.0.0"))
    device.store.install(encrypt(brittle("1.1.0"), [device.recipient]), trial=Terms(answers=5))
    with device.store.load("pets") as model, pytest.raises(InferenceError, match="GatherND"):
        model.predict({"a": 1000.0, "b": 0.0})
    with pytest.raises(RefusedError, match="the column 'c' is new"):
        device.store.install(device.sealed("1.2.0", columns=3))
    assert [event.action for event in device.store.log("pets")][-2:] == ["fall back", "install"]
    for secret in (b"GatherND", b"index", b"column", b"'c'"):
        assert secret not in device.written(), secret


def test_the_same_model_encrypted_anew_takes_the_place_of_the_first(device: Device) -> None:
    first = device.store.install(device.sealed("1.0.0")).release
    again = device.store.install(device.sealed("1.0.0"))
    assert (again.release.digest, again.action) == (first.digest, "repair")
    assert again.release.encrypted != first.encrypted
    assert [path.name for path in Path(device.store.folder, "artifacts").iterdir()] == [
        f"{again.release.encrypted}.age"
    ]
    assert device.store.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))


def test_a_plain_model_gives_way_to_the_encrypted_one_and_back(device: Device) -> None:
    for installed in (artifact("1.0.0"), device.sealed("1.0.0"), artifact("1.0.0")):
        device.store.install(installed)
        assert len(list(Path(device.store.folder, "artifacts").iterdir())) == 1
        assert device.store.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))


def test_a_release_that_is_not_for_this_identity_is_passed_over_by_rollback(device: Device, tmp_path: Path) -> None:
    other = generate_identity(tmp_path / "other")
    device.store.install(artifact("1.0.0"))
    Store(device.store.folder, identity=tmp_path / "other").install(encrypt(artifact("1.1.0"), [other]))
    with pytest.raises(DecryptionError):
        device.store.install(artifact("1.2.0"))
    device.store.install(artifact("1.2.0"), allow_breaking=True)
    assert device.store.rollback("pets").version == "1.0.0"


def test_the_signature_is_of_the_model_within_and_stands_beside_it(device: Device) -> None:
    public = generate_key(device.folder / "key")
    device.store.trust(device.folder / "key.pub")
    sealed = device.folder / "pets-1.0.0.onnx.age"
    sealed.write_bytes(device.sealed("1.0.0"))
    with pytest.raises(SignatureError):
        device.store.install(sealed)
    signature = sign(artifact("1.0.0"), "pets-1.0.0.onnx", PrivateKey.read(device.folder / "key"), release=1)
    (device.folder / "pets-1.0.0.onnx.sig").write_bytes(signature)
    assert device.store.install(sealed).release.signed_by == public.fingerprint
