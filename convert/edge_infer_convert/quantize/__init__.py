"""Deep models in fewer bits: variants made by onnxruntime's own tools, measured here, and kept only where that pays.

asked.py → calibration.py (what calibrates, what judges) → variants.py (made) → measuring.py, metrics.py → choosing.py;
trying.py goes through it, table.py tells of it. Nothing of it is imported before `quantize` is asked for.
"""
