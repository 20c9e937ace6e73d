"""The commands of `edge-infer monitor`, added to the typer app."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_infer.cli import panels
from edge_infer.cli.app import Json, app, folded

_MONITOR_HELP = """\
Look at what a monitor has counted of models: calls, errors, latencies, drift.

A monitor is a folder that programs write to: `edge_infer.load(…, monitor=edge_infer.Monitor(DIR))`,
EDGE_INFER_MONITOR=DIR, or --monitor DIR of `edge-infer predict` and `stream`.

Example:

  edge-infer monitor status --folder watched
  edge-infer monitor report --folder watched -o report.html"""

_STATUS_HELP = """\
Show calls, errors, latencies, and how far columns and answers have drifted from the reference.

A difference is drift where it is sure (chi-squared and Kolmogorov–Smirnov tests, Holm's correction)
and large (Jensen–Shannon distance). Exits with 1 if a model has drifted.

Example:

  edge-infer monitor status penguins --folder watched
  edge-infer monitor status --folder watched \\
      --on-drift 'logger "$EDGE_INFER_REASON"'

The command has EDGE_INFER_MODEL, _VERSION, _VERDICT and _REASON in its environment, and a minute.

--json prints one object: folder, models (a list of: name, version, digest, since, until, windows,
summary, skipped, drift, estimated_accuracy, other_versions)."""

_REPORT_HELP = """\
Write a page with pictures: latency over time, every column beside its reference, drift, what to do.

It is one file that opens with no network.

Example:

  edge-infer monitor report --folder watched -o report.html"""

_PROMETHEUS_HELP = """\
Write the counts in the text format of Prometheus, for node_exporter's textfile collector.

The file takes its name when it is whole. It needs the extra monitor.

Example:

  edge-infer monitor prometheus edge_infer.prom --folder watched"""

_WATCH_HELP = """\
Show the status again and again, until Ctrl-C.

Example:

  edge-infer monitor watch penguins --folder watched --every 5"""

_EXPORT_HELP = """\
Write the prediction log as a table: a row for each prediction, a column for each input.

The log is there where the monitor was given one: `Monitor(DIR, log=LogSettings())`. Parquet needs the
extra monitor.

Example:

  edge-infer monitor export penguins --folder watched -o log.parquet
  edge-infer monitor export penguins --folder watched -o log.csv \\
      --since 2026-11-01"""

_OUTCOMES_HELP = """\
Record what came true of predictions, from a CSV or JSON Lines file with the columns id and outcome.

`status` and `report` tell accuracy and F1, or MAE, from then on, of predictions that the log has.

Example:

  edge-infer monitor outcomes penguins outcomes.csv --folder watched"""

_MERGE_HELP = """\
Bring the windows of many devices together in a new folder, to be looked at as one.

Example:

  edge-infer monitor merge device1/watched device2/watched -o fleet
  edge-infer monitor report --folder fleet -o fleet.html"""

Model = Annotated[str, typer.Argument(metavar="NAME", help="A model in the folder.")]
Name = Annotated[str | None, typer.Argument(metavar="NAME", help="A model. Left out: all.")]
Folder = Annotated[
    str | None,
    typer.Option("--folder", metavar="DIR", help="The monitor's folder. Left out: what EDGE_INFER_MONITOR names."),
]
Last = Annotated[int, typer.Option("--last", min=1, metavar="N", help="Windows to look at together: hours, then days.")]

monitor = typer.Typer(name="monitor", help=folded(_MONITOR_HELP), no_args_is_help=True, rich_markup_mode="rich")
app.add_typer(monitor, rich_help_panel=panels.DEVICE)


@monitor.command("status", help=folded(_STATUS_HELP))
def _status(
    name: Name = None,
    folder: Folder = None,
    last: Last = 24,
    on_drift: Annotated[
        str | None,
        typer.Option("--on-drift", metavar="CMD", help="Run this by the shell, once, when a model has drifted."),
    ] = None,
    json: Json = False,
) -> None:
    from edge_infer.cli import monitor as command

    raise typer.Exit(command.status(name=name, folder=folder, last=last, on_drift=on_drift, json=json))


@monitor.command("report", help=folded(_REPORT_HELP))
def _report(
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="The page to write.")],
    name: Name = None,
    folder: Folder = None,
    last: Last = 48,
) -> None:
    from edge_infer.cli import monitor as command

    raise typer.Exit(command.report(name=name, folder=folder, output=output, last=last))


@monitor.command("prometheus", help=folded(_PROMETHEUS_HELP))
def _prometheus(
    output: Annotated[str, typer.Argument(metavar="FILE", help="The file to write, by custom NAME.prom.")],
    folder: Folder = None,
) -> None:
    from edge_infer.cli import monitor as command

    raise typer.Exit(command.prometheus(output=output, folder=folder))


@monitor.command("watch", help=folded(_WATCH_HELP))
def _watch(
    name: Name = None,
    folder: Folder = None,
    last: Last = 24,
    every: Annotated[float, typer.Option("--every", min=0.1, metavar="S", help="Seconds between two looks.")] = 2.0,
) -> None:
    from edge_infer.cli import monitor as command

    raise typer.Exit(command.watch(name=name, folder=folder, last=last, every=every))


@monitor.command("export", help=folded(_EXPORT_HELP))
def _export(
    name: Model,
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")],
    folder: Folder = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="KIND", help="parquet, csv or jsonl. Left out: the file's suffix.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="From then on, UTC.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Until then.")] = None,
) -> None:
    from edge_infer.cli import monitor as command

    raise typer.Exit(command.export(name=name, folder=folder, output=output, to=to, since=since, until=until))


@monitor.command("outcomes", help=folded(_OUTCOMES_HELP))
def _outcomes(
    name: Model,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A .csv or .jsonl file.")],
    folder: Folder = None,
) -> None:
    from edge_infer.cli import monitor as command

    raise typer.Exit(command.outcomes(name=name, file=file, folder=folder))


@monitor.command("merge", help=folded(_MERGE_HELP))
def _merge(
    folders: Annotated[list[str], typer.Argument(metavar="DIR", help="Monitors' folders.")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help="The folder to make.")],
) -> None:
    from edge_infer.cli import monitor as command

    raise typer.Exit(command.merge(folders=folders, output=output))
