"""`edge-infer batch`, added to the typer app."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from edge_infer.cli import panels
from edge_infer.cli.app import AnyModel, Identity, Json, app, folded
from edge_infer.errors import UsageError

_BATCH_HELP = """\
Score files of any size in constant memory, or each file that is put into a folder.

IN is a CSV, TSV, JSON Lines, Parquet or Arrow file, a glob in quotes, a folder (also of partitions,
year=2026/), or - for standard input; text may be compressed (.gz, .zst, .bz2, .lz4). OUT is of any
of these kinds, by its suffix. It appears when it is whole, its rows in the order of the input.
It needs the extra batch.

A row that cannot be scored goes to OUT.rejected.jsonl with its line and the reason, and the rest goes
on; with --on-error null it keeps its place without answers, with fail it ends the batch.

What breaks off (Ctrl-C, a power cut) goes on with --resume, and gives the same bytes as an unbroken run.

Example:

  edge-infer batch titanic.onnx passengers.csv -o answers.parquet --keep id
  edge-infer batch titanic.onnx 'in/*.csv.gz' -o answers.csv --memory 100MiB
  edge-infer batch titanic.onnx --watch inbox -o outbox --once

With --watch, each file of the folder is scored once, also across crashes, and moved to its done/ or
failed/, with the reason beside it. A file counts as whole when it has not changed for two seconds.
Exits with 1 if a file failed with --once.

--json prints one object: output, rows, rejected, rejects (the file), seconds, input_bytes,
output_bytes, resumed_rows, rows_per_second; with --watch one a line for each file: file, result, reason."""


class OnError(StrEnum):
    """`batch --on-error`."""

    reject = "reject"
    null = "null"
    fail = "fail"


@app.command("batch", rich_help_panel=panels.ASK, help=folded(_BATCH_HELP))
def _batch(
    model: AnyModel,
    output: Annotated[str, typer.Option("--output", "-o", metavar="OUT", help="The file, or with --watch the folder.")],
    inputs: Annotated[list[str] | None, typer.Argument(metavar="IN", help="Files, globs, folders, or -.")] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="NAMES", help="Columns of IN that OUT begins with: id,name.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method", "-m", metavar="METHOD", help="What to answer, or all. Left out: label and probabilities."
        ),
    ] = None,
    on_error: Annotated[OnError, typer.Option("--on-error", help="A row that cannot be scored.")] = OnError.reject,
    memory: Annotated[str, typer.Option("--memory", metavar="SIZE", help="For the rows under way.")] = "200MiB",
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, max=256, metavar="N", help="Left out: all CPUs that it may use.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what was begun.")] = False,
    delimiter: Annotated[
        str | None, typer.Option("--delimiter", metavar="CHAR", help="Of CSV: , ; or tab. Left out: found out.")
    ] = None,
    input_kind: Annotated[
        str | None,
        typer.Option("--from", metavar="KIND", help="csv, tsv, jsonl, parquet or arrow. Left out: the suffix."),
    ] = None,
    output_kind: Annotated[str | None, typer.Option("--to", metavar="KIND", help="The same, of OUT.")] = None,
    watch: Annotated[str | None, typer.Option("--watch", metavar="DIR", help="Score each file put here.")] = None,
    once: Annotated[bool, typer.Option("--once", help="With --watch: what is there, then end.")] = False,
    every: Annotated[
        float, typer.Option("--every", min=0.05, metavar="S", help="With --watch: seconds between two looks.")
    ] = 2.0,
    identity: Identity = None,
    monitor: Annotated[
        str | None, typer.Option("--monitor", metavar="DIR", help="Count what is asked and answered in this folder.")
    ] = None,
    json: Json = False,
) -> None:
    from edge_infer.cli import batch

    if delimiter is not None and delimiter not in (",", ";", "\t", "\\t", "tab", "|"):
        raise UsageError(f"--delimiter: expected , ; | or tab, got {delimiter!r:.60}")
    options = batch.Options(
        method, tuple(keep or ()), on_error.value, memory, threads, delimiter, input_kind, output_kind
    )
    if watch is not None:
        if inputs or resume:
            raise UsageError("--watch: expected no IN and no --resume; files are taken from the folder")
        raise typer.Exit(
            batch.watch(
                model=model, folder=watch, output=output, options=options, once=once, every=every, identity=identity,
                monitor=monitor, json=json,
            )
        )  # fmt: skip
    if not inputs:
        raise UsageError("IN: expected files, globs, folders, or - for standard input; or --watch DIR")
    raise typer.Exit(
        batch.run(
            model=model, inputs=inputs, output=output, options=options, resume=resume, identity=identity,
            monitor=monitor, json=json,
        )
    )  # fmt: skip
