"""Compatible, widening or breaking, as a program that calls the old release would find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edge_infer.artifact import parse_artifact
from edge_infer.manifest import Column, Manifest
from edge_infer.store.schemas import compare, verdict
from tests.runtime.samples import PENGUINS


def manifest() -> Manifest:
    return parse_artifact(PENGUINS.read_bytes()).manifest


def _column(which: str, **fields: Any) -> Callable[[Manifest], Manifest]:
    def change(old: Manifest) -> Manifest:
        columns = [column._replace(**fields) if column.name == which else column for column in old.inputs.columns]
        return old._replace(inputs=old.inputs._replace(columns=tuple(columns)))

    return change


def _columns(change: Callable[[list[Column]], list[Column]]) -> Callable[[Manifest], Manifest]:
    return lambda old: old._replace(inputs=old.inputs._replace(columns=tuple(change(list(old.inputs.columns)))))


def _output(method: str, **fields: Any) -> Callable[[Manifest], Manifest]:
    def change(old: Manifest) -> Manifest:
        outputs = [output._replace(**fields) if output.method == method else output for output in old.outputs]
        return old._replace(outputs=tuple(outputs))

    return change


def _one_method_more(old: Manifest) -> Manifest:
    return old._replace(outputs=(*old.outputs, old.outputs[2]._replace(method="score_samples")))


NEW = Column("age", "number", "float64", "numbers", 4, missing=False)
CHANGES: dict[str, tuple[Callable[[Manifest], Manifest], str]] = {
    "nothing": (lambda old: old, "compatible"),
    "another version and release": (lambda old: old._replace(version="9", release=9), "compatible"),
    "other categories, where unknown ones are taken": (_column("island", categories=("Biscoe",)), "compatible"),
    "another range": (_column("body_mass_g", range=(0.0, 1.0)), "compatible"),
    "a column less": (_columns(lambda columns: columns[1:]), "widening"),
    "a column more that is not used": (_columns(lambda columns: [*columns, NEW._replace(used=False)]), "widening"),
    "a column that is not used any more": (_column("sex", used=False, kind="number"), "compatible"),
    "one method more": (_one_method_more, "widening"),
    "columns in another order": (_columns(lambda columns: columns[::-1]), "breaking"),
    "a column more": (_columns(lambda columns: [*columns, NEW]), "breaking"),
    "a column of another name": (_column("sex", name="gender"), "breaking"),
    "another kind": (_column("body_mass_g", kind="string"), "breaking"),
    "no missing values": (_column("body_mass_g", missing=False), "breaking"),
    "no unknown values": (_column("island", unknown=False), "breaking"),
    "a method less": (lambda old: old._replace(outputs=old.outputs[:2]), "breaking"),
    "other labels": (_output("predict", classes=(("Adelie", "Gentoo"),)), "breaking"),
    "labels in another order": (_output("predict", classes=(("Gentoo", "Chinstrap", "Adelie"),)), "breaking"),
    "another shape": (_output("predict_proba", shape=(2,)), "breaking"),
    "numbers for labels": (_output("predict", dtype="int64"), "breaking"),
    "another task": (lambda old: old._replace(task="regression"), "breaking"),
    "other rows": (lambda old: old._replace(inputs=old.inputs._replace(style="array")), "breaking"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_judged_as_a_caller_finds_them(name: str) -> None:
    change, wanted = CHANGES[name]
    changes = compare(manifest(), change(manifest()))
    assert verdict(changes) == wanted, changes
    assert all(item.what for item in changes)


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ({"missing": False}, {"missing": True}, "widening"),
        ({"kind": "integer"}, {"kind": "number"}, "widening"),
        ({"kind": "number"}, {"kind": "integer"}, "breaking"),
        ({"used": False}, {"used": True}, "breaking"),
    ],
)
def test_one_column_from_one_release_to_the_next(before: Any, after: Any, wanted: str) -> None:
    old, new = (_column("body_mass_g", **fields)(manifest()) for fields in (before, after))
    assert verdict(compare(old, new)) == wanted


@pytest.mark.parametrize(
    ("now", "wanted"), [(("Biscoe", "Dream", "Torgersen", "Anvers"), "widening"), (("Biscoe",), "breaking")]
)
def test_categories_count_where_no_others_are_taken(now: tuple[str, ...], wanted: str) -> None:
    old = _column("island", unknown=False)(manifest())
    changes = compare(old, _column("island", categories=now)(old))
    assert verdict(changes) == wanted


def test_rows_by_position_need_the_same_columns_in_the_same_order() -> None:
    old = manifest()
    old = old._replace(inputs=old.inputs._replace(style="array"))
    for change in (lambda columns: columns[::-1], lambda columns: columns[1:]):
        assert verdict(compare(old, _columns(change)(old))) == "breaking"
