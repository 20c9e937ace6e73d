"""REPOSITORY.md, the command's help and the code say the same."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from edge_infer.cli.publish_app import _PUBLISH_HELP
from edge_infer.update.drafting import LIFETIMES
from edge_infer.update.index import MOST_RELEASES, parse_index, render_index

PAGE = (Path(__file__).parents[2] / "artifacts" / "REPOSITORY.md").read_text(encoding="utf-8")


def test_the_index_of_the_page_is_one() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    index = parse_index(text.encode())
    assert parse_index(render_index(index)) == index
    assert set(re.findall(r'"(\w+)":', text)) == set(re.findall(r'"(\w+)":', render_index(index).decode()))
    assert f"At most {MOST_RELEASES:,}," in PAGE


def test_lifetimes_are_those_of_the_code() -> None:
    units = {"years": 365, "year": 365, "days": 1}
    told = re.findall(r"^\| (?:`(\w+)`|a channel)[^|]*\|[^|]*\| (\d+) (\w+) \|", PAGE, re.MULTILINE)
    found = {role or "stable": timedelta(days=int(number) * units[unit]) for role, number, unit in told}
    assert found == {**LIFETIMES, "stable": LIFETIMES["targets"]}
    help_text = " ".join(_PUBLISH_HELP.split())
    assert (
        "root after 3 years, targets and channels after 1 year, snapshot after 90 days, timestamp after 30" in help_text
    )
