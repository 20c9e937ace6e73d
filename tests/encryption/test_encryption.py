"""Encrypted models: opened in memory by whoever they are for, and by nobody else."""

from __future__ import annotations

import pickle
import stat
from pathlib import Path

import pytest

import edge_infer
from edge_infer.encryption import decrypt, encrypt, generate_identity, read_identities
from edge_infer.errors import ArtifactError, DecryptionError, KeyFileError, LimitError, NotAModelError, UsageError
from edge_infer.limits import LIMITS
from tests.runtime.samples import PENGUINS, RECORD

MODEL = PENGUINS.read_bytes()


@pytest.fixture(autouse=True)
def no_identity_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_INFER_IDENTITY", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model for the identities `first` and `second`, and a `third` that it is not for."""
    recipients = [generate_identity(tmp_path / name) for name in ("first", "second", "third")]
    (tmp_path / "penguins-1.0.0.onnx.age").write_bytes(encrypt(MODEL, recipients[:2]))
    return tmp_path


@pytest.mark.parametrize("name", ["first", "second"])
def test_each_recipient_loads_the_model(folder: Path, name: str) -> None:
    encrypted = folder / "penguins-1.0.0.onnx.age"
    with edge_infer.load(encrypted, identity=folder / name) as model:
        assert model.predict(RECORD) == "Gentoo"
    with edge_infer.load(encrypted.read_bytes(), identity=folder / name) as model:
        assert model.predict(RECORD) == "Gentoo"


def test_no_file_is_made_while_a_model_is_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = folder / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    before = sorted(folder.iterdir())
    edge_infer.load(folder / "penguins-1.0.0.onnx.age", identity=folder / "first").close()
    assert sorted(folder.iterdir()) == before
    assert list(temporary.iterdir()) == []


def test_nobody_else_loads_it(folder: Path) -> None:
    with pytest.raises(DecryptionError, match=r"onnx\.age: it cannot be decrypted with the identity .*third"):
        edge_infer.load(folder / "penguins-1.0.0.onnx.age", identity=folder / "third")


def test_the_environment_names_an_identity_and_the_argument_comes_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypted = folder / "penguins-1.0.0.onnx.age"
    with pytest.raises(UsageError, match="EDGE_INFER_IDENTITY"):
        edge_infer.load(encrypted)
    monkeypatch.setenv("EDGE_INFER_IDENTITY", str(folder / "first"))
    edge_infer.load(encrypted).close()
    with pytest.raises(DecryptionError):
        edge_infer.load(encrypted, identity=folder / "third")


def test_a_plain_file_needs_no_identity_and_takes_one(folder: Path) -> None:
    edge_infer.load(PENGUINS, identity=folder / "absent").close()
    assert edge_infer.read_artifact(PENGUINS).data == MODEL


def test_a_decrypted_model_pickles_by_its_file(folder: Path) -> None:
    with edge_infer.load(folder / "penguins-1.0.0.onnx.age", identity=folder / "first") as model:
        text = pickle.dumps(model)
    assert len(text) < 1000
    assert pickle.loads(text).predict(RECORD) == "Gentoo"


# --- identities -------------------------------------------------------------------------


def test_an_identity_is_made_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "identity"
    recipient = generate_identity(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert recipient.startswith("age1")
    assert recipient in path.read_text()
    with pytest.raises(UsageError, match="exists already"):
        generate_identity(path)
    assert [str(found.to_public()) for found in read_identities(path)] == [recipient]


def test_an_identity_that_others_can_read_is_refused(folder: Path) -> None:
    (folder / "first").chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        edge_infer.load(folder / "penguins-1.0.0.onnx.age", identity=folder / "first")
    (folder / "first").chmod(0o400)
    edge_infer.load(folder / "penguins-1.0.0.onnx.age", identity=folder / "first").close()


def test_a_symlink_is_no_identity(folder: Path) -> None:
    (folder / "link").symlink_to("first")
    with pytest.raises(KeyFileError, match="symlink"):
        decrypt(encrypt(b"", [generate_identity(folder / "new")]), folder / "link")


def test_several_identities_and_comments_are_read(folder: Path) -> None:
    path = folder / "all"
    path.touch(0o600)
    path.write_text("# created: today\r\n\n" + "".join((folder / name).read_text() for name in ("third", "first")))
    assert decrypt((folder / "penguins-1.0.0.onnx.age").read_bytes(), path) == MODEL


@pytest.mark.parametrize("text", ["", "# nothing", "age1qqqq", "hello", "AGE-SECRET-KEY-1QQQQ", "\xff\x00"], ids=repr)
def test_what_is_no_identity_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "identity"
    path.touch(0o600)
    path.write_text(text, encoding="latin-1")
    with pytest.raises(KeyFileError) as caught:
        read_identities(path)
    assert str(path) in str(caught.value)
    assert "QQQQ" not in str(caught.value)


def test_a_torn_secret_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "identity"
    generate_identity(path)
    secret = path.read_text().splitlines()[-1]
    path.write_text(secret[:-3])
    with pytest.raises(KeyFileError) as caught:
        read_identities(path)
    assert secret[16:40] not in str(caught.value)


# --- recipients and files ---------------------------------------------------------------


def test_wrong_recipients_are_refused_and_secrets_not_shown(tmp_path: Path) -> None:
    generate_identity(tmp_path / "identity")
    secret = (tmp_path / "identity").read_text().splitlines()[-1]
    for recipients in ([], ["age1"], ["hello"], [secret], [secret.lower()]):
        with pytest.raises(UsageError) as caught:
            encrypt(MODEL, recipients)
        assert secret[20:40].lower() not in str(caught.value).lower()


def test_the_same_model_is_never_encrypted_alike(folder: Path) -> None:
    recipient = str(read_identities(folder / "first")[0].to_public())
    assert encrypt(MODEL, [recipient]) != encrypt(MODEL, [recipient])


def test_changed_and_cut_files_are_refused(folder: Path) -> None:
    data = (folder / "penguins-1.0.0.onnx.age").read_bytes()
    header = len(b"age-encryption.org/v1\n")
    for place in [*range(header, 500, 7), *range(500, len(data), 997), len(data) - 1]:
        with pytest.raises(DecryptionError):
            decrypt(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :], folder / "first")
    for size in (header, 300, len(data) // 2, len(data) - 1):
        with pytest.raises(DecryptionError):
            edge_infer.load(data[:size], identity=folder / "first")
    with pytest.raises(DecryptionError):
        decrypt(data + b"\0", folder / "first")


def test_what_is_within_is_checked_as_any_file(folder: Path) -> None:
    recipient = generate_identity(folder / "new")
    with pytest.raises(NotAModelError):
        edge_infer.load(encrypt(b"no model", [recipient]), identity=folder / "new")


def test_the_size_is_bounded(folder: Path) -> None:
    data = (folder / "penguins-1.0.0.onnx.age").read_bytes()
    assert decrypt(data, folder / "first", LIMITS._replace(model_bytes=len(data))) == MODEL
    with pytest.raises(LimitError, match="limit"):
        decrypt(data, folder / "first", LIMITS._replace(model_bytes=len(data) - 1))


def test_readers_without_an_identity_say_what_it_is(folder: Path) -> None:
    from edge_infer.artifact import parse_artifact

    with pytest.raises(ArtifactError, match="age file"):
        parse_artifact((folder / "penguins-1.0.0.onnx.age").read_bytes())
    with pytest.raises(ArtifactError, match="leave out --armor"):
        edge_infer.load(b"-----BEGIN AGE ENCRYPTED FILE-----\n", identity=folder / "first")


def test_errors_travel_between_processes(folder: Path) -> None:
    with pytest.raises(DecryptionError) as caught:
        edge_infer.load(folder / "penguins-1.0.0.onnx.age", identity=folder / "third")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
