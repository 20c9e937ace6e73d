"""From a fitted pipeline to ONNX nodes: plan (what reads what) → emit (nodes) → assemble (the finished graph)."""
