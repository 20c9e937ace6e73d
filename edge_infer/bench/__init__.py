"""Measuring one model on this machine, and finding the options that suit it. Nothing here is imported by a load."""
