"""The typer app: help, errors, and all that the light parser leaves to it."""

from __future__ import annotations

import inspect as signatures
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.markup import escape as literal

from edge_infer.cli import panels
from edge_infer.cli.choices import completed, one_of
from edge_infer.cli.completion import models
from edge_infer.cli.convert_help import CONVERT_HELP, DATA_HELP, DATE_HELP, INPUTS_HELP, PRECISION_HELP, TARGET_HELP
from edge_infer.cli.options import PREDICT, STREAM, Argument, Command, Option

__all__ = ["Json", "add_hot", "app", "folded", "run_app", "whole_app"]


def folded(help_text: str) -> str:
    """A line for each paragraph, which the terminal's width then folds; indented examples stay as they are."""
    paragraphs = [p if p.startswith(" ") else p.replace("\n", " ") for p in help_text.split("\n\n")]
    return literal("\n\n".join(paragraphs))


_HELP = """\
Run trained models on this machine: one ONNX file, microseconds a call, no server.

Example:

  edge-infer convert model.joblib --data train.csv --trust-pickle
  edge-infer predict model-1.0.0.onnx '{"age": 29, "sex": "female"}'

`edge-infer COMMAND --help` says more. EDGE_INFER_TRACEBACK=1 shows where an error comes from."""

_EPILOG = "Exit codes: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted (Ctrl-C)."

app = typer.Typer(
    name="edge-infer",
    help=folded(_HELP),
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)


#: `bench --method`.
_BENCH_METHODS = ("predict", "predict_proba", "decision_function", "score_samples", "transform")
_METHOD_HELP = (
    "What to ask: predict, predict_proba, decision_function, score_samples or transform. Left out: predict (or what "
    "there is)."
)


class Precision(StrEnum):
    """`convert --precision`."""

    auto = "auto"
    float32 = "float32"
    float64 = "float64"


def run_app(args: list[str]) -> int:
    """Parse and run; the exit code. Usage errors and help are typer's own."""
    try:
        whole_app()(args, prog_name="edge-infer")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def whole_app() -> Any:
    """What typer makes of the app with all its commands; `.commands` are these by name."""
    import edge_infer.cli.batch_app
    import edge_infer.cli.bundle_app
    import edge_infer.cli.export_app
    import edge_infer.cli.keys_app
    import edge_infer.cli.monitor_app
    import edge_infer.cli.publish_app
    import edge_infer.cli.store_app
    import edge_infer.cli.update_app  # noqa: F401  # each adds its commands

    return typer.main.get_command(app)


# --- the hot commands, from their declaration -------------------------------------------


def add_hot(command: Command, panel: str) -> None:
    """Register a declared command: its signature is made from the declaration."""

    def call(**values: Any) -> None:
        from edge_infer.cli.light import Call, run_call

        raise typer.Exit(run_call(Call(command, values)))

    call.__name__ = command.name
    parameters = [*map(_argument, command.arguments), *map(_option, command.options)]
    call.__signature__ = signatures.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app.command(command.name, rich_help_panel=panel, help=folded(command.help))(call)


def _argument(argument: Argument) -> signatures.Parameter:
    complete = models if argument.name == "model" else None
    info = typer.Argument(
        metavar=argument.metavar, help=literal(argument.help), show_default=False, autocompletion=complete
    )
    if argument.many:
        return _parameter(argument.name, list[str] | None, info, None, optional=True)
    return _parameter(argument.name, str, info, argument.default)


def _option(option: Option) -> signatures.Parameter:
    limits = _limits(option.choices) if option.choices else {}
    info = typer.Option(*option.flags, help=literal(option.help), metavar=option.metavar, **limits)
    if option.kind == "flag":
        return _parameter(option.name, bool, info, False)
    return _parameter(option.name, str | None, info, None, optional=True)


def _limits(choices: Sequence[str]) -> dict[str, Any]:
    """What makes typer take these words only, and the shell complete them."""
    return {"callback": one_of(choices), "autocompletion": completed(choices)}


def _parameter(name: str, kind: Any, info: Any, default: Any, *, optional: bool = False) -> signatures.Parameter:
    no_default = default is None and not optional
    return signatures.Parameter(
        name,
        signatures.Parameter.KEYWORD_ONLY,
        default=signatures.Parameter.empty if no_default else default,
        annotation=Annotated[kind, info],
    )


# --- the others -------------------------------------------------------------------------

ModelFile = Annotated[str, typer.Argument(metavar="MODEL", help="The model: an .onnx file.")]
AnyModel = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="An .onnx file, or the name of a model in the store.", autocompletion=models),
]
Identity = Annotated[
    str | None,
    typer.Option(
        "--identity",
        metavar="FILE",
        help="The secret that opens an encrypted MODEL (.age). Left out: what EDGE_INFER_IDENTITY names.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def _show_version(value: bool) -> None:
    if value:
        from edge_infer import __version__

        print(f"edge-infer {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


_INSPECT_HELP = """\
Show what a model takes, gives and needs; nothing is run.

Example:

  edge-infer inspect titanic-1.2.0.onnx

--json prints one object: file, size, digest, described, name, version, release, task, precision,
precision_reason, description, license, metrics, style, inputs (a list of columns), tensors,
outputs, interface (of a deep model), missing_methods, source, needs, parity, quantization,
golden_rows, golden_calls, training_rows, nodes."""

_VERIFY_HELP = """\
Check a model, and that it gives its original's answers here.

The checks: format, limits, contents, runtime, goldens, signature; what manifest and graph disagree
on is told as agreement. Exits with 1 if any check fails.

With --trust the model must be signed by one of these keys; that is checked first, and a file that
is not signed is not read any further. The signature is the file beside the model, MODEL.sig.

Example:

  edge-infer verify titanic-1.2.0.onnx
  edge-infer verify titanic-1.2.0.onnx --trust release.key.pub

--json prints one object: file, ok (true or false), and checks, a list of
{"name": …, "status": "ok", "failed" or "not checked", "detail": …}."""

_BENCH_HELP = """\
Measure a model on this machine, and find the options that suit it.

It times single calls (p50 to p99.9 and a histogram), rows a second by batch size and threads, a
fresh process to its first answer, and its memory. Calls are given the file's golden rows, or those
of --data. With --vs the original is asked the same rows first: where answers differ, nothing is
measured, and the exit code is 1. A ratio marked ~ rests on fewer than 30 calls: give more --seconds.

--tune searches threads, spinning, chunk_bytes and, of large ensembles of trees, split_rows. What is
at least 5% faster here, with equal answers, is recorded in your configuration folder for this very
file, and each load uses it from then on; where nothing is, an older record is removed.
EDGE_INFER_TUNED=0 ignores records.

Example:

  edge-infer bench titanic-1.2.0.onnx --data passengers.csv
  edge-infer bench titanic-1.2.0.onnx --vs model.joblib --trust-pickle
  edge-infer bench titanic-1.2.0.onnx --tune --rows 1000

--json prints one object, times in seconds: file, size_bytes, name, version, device, method, rows
(where they are from), options, latency (a list: given, rows, calls, mean, p50, p90, p99, p99.9,
max), histogram (from, to, calls), throughput (threads, rows, seconds, rows_per_second),
cold_start, resident_bytes, original (file, rows_compared, latency with ratio), tuning (rows,
candidates, chosen, default_seconds, chosen_seconds, record, removed)."""

_DEMO_HELP = """\
Train a small model, convert it, and race it with scikit-learn.

Example:

  edge-infer demo --folder penguins

The file is kept, and the last lines say what to try with it."""


@app.command("convert", rich_help_panel=panels.MAKE, help=folded(CONVERT_HELP))
def _convert(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A .joblib, .pkl, .skops, .ubj, .json, .txt, .cbm, .pt2, .pt or .onnx file."
        ),
    ],
    data: Annotated[str | None, typer.Option("--data", metavar="FILE", help=DATA_HELP)] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="FILE",
            help="Rows it was not trained on, that devices compare theirs with; as --data.",
        ),
    ] = None,
    target_column: Annotated[
        str | None, typer.Option("--target-column", metavar="NAME", help="A column of the data to leave out.")
    ] = None,
    date_column: Annotated[list[str] | None, typer.Option("--date-column", metavar="NAME", help=DATE_HELP)] = None,
    inputs: Annotated[list[str] | None, typer.Option("--inputs", metavar="NAME=TYPE[SIZES]", help=INPUTS_HELP)] = None,
    labels: Annotated[
        str | None, typer.Option("--labels", metavar="FILE", help="A deep model's classes, one a line.")
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state", metavar="INPUT=OUTPUT", help="A deep model's output that its next call is fed. Repeatable."
        ),
    ] = None,
    target: Annotated[str | None, typer.Option("--target", metavar="RELEASE", help=TARGET_HELP)] = None,
    opset: Annotated[
        int | None, typer.Option("--opset", min=7, metavar="N", help="Of a deep model's graph. Left out: as exported.")
    ] = None,
    quantize: Annotated[
        list[str] | None,
        typer.Option(
            "--quantize", metavar="KIND", help="int8, uint8, fp16, weights-int4 or all: fewer bits. Repeatable."
        ),
    ] = None,
    calibration: Annotated[
        str | None, typer.Option("--calibration", metavar="FILE", help="Examples for --quantize: .npz or .npy.")
    ] = None,
    targets: Annotated[
        str | None, typer.Option("--targets", metavar="FILE", help="True answers to these examples: .npy.")
    ] = None,
    max_loss: Annotated[
        float | None,
        typer.Option("--max-loss", metavar="POINTS", help="What --quantize may lose. Left out: 0.5 percentage points."),
    ] = None,
    simplify: Annotated[
        bool, typer.Option("--simplify", help="Simplify a deep model's graph first (extra simplify).")
    ] = False,
    name: Annotated[str | None, typer.Option("--name", help="The model's name. Left out: the file's.")] = None,
    version: Annotated[str, typer.Option("--version", help="The model's version.")] = "1.0.0",
    release: Annotated[
        int,
        typer.Option("--release", min=0, metavar="N", help="Grows with what is published; stores refuse a lower one."),
    ] = 1,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Left out: NAME-VERSION.onnx.")
    ] = None,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Read a pickle, which runs the code in it.")
    ] = False,
    precision: Annotated[Precision, typer.Option("--precision", help=PRECISION_HELP)] = Precision.auto,
    report: Annotated[
        str | None, typer.Option("--report", metavar="FILE", help="Write the comparison as an HTML page.")
    ] = None,
    strict_privacy: Annotated[
        bool, typer.Option("--strict-privacy", help="Refuse a model that holds training rows.")
    ] = False,
    card: Annotated[
        str | None,
        typer.Option("--card", metavar="FILE", help="A TOML file that tells people of the model: units, license, …"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that holds another model, or none of edge-infer's.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only list what stands in the way; exits with 1 if anything does.")
    ] = False,
    json: Json = False,
) -> None:
    from edge_infer.cli.data_file import DataFile
    from edge_infer.cli.deep_options import Shrinking

    sample = DataFile.named(data, target_column, date_column or ())
    if check:
        from edge_infer.cli import check as checking

        raise typer.Exit(checking.run(model=model, data=sample, trust_pickle=trust_pickle, json=json))
    from edge_infer.cli import convert

    raise typer.Exit(
        convert.run(
            model=model,
            data=sample,
            reference=DataFile(reference, target_column, date_column or ()),
            inputs=inputs or (),
            labels=labels,
            states=state or (),
            target=target,
            opset=opset,
            shrinking=Shrinking(tuple(quantize or ()), calibration, targets, max_loss, simplify),
            name=name,
            version=version,
            release=release,
            output=output,
            trust_pickle=trust_pickle,
            precision=precision.value,
            report=report,
            strict_privacy=strict_privacy,
            card=card,
            force=force,
            json=json,
        )
    )


@app.command("inspect", rich_help_panel=panels.MAKE, help=folded(_INSPECT_HELP))
def _inspect(model: AnyModel, identity: Identity = None, json: Json = False) -> None:
    from edge_infer.cli import inspect

    raise typer.Exit(inspect.run(model=model, identity=identity, json=json))


@app.command("verify", rich_help_panel=panels.MAKE, help=folded(_VERIFY_HELP))
def _verify(
    model: AnyModel,
    trust: Annotated[
        list[str] | None,
        typer.Option("--trust", metavar="KEY.pub", help="A public key, or a folder of them, to trust. Repeatable."),
    ] = None,
    signature: Annotated[
        str | None,
        typer.Option("--signature", metavar="FILE", help="Left out: MODEL.sig, without .age."),
    ] = None,
    identity: Identity = None,
    json: Json = False,
) -> None:
    from edge_infer.cli import verify

    raise typer.Exit(verify.run(model=model, trust=trust or (), signature=signature, identity=identity, json=json))


@app.command("bench", rich_help_panel=panels.MAKE, help=folded(_BENCH_HELP))
def _bench(
    model: AnyModel,
    data: Annotated[
        str | None, typer.Option("--data", metavar="FILE", help="Rows to ask with: JSON or CSV, as predict reads them.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", "-m", metavar="METHOD", help=_METHOD_HELP, **_limits(_BENCH_METHODS)),
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", metavar="S", help="Time of each measurement.")] = 1.0,
    vs: Annotated[
        str | None, typer.Option("--vs", metavar="ORIGINAL", help="The model file that it was converted from.")
    ] = None,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Read ORIGINAL though it is a pickle, which runs the code in it.")
    ] = False,
    tune: Annotated[bool, typer.Option("--tune", help="Search the options that suit this device.")] = False,
    rows: Annotated[
        int | None, typer.Option("--rows", metavar="N", help="Of the calls that --tune makes fast. Left out: 1.")
    ] = None,
    json: Json = False,
) -> None:
    from edge_infer.cli import bench

    raise typer.Exit(
        bench.run(
            model=model,
            data=data,
            method=method,
            seconds=seconds,
            rows=rows,
            vs=vs,
            trust_pickle=trust_pickle,
            tune=tune,
            json=json,
        )
    )


@app.command("demo", rich_help_panel=panels.MAKE, help=folded(_DEMO_HELP))
def _demo(
    folder: Annotated[
        str | None, typer.Option("--folder", metavar="DIR", help="Keep the file here. Left out: a new folder.")
    ] = None,
) -> None:
    from edge_infer.cli import demo

    raise typer.Exit(demo.run(folder=folder))


add_hot(PREDICT, panels.ASK)
add_hot(STREAM, panels.ASK)
