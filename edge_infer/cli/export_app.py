"""The commands of `edge-infer export`, added to the typer app."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_infer.cli import panels
from edge_infer.cli.app import AnyModel, Json, app, folded

_EXPORT_HELP = """\
Write a model in another form than a file for Python.

Example:

  edge-infer export web titanic-1.2.0.onnx -o titanic-app/"""

_WEB_HELP = """\
Write a web app of a model, which answers in the browser with no network.

-o DIR gets a folder for any static host; opened once by https or on localhost, it works offline and
can be installed like an app. With --single-file, -o FILE.html gets one file that opens by a double
click. The page has a form made of the model's columns, answers with probabilities, CSV files of many
rows, the golden rows as a self-test, and the model card.

The app holds the model itself: whoever can open it can copy it.

It needs onnxruntime-web once, a pinned npm release that is checked by its sha256. It is looked for in
--runtime, else $EDGE_INFER_WEB_RUNTIME, else in this folder (also node_modules) and in the user's
cache; --fetch lets npm bring it there. Nothing else uses a network.

Example:

  npm pack onnxruntime-web@1.30.0
  edge-infer export web titanic-1.2.0.onnx -o titanic-app/
  python -m http.server --directory titanic-app
  edge-infer export web titanic-1.2.0.onnx -o titanic.html --single-file

--json prints one object: output, single_file, bytes, parts (bytes by what they are for), runtime, model (name, version,
digest)."""

export = typer.Typer(name="export", help=folded(_EXPORT_HELP), no_args_is_help=True, rich_markup_mode="rich")
app.add_typer(export, rich_help_panel=panels.BRING)


@export.callback()
def _export() -> None:
    pass


@export.command("web", help=folded(_WEB_HELP))
def _web(
    model: AnyModel,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="DIR", help="The folder to write: new, empty or an earlier export. Or FILE.html."
        ),
    ],
    single_file: Annotated[
        bool, typer.Option("--single-file", help="One HTML file in place of a folder; it opens from a disk.")
    ] = False,
    runtime: Annotated[
        str | None,
        typer.Option("--runtime", metavar="PATH", help="The .tgz of `npm pack onnxruntime-web@…`, or its folder."),
    ] = None,
    fetch: Annotated[bool, typer.Option("--fetch", help="Run `npm pack` where the runtime is not there yet.")] = False,
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="Of the page. Left out: the model's name.")
    ] = None,
    json: Json = False,
) -> None:
    from edge_infer.cli import export as command

    raise typer.Exit(
        command.web(
            model=model,
            output=output,
            single_file=single_file,
            runtime=runtime,
            fetch=fetch,
            title=title,
            json=json,
        )
    )
