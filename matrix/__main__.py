"""python -m matrix [NAME …] [--check] [--update] [--quick] [--group GROUP] [--processes N]"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Sequence
from typing import Any

from matrix.case import GROUPS, Case

__all__ = ["chosen_cases", "main"]


def main(argv: list[str] | None = None) -> int:
    """Run the cases; all of them are recorded, some are only printed. 1 when one is worse than recorded."""
    options = _parser().parse_args(argv)
    _prepare()
    from matrix import record

    cases = chosen_cases(options.names, options.group, first=options.quick)
    if not cases:
        print(f"no case is called {' or '.join(options.names)}", file=sys.stderr)
        return 2
    whole = not options.names and not options.group and not options.quick
    entries = _run(cases, options, show=bool(options.names))
    if options.check:
        return _checked(record.worse(record.read(), entries), len(entries))
    if whole or (options.update and not options.quick):
        _write(record.document(entries) if whole else record.merged(record.read(), entries, chosen_cases()))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m matrix", description="Fit, convert and compare every estimator.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="only these estimators, pipelines or boosters; printed"
    )
    parser.add_argument("--group", choices=GROUPS, help="only this group")
    parser.add_argument(
        "--check", action="store_true", help="fail when a case is worse than artifacts/support.json says"
    )
    parser.add_argument("--update", action="store_true", help="record the chosen cases too; the others stay")
    parser.add_argument(
        "--quick", action="store_true", help="the first case of each, fewer rows, without skl2onnx's path"
    )
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1), help="cases at a time")
    parser.add_argument("--seconds", type=float, default=120.0, help="time limit of a case")
    return parser


def _prepare() -> None:
    """One thread each, so that sums have one order; warnings of scikit-learn are not our subject."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    warnings.simplefilter("ignore")


def chosen_cases(names: Sequence[str] = (), group: str | None = None, *, first: bool = False) -> list[Case]:
    """All cases, those with these names, or only the first of each name."""
    from matrix.boosters import booster_cases
    from matrix.cases import estimator_cases
    from matrix.pipelines import pipeline_cases

    cases = [*estimator_cases(), *pipeline_cases(), *booster_cases()]
    wanted = {name.lower() for name in names}
    cases = [case for case in cases if not wanted or wanted & {case.subject.lower(), case.key.lower()}]
    cases = [case for case in cases if group is None or case.group == group]
    return list({(case.group, case.subject): case for case in reversed(cases)}.values())[::-1] if first else cases


def _run(cases: Sequence[Case], options: argparse.Namespace, *, show: bool) -> list[dict[str, Any]]:
    from matrix.judge import FULL, QUICK
    from matrix.record import described
    from matrix.run import Settings, run

    settings = Settings(QUICK if options.quick else FULL, options.seconds, options.processes, not options.quick)
    started, entries = time.monotonic(), []
    for case, result in run(cases, settings):
        entries.append(described(case, result))
        told = f"{case.key}: {result['outcome']} {result.get('precision', '')} {result.get('reason', '')}"
        if show:
            print(told, f"[{result.get('documented', {}).get('outcome', '')}]", flush=True)
        elif sys.stderr.isatty() or result["outcome"] != "equal":
            print(f"[{len(entries)}/{len(cases)}] {told[:200]}", file=sys.stderr, flush=True)
    print(f"{len(entries)} cases in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return entries


def _checked(worse: list[str], count: int) -> int:
    for line in worse:
        print(line)
    print(f"{len(worse)} of {count} cases are worse than recorded")
    return 1 if worse else 0


def _write(made: dict[str, Any]) -> None:
    from matrix import arm, record, report

    record.RECORD.write_text(record.rendered(made), encoding="utf-8")
    record.MARKDOWN.write_text(report.markdown(made, arm.read()), encoding="utf-8")
    print(report.summary(made["cases"]))


if __name__ == "__main__":
    sys.exit(main())
