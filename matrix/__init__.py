"""The support matrix: every estimator fitted, converted and compared with its original. Run: `python -m matrix`."""
