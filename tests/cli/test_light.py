"""The light parser and typer agree: same values for what light takes, and light takes all that typer does."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer import _click

from edge_infer.cli import app as cli_app
from edge_infer.cli.light import parse
from edge_infer.cli.options import HOT


def by_typer(args: list[str]) -> dict[str, Any] | None:
    """What typer gives the command's function; None where it shows help or an error."""
    group = cli_app.whole_app()
    command = group.commands[args[0]]
    try:
        with command.make_context(args[0], list(args[1:])) as context:
            found = dict(context.params)
            return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    except (typer.Exit, _click.ClickException):
        return None


TABLE = [
    ["predict", "m.onnx"],
    ["predict", "m.onnx", "{}"],
    ["predict", "m.onnx", "-", "--json"],
    ["predict", "--json", "m.onnx", "x.csv", "--method", "predict_proba"],
    ["predict", "m.onnx", "--method=all", "-o", "x"],
    ["predict", "m.onnx", "-ox", "-mall"],
    ["predict", "m.onnx", "-o=x"],
    ["predict", "m.onnx", "--output="],
    ["predict", "--", "m.onnx", "--json"],
    ["predict", "m.onnx", "--", "-"],
    ["predict", "m.onnx", "--output", "--json"],
    ["predict", "m.onnx", "--method", "bad", "--method", "all"],
    ["predict", "", ""],
    ["stream", "m.onnx"],
    ["stream", "-m", "all", "m.onnx"],
    ["predict"],
    ["predict", "--help"],
    ["predict", "m.onnx", "a", "b"],
    ["predict", "m.onnx", "a.png", "--top", "3", "b.png", "--", "-c.png"],
    ["predict", "m.onnx", "--nope"],
    ["predict", "m.onnx", "--jso"],
    ["predict", "m.onnx", "--json=yes"],
    ["predict", "m.onnx", "--method"],
    ["predict", "m.onnx", "--method", "bad"],
    ["predict", "m.onnx", "-x"],
    ["predict", "m.onnx", "-5"],
    ["predict", "m.onnx", "---json"],
    ["stream"],
    ["stream", "m.onnx", "more"],
    ["stream", "m.onnx", "--json"],
]


@pytest.mark.parametrize("args", TABLE, ids=" ".join)
def test_light_and_typer_agree_on_a_table(args: list[str]) -> None:
    call = parse(args)
    assert (call.values if call else None) == by_typer(args)


WORDS = st.sampled_from(
    [
        *("--json", "--method", "--method=all", "--method=x", "--output", "--output=f", "-o", "-of", "-m", "-mall"),
        *("-mx", "--", "-", "-h", "--help", "--nope", "all", "predict", "{}", "a.csv", "m.onnx", "-oo=", "-=", "--=x"),
    ]
)


@given(st.sampled_from(list(HOT)), st.lists(WORDS | st.text("-=ojm aé", max_size=5), max_size=6))
def test_light_and_typer_agree_on_anything(name: str, words: list[str]) -> None:
    call = parse([name, *words])
    assert (call.values if call else None) == by_typer([name, *words])


@pytest.mark.parametrize("args", [[], ["--version"], ["inspect", "m.onnx"], ["nope"], ["--", "predict", "m"]])
def test_other_commands_are_left_to_typer(args: list[str]) -> None:
    assert parse(args) is None
