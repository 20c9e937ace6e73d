"""`edge-infer update`, added to the typer app."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_infer.cli import panels
from edge_infer.cli.app import Json, app, folded
from edge_infer.cli.store_app import AllowBreaking, Identity, Trial, TrialErrors, TrialLatency

_HELP = """\
Bring models to the release that a repository has for this device.

A repository is what `edge-infer publish` makes: a folder, on a USB stick or behind an address. Its
metadata is signed (The Update Framework), so that neither who carries it nor who serves it need be
trusted; only --root is, the first time, and must come by a way that you trust. The store keeps it.

Example:

  edge-infer update titanic --from /media/usb/models --root 1.root.json
  edge-infer update --from https://example.org/models
  edge-infer update --from https://example.org/models --check

Left out, NAME is every model in the store. Each release is proven here as by `edge-infer install`,
with --trial as by `edge-infer activate`,
and one that fails stops no other: the exit code is 1 then. A download that is interrupted goes on
where it ended. A release that was refused is not downloaded again until something changes, and one
that is rolled out to a share of the devices is taken by those whose id (EDGE_INFER_DEVICE_ID, or one
that the store makes) is in it.

A release that is encrypted (.onnx.age) is kept so, and opened in memory with --identity.

Metadata expires, so that nobody can keep a device at an old state for ever. --expiry strict refuses
it then; 30d takes it for 30 days more, and ignore for ever, both with a warning. The time is that of
the device's clock, or of the last update if that is later: a device without a clock knows only that.

Needs the extra `update`. --json prints one object: store, from, channel, checked, kind and reason
(where the repository was refused: root, signature, expired, older, mixed, endless, oversized, absent,
unsafe or unreachable), models (a list of: name, action, version, before, reason, kind, halted, on_trial).
action is installed, available (with --check), current, absent or failed."""


@app.command("update", rich_help_panel=panels.DEVICE, help=folded(_HELP))
def _update(
    source: Annotated[
        str, typer.Option("--from", metavar="DIR|URL", help="The repository: a folder, or an http(s) address.")
    ],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Models, installed or not. Left out: all.")
    ] = None,
    root: Annotated[
        str | None, typer.Option("--root", metavar="ROOT.json", help="The root metadata to trust, the first time.")
    ] = None,
    channel: Annotated[str, typer.Option("--channel", metavar="CHANNEL", help="Whose releases to take.")] = "stable",
    expiry: Annotated[
        str,
        typer.Option("--expiry", metavar="POLICY", help="Of expired metadata: strict, ignore, or a time such as 30d."),
    ] = "strict",
    check: Annotated[bool, typer.Option("--check", help="Only say what would be done; change nothing.")] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", help="Stop after this time; the next update goes on there.")
    ] = 3600.0,
    allow_breaking: AllowBreaking = False,
    trial: Trial = None,
    trial_errors: TrialErrors = 0,
    trial_latency: TrialLatency = None,
    identity: Identity = None,
    json: Json = False,
) -> None:
    from edge_infer.cli import update
    from edge_infer.cli.store import terms_of

    raise typer.Exit(
        update.run(
            source=source,
            names=names or [],
            root=root,
            channel=channel,
            expiry=expiry,
            check=check,
            seconds=seconds,
            allow_breaking=allow_breaking,
            trial=terms_of(trial, trial_errors, trial_latency),
            identity=identity,
            json=json,
        )
    )
