"""From what a device has seen to the next release: log and outcomes → retrain → convert → shadow → trial → active.

    python examples/closing_the_circle.py [FOLDER]

The scale of the station is exchanged in the middle: from then on it weighs in decagrams. The monitor notices, the
outcomes say what it costs, and a model that was trained on what the device has seen takes over.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.base import clone

import edge_infer
from edge_infer.monitor import LogSettings, Monitor, prediction_id
from edge_infer.monitor.export import export_log
from edge_infer.store import Store
from edge_infer.store.files import Files
from edge_infer.store.trial import Terms
from edge_infer_convert import convert
from edge_infer_convert.demo import load_penguins, train


def main(folder: Path) -> None:
    store, watched = Store(folder / "store"), folder / "watched"
    pipeline, _, _ = train()
    birds, species = load_penguins()
    birds, species = birds.sample(frac=1, random_state=0), species.sample(frac=1, random_state=0)
    first, later = slice(None, 120), slice(120, None)

    # At the desk: the first release.
    model = clone(pipeline).fit(birds[first], species[first])
    store.install(convert(model, data=birds[first], name="penguins", version="1.0.0").data)

    # On the device: it is asked, and what came true is recorded. The scale changes.
    changed = birds[later].assign(body_mass_g=birds[later]["body_mass_g"] / 10)
    outcomes = answer(store, watched, changed, species[later])

    # What the device knows: the columns have drifted, and answers are wrong more often.
    drift = Monitor(watched).check("penguins")
    print(f"the monitor says: {drift.verdict if drift else 'nothing'}: {drift.reason if drift else ''}")
    seen = what_was_seen(watched, folder / "seen.csv", outcomes)
    print(f"right before: {(seen['answer'] == seen['outcome']).mean():.0%} of {len(seen)} birds")

    # At the desk again: a model of most of what was seen, the second release. The rest is for the last line below.
    known = seen[:150]
    again = clone(pipeline).fit(known[birds.columns], known["outcome"])
    made = convert(again, data=known[birds.columns], name="penguins", version="2.0.0", release=2)
    store.install(made.data, activate=False)

    # In the shadow: it answers beside the active one, and nobody sees it.
    with store.watch("penguins", shadow="penguins@2.0.0", sample=1.0) as both:
        for record in records(changed):
            both.predict(record)
    (shadow,) = store.shadows("penguins")
    print(f"in the shadow: {shadow.agreement.share:.0%} of {shadow.agreement.rows} answers are the same")

    # On trial: it stays once it has answered fifty calls without an error.
    store.activate("penguins@2.0.0", trial=Terms(answers=50))
    with store.load("penguins") as active:
        answers = [active.predict(record) for record in records(changed[150:])]
    right = sum(answer == truth for answer, truth in zip(answers, species[later][150:], strict=False))
    print(f"right now: {right / len(answers):.0%} of {len(answers)} birds that it was not trained on")
    print(f"confirmed: {store.state('penguins').trial is None}")


def answer(store: Store, watched: Path, birds: pd.DataFrame, species: pd.Series[Any]) -> dict[str, str]:
    """Each bird by its number; what it was, by the id of its prediction."""
    truth = {}
    with Monitor(watched, log=LogSettings()) as monitor:
        with store.load("penguins", monitor=monitor) as model:
            for number, (record, kind) in enumerate(zip(records(birds), species, strict=False)):
                with prediction_id(f"bird-{number}"):
                    model.predict(record)
                truth[f"bird-{number}"] = str(kind)
        for each, kind in truth.items():
            monitor.outcome("penguins", each, kind)
    return truth


def what_was_seen(watched: Path, table: Path, outcomes: dict[str, str]) -> pd.DataFrame:
    """The log as a table, with what came true."""
    export_log(Files(watched), "penguins", table, "csv")
    seen = pd.read_csv(table).rename(columns=lambda name: name.removeprefix("input."))
    return seen.assign(outcome=seen["id"].map(outcomes))


def records(birds: pd.DataFrame) -> list[dict[str, Any]]:
    return birds.astype(object).where(birds.notna(), None).to_dict("records")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()))
    print(f"edge_infer {edge_infer.__version__}")
