"""Publishing: what devices see, what is refused, and that nothing is written where something is."""

from __future__ import annotations

import errno
import json
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import ExpiredMetadataError
from tuf.api.metadata import Metadata, Root, TargetFile, Targets, Timestamp

from edge_infer.errors import (
    EdgeInferError,
    KeyFileError,
    PublishError,
    SignatureError,
    StoreWriteError,
    UnsafePathError,
    UsageError,
)
from edge_infer.signing import generate_key, sign
from edge_infer.store.files import Files, Step
from edge_infer.update.drafting import Draft
from edge_infer.update.index import Index, render_index
from edge_infer.update.keyring import Keyring
from edge_infer.update.publisher import Publisher, Settings, Threshold
from edge_infer.update.repository import load_repository
from tests.signing.making import KEY
from tests.store.releases import artifact
from tests.update.conftest import Models
from tests.update.served import Client, digests

ROLES = ["root", "targets", "snapshot", "timestamp", "stable", "beta"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "repository"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def client(repository: Path, tmp_path: Path, publisher: Publisher, models: Models) -> Client:
    """A device of a repository with one release."""
    publisher.publish([models("1.0.0")])
    return Client(repository, tmp_path / "kept")


def keys_of(repository: Path, role: str) -> list[str]:
    newest = max((repository / "metadata").glob("*.root.json"), key=lambda path: int(path.name.split(".")[0]))
    root = Metadata[Root].from_file(str(newest)).signed
    return root.roles[role].keyids


# --- what devices see -------------------------------------------------------------------


def test_the_first_publication_makes_the_repository_and_its_keys(
    publisher: Publisher, models: Models, repository: Path, keys: Path, tmp_path: Path
) -> None:
    made = publisher.publish([models("1.0.0")])
    assert made.created
    assert [role.name for role in made.roles] == ROLES
    assert [Path(path).name for path in made.new_keys] == [f"{role}.key" for role in ROLES]
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.glob("*.key*")} == {
        f"{role}.key": 0o600 for role in ROLES
    }
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    index = Client(repository, tmp_path / "kept").index()
    assert index is not None
    (release,) = index.releases
    assert release[:6] == ("1.0.0", 1, "pets-1.0.0.onnx", None, 1.0, False)
    assert datetime.fromisoformat(release.published).tzinfo is not None
    assert not any(b"PRIVATE" in path.read_bytes() for path in repository.rglob("*") if path.is_file())


def test_further_releases_models_and_channels_are_seen_by_a_device_that_knew_the_first(
    client: Client, publisher: Publisher, models: Models
) -> None:
    assert client.versions() == ["1.0.0"]
    again = publisher.publish([models("1.10.0"), models("1.9.0", name="cats")])
    assert not again.created
    publisher.publish([models("2.0.0", signed=True)], channel="beta", share=0.25)
    assert client.versions() == ["1.0.0", "1.10.0"]
    assert client.versions("cats") == ["1.9.0"]
    assert client.versions("cats", "beta") == []
    index = client.index(channel="beta")
    assert index is not None
    assert index.releases[0].share == 0.25
    assert index.releases[0].signature == "pets-2.0.0.onnx.sig"


def test_several_releases_of_a_model_at_once(publisher: Publisher, models: Models, repository: Path) -> None:
    publisher.publish([models("1.0.0"), models("1.1.0"), models("0.9", release=2)])
    assert Client(repository, repository.parent / "kept").versions() == ["1.0.0", "1.1.0", "0.9"]


def test_the_same_file_again_changes_nothing(client: Client, publisher: Publisher, models: Models) -> None:
    before = digests(client.repository)
    again = publisher.publish([models("1.0.0")])
    assert [change.action for change in again.changes] == ["none"]
    assert again.signed == ()
    assert digests(client.repository) == before


def test_the_same_file_with_another_share_widens_the_rollout(
    client: Client, publisher: Publisher, models: Models
) -> None:
    publisher.publish([models("1.1.0")], share=0.1)
    (change,) = publisher.publish([models("1.1.0")], share=0.5).changes
    assert (change.action, change.release.share) == ("changed", 0.5)
    (change,) = publisher.publish([models("1.1.0")]).changes
    assert (change.action, change.release.share) == ("none", 0.5)
    (change,) = publisher.change(["pets@1.1.0"], share=1.0).changes
    assert (change.action, change.release.share) == ("changed", 1.0)
    index = client.index()
    assert index is not None
    assert [release.share for release in index.releases] == [1.0, 1.0]


def test_a_rollout_is_halted_and_resumed(client: Client, publisher: Publisher) -> None:
    for halted, action in ((True, "halted"), (True, "none"), (False, "resumed"), (False, "none")):
        (change,) = publisher.change(["pets@1.0.0"], halted=halted).changes
        assert change.action == action
        index = client.index()
        assert index is not None
        assert index.releases[0].halted is halted


def test_a_signature_made_later_is_taken_along(client: Client, publisher: Publisher, models: Models) -> None:
    (change,) = publisher.publish([models("1.0.0", signed=True)]).changes
    assert change.action == "signed"
    (change,) = publisher.publish([models("1.0.0", signed=True)]).changes  # ECDSA: other bytes each time
    assert change.action == "signed"
    index = client.index()
    assert index is not None
    assert index.releases[0].signature == "pets-1.0.0.onnx.sig"


def test_a_file_of_any_name_is_published_under_its_models_name(
    publisher: Publisher, models: Models, repository: Path
) -> None:
    source = models("1.0.0").rename(repository.with_name("new model.bin"))
    (change,) = publisher.publish([source]).changes
    assert change.release.file == "pets-1.0.0.onnx"


def test_a_channel_of_its_own(client: Client, publisher: Publisher, models: Models, keys: Path) -> None:
    with pytest.raises(PublishError, match="no channel 'stabel'; there are stable, beta"):
        publisher.publish([models("2.0.0")], channel="stabel")
    made = publisher.publish([models("2.0.0")], channel="canary", new_channel=True)
    assert made.new_keys == (str(keys / "canary.key"),)
    assert client.versions(channel="canary") == ["2.0.0"]
    assert client.versions() == ["1.0.0"]
    publisher.publish([models("2.1.0")], channel="canary")
    assert client.versions(channel="canary") == ["2.0.0", "2.1.0"]


def test_a_channels_key_signs_for_no_other_channel(client: Client) -> None:
    targets = Metadata[Targets].from_file(str(client.repository / "metadata" / "1.targets.json")).signed
    assert targets.delegations is not None
    roles = targets.delegations.roles
    assert roles is not None
    assert {name: (role.paths, role.terminating) for name, role in roles.items()} == {
        "stable": (["stable/*"], True),
        "beta": (["beta/*"], True),
    }
    assert roles["stable"].keyids != roles["beta"].keyids
    assert not targets.targets


# --- what is refused --------------------------------------------------------------------


def _other_bytes(models: Models, tmp_path: Path) -> Path:
    path = models("1.0.0")
    path.write_bytes(artifact("1.0.0", columns=3))
    return path


def _older(models: Models, tmp_path: Path) -> Path:
    return models("0.9.0")


def _older_signed_to_go_back(models: Models, tmp_path: Path) -> Path:
    return models("0.9.0", signed=True, rollback=True)


def _encrypted(models: Models, tmp_path: Path) -> Path:
    path = tmp_path / "pets-1.1.0.onnx.age"
    path.write_bytes(b"age-encryption.org/v1\n-> X25519 x\n")
    return path


def _no_model(models: Models, tmp_path: Path) -> Path:
    path = tmp_path / "pets-1.1.0.onnx"
    path.write_bytes(b"\x80\x04")
    return path


def _absent(models: Models, tmp_path: Path) -> Path:
    return tmp_path / "absent.onnx"


def _signature_of_another(models: Models, tmp_path: Path) -> Path:
    path = models("1.1.0", signed=True)
    shutil.copy(f"{models('1.2.0', signed=True)}.sig", f"{path}.sig")
    return path


def _signature_under_another_name(models: Models, tmp_path: Path) -> Path:
    path = models("1.1.0", signed=True).rename(tmp_path / "new.onnx")
    Path(f"{path}.sig").write_bytes(sign(path.read_bytes(), "new.onnx", KEY))
    return path


def _torn_signature(models: Models, tmp_path: Path) -> Path:
    path = models("1.1.0", signed=True)
    Path(f"{path}.sig").write_bytes(b"{")
    return path


def _long_name(models: Models, tmp_path: Path) -> Path:
    return models("1." + "0" * 90, name="x" * 99)


REFUSED: dict[str, tuple[Callable[[Models, Path], Path], type[Exception], str]] = {
    "a version with other content": (_other_bytes, PublishError, "other content .* give the new model another version"),
    "an older release": (_older, PublishError, "not above pets@1.0.0 .* --release 2"),
    "an older release signed to go back": (_older_signed_to_go_back, PublishError, "devices never go back"),
    "an encrypted model": (_encrypted, UsageError, "encrypted; give the identity"),
    "no model": (_no_model, EdgeInferError, "pets-1.1.0.onnx"),
    "a file that is not there": (_absent, FileNotFoundError, "absent.onnx"),
    "a signature of another model": (_signature_of_another, SignatureError, "of another file"),
    "a signature under another name": (_signature_under_another_name, SignatureError, "published as pets-1.1.0.onnx"),
    "a torn signature": (_torn_signature, SignatureError, r"pets-1.1.0.onnx.sig: "),
    "a name too long for a file": (_long_name, UnsafePathError, "too long together"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_changes_nothing(
    case: str, client: Client, publisher: Publisher, models: Models, tmp_path: Path
) -> None:
    make, kind, message = REFUSED[case]
    source = make(models, tmp_path)
    before = digests(client.repository)
    with pytest.raises(kind, match=message):
        publisher.publish([models("1.5.0"), source] if kind is not PublishError else [source])
    assert digests(client.repository) == before
    assert client.versions() == ["1.0.0"]


def test_a_bad_first_file_makes_no_repository_and_no_keys(publisher: Publisher, repository: Path, keys: Path) -> None:
    with pytest.raises(FileNotFoundError):
        publisher.publish([repository / "absent.onnx"])
    assert not repository.exists()
    assert not keys.exists()


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_share_is_from_0_to_1(client: Client, publisher: Publisher, models: Models, share: float) -> None:
    for change in (
        lambda: publisher.publish([models("1.1.0")], share=share),
        lambda: publisher.change(["pets@1.0.0"], share=share),
    ):
        with pytest.raises(UsageError, match="from 0 to 1"):
            change()
    assert client.versions() == ["1.0.0"]


def test_the_shares_at_both_ends_are_taken(client: Client, publisher: Publisher) -> None:
    for share in (0.0, 1.0):
        assert publisher.change(["pets@1.0.0"], share=share).changes[0].release.share == share


@pytest.mark.parametrize("reference", ["pets@9.9", "cats@1.0.0", "pets"])
def test_only_what_is_published_is_halted(client: Client, publisher: Publisher, reference: str) -> None:
    with pytest.raises(PublishError, match=f"{reference} is not published in stable"):
        publisher.change([reference], halted=True)
    with pytest.raises(PublishError, match="not published in beta"):
        publisher.change(["pets@1.0.0"], channel="beta", halted=True)


def test_keys_are_never_part_of_what_is_published(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repository / "inside")
    for keys in (repository, repository / "keys", repository / ".." / "repository" / "k", tmp_path / "link"):
        with pytest.raises(UsageError, match="private keys must never be"):
            Publisher(repository, keys)
    assert Publisher(repository, tmp_path / "repository-keys")
    assert not repository.exists()


FOREIGN: dict[str, Callable[[Path], object]] = {
    "a file": lambda folder: (folder / "notes.txt").write_text("mine"),
    "a folder": lambda folder: (folder / "photos").mkdir(),
    "targets alone": lambda folder: ((folder / "targets").mkdir(), (folder / "targets" / "x").write_text("x")),
    "later metadata without a timestamp": lambda folder: (
        (folder / "metadata").mkdir(),
        (folder / "metadata" / "2.root.json").write_text("{}"),
    ),
    "metadata that is a file": lambda folder: (folder / "metadata").write_text("x"),
    "something in tmp": lambda folder: ((folder / "tmp").mkdir(), (folder / "tmp" / "mine").write_text("x")),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_folder_of_other_things_is_left_alone(
    case: str, publisher: Publisher, models: Models, repository: Path, keys: Path
) -> None:
    repository.mkdir()
    FOREIGN[case](repository)
    before = digests(repository)
    with pytest.raises(PublishError, match="Nothing was written"):
        publisher.publish([models("1.0.0")])
    assert digests(repository) == before
    assert not keys.exists()


def test_an_empty_folder_is_taken(publisher: Publisher, models: Models, repository: Path) -> None:
    repository.mkdir()
    assert publisher.publish([models("1.0.0")]).created


def _edit(repository: Path, pattern: str, old: bytes, new: bytes) -> None:
    path = max((repository / "metadata").glob(pattern), key=lambda path: path.name)
    path.write_bytes(path.read_bytes().replace(old, new))


def _edit_index(repository: Path, old: bytes, new: bytes) -> None:
    (path,) = (repository / "targets" / "stable").glob("*.json")
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))


def _add_root(repository: Path) -> None:
    """A second root, by a key that the first does not name."""
    root = Metadata[Root].from_file(str(repository / "metadata" / "1.root.json"))
    signer = CryptoSigner.generate_ecdsa()
    root.signed.revoke_key(root.signed.roles["root"].keyids[0], "root")
    root.signed.add_key(signer.public_key, "root")
    root.signed.version = 2
    root.sign(signer)
    root.to_file(str(repository / "metadata" / "2.root.json"))


DAMAGED: dict[str, Callable[[Path], object]] = {
    "timestamp changed": lambda r: _edit(r, "timestamp.json", b'"version":2', b'"version":3'),
    "timestamp torn": lambda r: (r / "metadata" / "timestamp.json").write_bytes(b"{"),
    "snapshot gone": lambda r: (r / "metadata" / "2.snapshot.json").unlink(),
    "snapshot changed": lambda r: _edit(r, "2.snapshot.json", b'"version":2', b'"version":1'),
    "channel changed": lambda r: _edit(r, "2.stable.json", b"pets-1.0.0", b"pets-1.0.1"),
    "root changed": lambda r: _edit(r, "1.root.json", b'"threshold":1', b'"threshold":2'),
    "root gone": lambda r: (r / "metadata" / "1.root.json").unlink(),
    "a root is missing in between": lambda r: shutil.copy(r / "metadata/1.root.json", r / "metadata/3.root.json"),
    "index gone": lambda r: next((r / "targets/stable").glob("*.json")).unlink(),
    "index changed": lambda r: next((r / "targets/stable").glob("*.json")).write_bytes(b"{}"),
    "snapshot in other bytes, still signed": lambda r: _edit(r, "2.snapshot.json", b'{"signatures"', b'{ "signatures"'),
    "a halt undone in the index": lambda r: _edit_index(r, b'"halted": false', b'"halted": true'),
    "a root of another's": _add_root,
    "metadata a link": lambda r: (
        (r / "metadata").rename(r.with_name("elsewhere")),
        (r / "metadata").symlink_to(r.with_name("elsewhere")),
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_repository_is_not_signed_again(
    case: str, client: Client, publisher: Publisher, models: Models
) -> None:
    DAMAGED[case](client.repository)
    before = digests(client.repository)
    with pytest.raises(EdgeInferError, match=r"Nothing was written|follows none"):
        publisher.publish([models("1.1.0")])
    assert digests(client.repository) == before


def test_an_older_copy_that_was_put_back_is_not_signed(
    client: Client, publisher: Publisher, models: Models, tmp_path: Path
) -> None:
    """It would undo the halt, and devices that have seen it would refuse the new one."""
    shutil.copytree(client.repository, tmp_path / "backup")
    publisher.change(["pets@1.0.0"], halted=True)
    client.repository.rename(tmp_path / "newest")
    shutil.copytree(tmp_path / "backup", client.repository)
    before = digests(client.repository)
    with pytest.raises(PublishError, match=r"version 2 of its timestamp, but version 3 .* an older copy was put back"):
        publisher.publish([models("1.1.0")])
    assert digests(client.repository) == before
    shutil.rmtree(client.repository)
    (tmp_path / "newest").rename(client.repository)
    publisher.publish([models("1.1.0")])
    assert client.versions() == ["1.0.0", "1.1.0"]


def test_other_copies_of_the_keys_and_repositories_of_their_own_are_no_older_copies(
    client: Client, publisher: Publisher, models: Models, keys: Path, tmp_path: Path
) -> None:
    shutil.copytree(keys, tmp_path / "other keys")
    publisher.publish([models("1.1.0")])
    Publisher(client.repository, tmp_path / "other keys").publish([models("1.2.0")])
    publisher.publish([models("1.3.0")])
    Publisher(tmp_path / "second", keys).publish([models("1.0.0")])
    Publisher(tmp_path / "second", keys).publish([models("1.1.0")])
    (keys / "published.json").unlink()
    publisher.publish([models("1.4.0")])
    assert client.versions() == ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"]
    (keys / "published.json").write_bytes(b"{")
    with pytest.raises(KeyFileError, match="remove it"):
        publisher.publish([models("1.5.0")])


def test_a_release_whose_file_is_lost_is_told_and_mended_by_publishing_it_again(
    client: Client, publisher: Publisher, models: Models
) -> None:
    source = models("1.0.0", signed=True)
    publisher.publish([source])
    files = sorted(str(path) for path in (client.repository / "targets" / "stable").glob("*.onnx*"))
    assert len(files) == 2
    for file in files:
        Path(file).write_bytes(b"torn")
    assert sorted(publisher.refresh().damaged) == files
    assert publisher.publish([source]).damaged == ()
    assert client.versions() == ["1.0.0"]


def test_a_changed_timestamp_is_not_taken_for_a_rotation_that_was_stopped(client: Client, publisher: Publisher) -> None:
    publisher.rotate(["root"])
    _edit(client.repository, "timestamp.json", b'"version":2', b'"version":3')
    for roles in (["timestamp"], ["snapshot"]):
        with pytest.raises(PublishError, match=r"timestamp\.json: timestamp was signed by 0/1 keys"):
            publisher.rotate(roles)


def _signed_by_hand(client: Client, channel: str | None, target: TargetFile) -> None:
    """As somebody would leave a repository who has the keys, but another program; of the role targets for None."""
    files = Files(client.repository)
    found = load_repository(files)
    draft = Draft(found, Keyring(client.repository.with_name("keys")), Settings(), datetime.now(UTC))
    if channel is None:
        found.targets.signed.targets[target.path] = target
        draft.change("targets")
    else:
        draft.put_target(channel, target)
    for path, data in draft.sign():
        files.replace(path, data)


def test_another_programs_repository_is_refused(client: Client, publisher: Publisher, models: Models) -> None:
    _signed_by_hand(client, None, TargetFile.from_data("x", b"x"))
    with pytest.raises(PublishError, match="not one that edge-infer publish made"):
        publisher.publish([models("1.1.0")])


def test_an_index_of_another_model_is_refused(client: Client, publisher: Publisher, models: Models) -> None:
    data = render_index(Index("dogs", "stable"))
    target = TargetFile.from_data("stable/cats.json", data, ["sha256"])
    _signed_by_hand(client, "stable", target)
    (client.repository / "targets" / "stable" / f"{target.hashes['sha256']}.cats.json").write_bytes(data)
    with pytest.raises(PublishError, match="it is that of dogs in stable"):
        publisher.publish([models("1.0.0", name="cats")])


def test_a_model_has_only_so_many_releases(
    client: Client, publisher: Publisher, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_infer.update.publisher.MOST_RELEASES", 2)
    publisher.publish([models("1.1.0")])
    with pytest.raises(PublishError, match="pets has 2 releases in stable, the most"):
        publisher.publish([models("1.2.0")])
    publisher.publish([models("1.1.0")], share=0.5)


def _begun(repository: Path) -> None:
    """As a first publication leaves the folder that is stopped before it writes the timestamp."""
    shutil.rmtree(repository / "targets")
    for path in (repository / "metadata").iterdir():
        if not path.name.startswith("1."):
            path.unlink()


def test_a_first_publication_that_was_stopped_goes_on_with_its_own_keys_only(
    client: Client, publisher: Publisher, models: Models, tmp_path: Path
) -> None:
    _begun(client.repository)
    before = digests(client.repository)
    with pytest.raises(PublishError, match="other keys than those of --keys began this repository"):
        Publisher(client.repository, tmp_path / "others").publish([models("1.1.0")])
    assert digests(client.repository) == before
    assert not (tmp_path / "others").exists()
    made = publisher.publish([models("1.1.0")])
    assert (made.created, made.new_keys) == (True, ())
    assert Client(client.repository, tmp_path / "new").versions() == ["1.1.0"]


# --- keys, thresholds, rotation ---------------------------------------------------------


@pytest.mark.parametrize("role", ["snapshot", "timestamp", "stable"])
def test_a_missing_key_is_named_and_nothing_is_written(
    role: str, client: Client, publisher: Publisher, models: Models, keys: Path
) -> None:
    (keys / f"{role}.key").rename(keys / "away")
    before = digests(client.repository)
    with pytest.raises(KeyFileError, match=f"keys/{role}.key: the key of the role '{role}' is needed"):
        publisher.publish([models("1.1.0")])
    assert digests(client.repository) == before


def test_offline_keys_are_not_needed_to_publish(
    client: Client, publisher: Publisher, models: Models, keys: Path
) -> None:
    for role in ("root", "targets", "beta"):
        (keys / f"{role}.key").unlink()
    publisher.publish([models("1.1.0")])
    publisher.refresh()
    assert client.versions() == ["1.0.0", "1.1.0"]


def test_a_key_that_others_can_read_is_refused(client: Client, publisher: Publisher, keys: Path) -> None:
    (keys / "timestamp.key").chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        publisher.refresh()


def test_a_key_on_another_curve_is_refused(client: Client, publisher: Publisher, keys: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (keys / "timestamp.key").write_bytes(pem)
    with pytest.raises(KeyFileError, match="expected a key on the elliptic curve P-256"):
        publisher.refresh()


def test_keys_of_ones_own_are_taken(publisher: Publisher, models: Models, keys: Path, tmp_path: Path) -> None:
    keys.mkdir()
    generate_key(keys / "root.key")
    own = (keys / "root.key").read_bytes()
    made = publisher.publish([models("1.0.0")])
    assert str(keys / "root.key") not in made.new_keys
    assert (keys / "root.key").read_bytes() == own
    publisher.rotate(["root"])
    assert Client(tmp_path / "repository", tmp_path / "kept").versions() == ["1.0.0"]


@pytest.fixture
def shared(repository: Path, keys: Path, models: Models) -> Client:
    """A repository whose root needs 2 of 3 keys, and stable 2 of 2."""
    settings = Settings({"root": Threshold(2, 3), "stable": Threshold(2, 2)})
    Publisher(repository, keys, settings=settings).publish([models("1.0.0")])
    return Client(repository, repository.with_name("kept"))


def test_thresholds_are_of_keys_of_their_own(shared: Client, publisher: Publisher, models: Models, keys: Path) -> None:
    assert sorted(path.name for path in keys.glob("*-*.key")) == [
        *("root-1.key", "root-2.key", "root-3.key", "stable-1.key", "stable-2.key")
    ]
    assert shared.versions() == ["1.0.0"]
    (keys / "stable-2.key").rename(keys / "away")
    with pytest.raises(KeyFileError, match="2 of the 2 keys of the role 'stable' are needed to sign it, 1 found"):
        publisher.publish([models("1.1.0")])
    (keys / "away").rename(keys / "stable-2.key")
    publisher.publish([models("1.1.0")])
    assert shared.versions() == ["1.0.0", "1.1.0"]


def test_a_root_of_which_one_key_is_lost_gets_new_ones(shared: Client, publisher: Publisher, keys: Path) -> None:
    (keys / "root-2.key").unlink()
    before = keys_of(shared.repository, "root")
    publisher.rotate(["root"])
    after = keys_of(shared.repository, "root")
    assert len(set(before) | set(after)) == 6
    assert shared.versions() == ["1.0.0"]
    (keys / "root-2.key").unlink()
    (keys / "root-1.key").unlink()
    with pytest.raises(KeyFileError, match="2 of the 3 keys of the role 'root' are needed to sign it, 1 found"):
        publisher.rotate(["root"])


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_rotated_and_its_old_key_counts_no_more(
    role: str, client: Client, publisher: Publisher, models: Models, keys: Path, tmp_path: Path
) -> None:
    assert client.versions() == ["1.0.0"]
    old = (keys / f"{role}.key").read_bytes()
    made = publisher.rotate([role])
    assert made.new_keys == (str(keys / f"{role}.key"),)
    assert (keys / f"{role}.key").read_bytes() != old
    (kept,) = keys.glob(f"{role}.key.old-*")
    assert kept.read_bytes() == old
    assert client.versions() == ["1.0.0"]  # of a device that knew the old key
    assert Client(client.repository, tmp_path / "new").versions() == ["1.0.0"]  # and of one that has the first root
    publisher.publish([models("1.1.0")])
    publisher.publish([models("1.1.0")], channel="beta")
    assert client.versions() == ["1.0.0", "1.1.0"]
    assert client.versions(channel="beta") == ["1.1.0"]
    (keys / f"{role}.key").write_bytes(old)  # the old one alone
    with pytest.raises(KeyFileError, match=f"{role}.key"):
        publisher.rotate([role]) if role == "root" else Publisher(
            client.repository, keys, settings=Settings(lifetimes={role: timedelta(days=9)})
        ).refresh()


def test_after_a_rotation_old_and_new_key_sign_once_and_then_the_new_one(client: Client, publisher: Publisher) -> None:
    def signatures() -> int:
        return len(Metadata[Timestamp].from_file(str(client.repository / "metadata" / "timestamp.json")).signatures)

    found = [signatures()]
    for change in (lambda: publisher.rotate(["timestamp"]), publisher.refresh):
        change()
        found.append(signatures())
    assert found == [1, 2, 1]


def test_several_roles_are_rotated_at_once_and_again(client: Client, publisher: Publisher, models: Models) -> None:
    for _ in range(2):
        made = publisher.rotate(ROLES)
        assert set(made.signed) == set(ROLES)
        assert client.versions() == ["1.0.0"]
    publisher.publish([models("1.1.0")])
    assert client.versions() == ["1.0.0", "1.1.0"]


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp", "stable"])
def test_a_role_whose_key_is_lost_gets_a_new_one(
    role: str, client: Client, publisher: Publisher, models: Models, keys: Path
) -> None:
    (keys / f"{role}.key").unlink()
    publisher.rotate([role])
    publisher.publish([models("1.1.0")])
    assert client.versions() == ["1.0.0", "1.1.0"]


def test_a_rotation_can_change_the_threshold(client: Client, repository: Path, keys: Path) -> None:
    with pytest.raises(UsageError, match="--rotate root gives it new ones"):
        Publisher(repository, keys, settings=Settings({"root": Threshold(2, 2)})).refresh()
    Publisher(repository, keys, settings=Settings({"root": Threshold(2, 3)})).rotate(["root"])
    assert len(keys_of(repository, "root")) == 3
    assert client.versions() == ["1.0.0"]
    Publisher(repository, keys).rotate(["root"])
    assert client.versions() == ["1.0.0"]
    Publisher(repository, keys, settings=Settings({"root": Threshold()})).rotate(["root"])
    assert len(keys_of(repository, "root")) == 1
    assert client.versions() == ["1.0.0"]


def test_only_roles_that_there_are_get_keys_and_lifetimes(client: Client, repository: Path, keys: Path) -> None:
    for settings in (Settings({"mirror": Threshold()}), Settings(lifetimes={"mirror": timedelta(days=1)})):
        with pytest.raises(UsageError, match="no role 'mirror'"):
            Publisher(repository, keys, settings=settings).refresh()
    with pytest.raises(UsageError, match="no role 'mirror'"):
        Publisher(repository, keys).rotate(["mirror"])


# --- expiry -----------------------------------------------------------------------------

DAY = timedelta(days=1)


def at(repository: Path, keys: Path, days: float, **settings: timedelta) -> Publisher:
    """A publisher whose clock is so many days off."""
    return Publisher(
        repository, keys, settings=Settings(lifetimes=settings), clock=lambda: datetime.now(UTC) + days * DAY
    )


def test_what_has_expired_is_refused_until_it_is_signed_again(
    repository: Path, keys: Path, models: Models, tmp_path: Path
) -> None:
    at(repository, keys, -40).publish([models("1.0.0")])
    client = Client(repository, tmp_path / "kept")
    with pytest.raises(ExpiredMetadataError):
        client.index()
    renewed = at(repository, keys, 0).refresh()
    assert renewed.signed == ("snapshot", "timestamp")
    assert not any(role.expired for role in renewed.roles)
    assert client.versions() == ["1.0.0"]


def test_roles_near_their_end_are_signed_again_where_their_keys_are_here(
    repository: Path, keys: Path, models: Models, tmp_path: Path
) -> None:
    at(repository, keys, -300).publish([models("1.0.0")])
    (keys / "targets.key").rename(keys / "away")
    renewed = at(repository, keys, 0).refresh()
    assert set(renewed.signed) == {"stable", "beta", "snapshot", "timestamp"}
    assert [role.name for role in renewed.roles if role.near_end] == ["targets"]
    (keys / "away").rename(keys / "targets.key")
    assert "targets" in at(repository, keys, 0).refresh().signed
    assert at(repository, keys, 0).refresh().signed == ("snapshot", "timestamp")
    renewed = at(repository, keys, 900).refresh()
    assert "root" in renewed.signed
    assert not any(role.near_end for role in renewed.roles)
    assert Client(repository, tmp_path / "kept").versions() == ["1.0.0"]


def test_lifetimes_are_kept(repository: Path, keys: Path, models: Models) -> None:
    made = at(repository, keys, 0, timestamp=7 * DAY, root=1000 * DAY).publish([models("1.0.0")])
    assert [role.version for role in made.roles] == [1, 1, 2, 2, 2, 1]

    def days(publisher: Publisher) -> dict[str, int]:
        return {role.name: round((role.expires - datetime.now(UTC)) / DAY) for role in publisher.refresh().roles}

    usual = {"root": 1000, "targets": 365, "snapshot": 90, "timestamp": 7, "stable": 365, "beta": 365}
    assert days(at(repository, keys, 0)) == usual
    assert days(at(repository, keys, 0, targets=30 * DAY, stable=60 * DAY)) == usual | {"targets": 30, "stable": 60}
    assert days(at(repository, keys, 0))["targets"] == 30


# --- others at work, and what stands in the way -----------------------------------------


def test_publishers_take_turns(publisher: Publisher, models: Models, repository: Path, keys: Path) -> None:
    publisher.publish([models("0.1.0", name="first")])
    sources = [models("1.0.0", name=f"model{number}") for number in range(6)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda source: Publisher(repository, keys).publish([source]), sources))
    client = Client(repository, repository.with_name("kept"))
    assert all(client.versions(f"model{number}") == ["1.0.0"] for number in range(6))
    stable = json.loads(max((repository / "metadata").glob("*.stable.json")).read_bytes())
    assert stable["signed"]["version"] == 8


def test_a_full_disk_is_told_in_a_publishers_words(client: Client, models: Models, keys: Path) -> None:
    def full(step: Step) -> None:
        if step.kind == "write":
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StoreWriteError, match=r"No space left.*What was published before holds"):
        Publisher(client.repository, keys, files=Files(client.repository, full)).publish([models("1.1.0")])
    assert client.versions() == ["1.0.0"]
    Publisher(client.repository, keys).publish([models("1.1.0")])
    assert client.versions() == ["1.0.0", "1.1.0"]
    assert list((client.repository / "tmp").iterdir()) == []


def test_a_file_that_is_swapped_after_the_check_is_not_published(
    client: Client, publisher: Publisher, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, signed = models("1.1.0"), Draft.sign

    def swap(draft: Draft) -> object:
        source.write_bytes(artifact("1.2.0"))
        return signed(draft)

    monkeypatch.setattr(Draft, "sign", swap)
    with pytest.raises(PublishError, match="changed while it was being published"):
        publisher.publish([source])
    assert client.versions() == ["1.0.0"]
