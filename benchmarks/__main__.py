"""python -m benchmarks [--quick] [--part NAME …] [--output FOLDER]"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import (
    boosted_trees,
    c_floor,
    deep,
    files,
    large_models,
    many_rows,
    million_rows,
    monitored,
    one_row,
    resources,
    start_up,
    string_entry,
    swap,
)
from benchmarks.measure import FULL, QUICK
from benchmarks.picture import write_picture
from benchmarks.readme import quote
from benchmarks.results import shown, write_results

PARTS = {
    "one_row": one_row.run,
    "many_rows": many_rows.run,
    "million_rows": million_rows.run,
    "boosted_trees": boosted_trees.run,
    "c_floor": c_floor.run,
    "start_up": start_up.run,
    "resources": resources.run,
    "string_entry": string_entry.run,
    "large_models": large_models.run,
    "swap": swap.run,
    "monitored": monitored.run,
    "files": files.run,
    "deep": deep.run,
}


def main(argv: list[str] | None = None) -> int:
    """Run the parts, print their tables, and write the results, and the README's figures, where all parts ran."""
    options = _parser().parse_args(argv)
    settings = QUICK if options.quick else FULL
    measured = []
    for name in options.part or PARTS:
        measured.append(PARTS[name](settings))
        print(shown(measured[-1]), flush=True)
    if len(measured) == len(PARTS) and (options.output or not options.quick):
        here = Path(__file__).parent
        folder = Path(options.output or here)
        write_results(measured, settings, folder)
        write_picture(folder)
        if not options.output:
            quote(here / "results.md", here.parent / "README.md")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure side by side.")
    parser.add_argument("--quick", action="store_true", help="one repetition: checks answers, times mean nothing")
    parser.add_argument("--part", action="append", choices=sorted(PARTS), help="only this part (may be repeated)")
    parser.add_argument("--output", help="folder for results.md and results.json (default: benchmarks/)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
