"""Golden rows: read back as written, refused with their place, and a judge that sees a difference."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edge_infer
from edge_infer.errors import ArtifactError, FormatError, GraphMismatchError, LimitError
from edge_infer.goldens import Goldens, Tolerance, as_number, parse_goldens, render_goldens
from edge_infer.limits import LIMITS
from edge_infer.manifest import KEY_GOLDENS, Column, Inputs, Tensor
from edge_infer.tensors import whole_feeds
from edge_infer.verification import within
from tests.runtime.samples import DIABETES, DIGITS, PENGUINS, load, with_documents

MANIFEST = load(PENGUINS).manifest


def document() -> dict[str, Any]:
    text = load(PENGUINS).artifact.facts.metadata[KEY_GOLDENS]
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


_CELL = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_ROWS = st.lists(st.tuples(*[_CELL] * 6), min_size=1, max_size=5)


@given(_ROWS, st.floats(0, 1e-2), st.floats(0, 1e300))
def test_what_is_rendered_is_parsed_back(rows: list[tuple[Any, ...]], relative: float, scale: float) -> None:
    numbers = tuple([0.5, "NaN", "-Infinity"] for _ in rows)
    answers = {"predict": ("Gentoo",) * len(rows), "predict_proba": numbers, "decision_function": numbers}
    goldens = Goldens(tuple(rows), answers, dict.fromkeys(answers, Tolerance(relative, scale)))
    assert parse_goldens(render_goldens(goldens), MANIFEST) == goldens


@pytest.mark.parametrize("sample", [PENGUINS, DIABETES, DIGITS])
def test_a_samples_goldens_are_written_as_they_were(sample: Any) -> None:
    artifact = load(sample).artifact
    goldens = artifact.goldens()
    assert goldens is not None
    assert render_goldens(goldens) == artifact.facts.metadata[KEY_GOLDENS]


Change = Callable[[dict[str, Any]], object]
CORRUPTIONS: dict[str, tuple[Change, type[ArtifactError], str]] = {
    "no rows": (lambda d: d.update(rows=[]), FormatError, r"\$\.rows: there are no golden rows"),
    "rows are an object": (lambda d: d.update(rows={}), FormatError, r"\$\.rows: expected a list"),
    "rows are missing": (lambda d: d.pop("rows"), FormatError, r"\$: the field 'rows' is missing"),
    "a short row": (lambda d: d["rows"][3].pop(), GraphMismatchError, r"\$\.rows\[3\]: 5 cells, .* 6 columns"),
    "a long row": (lambda d: d["rows"][3].append(1), GraphMismatchError, r"\$\.rows\[3\]: 7 cells"),
    "a cell is a list": (
        lambda d: d["rows"][0].__setitem__(1, []),
        FormatError,
        r"\$\.rows\[0\]\[1\]: expected a number",
    ),
    "an answer is null": (
        lambda d: d["answers"]["predict"].__setitem__(2, None),
        FormatError,
        r"\$\.answers\.predict\[2\]: expected a number",
    ),
    "an answer is an object": (
        lambda d: d["answers"]["predict_proba"][2].__setitem__(0, {}),
        FormatError,
        r"\$\.answers\.predict_proba\[2\]\[0\]: expected",
    ),
    "an answer too few": (
        lambda d: d["answers"]["predict"].pop(),
        GraphMismatchError,
        r"\$\.answers\.predict: 59 answers",
    ),
    "an unknown method": (
        lambda d: d["answers"].update(guess=[]),
        GraphMismatchError,
        r"\$\.answers\.guess: the manifest",
    ),
    "a method that the model lacks": (
        lambda d: d["answers"].update(transform=[]),
        GraphMismatchError,
        r"\$\.answers\.transform: the manifest has no such output",
    ),
    "a method left out": (
        lambda d: d["answers"].pop("predict_proba"),
        GraphMismatchError,
        r"'predict_proba' .* is missing",
    ),
    "a tolerance left out": (
        lambda d: d["tolerances"].pop("predict"),
        FormatError,
        r"\$\.tolerances: 'predict' is missing",
    ),
    "a tolerance that allows all": (
        lambda d: d["tolerances"]["predict"].update(relative=0.5),
        FormatError,
        r"\$\.tolerances\.predict: expected relative between 0 and 0\.01",
    ),
    "a negative tolerance": (lambda d: d["tolerances"]["predict"].update(relative=-1), FormatError, r"\$\.tolerances"),
    "a negative scale": (lambda d: d["tolerances"]["predict"].update(scale=-1), FormatError, r"\$\.tolerances"),
    "a scale beyond float64": (
        lambda d: d["tolerances"]["predict"].update(scale=10**400),
        FormatError,
        r"\$\.tolerances\.predict\.scale: expected a number that float64 holds",
    ),
}


@pytest.mark.parametrize("case", CORRUPTIONS)
def test_a_corruption_is_told_with_its_path(case: str) -> None:
    change, error, message = CORRUPTIONS[case]
    changed = document()
    change(changed)
    with pytest.raises(error, match=message):
        parse_goldens(encoded(changed), MANIFEST)


def test_unknown_fields_are_passed_over() -> None:
    changed = document() | {"new": [1]}
    changed["tolerances"]["predict"]["new"] = None
    assert len(parse_goldens(encoded(changed), MANIFEST).rows) == 60


def test_numbers_that_are_not_finite_are_text() -> None:
    assert as_number(["Infinity", ["-Infinity"], 1.5, "x"]) == [math.inf, [-math.inf], 1.5, "x"]
    assert math.isnan(as_number("NaN"))
    for literal in ("NaN", "Infinity", "1e999"):
        text = encoded(document()).replace(b'"rows": [[', f'"rows": [[{literal}, '.encode(), 1)
        with pytest.raises(FormatError, match="not strict JSON"):
            parse_goldens(text, MANIFEST)
    with pytest.raises(ValueError, match="JSON"):
        render_goldens(Goldens(((math.nan,),), {}, {}))


@pytest.mark.parametrize("name", ["golden_bytes", "golden_rows", "json_depth"])
def test_a_limit_holds_at_its_bound_and_refuses_above(name: str) -> None:
    text = encoded(document())
    bound = {"golden_bytes": len(text), "golden_rows": 60, "json_depth": 4}[name]
    goldens = parse_goldens(text, MANIFEST, LIMITS._replace(**{name: bound}))
    with pytest.raises(LimitError):
        parse_goldens(text, MANIFEST, LIMITS._replace(**{name: bound - 1}))
    if name == "golden_rows":
        render_goldens(goldens, LIMITS._replace(golden_rows=60))
        with pytest.raises(LimitError):
            render_goldens(goldens, LIMITS._replace(golden_rows=59))


def last_check(data: bytes) -> edge_infer.Check:
    return next(check for check in edge_infer.verify(data) if check.name == "goldens" or check.status == "failed")


DIFFERENCES: dict[str, Change] = {
    "another label": lambda d: d["answers"]["predict"].__setitem__(7, "Adelie?"),
    "a label as a number": lambda d: d["answers"]["predict"].__setitem__(7, 1),
    "a probability a little off": lambda d: d["answers"]["predict_proba"][7].__setitem__(0, 0.123),
    "a probability that is NaN": lambda d: d["answers"]["predict_proba"][7].__setitem__(0, "NaN"),
    "a probability that is infinite": lambda d: d["answers"]["predict_proba"][7].__setitem__(0, "Infinity"),
    "an infinite probability everywhere": lambda d: d["answers"].update(predict_proba=[["Infinity"] * 3] * 60),
    "probabilities as text": lambda d: d["answers"]["predict_proba"][7].__setitem__(0, "half"),
    "a probability beyond float64": lambda d: d["answers"]["predict_proba"][7].__setitem__(0, 10**400),
    "ragged probabilities": lambda d: d["answers"]["predict_proba"][7].pop(),
    "flat probabilities": lambda d: d["answers"].update(predict_proba=[0.5] * 60),
    "labels in lists": lambda d: d["answers"].update(predict=[["Gentoo"]] * 60),
    "text in a number's cell": lambda d: d["rows"][7].__setitem__(3, "wide"),
    "a number in a text's cell": lambda d: d["rows"][7].__setitem__(0, 4),
}


@pytest.mark.parametrize("case", DIFFERENCES)
def test_goldens_that_differ_fail_the_verification(case: str) -> None:
    check = last_check(with_documents(PENGUINS, goldens=DIFFERENCES[case]))
    assert (check.name, check.status) == ("goldens", "failed"), check


def test_a_difference_is_told_with_its_row_and_both_answers() -> None:
    check = last_check(with_documents(PENGUINS, goldens=DIFFERENCES["another label"]))
    assert "1 answers differ; first: predict row 7: expected 'Adelie?', got '" in check.detail


def test_goldens_within_tolerance_pass() -> None:
    def shift(d: dict[str, Any]) -> None:
        relative = d["tolerances"]["predict_proba"]["relative"]
        d["answers"]["predict_proba"][7] = [p + relative * 0.4 * p for p in d["answers"]["predict_proba"][7]]

    assert last_check(with_documents(PENGUINS, goldens=shift)).status == "ok"


_FLOATS = st.floats() | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf])


@given(_FLOATS, _FLOATS, st.floats(0, 1e-2), st.floats(0, 10))
def test_agreement_follows_the_formats_formula(got: float, wanted: float, relative: float, scale: float) -> None:
    agree = bool(within(np.array([got]), np.array([wanted]), Tolerance(relative, scale))[0])
    if math.isnan(got) or math.isnan(wanted):
        assert agree == (math.isnan(got) and math.isnan(wanted))
    elif math.isinf(got) or math.isinf(wanted):
        assert agree == (got == wanted)
    else:
        assert agree == (got == wanted or abs(got - wanted) <= relative * max(abs(wanted), scale))


def test_whole_numbers_of_int64_tensors_stay_exact() -> None:
    """Another writer's artifact may have them; float64 holds none beyond 2⁵³."""
    column = Column("id", "integer", "int64", "ids", 0, missing=False)
    inputs = Inputs("columns", (column,), (Tensor("ids", "int64", 1),))
    feeds = whole_feeds(inputs, [(2**53 + 1,), (-(2**63),)])
    assert feeds["ids"].dtype == np.int64
    assert feeds["ids"][:, 0].tolist() == [2**53 + 1, -(2**63)]
