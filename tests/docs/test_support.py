"""SUPPORT.md is what support.json renders to, and names every estimator."""

from __future__ import annotations

from sklearn.utils import all_estimators

from matrix import arm, record, report
from matrix.case import GROUPS
from matrix.reasons import REASONS


def test_the_page_is_what_the_record_renders_to() -> None:
    assert record.MARKDOWN.read_text(encoding="utf-8") == report.markdown(record.read(), arm.read())


def test_the_record_is_written_as_it_is_read() -> None:
    assert record.RECORD.read_text(encoding="utf-8") == record.rendered(record.read())


def test_every_estimator_has_a_row() -> None:
    rows = {entry["subject"] for entry in record.read()["cases"] if entry["group"] == "estimators"}
    assert {name for name, _ in all_estimators()} <= rows
    page = record.MARKDOWN.read_text(encoding="utf-8")
    assert all(f"\n| {name} | " in page for name in rows)


def test_every_group_has_rows() -> None:
    assert {entry["group"] for entry in record.read()["cases"]} == set(GROUPS)


def test_what_is_not_equal_has_a_reason() -> None:
    silent = [e for e in record.read()["cases"] if e["outcome"] != "equal" and not e.get("reason")]
    assert silent == []


def test_estimators_with_a_standing_reason_are_refused() -> None:
    found = {e["subject"]: e["outcome"] for e in record.read()["cases"] if e["group"] == "estimators"}
    assert {name: found[name] for name in REASONS} == dict.fromkeys(REASONS, "refused")


def test_lines_of_the_page_stay_readable() -> None:
    assert max(map(len, record.MARKDOWN.read_text(encoding="utf-8").splitlines())) < 900


def test_labels_are_the_same_on_both_architectures_and_numbers_within_the_tolerance() -> None:
    compared = arm.read()
    assert compared is not None
    assert len({entry["model"] for entry in compared["answers"]}) >= 40
    assert [entry for entry in compared["answers"] if entry["beyond"]] == []
    labels = [entry for entry in compared["answers"] if entry["kind"] == "labels"]
    assert len(labels) > 20
    assert sum(entry["differing"] for entry in labels) == 0
