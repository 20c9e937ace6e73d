"""`edge-infer publish`, added to the typer app."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_infer.cli import panels
from edge_infer.cli.app import Identity, Json, app, folded

_PUBLISH_HELP = """\
Publish models to devices: a folder of plain files that `edge-infer update` reads, from a web server
or a USB stick.

The folder is a repository of TUF (The Update Framework). The first run makes it, and its keys in
--keys, which is never part of what is published. A release, once published, never changes; its
share of the devices can, and --halt stops it. Publish in a folder of your own and copy it to the
server, targets first and metadata/timestamp.json last: never back.

Example:

  # to a tenth of the devices, then to all
  edge-infer publish repo titanic-1.2.0.onnx --keys keys --share 10%
  edge-infer publish repo titanic@1.2.0 --keys keys --share 100%

  # stopped, and going on
  edge-infer publish repo --keys keys --halt titanic@1.2.0
  edge-infer publish repo --keys keys --resume titanic@1.2.0 --share 10%

  # what a timer runs, and a new key
  edge-infer publish repo --keys keys --refresh
  edge-infer publish repo --keys keys --rotate timestamp

An encrypted FILE (titanic-1.2.0.onnx.age) is published as it is; --identity opens it here, to read its
name, version and release. Each device opens it with its own identity.

Signatures of roles expire: root after 3 years, targets and channels after 1 year, snapshot after 90
days, timestamp after 30 days, unless --expires says otherwise. artifacts/REPOSITORY.md describes the
folder, which keys to keep offline, and what to do where one is lost.

--json prints one object: folder, root, created, changes (a list: name, version, release, channel,
action, share, halted, file, signature, published), signed (roles), new_keys, roles (a list: name,
version, expires, near_end, expired, threshold, keys), damaged (files). The exit code is 1, too,
where a role has expired or a published file is damaged."""


@app.command("publish", rich_help_panel=panels.BRING, help=folded(_PUBLISH_HELP))
def _publish(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The folder that is published; made where it is not.")],
    keys: Annotated[str, typer.Option("--keys", metavar="KEYS", help="The folder of private keys, outside of DIR.")],
    releases: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|NAME@VERSION",
            help="Models to add, each with the signature beside it (FILE.sig); or published ones that get --share.",
        ),
    ] = None,
    channel: Annotated[str, typer.Option("--channel", metavar="CHANNEL", help="Where: stable, beta …")] = "stable",
    share: Annotated[
        str | None,
        typer.Option("--share", metavar="PERCENT", help="How many devices take it: 10%. Left out: all, or as before."),
    ] = None,
    halt: Annotated[
        list[str] | None, typer.Option("--halt", metavar="NAME@VERSION", help="No further device takes it. Repeatable.")
    ] = None,
    resume: Annotated[
        list[str] | None, typer.Option("--resume", metavar="NAME@VERSION", help="End a halt. Repeatable.")
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Sign timestamp and snapshot again, and what is near its end.")
    ] = False,
    rotate: Annotated[
        list[str] | None, typer.Option("--rotate", metavar="ROLE", help="New keys for a role or channel. Repeatable.")
    ] = None,
    new_channel: Annotated[
        bool, typer.Option("--new-channel", help="Make the channel if there is none of its name.")
    ] = False,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            "--threshold",
            metavar="ROLE=N[/M]",
            help="For keys that are made: N of the role's M keys must sign (root=2/3). Repeatable.",
        ),
    ] = None,
    expires: Annotated[
        list[str] | None,
        typer.Option(
            "--expires",
            metavar="ROLE=TIME",
            help="How long a role's signature holds from now on: timestamp=7d (h, d, w, y). Repeatable.",
        ),
    ] = None,
    identity: Identity = None,
    json: Json = False,
) -> None:
    from edge_infer.cli import publish

    asked = publish.Asked(
        releases=tuple(releases or ()),
        halt=tuple(halt or ()),
        resume=tuple(resume or ()),
        refresh=refresh,
        rotate=tuple(rotate or ()),
        channel=channel,
        new_channel=new_channel,
        share=share,
        identity=identity,
    )
    raise typer.Exit(
        publish.run(
            folder=folder, keys=keys, asked=asked, thresholds=threshold or [], lifetimes=expires or [], json=json
        )
    )
