"""What is refused, and why; what is not, though it looks unusual."""

from __future__ import annotations

import base64
import json
import pickle
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from edge_infer.errors import ArtifactError, UsageError
from edge_infer.limits import LIMITS
from edge_infer.signing import (
    BadSignatureError,
    DigestMismatchError,
    ExpiredKeyError,
    MalformedBundleError,
    NameMismatchError,
    NotSignedError,
    PrivateKey,
    PublicKey,
    RevokedKeyError,
    SignatureError,
    TrustedKeys,
    UnsupportedSignatureError,
    UntrustedKeyError,
    sign,
    verify,
)
from tests.signing.making import DATA, KEY, MODEL, NAME, OTHER, STATEMENT, Mutation, envelope, mutated, signed

NOW = datetime(2027, 6, 30, 12, tzinfo=UTC)
OURS = sign(MODEL, NAME, KEY, release=7)


def refusal(model: bytes, bundle: bytes, trusted: Any = (KEY.public,), **options: Any) -> SignatureError | None:
    """Why it is refused, or None."""
    try:
        verify(model, bundle, trusted, **{"name": NAME, **options})
    except SignatureError as error:
        return error
    return None


def flips(data: bytes) -> Iterator[bytes]:
    for place in range(len(data)):
        for bit in range(8):
            yield data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


# --- what holds -------------------------------------------------------------------------


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_what_is_signed_verifies(curve: ec.EllipticCurve) -> None:
    key = PrivateKey(ec.generate_private_key(curve))
    verified = verify(MODEL, sign(MODEL, NAME, key), [OTHER.public, key.public], name=NAME)
    assert verified.fingerprint == key.public.fingerprint
    assert (verified.name, verified.release, verified.rollback_allowed) == (NAME, None, False)


def test_release_and_permission_to_go_back_are_signed() -> None:
    bundle = sign(MODEL, NAME, KEY, release=0, rollback_allowed=True)
    verified = verify(MODEL, bundle, [KEY.public], name=NAME)
    assert (verified.release, verified.rollback_allowed) == (0, True)


@pytest.mark.parametrize("curve", ["p256", "p384", "p521"])
def test_signatures_of_the_public_tool_verify(curve: str) -> None:
    key = PublicKey.read(DATA / f"{curve}.pub")
    verified = verify(MODEL, (DATA / f"{curve}.sig").read_bytes(), [key], name=NAME)
    assert verified.fingerprint == key.fingerprint


def test_a_bundle_of_an_older_tool_without_a_hint_verifies() -> None:
    key = PublicKey.read(DATA / "upstream.pub")
    bundle = (DATA / "upstream-0.3.1.sig").read_bytes()
    model = (DATA / "signme-1").read_bytes()
    assert verify(model, bundle, [KEY.public, key], name="signme-1").fingerprint == key.fingerprint
    assert isinstance(refusal(model, bundle, name="signme-1"), UntrustedKeyError)
    assert isinstance(refusal(model + b"x", bundle, [key], name="signme-1"), DigestMismatchError)


UNUSUAL: dict[str, Mutation] = {
    "another field of the predicate": lambda s: s["predicate"].update(model_card={"digest": "…"}),
    "another field of the statement": lambda s: s.update(more=1),
    "no paths that were ignored": lambda s: s["predicate"]["serialization"].pop("ignore_paths"),
    "claims of a later version": lambda s: s["predicate"].update(edge_infer={"release": 1, "later": True}),
    "no claims": lambda s: s["predicate"].update(edge_infer=None),
}


@pytest.mark.parametrize("case", UNUSUAL)
def test_what_readers_must_pass_over_is_passed_over(case: str) -> None:
    assert refusal(MODEL, signed(mutated(STATEMENT, UNUSUAL[case]))) is None


def test_layout_of_the_json_does_not_matter() -> None:
    assert refusal(MODEL, json.dumps(json.loads(OURS), indent=2, sort_keys=True).encode() + b"\n") is None


def test_any_name_is_taken_where_none_is_given() -> None:
    assert verify(MODEL, OURS, [KEY.public], name=None).name == NAME


# --- changed bytes ----------------------------------------------------------------------


def test_every_flipped_bit_of_the_bundle_is_noticed() -> None:
    passed = [place for place, bundle in enumerate(flips(OURS)) if refusal(MODEL, bundle) is None]
    assert passed == []


def test_flipped_bits_are_told_by_region() -> None:
    def kind(region: str) -> set[str]:
        at = OURS.index(region.encode()) + len(region)
        return {type(refusal(MODEL, OURS[:at] + bytes([OURS[at] ^ 1]) + OURS[at + 1 :])).__name__}

    assert kind('"hint":"') == {"UntrustedKeyError"}
    assert kind('"payload":"e') == {"BadSignatureError"}
    assert kind('"sig":"ME') == {"BadSignatureError"}
    assert kind('"payloadType":"') == {"UnsupportedSignatureError"}
    assert kind('"mediaType":"') == {"UnsupportedSignatureError"}
    assert kind("{") == {"MalformedBundleError"}


def test_every_flipped_byte_of_the_model_is_noticed() -> None:
    kinds = {type(refusal(model, OURS)) for place, model in enumerate(flips(MODEL)) if place % 8 == 0}
    assert kinds == {DigestMismatchError}


def test_every_truncation_is_noticed() -> None:
    assert all(isinstance(refusal(MODEL, OURS[:size]), MalformedBundleError) for size in range(len(OURS)))
    for model in (b"", MODEL[:-1], MODEL + b"\0"):
        assert isinstance(refusal(model, OURS), DigestMismatchError)


def test_another_signature_of_the_same_key_does_not_fit() -> None:
    other = json.loads(sign(b"another model", NAME, KEY))
    mixed = json.loads(OURS)
    mixed["dsseEnvelope"]["signatures"] = other["dsseEnvelope"]["signatures"]
    assert isinstance(refusal(MODEL, json.dumps(mixed).encode()), BadSignatureError)


# --- keys -------------------------------------------------------------------------------


def test_another_key_is_told_by_hint_and_fingerprints() -> None:
    error = refusal(MODEL, OURS, [OTHER.public])
    assert isinstance(error, UntrustedKeyError)
    assert KEY.public.hint in str(error)
    assert OTHER.public.fingerprint in str(error)
    assert isinstance(refusal(MODEL, OURS, []), UntrustedKeyError)


def test_a_hint_that_lies_is_not_believed() -> None:
    lying = envelope(json.dumps(STATEMENT).encode(), OTHER)
    lying["verificationMaterial"]["publicKey"]["hint"] = KEY.public.hint
    assert isinstance(refusal(MODEL, json.dumps(lying).encode()), BadSignatureError)
    assert isinstance(refusal(MODEL, json.dumps(lying).encode(), [KEY.public, OTHER.public]), BadSignatureError)


def test_a_key_within_the_bundle_is_not_trusted() -> None:
    bundle = envelope(json.dumps(STATEMENT).encode(), OTHER)
    bundle["verificationMaterial"]["publicKey"] = {"rawBytes": base64.b64encode(OTHER.public.pem).decode()}
    assert isinstance(refusal(MODEL, json.dumps(bundle).encode()), UntrustedKeyError)


def test_a_revoked_key_is_refused_and_others_are_not() -> None:
    trust = TrustedKeys((KEY.public, OTHER.public), frozenset({KEY.public.fingerprint}))
    assert isinstance(refusal(MODEL, OURS, trust), RevokedKeyError)
    assert refusal(MODEL, sign(MODEL, NAME, OTHER), trust) is None


def test_a_key_counts_to_the_end_of_its_last_day_in_utc() -> None:
    trust = TrustedKeys((KEY.public,), not_after={KEY.public.fingerprint: date(2027, 6, 30)})
    assert refusal(MODEL, OURS, trust, now=NOW) is None
    assert refusal(MODEL, OURS, trust, now=datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC)) is None
    assert refusal(MODEL, OURS, trust, now=datetime(2027, 7, 1, 1, tzinfo=timezone(timedelta(hours=2)))) is None
    assert isinstance(refusal(MODEL, OURS, trust, now=datetime(2027, 7, 1, tzinfo=UTC)), ExpiredKeyError)


def test_without_a_clock_last_days_are_not_judged_but_revocation_is() -> None:
    trust = TrustedKeys((KEY.public,), not_after={KEY.public.fingerprint: date(2000, 1, 1)})
    assert refusal(MODEL, OURS, trust, now=None) is None
    assert isinstance(refusal(MODEL, OURS, trust._replace(revoked=frozenset(trust.not_after))), RevokedKeyError)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(UsageError, match="zone"):
        verify(MODEL, OURS, [KEY.public], name=NAME, now=datetime(2027, 6, 30))


# --- statements -------------------------------------------------------------------------

_ELSE = "0" * 64

STATEMENTS: dict[str, tuple[Mutation, type[SignatureError]]] = {
    "another kind of statement": (
        lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"),
        UnsupportedSignatureError,
    ),
    "another predicate": (
        lambda s: s.update(predicateType="https://model_signing/Digests/v0.1"),
        UnsupportedSignatureError,
    ),
    "in shards": (lambda s: s["predicate"]["serialization"].update(method="shards"), UnsupportedSignatureError),
    "another hash": (lambda s: s["predicate"]["serialization"].update(hash_type="blake2b"), UnsupportedSignatureError),
    "another algorithm": (lambda s: s["predicate"]["resources"][0].update(algorithm="md5"), UnsupportedSignatureError),
    "a file of a folder": (lambda s: s["predicate"]["resources"][0].update(name=NAME), UnsupportedSignatureError),
    "a path out of the folder": (
        lambda s: s["predicate"]["resources"][0].update(name="../x"),
        UnsupportedSignatureError,
    ),
    "two files": (
        lambda s: s["predicate"]["resources"].append({"name": "x", "algorithm": "sha256", "digest": _ELSE}),
        UnsupportedSignatureError,
    ),
    "no files": (lambda s: s["predicate"].update(resources=[]), UnsupportedSignatureError),
    "two subjects": (lambda s: s["subject"].append(s["subject"][0]), UnsupportedSignatureError),
    "no subject": (lambda s: s.update(subject=[]), UnsupportedSignatureError),
    "another subject's digest": (lambda s: s["subject"][0]["digest"].update(sha256=_ELSE), MalformedBundleError),
    "no subject's digest": (lambda s: s["subject"][0].update(digest={}), MalformedBundleError),
    "a digest in capitals": (
        lambda s: s["predicate"]["resources"][0].update(digest=s["predicate"]["resources"][0]["digest"].upper()),
        MalformedBundleError,
    ),
    "another name": (lambda s: s["subject"][0].update(name="other-1.0.0.onnx"), NameMismatchError),
    "a release of text": (lambda s: s["predicate"].update(edge_infer={"release": "1"}), MalformedBundleError),
    "a negative release": (lambda s: s["predicate"].update(edge_infer={"release": -1}), MalformedBundleError),
    "a permission that is no boolean": (
        lambda s: s["predicate"].update(edge_infer={"rollback_allowed": 1}),
        MalformedBundleError,
    ),
    "claims that are no object": (lambda s: s["predicate"].update(edge_infer=[]), MalformedBundleError),
}


@pytest.mark.parametrize("case", STATEMENTS)
def test_a_statement_that_is_signed_but_says_something_else_is_refused(case: str) -> None:
    mutate, kind = STATEMENTS[case]
    assert type(refusal(MODEL, signed(mutated(STATEMENT, mutate)))) is kind


def test_the_statement_itself_is_taken() -> None:
    assert refusal(MODEL, signed(STATEMENT)) is None


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b'{"_type": 1}', b'{"a": 1, "a": 2}', b"[" * 999, b"\xff"], ids=repr
)
def test_a_payload_that_is_no_statement_is_refused(payload: bytes) -> None:
    assert isinstance(refusal(MODEL, json.dumps(envelope(payload)).encode()), MalformedBundleError)


FOREIGN = {"shards": "files", "blake2": "sha256", "folder": "'.'", "certificate": "key"}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_ways_of_the_public_tool_are_refused_with_the_reason(name: str) -> None:
    error = refusal(MODEL, (DATA / f"{name}.sig").read_bytes(), [PublicKey.read(DATA / "p256.pub")])
    assert isinstance(error, UnsupportedSignatureError)
    assert FOREIGN[name] in str(error)


# --- bundles ----------------------------------------------------------------------------

BUNDLES: dict[str, tuple[Mutation, type[SignatureError]]] = {
    "no signature": (lambda b: b["dsseEnvelope"].update(signatures=[]), NotSignedError),
    "two signatures": (
        lambda b: b["dsseEnvelope"]["signatures"].append(b["dsseEnvelope"]["signatures"][0]),
        MalformedBundleError,
    ),
    "an older bundle": (
        lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.2"),
        UnsupportedSignatureError,
    ),
    "a message in place of an envelope": (
        lambda b: b.update(messageSignature=b.pop("dsseEnvelope")),
        MalformedBundleError,
    ),
    "an unknown field": (lambda b: b.update(extra=1), MalformedBundleError),
    "an unknown field of the signature": (
        lambda b: b["dsseEnvelope"]["signatures"][0].update(cert="x"),
        MalformedBundleError,
    ),
    "a certificate beside the key": (lambda b: b["verificationMaterial"].update(certificate={}), MalformedBundleError),
    "no key": (lambda b: b.update(verificationMaterial={}), MalformedBundleError),
    "a hint that is a number": (lambda b: b["verificationMaterial"]["publicKey"].update(hint=1), MalformedBundleError),
    "no base64": (lambda b: b["dsseEnvelope"].update(payload="ä"), MalformedBundleError),
    "base64 for addresses": (lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="-_8="), MalformedBundleError),
    "base64 with a line break": (
        lambda b: b["dsseEnvelope"].update(payload=b["dsseEnvelope"]["payload"] + "\n"),
        MalformedBundleError,
    ),
    "base64 with bits left over": (
        lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="AB=="),
        MalformedBundleError,
    ),
    "an empty signature": (lambda b: b["dsseEnvelope"]["signatures"][0].update(sig=""), BadSignatureError),
    "a signature that is no DER": (lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="AAAA"), BadSignatureError),
}


@pytest.mark.parametrize("case", BUNDLES)
def test_a_broken_bundle_is_refused(case: str) -> None:
    mutate, kind = BUNDLES[case]
    assert type(refusal(MODEL, json.dumps(mutated(json.loads(OURS), mutate)).encode())) is kind


def test_another_payload_type_is_refused_though_its_signature_fits() -> None:
    bundle = envelope(json.dumps(STATEMENT).encode(), kind="application/json")
    error = refusal(MODEL, json.dumps(bundle).encode())
    assert isinstance(error, UnsupportedSignatureError)
    assert "application/json" in str(error)


def test_a_type_that_is_swapped_after_signing_is_noticed() -> None:
    bundle = envelope(json.dumps(STATEMENT).encode(), kind="application/json")
    bundle["dsseEnvelope"]["payloadType"] = "application/vnd.in-toto+json"
    assert isinstance(refusal(MODEL, json.dumps(bundle).encode()), BadSignatureError)


def test_size_and_depth_are_bounded() -> None:
    padded = OURS + b" " * (LIMITS.signature_bytes - len(OURS))
    assert refusal(MODEL, padded) is None
    assert "limit" in str(refusal(MODEL, padded + b" "))
    assert "deep" in str(refusal(MODEL, b"[" * 5000 + b"]" * 5000))


@pytest.mark.parametrize("field", ["payload", "signatures", "mediaType", "hint"])
def test_a_key_twice_is_refused(field: str) -> None:
    twice = re.sub(rb'"%b":' % field.encode(), rb'"%b":"x",\g<0>' % field.encode(), OURS, count=1)
    error = refusal(MODEL, twice)
    assert isinstance(error, MalformedBundleError)
    assert "twice" in str(error)


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b"0", b"\xff\xfe", b"not json", b'{"mediaType": NaN}'], ids=repr)
def test_what_is_no_bundle_is_refused(text: bytes) -> None:
    assert isinstance(refusal(MODEL, text), MalformedBundleError)


def test_errors_travel_between_processes_and_name_the_file() -> None:
    error = refusal(MODEL + b"x", OURS)
    assert isinstance(error, ArtifactError)
    assert str(pickle.loads(pickle.dumps(error.at("a.onnx")))).startswith("a.onnx: the model's sha256")
