"""A store with a trusted key takes only what that key has signed; each attack is told by its own error."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from edge_infer.errors import KeyFileError, NotInstalledError, RefusedError, SignatureError, UsageError
from edge_infer.signing import (
    DigestMismatchError,
    ExpiredKeyError,
    NotSignedError,
    PrivateKey,
    RevokedKeyError,
    UntrustedKeyError,
    generate_key,
    sign,
)
from edge_infer.store import Store, gate
from tests.store.releases import ROW, answer, artifact


@pytest.fixture
def keys(tmp_path: Path) -> tuple[PrivateKey, PrivateKey]:
    for name in ("release.key", "other.key"):
        generate_key(tmp_path / name)
    return PrivateKey.read(tmp_path / "release.key"), PrivateKey.read(tmp_path / "other.key")


@pytest.fixture
def trusting(store: Store, keys: Any, tmp_path: Path) -> Store:
    store.trust(tmp_path / "release.key.pub")
    return store


def signed(version: str, key: PrivateKey, **claims: Any) -> bytes:
    return sign(artifact(version), f"pets-{version}.onnx", key, **claims)


def active(store: Store) -> str | None:
    state = store.state("pets")
    release = state.of_digest(state.active)
    return release.version if release else None


def test_what_a_trusted_key_signed_is_installed(trusting: Store, keys: Any, tmp_path: Path) -> None:
    path = tmp_path / "pets-1.0.0.onnx"
    path.write_bytes(artifact("1.0.0"))
    path.with_name("pets-1.0.0.onnx.sig").write_bytes(signed("1.0.0", keys[0]))
    installed = trusting.install(path)
    assert installed.release.signed_by == keys[0].public.fingerprint
    assert trusting.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))
    assert trusting.install(artifact("1.1.0"), signature=signed("1.1.0", keys[0])).active


def test_attacks_are_refused_each_with_its_own_error(trusting: Store, keys: Any, tmp_path: Path) -> None:
    mine, other = keys
    trusting.install(artifact("1.0.0"), signature=signed("1.0.0", mine))
    flipped = bytearray(artifact("1.1.0"))
    flipped[len(flipped) // 2] ^= 1
    attacks: list[tuple[type[Exception], bytes, bytes | None]] = [
        (NotSignedError, artifact("1.1.0"), None),
        (UntrustedKeyError, artifact("1.1.0"), signed("1.1.0", other)),
        (DigestMismatchError, bytes(flipped), signed("1.1.0", mine)),
        (DigestMismatchError, artifact("1.2.0"), signed("1.1.0", mine)),
        (SignatureError, artifact("1.1.0"), b"not a bundle"),
        (SignatureError, artifact("1.1.0"), signed("1.1.0", mine)[:-40]),
    ]
    for kind, data, bundle in attacks:
        with pytest.raises(kind):
            trusting.install(data, signature=bundle)
    assert active(trusting) == "1.0.0"
    assert [release.version for release in trusting.state("pets").releases] == ["1.0.0"]


def test_an_unsigned_file_is_not_looked_into_and_noted_by_its_name(trusting: Store, keys: Any, tmp_path: Path) -> None:
    trusting.install(artifact("1.0.0"), signature=signed("1.0.0", keys[0]))
    for content in (artifact("1.1.0"), b"\x00 no model at all"):
        path = tmp_path / "pets-1.1.0.onnx"
        path.write_bytes(content)
        with pytest.raises(NotSignedError, match=r"pets-1\.1\.0\.onnx.*no signature.*edge-infer sign MODEL"):
            trusting.install(path)
    refusal = trusting.state("pets").refusals[-1]
    assert (refusal.version, refusal.kind) == ("1.1.0", "unsigned")
    assert trusting.log("pets")[-1].result == "refused"


def test_an_older_release_that_was_signed_is_refused_unless_signed_as_such(trusting: Store, keys: Any) -> None:
    trusting.install(artifact("1.1.0"), signature=signed("1.1.0", keys[0]))
    with pytest.raises(RefusedError, match="older"):
        trusting.install(artifact("1.0.0"), signature=signed("1.0.0", keys[0]))
    back = signed("1.0.0", keys[0], rollback_allowed=True)
    assert trusting.install(artifact("1.0.0"), signature=back).active


def test_a_revoked_key_takes_its_releases_along(trusting: Store, keys: Any, tmp_path: Path) -> None:
    trusting.trust(tmp_path / "other.key.pub")
    mine, other = keys
    for version, key in (("1.0.0", mine), ("1.1.0", other), ("1.2.0", other)):
        trusting.install(artifact(version), signature=signed(version, key))
    assert trusting.revoke(other.public.fingerprint) == ["pets"]
    assert active(trusting) == "1.0.0"
    assert trusting.load("pets").predict(ROW) == pytest.approx(answer("1.0.0"))
    with pytest.raises(NotInstalledError):
        trusting.load("pets@1.1.0")
    with pytest.raises(RevokedKeyError):
        trusting.install(artifact("1.2.0"), signature=signed("1.2.0", other))
    assert {refusal.kind for refusal in trusting.state("pets").refusals} == {"revoked"}
    assert trusting.install(artifact("1.2.0"), signature=signed("1.2.0", mine)).active
    trusting.revoke(mine.public.fingerprint)
    with pytest.raises(NotInstalledError, match="no release is active"):
        trusting.load("pets")
    trusting.trust(tmp_path / "other.key.pub")
    with pytest.raises(RevokedKeyError):
        trusting.install(artifact("2.0.0"), signature=signed("2.0.0", other))


def test_a_key_past_its_last_day_is_refused(trusting: Store, keys: Any) -> None:
    fingerprint = keys[0].public.fingerprint
    days = Path(trusting.folder, "keys", "not_after")
    days.write_text(f"{fingerprint} 2020-01-01\n", encoding="utf-8")
    with pytest.raises(ExpiredKeyError):
        trusting.install(artifact("1.0.0"), signature=signed("1.0.0", keys[0]))
    days.write_text(f"{fingerprint} 2999-01-01\n", encoding="utf-8")
    assert trusting.install(artifact("1.0.0"), signature=signed("1.0.0", keys[0])).active


def test_keys_are_named_and_judged_before_they_are_trusted(store: Store, tmp_path: Path) -> None:
    public = generate_key(tmp_path / "key")
    for wrong in (tmp_path / "key", tmp_path / "model.onnx"):
        wrong.exists() or wrong.write_bytes(artifact("1.0.0"))
        with pytest.raises(KeyFileError):
            store.trust(wrong)
    assert store.trusted() is None
    store.trust(tmp_path / "key.pub")
    keys = store.trusted()
    assert keys is not None
    assert [key.fingerprint for key in keys.keys] == [public.fingerprint]
    for unknown in ("", "0" * 63, "0" * 65, public.fingerprint[:4], public.fingerprint.upper()):
        with pytest.raises(UsageError, match="expected the fingerprint"):
            store.revoke(unknown)
    assert store.revoke(public.fingerprint[:12]) == []


def test_a_revocation_during_the_golden_rows_counts(
    trusting: Store, keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = gate.check_health

    def slow(*given: Any) -> Any:
        Store(trusting.folder).revoke(keys[0].public.fingerprint)
        return usual(*given)

    monkeypatch.setattr(gate, "check_health", slow)
    with pytest.raises(RevokedKeyError):
        trusting.install(artifact("1.0.0"), signature=signed("1.0.0", keys[0]))
    assert trusting.names() == []


def test_a_revocation_never_leads_to_an_unsigned_release(store: Store, keys: Any, tmp_path: Path) -> None:
    store.install(artifact("1.0.0"))
    store.trust(tmp_path / "release.key.pub")
    store.install(artifact("1.1.0"), signature=signed("1.1.0", keys[0]))
    store.revoke(keys[0].public.fingerprint)
    assert active(store) is None


def test_a_high_number_of_a_revoked_key_does_not_keep_others_out(trusting: Store, keys: Any, tmp_path: Path) -> None:
    mine, stolen = keys
    trusting.trust(tmp_path / "other.key.pub")
    trusting.install(artifact("1.0.0"), signature=signed("1.0.0", mine))
    trusting.install(artifact("9.0.0", release=10**9), signature=sign(artifact("9.0.0", release=10**9), "x", stolen))
    trusting.revoke(stolen.public.fingerprint)
    assert trusting.install(artifact("1.1.0"), signature=signed("1.1.0", mine)).active
    with pytest.raises(RefusedError, match="older"):
        trusting.install(artifact("1.0.0"), signature=signed("1.0.0", mine))


def test_a_key_whose_file_is_gone_and_one_in_a_comment_can_be_revoked(
    trusting: Store, keys: Any, tmp_path: Path
) -> None:
    other = keys[1].public.fingerprint
    trusting.trust(tmp_path / "other.key.pub")
    folder = Path(trusting.folder, "keys")
    (folder / "revoked").write_text(f"# not yet: {other}", encoding="utf-8")
    (folder / f"{other[:16]}.pub").unlink()
    trusting.revoke(other)
    trusting.trust(tmp_path / "other.key.pub")
    with pytest.raises(RevokedKeyError):
        trusting.install(artifact("1.0.0"), signature=signed("1.0.0", keys[1]))


def test_a_folder_in_the_place_of_a_signature_matters_only_where_keys_are_trusted(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "pets-1.0.0.onnx"
    path.write_bytes(artifact("1.0.0"))
    (tmp_path / "pets-1.0.0.onnx.sig").mkdir()
    assert store.install(path).active


def test_a_file_of_any_name_is_refused_with_its_reason(trusting: Store, keys: Any, tmp_path: Path) -> None:
    trusting.install(artifact("1.0.0"), signature=signed("1.0.0", keys[0]))
    path = os.path.join(os.fsencode(tmp_path), b"pets-\xff.onnx")
    Path(os.fsdecode(path)).write_bytes(artifact("1.1.0"))
    with pytest.raises(NotSignedError):
        trusting.install(os.fsdecode(path))
    assert trusting.log("pets")[-1].result == "refused"


def test_without_a_key_nothing_is_checked(store: Store) -> None:
    assert store.install(artifact("1.0.0"), signature=b"anything").release.signed_by is None
