"""The commands of the store, added to the typer app."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_infer.cli import panels
from edge_infer.cli.app import Json, add_hot, app, folded
from edge_infer.cli.completion import models, releases
from edge_infer.cli.options import DOCTOR

_INSTALL_HELP = """\
Put models into this device's store, and make them the active release.

Each file is checked, and its golden rows are replayed in a process of its own; only what gives its
original's answers here becomes active. What would break programs that call the active release, and
what is older than a release that was active, is refused unless you allow it. What was refused, and
why, is in `edge-infer status` and `edge-infer log`. --trial is told by `edge-infer activate --help`.

What is older, the release number tells, and among equal numbers the version: 1.1.0 after 1.0.0. The
number is 1 unless `edge-infer convert --release N` gave another; raise it where the version cannot
tell the order, as when older content is published anew.

Example:

  edge-infer install titanic-1.2.0.onnx
  edge-infer predict titanic '{"age": 29, "sex": "female"}'

The store is the folder of the environment variable EDGE_INFER_HOME; left out, edge-infer's folder of
your data. --json prints one object: store, installed (a list: name, version, release, digest,
size, action, active, on_trial, verdict, changes, health)."""

_STATUS_HELP = """\
Show what runs, since when, what came before, and what was refused and why.

Example:

  edge-infer status titanic

--json prints one object: store, models (a list of: name, active, digest, since, previous, releases,
trial, refusals), damaged (names with the reason why their state cannot be read), update (the last
one: when, source, channel, result)."""

_LIST_HELP = """\
List the models in the store, their active releases and the others.

Example:

  edge-infer list

--json prints the same object as `edge-infer status`."""

_ACTIVATE_HELP = """\
Make an installed release the active one.

With --trial it must be confirmed, or else the release before it is active again: by `edge-infer
mark-good`, or by itself once it has given so many answers within the limits. It goes back when more
calls fail than --trial-errors, when its time is over, and when three processes crashed or were killed
in their first minute with it. Time in which the device is off does not count.

Example:

  edge-infer activate titanic@1.1.0
  edge-infer activate titanic@1.2.0 --trial 1000,24h --trial-latency 5

--json prints one object: name, version, release, digest, size, installed, signed_by,
encrypted, health."""

_MARK_GOOD_HELP = """\
Confirm the active release: its trial ends, and it stays.

Example:

  edge-infer mark-good titanic

--json prints the same object as `edge-infer activate`."""

_ROLLBACK_HELP = """\
Go back to the release that was active before.

One that cannot be used any more is passed over.

Example:

  edge-infer rollback titanic

--json prints the same object as `edge-infer activate`."""

_REMOVE_HELP = """\
Remove a release that is not active, or a model with all its releases.

Example:

  edge-infer remove titanic@1.0.0
  edge-infer remove titanic

--json prints one object: removed, a list of releases."""

_PRUNE_HELP = """\
Remove older releases that nothing needs, what crashes left behind, and unfinished downloads.

The active release, those that were active before it, and newer ones stay.

Example:

  edge-infer prune --keep 1

--json prints one object: freed_bytes."""

_LOG_HELP = """\
Show what happened to a model: who did what, when, and how it went.

Example:

  edge-infer log titanic

--json prints one object: name, and events, a list of: number, when, who, action, version, digest,
result, detail."""

_TRUST_HELP = """\
Trust the holders of these keys, or show which keys are trusted.

From the first key on, the store installs only what a trusted key has signed, and checks that before
it looks into the file.

Example:

  edge-infer trust release.key.pub

--json prints one object: trusted and revoked, lists of fingerprints."""

_REVOKE_HELP = """\
Trust a key no longer, whatever it has signed.

Releases that it signed are removed; where one of them is active, the release before it that another
key signed is active again.

Example:

  edge-infer revoke 3f0c41d2

--json prints one object: revoked, and models, those that changed."""

ModelName = Annotated[str, typer.Argument(metavar="NAME", help="A model in the store.", autocompletion=models)]
AllowBreaking = Annotated[
    bool, typer.Option("--allow-breaking", help="Accept it though programs that call the active release must change.")
]
Trial = Annotated[
    str | None,
    typer.Option(
        "--trial",
        metavar="TRIAL",
        help="Go back to the release before, unless confirmed: 100 (answers), 10min, or both: 100,10min.",
    ),
]
TrialErrors = Annotated[int, typer.Option("--trial-errors", metavar="N", help="Calls that may fail on trial.")]
TrialLatency = Annotated[
    float | None,
    typer.Option("--trial-latency", metavar="MS", help="That the median call on trial may take, in milliseconds."),
]
Identity = Annotated[
    str | None,
    typer.Option(
        "--identity",
        metavar="FILE",
        help="The secret that opens encrypted models. Left out: what EDGE_INFER_IDENTITY names.",
    ),
]
AllowOlder = Annotated[bool, typer.Option("--allow-older", help="Accept it though a later release was active before.")]


add_hot(DOCTOR, panels.DEVICE)


@app.command("install", rich_help_panel=panels.DEVICE, help=folded(_INSTALL_HELP))
def _install(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Models: .onnx files made by edge-infer, or .onnx.age encrypted ones."),
    ],
    only_add: Annotated[bool, typer.Option("--only-add", help="Do not make them active.")] = False,
    allow_breaking: AllowBreaking = False,
    allow_older: AllowOlder = False,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", help="Refuse what takes longer for its golden rows.")
    ] = 120.0,
    max_latency: Annotated[
        float | None,
        typer.Option("--max-latency", metavar="MS", help="Refuse what takes longer for a row, in milliseconds."),
    ] = None,
    max_memory: Annotated[
        float | None,
        typer.Option("--max-memory", metavar="MIB", help="Refuse what needs more memory to run, in MiB."),
    ] = None,
    signature: Annotated[
        str | None, typer.Option("--signature", metavar="SIG", help="Left out: beside each file, as FILE.sig.")
    ] = None,
    trial: Trial = None,
    trial_errors: TrialErrors = 0,
    trial_latency: TrialLatency = None,
    identity: Identity = None,
    json: Json = False,
) -> None:
    from edge_infer.cli import store
    from edge_infer.store.gate import Limits

    latency = None if max_latency is None else max_latency / 1000
    memory = None if max_memory is None else int(max_memory * (1 << 20))
    raise typer.Exit(
        store.install(
            files=files,
            activate=not only_add,
            allow_breaking=allow_breaking,
            allow_older=allow_older,
            limits=Limits(seconds, latency, memory),
            signature=signature,
            trial=store.terms_of(trial, trial_errors, trial_latency),
            identity=identity,
            json=json,
        )
    )


@app.command("list", rich_help_panel=panels.DEVICE, help=folded(_LIST_HELP))
def _list(json: Json = False) -> None:
    from edge_infer.cli import store

    raise typer.Exit(store.list_models(json=json))


@app.command("status", rich_help_panel=panels.DEVICE, help=folded(_STATUS_HELP))
def _status(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A model. Left out: all.", autocompletion=models)
    ] = None,
    json: Json = False,
) -> None:
    from edge_infer.cli import store

    raise typer.Exit(store.status(name=name, json=json))


@app.command("activate", rich_help_panel=panels.DEVICE, help=folded(_ACTIVATE_HELP))
def _activate(
    reference: Annotated[
        str, typer.Argument(metavar="NAME@VERSION", help="An installed release.", autocompletion=releases)
    ],
    allow_breaking: AllowBreaking = False,
    allow_older: AllowOlder = False,
    trial: Trial = None,
    trial_errors: TrialErrors = 0,
    trial_latency: TrialLatency = None,
    identity: Identity = None,
    json: Json = False,
) -> None:
    from edge_infer.cli import store

    terms = store.terms_of(trial, trial_errors, trial_latency)
    raise typer.Exit(
        store.activate(
            reference=reference,
            allow_breaking=allow_breaking,
            allow_older=allow_older,
            trial=terms,
            identity=identity,
            json=json,
        )
    )


@app.command("mark-good", rich_help_panel=panels.DEVICE, help=folded(_MARK_GOOD_HELP))
def _mark_good(name: ModelName, json: Json = False) -> None:
    from edge_infer.cli import store

    raise typer.Exit(store.mark_good(name=name, json=json))


@app.command("rollback", rich_help_panel=panels.DEVICE, help=folded(_ROLLBACK_HELP))
def _rollback(name: ModelName, identity: Identity = None, json: Json = False) -> None:
    from edge_infer.cli import store

    raise typer.Exit(store.rollback(name=name, identity=identity, json=json))


@app.command("remove", rich_help_panel=panels.DEVICE, help=folded(_REMOVE_HELP))
def _remove(
    reference: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="What to remove.", autocompletion=models)],
    json: Json = False,
) -> None:
    from edge_infer.cli import store

    raise typer.Exit(store.remove(reference=reference, json=json))


@app.command("prune", rich_help_panel=panels.DEVICE, help=folded(_PRUNE_HELP))
def _prune(
    keep: Annotated[
        int, typer.Option("--keep", min=0, metavar="N", help="Releases to keep of those active before.")
    ] = 2,
    json: Json = False,
) -> None:
    from edge_infer.cli import store

    raise typer.Exit(store.prune(keep=keep, json=json))


@app.command("log", rich_help_panel=panels.DEVICE, help=folded(_LOG_HELP))
def _log(name: ModelName, json: Json = False) -> None:
    from edge_infer.cli import store

    raise typer.Exit(store.log(name=name, json=json))


@app.command("trust", rich_help_panel=panels.DEVICE, help=folded(_TRUST_HELP))
def _trust(
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="KEY.pub", help="Public keys to trust from now on.")
    ] = None,
    json: Json = False,
) -> None:
    from edge_infer.cli import store

    raise typer.Exit(store.trust(keys=keys or [], json=json))


@app.command("revoke", rich_help_panel=panels.DEVICE, help=folded(_REVOKE_HELP))
def _revoke(
    fingerprint: Annotated[str, typer.Argument(metavar="FINGERPRINT", help="Of the key, as `trust` shows it.")],
    json: Json = False,
) -> None:
    from edge_infer.cli import store

    raise typer.Exit(store.revoke(fingerprint=fingerprint, json=json))
