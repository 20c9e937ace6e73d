"""A device takes what is published for it: from a folder and over HTTP, by channel, share and order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_infer.errors import UsageError
from edge_infer.signing import generate_key
from edge_infer.store import Store
from edge_infer.store.updates import read_known
from edge_infer.update.client import update
from edge_infer.update.device import in_share
from edge_infer.update.expiry import known_now, parse_expiry
from edge_infer.update.publisher import Publisher, Settings, Threshold
from tests.store.releases import ROW, answer
from tests.update.conftest import Models
from tests.update.devices import NAME, Device, Plain, Ranged, served, target, warned


def _publish(publisher: Publisher, models: Models, *versions: str, **options: Any) -> None:
    for version in versions:
        publisher.publish([models(version)], **options)


# --- the way through --------------------------------------------------------------------


@pytest.mark.parametrize("kind", [None, Plain, Ranged])
def test_a_device_follows_its_publisher(
    publisher: Publisher, models: Models, device: Device, kind: type[Plain] | None
) -> None:
    _publish(publisher, models, "1.0.0")
    if kind is None:
        _follow(publisher, models, device, str(device.repository))
        return
    with served(device.repository, kind) as (url, _):
        _follow(publisher, models, device, url)


def _follow(publisher: Publisher, models: Models, device: Device, source: str) -> None:
    assert device.update(source=source)[:4] == (NAME, "installed", "1.0.0", None)
    assert device.update(source=source)[:4] == (NAME, "current", "1.0.0", "1.0.0")
    _publish(publisher, models, "1.1.0", "1.2.0")
    assert device.update(source=source, check=True)[:4] == (NAME, "available", "1.2.0", "1.0.0")
    assert device.active() == "1.0.0"
    assert device.update(source=source)[:4] == (NAME, "installed", "1.2.0", "1.0.0")
    assert device.store.load(NAME).predict(ROW) == pytest.approx(answer("1.2.0"))
    assert device.partials() == []
    assert read_known(device.store.files).last is not None


def test_without_names_all_installed_models_are_updated(publisher: Publisher, models: Models, device: Device) -> None:
    for name in ("cats", "dogs", "eels"):
        publisher.publish([models("1.0.0", name=name)])
    device.store.install(models("1.0.0", name="owls"))
    device.update("cats", "eels")
    for name in ("cats", "dogs", "eels"):
        publisher.publish([models("1.1.0", name=name)])
    found = update(device.store, str(device.repository))
    assert [each[:3] for each in found] == [
        ("cats", "installed", "1.1.0"),
        ("eels", "installed", "1.1.0"),
        ("owls", "absent", "1.0.0"),
    ]


def test_a_model_that_fails_stops_no_other(publisher: Publisher, models: Models, device: Device) -> None:
    for name in ("cats", "dogs"):
        publisher.publish([models("1.0.0", name=name)])
    target(device.repository, "cats-1.0.0.onnx").write_bytes(b"other")
    found = update(device.store, str(device.repository), ["cats", "none", "dogs"], root=device.root)
    assert [(each.name, each.action) for each in found] == [
        ("cats", "failed"),
        ("none", "failed"),
        ("dogs", "installed"),
    ]
    assert [getattr(each.error, "kind", None) for each in found] == ["mixed", "absent", None]


def test_a_check_changes_nothing(publisher: Publisher, models: Models, device: Device) -> None:
    _publish(publisher, models, "1.0.0")
    assert device.update(check=True).action == "available"
    assert not Path(device.store.folder).exists()
    device.update()
    before = {path: path.read_bytes() for path in Path(device.store.folder).rglob("*") if path.is_file()}
    _publish(publisher, models, "1.1.0")
    assert device.update(check=True).action == "available"
    assert {path: path.read_bytes() for path in Path(device.store.folder).rglob("*") if path.is_file()} == before


def test_a_signature_is_asked_for_where_the_store_trusts_a_key(
    publisher: Publisher, models: Models, device: Device, tmp_path: Path
) -> None:
    publisher.publish([models("1.0.0", signed=True)])
    device.store.trust(tmp_path / "models" / "release.key.pub")
    assert device.update().action == "installed"
    assert device.store.state(NAME).releases[0].signed_by
    _publish(publisher, models, "1.1.0")
    (tmp_path / "models" / "pets-1.1.0.onnx.sig").unlink(missing_ok=True)
    error = device.update().error
    assert "signature" in str(error)
    assert device.active() == "1.0.0"
    assert [refusal.kind for refusal in device.store.state(NAME).refusals] == ["unsigned"]
    assert "refused here before" in str(device.update().error)
    generate_key(tmp_path / "another.key")
    device.store.trust(tmp_path / "another.key.pub")  # something has changed
    assert "refused here before" not in str(device.update().error)


# --- channels, order and rollout --------------------------------------------------------


def test_a_device_takes_from_its_channel_alone(publisher: Publisher, models: Models, device: Device) -> None:
    _publish(publisher, models, "1.0.0")
    _publish(publisher, models, "2.0.0-rc1", channel="beta")
    assert device.update().version == "1.0.0"
    assert device.update(channel="beta")[:3] == (NAME, "installed", "2.0.0-rc1")
    assert device.update()[:3] == (NAME, "current", "2.0.0-rc1")
    assert "stable, beta" in str(device.refused("absent", channel="nightly"))


def test_what_was_rolled_back_is_not_taken_again(publisher: Publisher, models: Models, device: Device) -> None:
    _publish(publisher, models, "1.0.0")
    device.update()
    _publish(publisher, models, "1.1.0")
    device.update()
    device.store.rollback(NAME)
    found = device.update()
    assert (found.action, found.version) == ("current", "1.0.0")
    assert "1.1.0 was active before" in found.reason
    _publish(publisher, models, "1.1.1")
    assert device.update().version == "1.1.1"


def test_a_release_that_was_removed_comes_back_when_it_is_named(
    publisher: Publisher, models: Models, device: Device
) -> None:
    _publish(publisher, models, "1.0.0")
    device.update()
    device.store.remove(NAME)
    assert update(device.store, str(device.repository)) == []
    assert device.update().action == "installed"


def test_a_halted_release_is_passed_over(publisher: Publisher, models: Models, device: Device) -> None:
    _publish(publisher, models, "1.0.0", "1.1.0")
    publisher.change([f"{NAME}@1.1.0"], halted=True)
    assert device.update().version == "1.0.0"
    found = device.update()
    assert (found.action, found.halted) == ("current", False)
    assert "1.1.0 was halted" in found.reason
    publisher.change([f"{NAME}@1.1.0"], halted=False)
    assert device.update().version == "1.1.0"
    publisher.change([f"{NAME}@1.1.0"], halted=True)
    assert device.update()[1:6:4] == ("current", True)


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 440, 560), (0.1, 60, 140), (1.0, 1000, 1000)])
def test_a_share_is_a_share_of_the_devices(share: float, least: int, most: int) -> None:
    taken = sum(in_share(f"{number:032x}", NAME, "1.0.0", share) for number in range(1000))
    assert least <= taken <= most


def test_a_device_in_a_share_is_in_every_larger_one() -> None:
    for number in range(200):
        shares = [in_share(str(number), NAME, "1.0.0", share / 10) for share in range(11)]
        assert shares == sorted(shares)


def test_each_release_takes_other_devices_first() -> None:
    first = [in_share(str(number), NAME, "1.0.0", 0.5) for number in range(1000)]
    second = [in_share(str(number), NAME, "1.1.0", 0.5) for number in range(1000)]
    assert 440 <= sum(one != two for one, two in zip(first, second, strict=True)) <= 560


def test_a_rollout_reaches_the_devices_of_its_share(
    publisher: Publisher, models: Models, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish(publisher, models, "1.0.0")
    device.update()
    publisher.publish([models("1.1.0")], share=0.5)
    inside = next(str(number) for number in range(100) if in_share(str(number), NAME, "1.1.0", 0.5))
    outside = next(str(number) for number in range(100) if not in_share(str(number), NAME, "1.1.0", 0.5))
    monkeypatch.setenv("EDGE_INFER_DEVICE_ID", outside)
    found = device.update()
    assert (found.action, "is given to 0.5 of the devices" in found.reason) == ("current", True)
    monkeypatch.setenv("EDGE_INFER_DEVICE_ID", inside)
    assert device.update().version == "1.1.0"


def test_a_store_keeps_the_id_that_it_makes(publisher: Publisher, models: Models, device: Device) -> None:
    publisher.publish([models("1.0.0")], share=0.0)
    assert device.update().action == "current"
    assert not (Path(device.store.folder) / "update" / "device-id").exists()
    publisher.change([f"{NAME}@1.0.0"], share=0.5)
    device.update()
    made = (Path(device.store.folder) / "update" / "device-id").read_text()
    assert len(made.strip()) == 32
    device.update()
    assert (Path(device.store.folder) / "update" / "device-id").read_text() == made


# --- what was refused -------------------------------------------------------------------


def test_what_was_refused_is_not_downloaded_again(publisher: Publisher, models: Models, device: Device) -> None:
    _publish(publisher, models, "1.0.0")
    device.update()
    from tests.store.releases import artifact

    path = models("1.1.0")
    path.write_bytes(artifact("1.1.0", columns=3))  # one column more than callers give
    publisher.publish([path])
    with served(device.repository, Ranged) as (url, handler):
        device.refused("breaking", source=url)
        asked = [path for path, _ in handler.asked if path.endswith(".onnx")]
        assert len(asked) == 1
        told = device.refused("before", source=url)
        assert "would break programs" in str(told)
        device.refused("before", source=url, check=True)
        assert [path for path, _ in handler.asked if path.endswith(".onnx")] == asked
        assert device.update(source=url, allow_breaking=True).action == "installed"


# --- trust ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp", "stable"])
def test_keys_that_are_replaced_are_followed(publisher: Publisher, models: Models, device: Device, role: str) -> None:
    _publish(publisher, models, "1.0.0")
    device.update()
    publisher.rotate([role])
    _publish(publisher, models, "1.1.0")
    assert device.update(first=True).version == "1.1.0"  # the first root is still one of the same repository
    fresh = Device(device.repository, Path(device.store.folder).with_name("fresh"))
    assert fresh.update().version == "1.1.0"


def test_a_newer_root_may_be_the_first(publisher: Publisher, models: Models, device: Device) -> None:
    _publish(publisher, models, "1.0.0")
    publisher.rotate(["root"])
    newer = device.repository / "metadata" / "2.root.json"
    assert update(device.store, str(device.repository), [NAME], root=newer)[0].action == "installed"
    assert update(device.store, str(device.repository), [NAME], root=newer)[0].action == "current"
    assert "leave --root out" in str(device.refused("root", first=True))


def test_thresholds_above_one_are_followed(models: Models, tmp_path: Path) -> None:
    settings = Settings(thresholds={"root": Threshold(2, 3), "stable": Threshold(2, 2)})
    publisher = Publisher(tmp_path / "repository", tmp_path / "keys", settings=settings)
    _publish(publisher, models, "1.0.0")
    assert Device(tmp_path / "repository", tmp_path / "store").update().action == "installed"


def test_a_wrong_first_root_does_not_bind_the_store(
    publisher: Publisher, models: Models, device: Device, tmp_path: Path
) -> None:
    _publish(publisher, models, "1.0.0")
    other = Publisher(tmp_path / "other", tmp_path / "other-keys")
    _publish(other, models, "1.0.0")
    with pytest.raises(Exception, match="signed"):
        update(device.store, str(device.repository), [NAME], root=tmp_path / "other" / "metadata" / "1.root.json")
    assert device.update().action == "installed"


# --- expiry -----------------------------------------------------------------------------


def _late(models: Models, tmp_path: Path, days: float) -> None:
    """A repository whose timestamp expired so many days ago."""
    then = datetime.now(UTC) - timedelta(days=30 + days)
    publisher = Publisher(tmp_path / "repository", tmp_path / "keys", clock=lambda: then)
    publisher.publish([models("1.0.0")])


@pytest.mark.parametrize(("expiry", "days"), [("5d", 3), ("ignore", 500), ("120h", 4.5)])
def test_patience_takes_what_has_expired(
    models: Models, tmp_path: Path, device: Device, expiry: str, days: float
) -> None:
    _late(models, tmp_path, days)
    with warned("timestamp.json expired"):
        assert device.update(expiry=parse_expiry(expiry)).action == "installed"
    assert read_known(device.store.files).latest is None  # a clock that disagrees is no measure


def test_what_has_not_expired_needs_no_patience(models: Models, tmp_path: Path, device: Device) -> None:
    _late(models, tmp_path, -0.01)
    assert device.update().action == "installed"


@pytest.mark.parametrize(("expiry", "days"), [("strict", 0.01), ("5d", 5.1), ("100h", 6)])
def test_patience_ends(models: Models, tmp_path: Path, device: Device, expiry: str, days: float) -> None:
    _late(models, tmp_path, days)
    assert "timestamp.json expired at" in str(device.refused("expired", expiry=parse_expiry(expiry)))


def test_a_clock_that_was_set_back_makes_nothing_young(publisher: Publisher, models: Models, device: Device) -> None:
    _publish(publisher, models, "1.0.0")
    device.update()
    known = read_known(device.store.files)
    assert known.latest is not None
    from edge_infer.store.updates import keep_known

    ahead = datetime.now(UTC) + timedelta(days=40)  # the last update was then, by a clock that was right
    keep_known(device.store.files, known._replace(latest=ahead.isoformat()))
    device.refused("expired")
    with warned("expired"):
        assert device.update(expiry=parse_expiry("20d")).action == "current"


def test_now_is_never_before_what_was_known() -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    assert known_now(later.isoformat()) == later
    assert known_now("2001-01-01T00:00:00+00:00") > datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5d", "30 days", "Strict", "99999999d", "999999d"])
def test_a_policy_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="30d"):
        parse_expiry(text)


# --- wrong usage ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source", ["ftp://x/y", "file:///etc", "http://", "http://me:word@host/x", "http://h/x?y", "http://[::1"]
)
def test_an_address_that_is_none(device: Device, source: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        update(device.store, source)


def test_a_store_that_knows_nothing_is_not_spoilt(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "store" / "update").mkdir(parents=True)
    (tmp_path / "store" / "update" / "known.json").write_bytes(b"{")
    with warned("begun anew"):
        assert read_known(store.files).refused == ()
