"""Commands as plain data, declared once: the light parser and the typer app both derive from this.

A command stands here whose start-up is part of its latency, or that must run where typer is not installed; all others
are ordinary typer functions in `app`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["DOCTOR", "HOT", "PREDICT", "STREAM", "Argument", "Command", "Option"]


class Argument(NamedTuple):
    """A positional argument; one with a default may be left out. many: the last one, any number of them."""

    name: str
    metavar: str
    help: str
    default: str | None = None
    many: bool = False


class Option(NamedTuple):
    """An option. `kind` is "text" (with a value, perhaps one of `choices`) or "flag"."""

    name: str
    flags: tuple[str, ...]
    help: str
    kind: str = "text"
    choices: tuple[str, ...] = ()
    metavar: str | None = None


class Command(NamedTuple):
    """A command; `module` has the function `run`, which takes the parsed values by name and gives an exit code."""

    name: str
    module: str
    help: str  # the first paragraph is the summary
    arguments: tuple[Argument, ...]
    options: tuple[Option, ...]


_METHODS: Final = (
    "predict",
    "predict_proba",
    "decision_function",
    "score_samples",
    "transform",
    "all",
)

_METHODS_TEXT: Final = f"{', '.join(_METHODS[:-1])} or {_METHODS[-1]}"

_MODEL: Final = Argument("model", "MODEL", "An .onnx file, or the name of a model in the store.")
_IDENTITY: Final = Option(
    "identity",
    ("--identity",),
    "The secret that opens an encrypted MODEL (.age). Left out: what EDGE_INFER_IDENTITY names.",
    metavar="FILE",
)

_MONITOR: Final = Option(
    "monitor",
    ("--monitor",),
    "Count what is asked and answered in this folder; `edge-infer monitor` shows it.",
    metavar="DIR",
)

PREDICT: Final = Command(
    name="predict",
    module="edge_infer.cli.predict",
    help="""\
Answer one record, or many.

INPUT is JSON text, a .json, .jsonl, .csv or .tsv file, or - for standard input (JSON or CSV).
A record is an object by column name; many are a list of them, or a list of lists.
A CSV needs a header row; an empty cell (or NA, NaN, null) is a missing value. A boolean is true or
false in JSON; a cell of a CSV, as spreadsheets write it, may also say yes, y, t or 1, and no, n, f or 0.

Example:

  edge-infer predict titanic.onnx '{"age": 29, "sex": "female"}'
  edge-infer predict titanic.onnx passengers.csv --output answers.csv
  echo '{"input": [[29, 7.9]]}' | edge-infer predict model.onnx -

A terminal gets a table, a pipe or file one answer a line. With --json, or when the input
is {"input": …}, the answer is one object, {"prediction": …}: a value for one record, a
list for many; probabilities are {label: probability}; a number that is not finite is null.
With --method all the object has a field for each method: {"predict": …, "predict_proba": …}.

A deep model takes tensors by name: INPUT is an object of nested lists, a .npz file, or, where it has
one input, nested lists or a .npy file. The answer is an object of its outputs by name; with --top a
line for each of the best classes. Where its input is an image, INPUT may be a PNG, JPEG, WebP, BMP or GIF
file, or several of them:

  edge-infer predict animals.onnx cat.png dog.jpg --top 3

Where it is sound, a WAV, FLAC or OGG file gets an answer a frame: a line with the second that it
begins at. A model with states keeps them from frame to frame.""",
    arguments=(
        _MODEL,
        Argument("data", "INPUT", "JSON text, a file, or - for standard input.", default="-"),
        Argument("more", "MORE", "Further files of images, for models that take images.", default="", many=True),
    ),
    options=(
        Option(
            "method",
            ("--method", "-m"),
            f"What to ask the model for: {_METHODS_TEXT}. Left out: predict (or what the model has).",
            choices=_METHODS,
            metavar="METHOD",
        ),
        Option(
            "top",
            ("--top",),
            "Of a deep model with classes: show so many of the best.",
            metavar="N",
        ),
        Option("json", ("--json",), "Print one JSON object.", kind="flag"),
        Option(
            "output",
            ("--output", "-o"),
            "Write the answers here: .json (one object), .csv (a table), else a line each.",
            metavar="FILE",
        ),
        _IDENTITY,
        _MONITOR,
    ),
)

STREAM: Final = Command(
    name="stream",
    module="edge_infer.cli.stream",
    help="""\
Answer JSON Lines from standard input, a line for a line.

Each answer is {"prediction": …}, with "probabilities": {label: p} where the model has them and
no --method is given. A record's "id", if it is not a column, is passed back. {"input": […]} works
too. A line that cannot be answered gets {"error": "…", "line": 3}, and the stream goes on.
With --method all a line has a field for each method. Each line is flushed: a program in any
language can ask and wait.

Example:

  echo '{"id": 7, "age": 29}' | edge-infer stream titanic.onnx""",
    arguments=(_MODEL,),
    options=(
        Option(
            "method",
            ("--method", "-m"),
            f"What to ask the model for: {_METHODS_TEXT}. Left out: predict, and probabilities where there are any.",
            choices=_METHODS,
            metavar="METHOD",
        ),
        _IDENTITY,
        _MONITOR,
    ),
)

DOCTOR: Final = Command(
    name="doctor",
    module="edge_infer.cli.doctor",
    help="""\
Tell what this machine can and cannot run, and what to do.

A line each for Python, the system, numpy and onnxruntime, what tiny models run, CPUs, memory, the
folders that are written to, the clock and the extras; with MODEL, whether it runs here. Nothing is
written. It needs nothing but Python: where typer is missing, or straight from the wheel,
`PYTHONPATH=edge_infer-….whl python -m edge_infer.doctor`. Exits with 1 if anything needed fails.

Example:

  edge-infer doctor
  edge-infer doctor titanic-1.2.0.onnx

--json prints one object: ok, verdict, findings (a list of name, status, detail, remedy), facts.""",
    arguments=(Argument("model", "MODEL", "An .onnx file, or the name of a model in the store.", default=""),),
    options=(Option("json", ("--json",), "Print one JSON object.", kind="flag"),),
)

HOT: Final = {command.name: command for command in (PREDICT, STREAM, DOCTOR)}
