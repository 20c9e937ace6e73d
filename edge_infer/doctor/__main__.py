"""python -m edge_infer.doctor [MODEL] [--json]: without typer; with PYTHONPATH=edge_infer-….whl, without pip too."""

from __future__ import annotations

import sys

USAGE = "usage: python -m edge_infer.doctor [MODEL] [--json]"


def main(args: list[str]) -> int:
    """The exit code: 0 if all that is needed works, 1 if not, 2 for wrong usage."""
    models = [arg for arg in args if not arg.startswith("-")]
    options = {arg for arg in args if arg.startswith("-")}
    if len(models) > 1 or not options <= {"--json"}:
        print(USAGE, file=sys.stderr)
        return 2
    from edge_infer.cli.doctor import run

    return run(model=models[0] if models else "", json="--json" in options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
