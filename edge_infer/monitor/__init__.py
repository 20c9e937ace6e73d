"""Watching a model where it runs: counts in constant memory, windows on disk, drift, a log."""
