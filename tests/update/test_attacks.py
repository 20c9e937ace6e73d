"""Whoever carries or serves a repository can do nothing but keep it back; each attack has its own error.

`REFUSED` and `TAKEN` are pairs: what is refused stands beside what looks alike and must still be taken.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, TargetFile, Targets

from edge_infer.update.client import update
from edge_infer.update.publisher import Publisher, Settings, Threshold
from edge_infer.update.source import FolderSource, open_source
from tests.store.releases import artifact
from tests.update.conftest import Models
from tests.update.devices import NAME, Device, Thief, altered, copy, newest, newest_of, target


class Scene(NamedTuple):
    """A device at 1.0.0; its repository, which has 1.1.0 by now; `before`: a copy from when it had 1.0.0 only."""

    device: Device
    repository: Path
    before: Path
    keys: Path
    publisher: Publisher
    models: Models


@pytest.fixture
def scene(models: Models, device: Device, tmp_path: Path) -> Scene:
    settings = Settings(thresholds={"targets": Threshold(2, 2)})
    publisher = Publisher(device.repository, tmp_path / "keys", settings=settings)
    publisher.publish([models("1.0.0")])
    device.update()
    before = copy(device.repository, "before")
    publisher = Publisher(device.repository, tmp_path / "keys")
    publisher.publish([models("1.1.0")])
    return Scene(device, device.repository, before, tmp_path / "keys", publisher, models)


Change = Callable[[Scene], Any]


def _timestamp(scene: Scene) -> Path:
    return scene.repository / "metadata" / "timestamp.json"


def _edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


# --- signatures -------------------------------------------------------------------------


def _other_keys(path: Path, *, kept: bool) -> None:
    metadata = Metadata.from_file(str(path))
    metadata.sign(CryptoSigner.generate_ecdsa(), append=kept)
    metadata.to_file(str(path))


def _targets(change: Callable[[dict[str, Any]], Any]) -> Change:
    """The keys of snapshot and timestamp are stolen, so that these say nothing of the file's bytes."""

    def edit(scene: Scene) -> None:
        Thief(scene.repository, scene.keys).publish("targets", lambda signed: None)
        _edit(newest(scene.repository, "targets"), change)

    return edit


def _signed_twice_by_one(document: dict[str, Any]) -> None:
    """Both signatures in the name of one key, so that one thief would be enough."""
    document["signatures"][1] = document["signatures"][0]


def _swapped_signatures(document: dict[str, Any]) -> None:
    """Their order means nothing."""
    document["signatures"].reverse()


def _changed_version(scene: Scene) -> None:
    _edit(_timestamp(scene), lambda document: document["signed"].update(version=99))


def _root_without_the_old_keys(scene: Scene) -> None:
    """A new root that names the thief's keys, signed by these alone."""
    path = scene.repository / "metadata" / "2.root.json"
    root = Metadata.from_file(str(scene.device.root))
    signer = CryptoSigner.generate_ecdsa()
    root.signed.version = 2
    root.signed.add_key(signer.public_key, "root")
    root.signatures.clear()
    root.sign(signer)
    root.to_file(str(path))


def _root_of_old_and_new_keys(scene: Scene) -> None:
    scene.publisher.rotate(["root"])


# --- other states -----------------------------------------------------------------------


def _whole_older_state(scene: Scene) -> None:
    """After the device has seen the newer one."""
    scene.device.update()
    shutil.rmtree(scene.repository)
    copy(scene.before, scene.repository.name)


def _older_timestamp(scene: Scene) -> None:
    scene.device.update()
    shutil.copy(scene.before / "metadata" / "timestamp.json", _timestamp(scene))


def _same_state_again(scene: Scene) -> None:
    scene.device.update()


def _older_snapshot_under_the_newer_name(scene: Scene) -> None:
    shutil.copy(newest(scene.before, "snapshot"), newest(scene.repository, "snapshot"))


def _older_channel_under_the_newer_name(scene: Scene) -> None:
    shutil.copy(newest(scene.before, "stable"), newest(scene.repository, "stable"))


def _older_channel_that_is_vouched_for(scene: Scene) -> None:
    """He has the keys of snapshot and timestamp, and leads to the older metadata of the channel."""
    scene.device.update()
    old = int(newest(scene.before, "stable").name.partition(".")[0])
    Thief(scene.repository, scene.keys)._snapshot("stable.json", old)


def _older_channel_where_only_versions_tell(scene: Scene) -> None:
    """TUF leaves it to the publisher whether the snapshot has lengths and hashes."""
    Thief(scene.repository, scene.keys).publish("stable", lambda signed: None)
    shutil.copy(newest(scene.before, "stable"), newest(scene.repository, "stable"))


def _only_versions(scene: Scene) -> None:
    Thief(scene.repository, scene.keys).publish("stable", lambda signed: None)


def _an_upload_under_way(scene: Scene) -> None:
    """All files of the next release, but its timestamp."""
    kept = _timestamp(scene).read_bytes()
    scene.publisher.publish([scene.models("1.2.0")])
    _timestamp(scene).write_bytes(kept)


def _frozen(role: str) -> Change:
    def expired(scene: Scene) -> None:
        late = datetime.now(UTC) - timedelta(minutes=1)
        thief = Thief(scene.repository, scene.keys)
        if role == "timestamp":
            thief.sign(_timestamp(scene), role, lambda signed: setattr(signed, "expires", late.replace(microsecond=0)))
            return
        then = datetime.now(UTC) - timedelta(days=400)
        lifetimes = {other: timedelta(days=4000) for other in ("root", "targets", "snapshot", "timestamp", "stable")}
        settings = Settings(lifetimes=lifetimes | {role: timedelta(days=300)})
        shutil.rmtree(scene.repository)
        shutil.rmtree(scene.keys)
        shutil.rmtree(scene.device.store.folder)
        publisher = Publisher(scene.repository, scene.keys, settings=settings, clock=lambda: then)
        publisher.publish([scene.models("1.0.0")])

    return expired


def _near_its_end(scene: Scene) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5)
    thief = Thief(scene.repository, scene.keys)
    thief.sign(_timestamp(scene), "timestamp", lambda signed: setattr(signed, "expires", soon))


# --- sizes ------------------------------------------------------------------------------


def _padded(size: int) -> Change:
    """Blanks before the end of the JSON change nothing that is signed."""

    def pad(scene: Scene) -> None:
        data = _timestamp(scene).read_bytes().rstrip()
        _timestamp(scene).write_bytes(data[:-1] + b" " * (size - len(data)) + b"}")

    return pad


def _longer_model(scene: Scene) -> None:
    with target(scene.repository, "pets-1.1.0.onnx").open("ab") as file:
        file.write(b"\0")


def _longer_index(scene: Scene) -> None:
    os.truncate(newest_of(scene.repository, f"targets/stable/*.{NAME}.json"), 1 << 40)


def _shorter_model(scene: Scene) -> None:
    path = target(scene.repository, "pets-1.1.0.onnx")
    path.write_bytes(path.read_bytes()[:-1])


def _endless_model(scene: Scene) -> None:
    """A file with a hole, of a terabyte."""
    os.truncate(target(scene.repository, "pets-1.1.0.onnx"), 1 << 40)


def _other_model(scene: Scene) -> None:
    path = target(scene.repository, "pets-1.1.0.onnx")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _large_index(scene: Scene) -> None:
    Thief(scene.repository, scene.keys).index(lambda index: altered(index) + b" " * (1 << 20))


def _large_but_allowed_index(scene: Scene) -> None:
    Thief(scene.repository, scene.keys).index(lambda index: altered(index) + b" " * (1 << 19))


# --- names and links --------------------------------------------------------------------


def _linked(what: Callable[[Scene], Path]) -> Change:
    def link(scene: Scene) -> None:
        path = what(scene)
        aside = scene.repository.with_name("aside")
        path.rename(aside)
        path.symlink_to(aside)

    return link


def _linked_repository(scene: Scene) -> None:
    """The folder that the user names may be a link; nothing in it may."""
    _linked(lambda scene: scene.repository)(scene)


def _pipe(scene: Scene) -> None:
    _timestamp(scene).unlink()
    os.mkfifo(_timestamp(scene))


def _file_named(name: str) -> Change:
    def point(scene: Scene) -> None:
        Thief(scene.repository, scene.keys).index(lambda index: altered(index, file=name))

    return point


def _role_named(name: str) -> Change:
    """The keys of "targets" are stolen: it delegates the channel's files to a role whose name leads elsewhere."""

    def delegate(scene: Scene) -> None:
        def change(signed: Targets) -> None:
            assert signed.delegations is not None
            assert signed.delegations.roles is not None
            role = signed.delegations.roles["stable"]
            signed.delegations.roles = {"stable": role}
            role.terminating = False
            role.paths = ["nothing/*"]
            evil = type(role)(name, role.keyids, 1, True, ["stable/*"])
            signed.delegations.roles[name] = evil

        thief = Thief(scene.repository, scene.keys)
        thief.publish("targets", change)
        thief._snapshot(f"{name}.json", 1)

    return delegate


def _missing(what: Callable[[Scene], Path]) -> Change:
    return lambda scene: what(scene).unlink()


def _not_in_the_channel(scene: Scene) -> None:
    thief = Thief(scene.repository, scene.keys)
    thief.publish("stable", lambda signed: signed.targets.pop("stable/pets-1.1.0.onnx"))


# --- what a channel's keys can say ------------------------------------------------------


def _mislabelled(**changes: Any) -> Change:
    """A thief of the channel's keys gives an older release a higher number."""

    def label(scene: Scene) -> None:
        name = changes.get("version", "1.1.0")
        data = artifact("1.0.0")
        info = TargetFile.from_data(f"stable/pets-{name}.onnx", data, ["sha256"])
        folder = scene.repository / "targets" / "stable"
        (folder / f"{info.hashes['sha256']}.pets-{name}.onnx").write_bytes(data)
        thief = Thief(scene.repository, scene.keys)
        thief.publish("stable", lambda signed: signed.targets.update({info.path: info}))
        thief.index(lambda index: altered(index, file=f"pets-{name}.onnx", **changes))

    return label


def _garbage(scene: Scene) -> None:
    _timestamp(scene).write_bytes(b"[" * 10_000)


def _another_role(scene: Scene) -> None:
    shutil.copy(newest(scene.repository, "snapshot"), _timestamp(scene))


REFUSED: dict[str, tuple[Change, str]] = {
    "a changed timestamp": (_changed_version, "signature"),
    "a timestamp of other keys": (lambda scene: _other_keys(_timestamp(scene), kept=False), "signature"),
    "one signature of two": (_targets(lambda document: document["signatures"].pop()), "signature"),
    "both signatures of one key": (_targets(_signed_twice_by_one), "mixed"),
    "a root of other keys": (_root_without_the_old_keys, "signature"),
    "an older state, whole": (_whole_older_state, "older"),
    "an older timestamp": (_older_timestamp, "older"),
    "an older channel that snapshot's and timestamp's keys vouch for": (_older_channel_that_is_vouched_for, "older"),
    # a signature's length varies: where the older file is the longer one, that is seen first
    "an older snapshot under the newer name": (_older_snapshot_under_the_newer_name, "mixed or oversized"),
    "an older channel under the newer name": (_older_channel_under_the_newer_name, "mixed or oversized"),
    "an older channel where only versions tell": (_older_channel_where_only_versions_tell, "mixed"),
    "an expired timestamp": (_frozen("timestamp"), "expired"),
    "an expired snapshot": (_frozen("snapshot"), "expired"),
    "expired targets": (_frozen("targets"), "expired"),
    "an expired channel": (_frozen("stable"), "expired"),
    "an expired root": (_frozen("root"), "expired"),
    "a timestamp of 17 KB": (_padded(17_000), "oversized"),
    "a large index": (_large_index, "oversized"),
    "a model that is too long": (_longer_model, "endless"),
    "a model without end": (_endless_model, "endless"),
    "an index without end": (_longer_index, "endless"),
    "a model that is too short": (_shorter_model, "mixed"),
    "a model with another bit": (_other_model, "mixed"),
    "a link in place of the timestamp": (_linked(_timestamp), "unsafe"),
    "a link in place of a folder": (_linked(lambda scene: scene.repository / "metadata"), "unsafe"),
    "a link in place of a model": (_linked(lambda scene: target(scene.repository, "pets-1.1.0.onnx")), "unsafe"),
    "a pipe in place of the timestamp": (_pipe, "unsafe"),
    "a file above the folder": (_file_named("../../../etc/passwd"), "unsafe"),
    "a file with the whole path": (_file_named("/etc/passwd"), "unsafe"),
    "a role above the folder": (_role_named("../../../../etc/passwd"), "absent"),
    "no timestamp": (_missing(_timestamp), "absent"),
    "no model": (_missing(lambda scene: target(scene.repository, "pets-1.1.0.onnx")), "absent"),
    "a model that the channel does not have": (_not_in_the_channel, "absent"),
    "no channel's metadata": (_missing(lambda scene: newest(scene.repository, "stable")), "absent"),
    "an older model under a higher version": (_mislabelled(version="9.0.0"), "other"),
    "an older model under a higher release": (_mislabelled(release=9), "other"),
    "an index of another model": (
        lambda scene: Thief(scene.repository, scene.keys).index(lambda index: altered(index._replace(name="pest"))),
        "mixed",
    ),
    "garbage": (_garbage, "mixed"),
    "another role's metadata": (_another_role, "mixed"),
}

#: With the version that is active afterwards.
TAKEN: dict[str, tuple[Change, str]] = {
    "the repository as it is": (lambda scene: None, "1.1.0"),
    "a timestamp with a further signature": (lambda scene: _other_keys(_timestamp(scene), kept=True), "1.1.0"),
    "a root of the old keys and new ones": (_root_of_old_and_new_keys, "1.1.0"),
    "two signatures in another order": (_targets(_swapped_signatures), "1.1.0"),
    "the same state again": (_same_state_again, "1.1.0"),
    "a snapshot that has only versions": (_only_versions, "1.1.0"),
    "an upload under way": (_an_upload_under_way, "1.1.0"),
    "a timestamp near its end": (_near_its_end, "1.1.0"),
    "a timestamp of 16 KB": (_padded(16_000), "1.1.0"),
    "an index of half a MiB": (_large_but_allowed_index, "1.1.0"),
    "a link to the repository itself": (_linked_repository, "1.1.0"),
    "an index that is signed anew": (lambda scene: Thief(scene.repository, scene.keys).index(altered), "1.1.0"),
    "an older model missing": (_missing(lambda scene: target(scene.repository, "pets-1.0.0.onnx")), "1.1.0"),
    "files of others": (lambda scene: (scene.repository / "metadata" / "notes.txt").write_text("x"), "1.1.0"),
}


@pytest.mark.parametrize("attack", REFUSED)
def test_an_attack_is_refused_with_its_own_error(scene: Scene, attack: str) -> None:
    change, kind = REFUSED[attack]
    change(scene)
    error = str(scene.device.refused(kind))
    assert len(error) < 1200
    assert str(scene.repository) in error or kind == "other"
    assert not any(path.stat().st_size > 100_000 for path in scene.device.partials())


@pytest.mark.parametrize("case", TAKEN)
def test_what_looks_alike_is_taken(scene: Scene, case: str) -> None:
    change, version = TAKEN[case]
    change(scene)
    found = scene.device.update()
    assert found.error is None
    assert scene.device.active() == version


def test_after_an_attack_the_true_repository_is_taken(scene: Scene) -> None:
    """No attack of those who have no keys leaves anything in the store that stands in the way."""
    true = copy(scene.repository, "true")
    for attack in ("a changed timestamp", "a root of other keys", "a model without end", "a model with another bit"):
        change, kind = REFUSED[attack]
        change(scene)
        scene.device.refused(kind)
        shutil.rmtree(scene.repository)
        copy(true, scene.repository.name)
    assert scene.device.update().version == "1.1.0"


def test_no_root_and_another_root(scene: Scene, tmp_path: Path) -> None:
    fresh = Device(scene.repository, tmp_path / "fresh")
    assert "--root" in str(fresh.refused("root", first=False))
    other = Publisher(tmp_path / "other", tmp_path / "other-keys")
    other.publish([scene.models("2.0.0")])
    stranger = Device(tmp_path / "other", Path(scene.device.store.folder))
    stranger.refused("root", first=True)
    stranger.refused("signature", first=False)
    assert scene.device.update(first=True).version == "1.1.0"


def test_a_kept_root_that_is_damaged_is_told(scene: Scene) -> None:
    (Path(scene.device.store.folder) / "update" / "metadata" / "1.root.json").write_bytes(b"{}")
    assert "Remove the folder" in str(scene.device.refused("root", first=False))
    shutil.rmtree(Path(scene.device.store.folder) / "update")
    assert scene.device.update().version == "1.1.0"


@pytest.mark.parametrize("name", ["timestamp", "snapshot", "targets", "stable"])
def test_other_kept_metadata_that_is_damaged_is_got_anew(scene: Scene, name: str) -> None:
    (Path(scene.device.store.folder) / "update" / "metadata" / f"{name}.json").write_bytes(b"{")
    assert scene.device.update().version == "1.1.0"


def test_another_root_of_a_higher_version_is_refused(scene: Scene, tmp_path: Path) -> None:
    other = Publisher(tmp_path / "other", tmp_path / "other-keys")
    other.publish([scene.models("2.0.0")])
    other.rotate(["root"])
    higher = tmp_path / "other" / "metadata" / "2.root.json"
    with pytest.raises(Exception, match="not the root metadata that this store trusts"):
        update(scene.device.store, str(scene.repository), root=higher)
    assert scene.device.active() == "1.0.0"


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 5000, b"\xff", b'{"signed": {"_type": "root"}, "signatures": []}'])
def test_a_root_that_is_none(scene: Scene, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "root.json"
    path.write_bytes(data)
    with pytest.raises(Exception, match="expected root metadata"):
        update(scene.device.store, str(scene.repository), root=path)


def test_a_file_that_is_swapped_after_the_check_is_not_what_runs(scene: Scene) -> None:
    """What was read once is checked, run and kept."""
    model = target(scene.repository, "pets-1.1.0.onnx")

    class Swapping:
        def __init__(self, source: FolderSource) -> None:
            self.shown, self._source, self.swapped = source.shown, source, 0

        def pieces(self, path: str, start: int = 0) -> Iterator[bytes]:
            yield from self._source.pieces(path, start)
            if path.endswith(".onnx"):
                model.write_bytes(artifact("1.0.0"))
                self.swapped += 1

    source = open_source(str(scene.repository))
    assert isinstance(source, FolderSource)
    swapping = Swapping(source)
    assert scene.device.update(source=swapping).action == "installed"
    assert swapping.swapped == 1
    assert scene.device.store.damage(NAME) is None
    assert scene.device.store.load(NAME).manifest.version == "1.1.0"


@pytest.mark.parametrize("path", ["../x", "metadata/../../x", "/etc/passwd", "a//b", "", "a/.", "a\\b", "a\0b", "c:/x"])
def test_a_source_keeps_to_its_folder(scene: Scene, path: str) -> None:
    with pytest.raises(Exception, match="expected the plain name"):
        list(open_source(str(scene.repository)).pieces(path))


def test_newest_of_is_what_the_attacks_change(scene: Scene) -> None:
    """The attacks above alter the index that devices read."""
    index = newest_of(scene.repository, f"targets/stable/*.{NAME}.json")
    signed = Metadata.from_file(str(newest(scene.repository, "stable"))).signed
    assert signed.targets[f"stable/{NAME}.json"].hashes["sha256"] == index.name.partition(".")[0]
