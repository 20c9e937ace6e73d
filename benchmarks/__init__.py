"""Side-by-side measurements; `python -m benchmarks` (or `make bench`) runs them all. Not part of the wheel."""
