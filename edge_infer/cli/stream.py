"""`edge-infer stream`: JSON Lines in, JSON Lines out, a line for a line, flushed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from typing import IO, Any

from edge_infer.cli.answering import answer, chosen_methods, chosen_monitor, default_methods
from edge_infer.cli.console import dumps, say
from edge_infer.cli.documents import InputTextError, parse_json, request_of
from edge_infer.errors import EdgeInferError
from edge_infer.limits import LIMITS
from edge_infer.model import Model, load

__all__ = ["answer_line", "read_lines", "run"]

_FIELDS = {"predict": "prediction", "predict_proba": "probabilities"}


def _end(number: int, frame: Any) -> None:
    """A stop by SIGTERM, as systemd sends it, ends the command as usual: the model is closed."""
    raise SystemExit(128 + number)


def run(*, model: str, method: str | None, identity: str | None, monitor: str | None) -> int:
    """The command; its exit code. Each line is read as soon as it is there."""
    if sys.stdin is None:
        raise InputTextError("standard input is closed; the lines to answer come from there")
    signal.signal(signal.SIGTERM, _end)
    if sys.stdin.isatty():
        say("reading JSON Lines from the terminal, a record a line; Ctrl-D ends it")
    with load(model, identity=identity, monitor=chosen_monitor(monitor)) as loaded:
        fields = _fields(loaded, method)
        has_id = all(column.name != "id" for column in loaded.manifest.inputs.columns)
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        for number, line in enumerate(read_lines(sys.stdin.buffer, LIMITS.text_bytes), 1):
            sys.stdout.write(dumps(answer_line(loaded, fields, line, number, has_id=has_id)) + "\n")
            sys.stdout.flush()
    return 0


def _fields(model: Model, method: str | None) -> dict[str, str]:
    """Method → the field of the answer that it fills."""
    if method == "all":
        return {name: name for name in chosen_methods(model, "all")}
    if method is not None:
        return {chosen_methods(model, method)[0]: "prediction"}
    return {name: _FIELDS.get(name, "prediction") for name in default_methods(model)}


def read_lines(source: IO[bytes], most: int) -> Iterator[bytes | None]:
    """Lines without their end; None for one of more than `most` bytes, which is passed over unread."""
    while line := source.readline(most + 1):
        if len(line) > most and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = source.readline(65536)
            yield None
        else:
            yield line.rstrip(b"\r\n")


def answer_line(
    model: Model, fields: dict[str, str], line: bytes | None, number: int, *, has_id: bool = True
) -> dict[str, Any]:
    """The answer to one line; never raises for what the line holds."""
    given: dict[str, Any] = {}
    try:
        if line is None:
            return {"error": f"the line has more than {LIMITS.text_bytes:,} bytes", "line": number}
        if not line.strip():
            return {"error": "the line is empty; expected a JSON object", "line": number}
        value = parse_json(line, "the line")
        if has_id and isinstance(value, dict) and "id" in value:
            given = {"id": value["id"]}
        request = request_of(value, "the line", texts=model.manifest.inputs.style == "texts")
        return given | {field: answer(model, method, request) for method, field in fields.items()}
    except EdgeInferError as error:
        return given | {"error": str(error), "line": number}
