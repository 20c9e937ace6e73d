"""Folders of trust: several keys, rotation, revocation, last days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from edge_infer.errors import KeyFileError
from edge_infer.limits import LIMITS
from edge_infer.signing import TrustedKeys
from tests.signing.making import KEY, OTHER

A, B = KEY.public.fingerprint, OTHER.public.fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "trust"
    made.mkdir()
    (made / "2026.pub").write_bytes(KEY.public.pem)
    (made / "2027.pub").write_bytes(OTHER.public.pem)
    return made


def test_a_folder_is_all_its_keys(folder: Path) -> None:
    assert TrustedKeys.read(folder) == ((KEY.public, OTHER.public), frozenset(), {})


def test_lists_take_comments_capitals_and_empty_lines(folder: Path) -> None:
    (folder / "revoked").write_text(f"# lost in March\n\n{'0' * 64}\n  {A.upper()}  # the laptop's\n")
    (folder / "not_after").write_text(f"{B}\t2027-12-31\n")
    trust = TrustedKeys.read(folder)
    assert trust.revoked == {"0" * 64, A}
    assert trust.not_after == {B: date(2027, 12, 31)}


def test_files_and_folders_come_together(folder: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    (second / "old.pub").write_bytes(KEY.public.pem)
    (second / "revoked").write_text(B)
    for place, day in ((folder, "2027-01-02"), (second, "2027-01-01")):
        (place / "not_after").write_text(f"{A} {day}")
    trust = TrustedKeys.read(folder, second, folder / "2026.pub")
    assert trust == ((KEY.public, OTHER.public), {B}, {A: date(2027, 1, 1)})


def test_hidden_files_are_passed_over(folder: Path) -> None:
    (folder / ".gitignore").write_text("*")
    assert len(TrustedKeys.read(folder).keys) == 2


def _write(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a list under a wrong name": (_write("revoked.txt", A), r"revoked\.txt.*nothing else"),
    "a private key": (_write("release.key", "x"), r"release\.key.*nothing else"),
    "a torn key": (_write("new.pub", "x"), r"new\.pub"),
    "a fingerprint too short": (_write("revoked", A[:-1]), r"revoked, line 1: expected a fingerprint"),
    "a second word": (_write("revoked", f"\n{A} 2027-01-01"), r"revoked, line 2: expected 1 words, got 2"),
    "no day": (_write("not_after", A), r"not_after, line 1: expected 2 words, got 1"),
    "a day that is none": (_write("not_after", f"{A} 2027-02-30"), r"line 1: expected a day"),
    "a day in another order": (_write("not_after", f"{A} 31.12.2027"), r"line 1: expected a day"),
    "a day of an unknown key": (_write("not_after", f"{'0' * 64} 2027-12-31"), r"no key here has the fingerprint 0000"),
    "a list that is too long": (_write("revoked", "#" * (LIMITS.key_bytes + 1)), r"revoked: more than"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_folder_that_is_not_as_described_is_refused(folder: Path, case: str) -> None:
    spoil, message = BROKEN[case]
    spoil(folder)
    with pytest.raises(KeyFileError, match=message):
        TrustedKeys.read(folder)


def test_a_folder_without_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="no public key here"):
        TrustedKeys.read(tmp_path)


def test_the_number_of_keys_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_infer.signing.trust.LIMITS", LIMITS._replace(trusted_keys=2))
    assert len(TrustedKeys.read(folder).keys) == 2
    monkeypatch.setattr("edge_infer.signing.trust.LIMITS", LIMITS._replace(trusted_keys=1))
    with pytest.raises(KeyFileError, match="limit is 1"):
        TrustedKeys.read(folder)
