"""`edge-infer predict`: read the input, ask the model, show the answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from edge_infer.cli.answering import answer, chosen_methods, chosen_monitor, default_methods
from edge_infer.cli.console import dumps, is_terminal, printable, say, write
from edge_infer.cli.documents import InputTextError, Request, parse_json, parse_lines, request_of
from edge_infer.cli.output_file import check_output
from edge_infer.errors import InputError, UsageError
from edge_infer.interface import Interface
from edge_infer.manifest import Inputs
from edge_infer.model import Model, load

__all__ = ["read_input", "run"]

_CSV = {".csv": None, ".tsv": "\t"}
_LINES = (".jsonl", ".ndjson")
_FILES = (".json", *_LINES, *_CSV)


def run(
    *,
    model: str,
    data: str,
    more: Sequence[str] = (),
    method: str | None,
    top: str | None,
    json: bool,
    output: str | None,
    identity: str | None,
    monitor: str | None,
) -> int:
    """The command; its exit code."""
    check_output(output, model, data, *more)
    count = None if top is None else _count(top)
    with load(model, identity=identity, monitor=chosen_monitor(monitor)) as loaded:
        if loaded.manifest.interface is not None:
            return _tensors(loaded, loaded.manifest.interface, (data, *more), method, count, output, json=json)
        if more:
            raise UsageError("INPUT: this model takes one file or text; `edge-infer batch` scores many files")
        if count is not None:
            raise UsageError("--top: this model answers by methods; --method predict_proba gives all classes")
        methods = chosen_methods(loaded, method)
        request = read_input(data, loaded.manifest.inputs)
        as_object = json or request.service or (output or "").lower().endswith(".json")
        table = not as_object and (is_terminal() if output is None else output.lower().endswith(".csv"))
        if table and method is None:
            methods = default_methods(loaded)
        answers = _answers(loaded, methods, request)
    if as_object:
        _deliver(dumps(answers if method == "all" else {"prediction": answers[methods[0]]}) + "\n", output)
    elif table:
        _table(answers, request, output)
    else:
        _deliver("".join(line + "\n" for line in _lines(answers, request, method)), output)
    return 0


def _count(top: str) -> int:
    if not (top.isascii() and top.isdigit() and int(top) > 0):
        raise UsageError(f"--top: expected a whole number ≥ 1, got {top!r:.40}")
    return int(top)


def _tensors(
    model: Model,
    interface: Interface,
    data: Sequence[str],
    method: str | None,
    top: int | None,
    output: str | None,
    *,
    json: bool,
) -> int:
    from edge_infer.cli.predict_tensors import run_tensors

    if method is not None:
        raise UsageError("--method: this model takes and gives tensors, and has no methods; leave it out")
    _deliver(run_tensors(model, interface, data, top=top, json=json), output)
    return 0


def _answers(model: Model, methods: list[str], request: Request) -> dict[str, Any]:
    try:
        return {method: answer(model, method, request) for method in methods}
    except InputError as error:
        if request.lines is None:
            raise
        from edge_infer.cli.csv_rows import at_lines

        raise at_lines(error, request.lines) from None


# --- reading ----------------------------------------------------------------------------


def read_input(data: str, inputs: Inputs, name: str = "INPUT") -> Request:
    """INPUT as a request; the kind of a file is told by its suffix, of standard input by its first sign.

    name: of the argument, for messages.
    """
    texts = inputs.style == "texts"
    if data.lstrip()[:1] in ("{", "[", '"' if texts else "{"):
        return request_of(parse_json(data, name), name, texts=texts)
    if data == "-":
        return _sniffed(_standard_input(), inputs)
    suffix = os.path.splitext(data)[1].lower()
    if suffix not in _FILES:
        also = ', or with " for one text' if texts else ""
        raise UsageError(
            f"{name}: expected JSON text (it begins with {{ or [{also}), a .json, .jsonl, .csv or .tsv file, or - for "
            f"standard input; got {data!r:.80}{_near(data)}"
        )
    with open(data, "rb") as file:
        text = file.read()
    if suffix in _CSV:
        return _csv(text, inputs, data, _CSV[suffix])
    if suffix in _LINES:
        return parse_lines(text, data, texts=texts)
    return request_of(parse_json(text, data), data, texts=texts)


def _near(data: str) -> str:
    """A hint at a file that may have been meant. What was given may be any text, and too long for a path."""
    from edge_infer.cli.failure import similar_file

    try:
        near = similar_file(data, _FILES)
    except (OSError, ValueError):
        return ""
    return "" if near is None else f" (did you mean {near!r}?)"


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise InputTextError("standard input is closed; give INPUT as JSON text or a file")
    if sys.stdin.isatty():
        say("reading JSON or CSV from the terminal; Ctrl-D ends it")
    return sys.stdin.buffer.read()


def _sniffed(text: bytes, inputs: Inputs) -> Request:
    where = "standard input"
    body = text.removeprefix(b"\xef\xbb\xbf").strip()
    texts = inputs.style == "texts"
    if body[:1] not in (b"{", b"[") and not (texts and _is_quoted(body, inputs)):
        return _csv(text, inputs, where, None)
    try:
        return request_of(parse_json(text, where), where, texts=texts)
    except InputTextError:
        if body[:1] in (b"{", b'"') and _is_json(body.partition(b"\n")[0]):
            return parse_lines(text, where, texts=texts)
        raise


def _is_quoted(body: bytes, inputs: Inputs) -> bool:
    """Whether it is a JSON text, or a line of them, rather than the quoted header of a CSV."""
    line = body.partition(b"\n")[0].strip()
    return line[:1] == b'"' and _is_json(line) and line.decode() != f'"{inputs.columns[0].name}"'


def _is_json(line: bytes) -> bool:
    try:
        parse_json(line, "")
    except InputTextError:
        return False
    return True


def _csv(text: bytes, inputs: Inputs, where: str, delimiter: str | None) -> Request:
    from edge_infer.cli.csv_rows import parse_csv

    return parse_csv(text, inputs, where, delimiter)


# --- showing ----------------------------------------------------------------------------


def _lines(answers: dict[str, Any], request: Request, method: str | None) -> list[str]:
    """An answer a line: a label as it is, everything else as JSON."""
    if method == "all":
        rows = [answers] if request.single else _by_row(answers)
        return [dumps(row) for row in rows]
    (values,) = answers.values()
    return [_line(value) for value in ([values] if request.single else values)]


def _line(value: Any) -> str:
    return printable(value).replace("\n", "\\n") if isinstance(value, str) else dumps(value)


def _by_row(answers: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(answers, row, strict=True)) for row in zip(*answers.values(), strict=True)]


def _table(answers: dict[str, Any], request: Request, output: str | None) -> None:
    from edge_infer.cli import answer_table

    rows = [answers] if request.single else _by_row(answers)
    if output is None:
        answer_table.show(rows, list(answers))
    else:
        _deliver(answer_table.as_csv(rows, list(answers)), output)


def _deliver(text: str, output: str | None) -> None:
    if output is None:
        write(text, end="")
        return
    data = text.encode("utf-8", "backslashreplace")
    if os.path.exists(output) and not os.path.isfile(output):  # a device or a named pipe
        with open(output, "wb") as file:
            file.write(data)
        return
    from edge_infer.files import write_atomically

    write_atomically(output, data)
