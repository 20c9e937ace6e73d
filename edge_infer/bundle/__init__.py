"""Bundles: a folder with wheels, models, keys and a script that installs with no network, or one executable file.

    from edge_infer.bundle import make_bundle, target_of

    made = make_bundle("bundle", ["titanic-1.2.0.onnx"], target_of("linux-aarch64", "3.11"))

It is made where pip reaches a package index, by the pip of the running Python, for a device that need not be like this
machine. What the script does on the device, `install.sh` says on its top.
"""

from __future__ import annotations

from edge_infer.bundle.making import Bundle, make_bundle
from edge_infer.bundle.single_file import SingleFile, make_single_file
from edge_infer.bundle.targets import PLATFORMS, Target, target_of

__all__ = ["PLATFORMS", "Bundle", "SingleFile", "Target", "make_bundle", "make_single_file", "target_of"]
