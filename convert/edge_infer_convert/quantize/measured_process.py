"""A program: read an artifact from standard input, load it, repeat a call, and print {"p50": …, "peak": …}.

python -m edge_infer_convert.quantize.measured_process SECONDS RECIPES < ARTIFACT
"""

from __future__ import annotations

import json
import sys

from edge_infer.artifact import parse_artifact
from edge_infer.bench.answer_once import most_resident_bytes
from edge_infer.bench.latency import measured
from edge_infer.model import Model
from edge_infer.options import SessionOptions
from edge_infer.tensor_goldens import Recipe

_MOMENTS = 4  # whatever else the machine does comes and goes: the quietest counts


def main() -> None:
    """Raises what loading and running raise."""
    seconds, recipes = float(sys.argv[1]), json.loads(sys.argv[2])
    feeds = {name: Recipe(**{**told, "shape": tuple(told["shape"])}).made() for name, told in recipes.items()}
    model = Model(parse_artifact(sys.stdin.buffer.read()), SessionOptions())
    medians = [measured(model.run, [feeds], seconds / _MOMENTS).p50 for _ in range(_MOMENTS)]
    print(json.dumps({"p50": min(medians), "peak": most_resident_bytes()}), flush=True)


if __name__ == "__main__":
    main()
